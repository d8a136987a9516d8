"""Pushes on the wire that wait for a reply."""

from __future__ import annotations

import random

import pytest

from phoenix_actors.errors import ChannelClosed, ConnectionLost
from phoenix_actors.machines.push import (
    PendingPush,
    PendingPushes,
    is_unmatched_topic,
    push_failure,
)
from phoenix_actors.message import HeartbeatTimeout, Left, PushReply, ServerError

TOPIC = "room:lobby"


def enter(
    pushes: PendingPushes,
    topic: str = TOPIC,
    join_ref: str | None = "1",
    deadline: float | None = None,
) -> PendingPush:
    """Enter a push with the next ref."""
    ref = pushes.next_ref()
    push = PendingPush(topic, ref, join_ref, "shout", f"token {ref}", deadline, 10.0)
    pushes.add(push)
    return push


@pytest.mark.contract("C41")
def test_refs_are_strings_that_grow_by_one() -> None:
    """They are never given out again, whatever became of their push."""
    pushes = PendingPushes()
    assert [pushes.next_ref() for _ in range(3)] == ["1", "2", "3"]
    pushes.take_join(enter(pushes).topic, "1")
    assert pushes.next_ref() == "5"


@pytest.mark.contract("C48")
def test_a_reply_goes_to_its_push_once() -> None:
    """The second reply with the same ref is nobody's."""
    pushes = PendingPushes()
    push = enter(pushes)
    assert pushes.resolve(TOPIC, push.ref, "1") is push
    assert pushes.resolve(TOPIC, push.ref, "1") is None
    assert (len(pushes), pushes.unmatched) == (0, 1)


@pytest.mark.contract("C48")
@pytest.mark.parametrize(
    ("topic", "ref", "join_ref"),
    [
        ("other", "1", "1"),
        (TOPIC, "9", "1"),
        (TOPIC, "1", "0"),
        (TOPIC, None, "1"),
        (TOPIC, "", "1"),
    ],
)
def test_a_reply_must_match_in_topic_ref_and_join_ref(
    topic: str, ref: str | None, join_ref: str
) -> None:
    """Otherwise it is counted, and the push goes on waiting."""
    pushes = PendingPushes()
    push = enter(pushes)
    assert pushes.resolve(topic, ref, join_ref) is None
    assert (len(pushes), pushes.unmatched) == (1, 1)
    assert pushes.resolve(TOPIC, "1", "1") is push


@pytest.mark.contract("C48", "C84")
def test_a_reply_without_join_ref_matches_by_topic_and_ref() -> None:
    """The server answers so when it has no channel for the topic."""
    pushes = PendingPushes()
    push = enter(pushes)
    assert pushes.resolve(TOPIC, push.ref, None) is push


@pytest.mark.contract("C76")
def test_replies_out_of_order_reach_their_pushes() -> None:
    """Ten thousand, shuffled."""
    pushes = PendingPushes()
    entered = [enter(pushes, f"room:{number % 7}", deadline=number) for number in range(10_000)]
    shuffled = random.Random(1).sample(entered, len(entered))
    for push in shuffled:
        assert pushes.resolve(push.topic, push.ref, "1") is push
    assert (len(pushes), pushes.unmatched) == (0, 0)
    assert pushes.next_deadline() is None


@pytest.mark.contract("C49")
def test_ten_thousand_timeouts_leave_nothing() -> None:
    """Each deadline takes its push out, the earliest first."""
    pushes = PendingPushes()
    entered = [enter(pushes, deadline=float(number)) for number in range(10_000)]
    assert pushes.next_deadline() == 0.0
    assert pushes.expire(4_999.0) == entered[:5_000]
    assert len(pushes) == 5_000
    assert pushes.expire(1e9) == entered[5_000:]
    assert (len(pushes), pushes.next_deadline()) == (0, None)
    assert pushes.take_join(TOPIC, "1") == []


@pytest.mark.contract("C49")
def test_answered_pushes_leave_no_deadline_behind() -> None:
    """A hundred thousand pushes with replies do not grow the table, though they are sorted in."""
    pushes = PendingPushes()
    waiting = enter(pushes, deadline=1e9)
    assert pushes.next_deadline() == 1e9
    for number in range(100_000):
        push = enter(pushes, deadline=1e6 + number)
        pushes.resolve(TOPIC, push.ref, "1")
    assert len(pushes) == 1
    assert len(pushes._heap) < 200
    assert pushes.next_deadline() == 1e9
    assert pushes.expire(1e9) == [waiting]


@pytest.mark.contract("C49", "C80")
def test_the_end_of_a_channel_or_connection_takes_its_pushes_out() -> None:
    """Those of one join of a topic, in the order they were made; their deadlines go with them."""
    pushes = PendingPushes()
    first, other, second = enter(pushes, deadline=1.0), enter(pushes, "other"), enter(pushes)
    assert pushes.take_join(TOPIC, "1") == [first, second]
    assert pushes.take_join(TOPIC, "1") == []
    assert pushes.expire(10.0) == []
    assert pushes.take_join("other", "1") == [other]
    assert len(pushes) == 0
    assert pushes.resolve(TOPIC, first.ref, "1") is None


@pytest.mark.contract("C26", "C49")
def test_many_channels_that_end_together_do_not_look_at_each_others_pushes() -> None:
    """And leave no deadline behind, where those had been sorted."""

    class Counted(PendingPushes):
        def __len__(self) -> int:
            raise AssertionError

    pushes = Counted()
    for number in range(2000):
        pushes.enter(f"t{number}", "1", "e", None, 10.0, 5.0)
    assert pushes.next_deadline() == 10.0
    for number in range(2000):
        assert len(pushes.take_join(f"t{number}", "1")) == 1
    assert pushes._heap == []
    assert pushes.next_deadline() is None


@pytest.mark.contract("C49")
def test_no_deadline_is_sorted_before_somebody_looks() -> None:
    """Then those of all that wait; later ones only when these are used up, earlier ones at once."""
    pushes = PendingPushes()
    assert pushes.next_deadline() is None
    for deadline in (5.0, 7.0):
        pushes.enter(TOPIC, "1", "e", None, deadline, 5.0)
    assert pushes._heap == []
    assert pushes.next_deadline() == 5.0
    for deadline in (8.0, 4.0, 7.0):
        pushes.enter(TOPIC, "1", "e", None, deadline, 5.0)
    assert sorted(pushes._heap) == [(4.0, TOPIC, "4"), (5.0, TOPIC, "1"), (7.0, TOPIC, "2")]
    assert [push.ref for push in pushes.expire(9.0)] == ["4", "1", "2", "5", "3"]


@pytest.mark.contract("C102")
@pytest.mark.parametrize("made", ["before", "after"])
def test_a_push_answers_for_the_tick_in_which_it_was_made(made: str) -> None:
    """One that was made before the last tick, and is answered now, tells nothing of now."""
    pushes = PendingPushes()
    pushes.tick()
    before = enter(pushes)
    assert not pushes.tick()
    after = enter(pushes)
    pushes.resolve(TOPIC, (before if made == "before" else after).ref, "1")
    assert pushes.tick() is (made == "after")
    assert not pushes.tick()


def test_a_push_that_could_not_be_sent_is_taken_out() -> None:
    """`discard` gives it back, once."""
    pushes = PendingPushes()
    push = enter(pushes, deadline=1.0)
    assert pushes.discard(TOPIC, push.ref) is push
    assert pushes.discard(TOPIC, push.ref) is None
    assert pushes.next_deadline() is None


def test_a_push_without_deadline_waits_for_ever() -> None:
    """It is in the table and in no heap."""
    pushes = PendingPushes()
    enter(pushes)
    assert pushes.next_deadline() is None
    assert pushes.expire(1e12) == []
    assert repr(pushes) == "<PendingPushes 1 waiting, 0 unmatched>"


@pytest.mark.contract("C84")
@pytest.mark.parametrize(
    ("reply", "unmatched"),
    [
        (PushReply("error", {"reason": "unmatched topic"}), True),
        (PushReply("ok", {"reason": "unmatched topic"}), False),
        (PushReply("error", {"reason": "full"}), False),
        (PushReply("error", "unmatched topic"), False),
        (PushReply("error", None), False),
    ],
)
def test_an_unmatched_topic_is_told_from_other_errors(reply: PushReply, unmatched: bool) -> None:
    """Status and reason must be those of Phoenix."""
    assert is_unmatched_topic(reply) is unmatched


@pytest.mark.contract("C80", "C94")
def test_the_error_of_a_push_follows_the_reason() -> None:
    """A lost connection is a ConnectionLost of its own, everything else a closed channel."""
    push = PendingPush(TOPIC, "7", "1", "shout", None)
    lost = ConnectionLost(1001, "bye")
    error = push_failure(push, lost)
    assert error == lost
    assert error is not lost
    assert isinstance(push_failure(push, HeartbeatTimeout()), ConnectionLost)
    for reason in (Left(), ServerError({})):
        closed = push_failure(push, reason)
        assert isinstance(closed, ChannelClosed)
        assert (closed.topic, closed.event, closed.ref) == (TOPIC, "shout", "7")
        assert closed.reason == reason

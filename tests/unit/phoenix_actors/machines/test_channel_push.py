"""A channel machine and the pushes on it."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import (
    ChannelClosed,
    ConnectError,
    ConnectionLost,
    NotJoined,
    PushTimeout,
    QueueFull,
)
from phoenix_actors.machines.channel_events import (
    ChannelTimer,
    DeliverMessage,
    DropCause,
    FailInFlight,
    FailPush,
    Forget,
    PushRequested,
    ReportDrop,
    SendJoin,
    SendPush,
    SettleJoin,
    TellClosed,
    TellJoined,
    TopicUnmatched,
)
from phoenix_actors.message import Left, ServerClosed, ServerError
from tests.unit.phoenix_actors.machines.channel_bench import TOPIC, Bench


@pytest.mark.contract("C43")
def test_a_push_carries_the_join_ref_and_a_ref_of_its_own() -> None:
    """Refs grow; the join_ref is that of the join; the deadline is counted from the call."""
    bench = Bench().joined()
    bench.now = 5.0
    bench.push("a", "echo", timeout=10.0)
    assert bench.one(SendPush) == SendPush("1", "2", "echo", {"by": "a"}, "a", 10.0, 15.0)
    bench.push("b", timeout=None)
    assert (bench.one(SendPush).ref, bench.one(SendPush).deadline) == ("3", None)


@pytest.mark.contract("C67")
def test_a_push_before_any_join_fails() -> None:
    """The caller is told to join first."""
    bench = Bench()
    bench.push("p")
    error = bench.one(FailPush).error
    assert isinstance(error, NotJoined)
    assert (error.topic, error.event) == (TOPIC, "shout")


@pytest.mark.contract("C68", "C70", "C77")
def test_pushes_while_joining_go_out_in_order_when_joined() -> None:
    """They are buffered, and get refs and the join_ref when they are sent, before anything else."""
    bench = Bench()
    bench.open()
    bench.join()
    assert bench.push("a", timeout=None) == []
    assert bench.push("b", timeout=None) == []
    bench.answer()
    pushes = bench.all(SendPush)
    assert [(push.token, push.join_ref, push.ref) for push in pushes] == [
        ("a", "1", "2"),
        ("b", "1", "3"),
    ]
    kinds = [type(command) for command in bench.commands]
    assert kinds.index(SendPush) < kinds.index(SettleJoin) < kinds.index(TellJoined)


@pytest.mark.contract("C70")
def test_a_push_buffered_over_a_failed_join_gets_the_join_ref_of_the_one_that_succeeds() -> None:
    """It goes out once, with fresh refs."""
    bench = Bench()
    bench.open()
    bench.join(timeout=None)
    bench.push("a", timeout=None)
    bench.frame("phx_error", join_ref="1")
    bench.advance(1.0)
    bench.answer()
    assert [(push.join_ref, push.ref) for push in bench.logged(SendPush)] == [("2", "3")]


@pytest.mark.contract("C69")
def test_a_buffered_push_times_out_from_its_call_and_is_not_sent_later() -> None:
    """Each has its own time, whatever the order."""
    bench = Bench()
    bench.join(timeout=None)
    bench.push("late", timeout=5.0)
    bench.now = 1.0
    bench.push("early", timeout=1.0)
    bench.push("ever", timeout=None)
    bench.advance(1.5)
    (failed,) = bench.all(FailPush)
    assert [failed.token] == ["early"]
    assert isinstance(failed.error, PushTimeout)
    assert (failed.error.topic, failed.error.event, failed.error.timeout) == (TOPIC, "shout", 1.0)
    bench.advance(3.0)
    assert [ended.token for ended in bench.all(FailPush)] == ["late"]
    bench.open()
    bench.answer()
    assert [push.token for push in bench.all(SendPush)] == ["ever"]


@pytest.mark.contract("C69")
def test_a_push_whose_time_is_up_at_the_join_is_not_sent() -> None:
    """Even when its timer has not fired yet."""
    bench = Bench()
    bench.open()
    bench.join(timeout=None)
    bench.push("a", timeout=5.0)
    bench.now = 5.0
    bench.answer()
    assert bench.all(SendPush) == []
    assert isinstance(bench.one(FailPush).error, PushTimeout)
    assert not bench.timers


@pytest.mark.contract("C69")
def test_a_buffered_push_times_out_in_backoff_too() -> None:
    """Whatever the channel waits for."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.push("a", timeout=5.0)
    bench.advance(5.0)
    assert isinstance(bench.one(FailPush).error, PushTimeout)


@pytest.mark.contract("C81")
def test_the_buffer_is_bounded() -> None:
    """One push too many fails at once; none is lost in silence."""
    bench = Bench(max_buffered=3)
    bench.join()
    for token in "abcd":
        bench.push(token)
    assert [failed.token for failed in bench.logged(FailPush)] == ["d"]
    error = bench.one(FailPush).error
    assert isinstance(error, QueueFull)
    assert error.limit == 3
    bench.open()
    bench.answer()
    assert [push.token for push in bench.all(SendPush)] == ["a", "b", "c"]


@pytest.mark.contract("C80")
def test_pushes_on_the_wire_fail_with_the_connection() -> None:
    """All that are in flight are to be failed, before handle_close is told."""
    bench = Bench().joined()
    bench.push("a")
    bench.lose(ConnectionLost(1006, "x"))
    kinds = [type(command) for command in bench.commands]
    assert bench.one(FailInFlight).reason == ConnectionLost(1006, "x")
    assert kinds.index(FailInFlight) < kinds.index(TellClosed)
    bench.open()
    bench.answer()
    assert bench.all(SendPush) == []


@pytest.mark.contract("C91", "C94")
@pytest.mark.parametrize("payload", [{}, {"reason": "channel_crash"}])
def test_a_server_crash_errs_the_channel_and_fails_its_pushes(payload: dict[str, str]) -> None:
    """phx_error: errored, told with its reason, rejoined after a second."""
    bench = Bench().joined()
    bench.push("a")
    bench.frame("phx_error", payload, join_ref="1", ref="1")
    assert bench.state == "errored"
    assert bench.one(FailInFlight).reason == ServerError(payload)
    assert bench.one(TellClosed).reason == ServerError(payload)
    bench.advance(1.0)
    assert bench.has_one(SendJoin)


@pytest.mark.contract("C93")
def test_errors_during_backoff_start_no_second_timer() -> None:
    """Exactly one rejoin follows, at the time of the first error."""
    bench = Bench().joined()
    bench.frame("phx_error", join_ref="1")
    for _ in range(3):
        bench.frame("phx_error", join_ref="1")
        bench.frame("phx_error", join_ref=None)
        assert bench.all(TellClosed) == []
    bench.advance(1.0)
    assert len(bench.logged(SendJoin)) == 2


@pytest.mark.contract("C45", "C92", "C54")
@pytest.mark.parametrize("event", ["phx_error", "phx_close", "phx_reply", "shout"])
def test_frames_with_an_old_join_ref_change_nothing(event: str) -> None:
    """A duplicate join makes the server close the old one: that is dropped, counted, reported."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.open()
    bench.answer()
    bench.frame(event, {"status": "ok", "response": {}}, join_ref="1", ref="1")
    assert bench.commands == [ReportDrop(DropCause.STALE, event)]
    assert bench.state == "joined"
    assert bench.machine.dropped == {DropCause.STALE: 1}
    assert isinstance(bench.push("p")[0], SendPush)


@pytest.mark.contract("C46")
@pytest.mark.parametrize("join_ref", [None, "1"])
def test_broadcasts_and_own_messages_are_delivered(join_ref: str | None) -> None:
    """A null join_ref is a broadcast, the present one a message to this client."""
    bench = Bench().joined()
    bench.frame("shout", {"hi": 1}, join_ref=join_ref)
    delivered = bench.one(DeliverMessage).frame
    assert (delivered.event, delivered.payload) == ("shout", {"hi": 1})


@pytest.mark.contract("C48")
def test_replies_nobody_waits_for_are_counted() -> None:
    """Unknown, repeated and late replies crash nothing."""
    bench = Bench().joined()
    for ref in ("99", "1", None):
        bench.frame("phx_reply", {"status": "ok", "response": {}}, join_ref="1", ref=ref)
        assert bench.commands == [ReportDrop(DropCause.UNMATCHED, "phx_reply")]
    assert bench.machine.dropped[DropCause.UNMATCHED] == 3
    joining = Bench()
    joining.open()
    joining.join()
    joining.frame("phx_reply", {"status": "ok", "response": {}}, join_ref="1", ref="7")
    assert joining.state == "joining"


def test_messages_of_a_channel_that_is_not_joined_are_dropped() -> None:
    """A broadcast that comes in backoff is not for a member."""
    bench = Bench().joined()
    bench.frame("phx_error", join_ref="1")
    bench.frame("shout", join_ref=None)
    assert bench.commands == [ReportDrop(DropCause.NOT_JOINED, "shout")]


@pytest.mark.contract("C83")
@pytest.mark.parametrize("how", ["leaving", "left", "closed"])
def test_a_push_on_a_closed_channel_fails_at_once(how: str) -> None:
    """After leave() and after phx_close no push is taken."""
    bench = Bench().joined()
    if how == "closed":
        bench.frame("phx_close", join_ref="1", ref="1")
    else:
        bench.leave()
        if how == "left":
            bench.frame("phx_close", join_ref="1", ref="1")
    bench.push("p")
    error = bench.one(FailPush).error
    assert isinstance(error, ChannelClosed)
    assert error.reason == (ServerClosed() if how == "closed" else Left())


@pytest.mark.contract("C84")
def test_an_unmatched_topic_errs_the_channel() -> None:
    """The server lost the channel: it is joined again; an old push's answer is not believed."""
    bench = Bench().joined()
    assert bench.handle(TopicUnmatched("0")) == []
    bench.handle(TopicUnmatched("1"))
    assert bench.state == "errored"
    assert bench.one(TellClosed).reason == ServerError({"reason": "unmatched topic"})
    assert ChannelTimer.REJOIN in bench.timers


@pytest.mark.contract("C90")
def test_the_server_closes_the_channel_for_good() -> None:
    """phx_close with the present join_ref: closed, forgotten, never rejoined."""
    bench = Bench().joined()
    bench.push("a")
    bench.frame("phx_close", join_ref="1", ref="1")
    assert bench.state == "closed"
    assert bench.one(FailInFlight).reason == ServerClosed()
    assert bench.one(TellClosed).reason == ServerClosed()
    assert isinstance(bench.commands[-1], Forget)
    assert bench.lose(ConnectionLost(1006)) == []
    assert bench.open() == []
    assert not bench.timers


@pytest.mark.contract("C116")
def test_giving_up_fails_buffered_pushes() -> None:
    """They get the socket's error."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.push("a")
    bench.push("b", timeout=None)
    error = ConnectError("gone")
    bench.give_up(error)
    assert bench.all(FailPush) == [FailPush("a", error), FailPush("b", error)]
    assert not bench.timers


@pytest.mark.contract("C188")
def test_reprs_of_commands_show_no_payload() -> None:
    """What is logged of a command has no payload in it."""
    bench = Bench()
    bench.open()
    bench.join()
    bench.push("secret", timeout=None)
    bench.answer("ok", {"secret": 1})
    bench.frame("shout", {"secret": 1}, join_ref=None)
    bench.frame("phx_error", {"secret": 1}, join_ref="1")
    shown = repr([command for command in bench.log if not isinstance(command, SendPush)])
    assert "'secret': 1" not in shown
    assert "by" not in repr(bench.logged(SendPush))
    assert "by" not in repr(PushRequested("shout", {"by": 1}, None, None))

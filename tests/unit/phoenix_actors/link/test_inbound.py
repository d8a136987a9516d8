"""The messages that wait for a channel's actor: what counts, what is dropped, and when to pause."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from phoenix_actors import QueueFull
from phoenix_actors.link.inbound import Inbound, Ticket, reading_on
from phoenix_actors.message import Frame
from phoenix_actors.options import SocketOptions
from supervisors._runtime.current import current
from tests.e2e.rig import DEADLINE, Log, listening
from tests.unit.phoenix_actors.link.link_bench import LinkBench


def inbound(policy: str, messages: int | None = 2, size: int | None = None) -> Inbound:
    """An empty one."""
    options = SocketOptions.of(
        url="ws://h/s",
        inbound_overflow=policy,
        max_inbound_messages=messages,
        max_inbound_bytes=size,
    )
    return Inbound(options)


def frame(event: str) -> Frame:
    """A message."""
    return Frame(None, None, "t", event, {})


@pytest.mark.contract("C82")
def test_block_loses_nothing_and_pauses() -> None:
    """From the bound on the reader is to pause, and until half of it is taken."""
    box = inbound("block", messages=4)
    items = [box.offer(frame(name), 1)[0] for name in "abcd"]
    assert box.must_pause
    assert len(box) == box.bytes == 4
    for item in items[:1]:
        assert item is not None
        assert box.take(item) is item
    assert not box.must_pause
    assert box._over(2)
    for item in items[1:3]:
        assert item is not None
        box.take(item)
    assert not box._over(2)
    box.wait(lambda: False)


@pytest.mark.contract("C82")
def test_the_bound_in_bytes() -> None:
    """One long message is taken in, and the next one has to wait."""
    box = inbound("block", messages=None, size=10)
    assert box.offer(frame("a"), 9)[0] is not None
    assert not box.full
    box.offer(frame("b"), 900)
    assert box.must_pause


@pytest.mark.contract("C82")
@pytest.mark.parametrize("policy", ["error", "drop_newest"])
def test_the_newest_is_dropped(policy: str) -> None:
    """It gets no place, and the reader does not pause."""
    box = inbound(policy)
    box.offer(frame("a"), 1)
    box.offer(frame("b"), 1)
    third = frame("c")
    assert box.offer(third, 1) == (None, [third])
    assert len(box) == 2
    assert not box.must_pause


@pytest.mark.contract("C82")
def test_the_oldest_is_dropped() -> None:
    """There are as many tickets as messages, so the mailbox does not grow either."""
    box = inbound("drop_oldest")
    mailbox: list[Any] = []
    dropped = []
    for name in "abcdef":
        item, gone = box.offer(frame(name), 1)
        mailbox += [] if item is None else [item]
        dropped += [former.event for former in gone]
    assert (len(mailbox), dropped) == (2, ["a", "b", "c", "d"])
    taken = [box.take(item) for item in mailbox]
    assert [got.event for got in taken if got is not None] == ["e", "f"]
    assert len(box) == 0


@pytest.mark.contract("C82", "C153")
def test_no_message_overtakes_a_join() -> None:
    """A ticket from before is not good for a message from behind; that has its own."""
    box = inbound("drop_oldest")
    before = [box.offer(frame(name), 1)[0] for name in "ab"]
    box.begin_section()
    behind = [box.offer(frame(name), 1)[0] for name in "cd"]
    assert all(isinstance(item, Ticket) for item in before + behind)
    assert [box.take(item) for item in before if item is not None] == [None, None]
    taken = [box.take(item) for item in behind if item is not None]
    assert [got.event for got in taken if got is not None] == ["c", "d"]


@pytest.mark.contract("C82")
def test_many_small_ones_for_a_long_one() -> None:
    """Spare tickets are used again, and one that is left finds nothing."""
    box = inbound("drop_oldest", messages=None, size=4)
    mailbox = [box.offer(frame(name), 1)[0] for name in "abcd"]
    item, gone = box.offer(frame("long"), 9)
    assert (item, [former.event for former in gone]) == (None, ["a"])
    item, gone = box.offer(frame("next"), 1)
    assert (item, len(gone)) == (None, 4)
    taken = [box.take(item) for item in mailbox if item is not None]
    assert [got and got.event for got in taken] == ["next", None, None, None]


@pytest.mark.contract("C82", "C155")
def test_a_handler_that_waits_lets_the_reader_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer comes behind the messages; other threads that wait do not."""
    box = inbound("block")
    box.offer(frame("a"), 1)
    box.offer(frame("b"), 1)
    with reading_on():
        assert box.must_pause
    actor = SimpleNamespace(_phx_topic=SimpleNamespace(inbound=box, core=None))
    monkeypatch.setattr(current, "process", SimpleNamespace(actor=actor))
    with reading_on():
        assert not box.must_pause
        box.wait(lambda: False)
    assert box.must_pause
    box.wait(lambda: True)
    box.close()
    assert not box.must_pause
    box.wait(lambda: False)


# -- in the link


@pytest.mark.contract("C82")
@pytest.mark.parametrize("policy", ["error", "drop_newest", "drop_oldest"])
def test_each_drop_is_counted_and_told(policy: str) -> None:
    """By topic and event; with "error" the hooks are told once until there is room again."""
    bench = LinkBench(max_inbound_messages=2, inbound_overflow=policy)
    bench.open()
    topic, actor, _ = bench.joined("t")
    errors = Log()
    bench.session.hooks.error.add(errors.add)
    with listening(("message", "dropped")) as log:
        for name in "abcd":
            bench.receive(None, None, "t", name, {})
    assert bench.session.notices.join(DEADLINE)
    out = ["a", "b"] if policy == "drop_oldest" else ["c", "d"]
    cause = f"inbound_{policy}"
    metadata = [{"topic": "t", "event": name, "cause": cause} for name in out]
    assert [item[2] for item in log.items] == metadata
    assert bench.session.counters[f"frames_dropped_{cause}"] == 2
    told = [error for (error,) in errors.items]
    assert [type(error) for error in told] == ([QueueFull] if policy == "error" else [])
    for item in actor.got[1:]:
        topic.inbound.take(item)
    for name in "efg":
        bench.receive(None, None, "t", name, {})
    assert bench.session.notices.join(DEADLINE)
    assert len(errors.items) == (2 if policy == "error" else 0)
    bench.close()


@pytest.mark.contract("C82")
def test_the_reader_pauses_and_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads on when the connection is about to end, and does not pause again."""
    bench = LinkBench(max_inbound_messages=2)
    bench.open()
    bench.joined("t")
    told: list[Any] = []
    bench.wire.on_reading = lambda generation, paused: told.append((generation, paused))
    bench.receive(None, None, "t", "a", {})
    assert told == []
    bench.reader.release()
    bench.reader._released = False
    monkeypatch.setattr(Inbound, "wait", lambda _, released: told.append(released()))
    bench.receive(None, None, "t", "b", {})
    assert told == [(1, True), False, (1, False)]
    bench.reader.release()
    bench.receive(None, None, "t", "c", {})
    assert len(told) == 3
    assert bench.session.counters["reading_paused"] == 1
    bench.close()


@pytest.mark.contract("C82")
@pytest.mark.parametrize("policy", ["error", "drop_newest", "drop_oldest"])
def test_what_later_messages_build_on_is_never_dropped(policy: str) -> None:
    """It is taken in beyond the bound, and stays while others go."""
    box = inbound(policy)
    items = [box.offer(frame("diff"), 1, needed=True)[0] for _ in range(3)]
    other = frame("other")
    assert box.offer(other, 1) == (None, [other])
    assert len(box) == box.bytes == 3
    for item in items:
        assert item is not None
        taken = box.take(item)
        assert taken is not None
        assert taken.event == "diff"
    assert len(box) == box.bytes == 0


def test_the_oldest_goes_from_between_needed_ones() -> None:
    """The ticket of the one that was dropped is good for the one that came instead."""
    box = inbound("drop_oldest", messages=2)
    tickets = [
        box.offer(frame("diff"), 1, needed=True)[0],
        box.offer(frame("a"), 2)[0],
    ]
    ticket, dropped = box.offer(frame("diff"), 4, needed=True)
    assert ticket is None
    assert [former.event for former in dropped] == ["a"]
    assert (len(box), box.bytes) == (2, 5)
    taken = [box.take(ticket) for ticket in tickets if ticket is not None]
    assert [former and former.event for former in taken] == ["diff", "diff"]
    assert len(box) == 0


@pytest.mark.contract("C82")
@pytest.mark.parametrize("policy", ["error", "drop_newest", "drop_oldest"])
def test_presences_are_not_dropped(policy: str) -> None:
    """Else the state would be wrong until the next join."""
    bench = LinkBench(max_inbound_messages=2, inbound_overflow=policy)
    bench.open()
    topic, actor, _ = bench.joined("t")
    names = ["a", "presence_state", "b", "presence_diff", "presence_diff"]
    for name in names:
        bench.receive(None, None, "t", name, {})
    taken = [topic.inbound.take(item) for item in actor.got[1:]]
    events = [got.event for got in taken if got is not None]
    assert [name for name in events if name.startswith("presence")] == [names[1], *names[3:]]
    bench.close()

"""The books of pushes: each that was offered ends in exactly one counter, and is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import ChannelClosed, ConnectionLost, PushFuture, PushReply, PushTimeout
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.future import PUSH_ENDS, push_books
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.message import PHX_REPLY, Frame
from tests.e2e.rig import eventually, listening
from tests.unit.phoenix_actors.link.link_bench import LinkBench


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client with nothing open."""
    bench = LinkBench()
    yield bench
    bench.close()


def books(bench: LinkBench) -> dict[str, int]:
    """What became of the pushes, without what never happened."""
    counted = push_books(bench.session.counters.snapshot())
    return {name: count for name, count in counted.items() if count}


@pytest.mark.contract("C181")
def test_a_reply(bench: LinkBench) -> None:
    """Whatever its status, once; one that comes again is not counted as a push's end."""
    bench.open()
    topic, _, core = bench.joined("t")
    for status in ("ok", "error"):
        topic.push("e", {}, None)
        ref = str(bench.wire._pushes._last)
        for _ in range(2):
            payload: dict[str, Any] = {"status": status, "response": {}}
            bench.receive(core.machine.join_ref, ref, "t", PHX_REPLY, payload)
    assert books(bench) == {"offered": 2, "replied": 2}


@pytest.mark.contract("C181", "C80")
@pytest.mark.parametrize("stuck", [True, False])
def test_a_loss(bench: LinkBench, stuck: bool) -> None:
    """What was on the wire and what waited for it are lost alike, and each is told."""
    handle = bench.open()
    topic, _, _ = bench.joined("t")
    if stuck:
        handle.writable = lambda: False
        bench.wire.outbox.open(handle)
        bench.wire.outbox._ring = lambda lane: None  # type: ignore[method-assign]
    futures = [topic.push("e", {}, None) for _ in range(3)]
    assert books(bench) == {"offered": 3, "waiting": 3}
    with listening(("push", "failed")) as log:
        bench.lose(ConnectionLost(1006, "x"))
    assert books(bench) == {"offered": 3, "lost": 3}
    assert [type(future.exception()) for future in futures] == [ConnectionLost] * 3
    told = {"topic": "t", "event": "e", "end": "lost", "error": "ConnectionLost"}
    assert [item[2] for item in log.items] == [told] * 3
    assert bench.session.counters["pushes_sent"] == (0 if stuck else 3)


@pytest.mark.contract("C181")
def test_a_push_that_cannot_be_written(bench: LinkBench) -> None:
    """Its connection is aborted, and with the loss it and those behind it are lost."""
    handle = bench.open()
    topic, _, _ = bench.joined("t")
    handle.error = ConnectionLost(1006, "broken")
    futures = [topic.push("e", {}, None) for _ in range(2)]
    assert handle.aborted
    bench.lose(ConnectionLost(1006, "broken"))
    assert [type(future.exception()) for future in futures] == [ConnectionLost] * 2
    assert books(bench) == {"offered": 2, "lost": 2}


@pytest.mark.contract("C181")
@pytest.mark.parametrize("where", ["on the wire", "joining", "between lives"])
def test_a_time_out(bench: LinkBench, where: str) -> None:
    """It is counted where it happens: on the wire, before the join, between two lives."""
    if where == "on the wire":
        bench.open()
        topic, _, _ = bench.joined("t")
    else:
        topic = bench.topic("t")
        if where == "joining":
            bench.attach(topic)
    future = topic.push("e", {}, 0.0)
    eventually(future.done)
    assert type(future.exception()) is PushTimeout
    assert books(bench) == {"offered": 1, "timeouts": 1}


@pytest.mark.contract("C181", "C83")
@pytest.mark.parametrize("where", ["on the wire", "joining", "between lives"])
def test_an_end_of_the_topic(bench: LinkBench, where: str) -> None:
    """What waits is lost; what is pushed later is refused."""
    topic = bench.topic("t")
    if where != "between lives":
        bench.attach(topic)
    if where == "on the wire":
        bench.open()
        bench.accept(topic)
    future = topic.push("e", {}, None)
    topic.leave(None)
    topic.close()
    bench.lose(ConnectionLost(1006))
    assert isinstance(future.exception(), ChannelClosed | ConnectionLost)
    with pytest.raises(ChannelClosed):
        topic.push("e", {}, None)
    assert books(bench) == {"offered": 2, "lost": 1, "refused": 1}


@pytest.mark.contract("C181")
def test_an_actor_that_ends(bench: LinkBench) -> None:
    """A push that its life had sent is lost with it."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    topic.push("e", {}, None)
    actor.end()
    assert books(bench) == {"offered": 1, "lost": 1}


@pytest.mark.contract("C181")
def test_pings_are_no_pushes(bench: LinkBench) -> None:
    """They are in the table of pending pushes, but not in the books."""
    bench.open()
    ping = bench.wire.ping(0.0)
    eventually(ping.done)
    assert books(bench) == {}


@pytest.mark.contract("C82")
def test_what_a_stream_drops(bench: LinkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that nobody takes out of messages() is counted and told when it is dropped."""
    monkeypatch.setattr("phoenix_actors.link.stream.MAX_WAITING", 2)
    topic = bench.topic("t")
    stream = topic.listeners.stream(0.0)
    with listening(("message", "dropped")) as log:
        for number in range(3):
            topic.deliver(Frame(None, None, "t", f"e{number}", {}))
    assert [item[2] for item in log.items] == [{"topic": "t", "event": "e0", "cause": "stream"}]
    assert (stream.dropped, bench.session.counters["frames_dropped_stream"]) == (1, 1)
    assert [message.event for message in stream] == ["e1", "e2"]


def test_a_second_end() -> None:
    """The first counts; a later one changes no counter, whoever wins."""
    counters, late = Counters(), PushReply("ok", {})
    future = PushFuture(counters, "t", "e")

    def outrun(_: Any) -> None:
        assert not future.settle(late)

    future.add_done_callback(outrun)
    with no_waiting_here():
        assert future.fail(PushTimeout("t", "e", 1.0))
    assert not future.settle(late)
    assert counters.snapshot() == {"push_timeouts": 1}
    assert set(PUSH_ENDS) > set(counters.snapshot())

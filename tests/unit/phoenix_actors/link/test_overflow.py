"""Pushes that meet a full buffer: before the join, between two lives, behind a stuck peer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import PushTimeout, QueueFull
from phoenix_actors.link.scheduling import no_waiting_here
from tests.e2e.rig import listening
from tests.unit.phoenix_actors.link.link_bench import LinkBench

DROPPING = ["drop_oldest", "drop_newest"]


@pytest.fixture
def benches() -> Iterator[list[LinkBench]]:
    """Benches, which are closed in the end."""
    benches: list[LinkBench] = []
    yield benches
    for bench in benches:
        bench.close()


def full(benches: list[LinkBench], where: str, **options: Any) -> tuple[LinkBench, Any, Any]:
    """A bench where two pushes wait, their futures, and the function that makes one more."""
    bench = LinkBench(**{"max_pending_messages": 2, **options})
    benches.append(bench)
    topic = bench.topic("t")
    if where != "between lives":
        bench.attach(topic)
    if where == "stuck":
        handle = bench.open()
        bench.accept(topic)
        handle.writable = lambda: False
        bench.wire.outbox.open(handle)
        bench.wire.outbox.ring = lambda: None  # type: ignore[method-assign]
        bench.wire.outbox._ring = lambda lane: None  # type: ignore[method-assign]

    def push(number: int, timeout: float | None = None) -> Any:
        return topic.push("e", {"n": number}, timeout)

    return bench, [push(0), push(1)], push


def counts(bench: LinkBench) -> tuple[int, ...]:
    """Offered, refused, dropped."""
    names = ("pushes", "push_refused", "push_dropped")
    return tuple(bench.session.counters[name] for name in names)


def sent(bench: LinkBench, where: str) -> list[int]:
    """Lets what waits go out, and returns the numbers of the pushes."""
    if where == "between lives":
        bench.attach(bench.session.topics()[0])
    lane = bench.wire.outbox.lane
    if where == "stuck":
        assert lane is not None
        bench.wire.outbox._write(lane, None)
        handle: Any = lane.handle
    else:
        handle = bench.open()
        bench.accept(bench.session.topics()[0])
    return [frame[4]["n"] for frame in handle.sent if frame[3] == "e"]


PLACES = ["joining", "between lives", "stuck"]


@pytest.mark.contract("C81", "C181")
@pytest.mark.parametrize("where", PLACES)
def test_error(benches: list[LinkBench], where: str) -> None:
    """The push too many raises, is counted and told; the others go out."""
    bench, _, push = full(benches, where)
    with listening(("socket", "backpressure")) as log, pytest.raises(QueueFull) as error:
        push(2, 0.0)
    assert not error.value.dropped
    (told,) = log.items
    assert told[1]["max_pending"] == 2
    assert told[2] == {"topic": "t", "event": "e", "overflow": "error"}
    assert sent(bench, where) == [0, 1]
    assert counts(bench) == (3, 1, 0)
    assert bench.session.counters["pushes_sent"] == 2


@pytest.mark.contract("C81", "C181")
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("policy", DROPPING)
def test_drops(benches: list[LinkBench], where: str, policy: str) -> None:
    """One push is dropped, counted and told; its own future says so, and the others go out."""
    bench, (oldest, _), push = full(benches, where, overflow=policy)
    with listening(("push", "dropped"), ("socket", "backpressure")) as log:
        newest = push(2)
    dropped, kept = (oldest, newest) if policy == "drop_oldest" else (newest, oldest)
    assert not kept.done()
    error = dropped.exception()
    assert isinstance(error, QueueFull)
    assert error.dropped
    assert [item[0] for item in log.items] == ["socket.backpressure", "push.dropped"]
    assert log.items[1][2] == {"topic": "t", "event": "e", "overflow": policy}
    assert sent(bench, where) == ([1, 2] if policy == "drop_oldest" else [0, 1])
    assert counts(bench) == (3, 0, 1)
    # What was dropped is not expected to be answered.
    assert bench.wire.pending() == 2
    assert bench.session.counters["pushes_sent"] == 2


@pytest.mark.contract("C81")
@pytest.mark.parametrize("where", PLACES)
def test_bytes(benches: list[LinkBench], where: str) -> None:
    """The bound in bytes counts too, and a push longer than the bound goes out alone."""
    options = {"max_pending_messages": 100, "max_pending_bytes": 30}
    bench, _, push = full(benches, where, **options)
    with pytest.raises(QueueFull):
        push(2, 0.0)
    assert sent(bench, where) == [0, 1]
    assert bench.wire.outbox.below(1)


@pytest.mark.contract("C81")
def test_joins_and_heartbeats_are_not_dropped(benches: list[LinkBench]) -> None:
    """When nothing else waits, it is the push that is dropped."""
    bench, _, push = full(benches, "stuck", overflow="drop_oldest")
    lane = bench.wire.outbox.lane
    assert lane is not None
    lane.clear()
    for _ in range(2):
        bench.wire.send('[null,"9","phoenix","heartbeat",{}]', may_write=False)
    assert isinstance(push(2).exception(), QueueFull)
    assert [frame for frame, _, _ in lane.queue] == ['[null,"9","phoenix","heartbeat",{}]'] * 2


@pytest.mark.contract("C81", "C69")
@pytest.mark.parametrize("where", ["joining", "between lives"])
def test_block_ends_with_the_timeout(benches: list[LinkBench], where: str) -> None:
    """Where no room comes it is refused; where nobody may wait, at once."""
    bench, _, push = full(benches, where, overflow="block")
    with pytest.raises(QueueFull):
        push(2, 0.0)
    with no_waiting_here(), pytest.raises(QueueFull):
        push(3, None)
    assert counts(bench) == (4, 2, 0)


@pytest.mark.contract("C69")
def test_a_dropped_push_leaves_no_timer_behind(benches: list[LinkBench]) -> None:
    """The others keep their own deadlines."""
    bench, _, _ = full(benches, "joining", overflow="drop_oldest")
    topic = bench.session.topics()[0]
    futures = [topic.push("e", {}, 0.01) for _ in range(5)]
    errors = [type(future.exception(timeout=10.0)) for future in futures]
    assert errors == [QueueFull] * 3 + [PushTimeout] * 2

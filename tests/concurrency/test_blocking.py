"""Pooled handlers that block where the library cannot see it: others go on, and that is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import introspect, telemetry
from supervisors._runtime.pool import PoolDispatcher
from tests.concurrency.crew import DEADLINE, Doer, stop, waits

SLEEPERS = 16


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the sleepers wait for: an event of Python's own, which no part of the library sees."""
    gate = threading.Event()
    yield gate
    gate.set()


def asleep(gate: threading.Event, count: int, **options: Any) -> tuple[list[Any], Any]:
    """Returns actors whose handlers wait for the gate, and the count of those that are in."""
    inside = threading.Semaphore(0)
    refs = [Doer.start(**options) for _ in range(count)]
    for ref in refs:
        ref.tell(waits(inside.release, gate))
    return refs, inside


def test_others_go_on(gate: threading.Event) -> None:
    """While 16 handlers sleep another actor answers, before and after all of them are in."""
    before = max(2, introspect.pool().workers)
    other = Doer.start()
    refs, inside = asleep(gate, SLEEPERS)
    assert other.ask("early", timeout=DEADLINE) == "early"
    for _ in refs:
        assert inside.acquire(timeout=DEADLINE)
    for number in range(100):
        assert other.ask(number, timeout=DEADLINE) == number
    assert not gate.is_set()
    status = introspect.pool()
    # They wait where nobody sees it, so none of them counts as blocked.
    assert SLEEPERS < status.workers - status.blocked <= status.max_workers
    gate.set()
    stop([*refs, other])
    end, pause = time.monotonic() + DEADLINE, threading.Event()
    while introspect.pool().workers > before and time.monotonic() < end:
        pause.wait(0.01)
    assert introspect.pool().workers <= before


def test_waits_that_are_seen(gate: threading.Event) -> None:
    """Handlers that wait for replies are counted as blocked, and have spare threads at once."""
    [slow], inside = asleep(gate, 1)
    assert inside.acquire(timeout=DEADLINE)
    entered = threading.Semaphore(0)

    def ask(_: object) -> object:
        entered.release()
        return slow.ask("answer", timeout=DEADLINE)

    refs = [Doer.start() for _ in range(SLEEPERS)]
    replies = [ref.ask(ask, block=False) for ref in refs]
    for _ in refs:
        assert entered.acquire(timeout=DEADLINE)
    end, pause = time.monotonic() + DEADLINE, threading.Event()
    while introspect.pool().blocked < SLEEPERS and time.monotonic() < end:
        pause.wait(0.001)
    assert introspect.pool().blocked == SLEEPERS
    gate.set()
    assert [reply.get(timeout=DEADLINE) for reply in replies] == ["answer"] * SLEEPERS
    stop([slow, *refs])


def test_beyond_the_bound_it_is_reported(gate: threading.Event) -> None:
    """With max_workers handlers asleep the next actor waits, and that is told."""
    told = threading.Event()
    notes: list[Any] = []

    def note(event: Any, measurements: Any, metadata: Any, config: Any) -> None:
        notes.append(dict(measurements))
        told.set()

    telemetry.attach("bound", ("supervisors", "pool", "exhausted"), note)
    try:
        pool = PoolDispatcher(workers=1, max_workers=3)
        other = Doer.start(dispatcher=pool)
        refs, inside = asleep(gate, 3, dispatcher=pool)
        for _ in refs:
            assert inside.acquire(timeout=DEADLINE)
        reply = other.ask("late", block=False)
        assert told.wait(DEADLINE)
        assert not reply.done()
        assert notes[0]["workers"] == 3
        gate.set()
        assert reply.get(timeout=DEADLINE) == "late"
        stop([*refs, other])
    finally:
        telemetry.detach("bound")

"""Deadlines in order."""

from __future__ import annotations

import gc
import weakref

from supervisors._machines.timer_heap import TimerHeap


def test_order() -> None:
    """What is due comes earliest first, and among equals first armed first."""
    heap = TimerHeap()
    for at, payload in ((2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b"), (3.0, "e")):
        heap.arm(at, payload)
    assert heap.pop_due(0.9) == []
    assert heap.pop_due(2.0) == ["a", "b", "c", "d"]
    assert (len(heap), heap.next_at()) == (1, 3.0)


def test_cancelled_timer_is_never_given() -> None:
    """cancel() tells whether it came in time."""
    heap = TimerHeap()
    timer, other = heap.arm(1.0, "a"), heap.arm(2.0, "b")
    assert heap.cancel(timer)
    assert not heap.cancel(timer)
    assert heap.next_at() == 2.0
    assert heap.pop_due(9.0) == ["b"]
    assert not heap.cancel(other)
    assert (len(heap), heap.next_at()) == (0, None)


def test_cancelled_timers_are_swept() -> None:
    """The heap never holds more than twice the timers that wait, and one."""
    heap = TimerHeap()
    waiting = [heap.arm(float(n), n) for n in range(1000)]
    for timer in waiting[:990]:
        heap.cancel(timer)
        assert len(heap._heap) <= 2 * len(heap) + 1
    assert heap.pop_due(2000.0) == list(range(990, 1000))


def test_nothing_is_kept_of_a_timer_that_is_over() -> None:
    """Neither a fired nor a cancelled timer keeps its payload alive."""

    class Payload:
        pass

    heap = TimerHeap()
    fired, cancelled = Payload(), Payload()
    timers = heap.arm(1.0, fired), heap.arm(2.0, cancelled)
    heap.cancel(timers[1])
    heap.pop_due(1.0)
    left = weakref.ref(fired), weakref.ref(cancelled)
    del fired, cancelled
    gc.collect()
    assert [ref() for ref in left] == [None, None]

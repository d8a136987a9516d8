"""Deadlines in order, each of which can be cancelled.

Laws: `pop_due(now)` gives what is due, earliest first, first armed first among equals; a cancelled
timer is never given; the heap keeps no more than twice the live timers (cancelled ones are swept).
A signal handler, or a finalizer, may arm and cancel while the thread that it interrupts does so:
each step on the heap is one of C code only, so its entries are tuples, and no step loses another.
"""

from __future__ import annotations

import heapq
from typing import Any

__all__ = ["ArmedTimer", "TimerHeap"]


class ArmedTimer:
    """One entry: due at `at`, carrying `payload` until it is given out or cancelled."""

    __slots__ = ("at", "number", "payload", "pending")

    def __init__(self, at: float, number: int, payload: Any) -> None:
        """Wait for `at`; `number` orders equals."""
        self.at = at
        self.number = number
        self.payload = payload
        self.pending = True


class TimerHeap:
    """All timers of one timer thread.

    Example:
        >>> heap = TimerHeap()
        >>> late, early = heap.arm(2.0, "late"), heap.arm(1.0, "early")
        >>> heap.next_at(), heap.pop_due(3.0)
        (1.0, ['early', 'late'])
    """

    __slots__ = ("_cancelled", "_heap", "_number")

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[float, int, ArmedTimer]] = []
        self._number = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Return the number of timers that still wait."""
        return len(self._heap) - self._cancelled

    def arm(self, at: float, payload: Any) -> ArmedTimer:
        """Add a timer that is due at `at`."""
        self._number = number = self._number + 1
        timer = ArmedTimer(at, number, payload)
        heapq.heappush(self._heap, (at, number, timer))
        return timer

    def cancel(self, timer: ArmedTimer) -> bool:
        """Cancel a timer; tell whether it was still waiting."""
        if not timer.pending:
            return False
        timer.pending = False
        timer.payload = None
        self._cancelled += 1
        if self._cancelled > len(self._heap) // 2:
            # Taken out first: what is armed or cancelled meanwhile is not overwritten.
            swept, self._heap, self._cancelled = self._heap, [], 0
            for entry in swept:
                if entry[2].pending:
                    heapq.heappush(self._heap, entry)
        return True

    def next_at(self) -> float | None:
        """Return when the next timer is due, or None."""
        self._drop_cancelled_head()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[Any]:
        """Take out what is due at `now`, in order."""
        due: list[Any] = []
        while True:
            self._drop_cancelled_head()
            if not self._heap or self._heap[0][0] > now:
                return due
            timer = heapq.heappop(self._heap)[2]
            timer.pending = False
            due.append(timer.payload)
            timer.payload = None

    def shift(self, seconds: float) -> None:
        """Move every deadline by so many seconds, as when the clock is exchanged."""
        for _, _, timer in self._heap:
            timer.at += seconds
        self._heap = [(timer.at, timer.number, timer) for _, _, timer in self._heap]

    def waiting(self) -> list[ArmedTimer]:
        """Return the timers that wait, earliest first."""
        return [timer for _, _, timer in sorted(self._heap) if timer.pending]

    def _drop_cancelled_head(self) -> None:
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
            self._cancelled -= 1

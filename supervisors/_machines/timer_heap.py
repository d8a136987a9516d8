"""Deadlines in order, each of which can be cancelled.

Laws: `pop_due(now)` gives what is due, earliest first, first armed first among equals; a cancelled
timer is never given; the heap keeps no more than twice the live timers (cancelled ones are swept).
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

    def __lt__(self, other: ArmedTimer) -> bool:
        """Order by time, then by the order of arming."""
        return (self.at, self.number) < (other.at, other.number)


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
        self._heap: list[ArmedTimer] = []
        self._number = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Return the number of timers that still wait."""
        return len(self._heap) - self._cancelled

    def arm(self, at: float, payload: Any) -> ArmedTimer:
        """Add a timer that is due at `at`."""
        self._number += 1
        timer = ArmedTimer(at, self._number, payload)
        heapq.heappush(self._heap, timer)
        return timer

    def cancel(self, timer: ArmedTimer) -> bool:
        """Cancel a timer; tell whether it was still waiting."""
        if not timer.pending:
            return False
        timer.pending = False
        timer.payload = None
        self._cancelled += 1
        if self._cancelled > len(self._heap) // 2:
            self._heap = [kept for kept in self._heap if kept.pending]
            heapq.heapify(self._heap)
            self._cancelled = 0
        return True

    def next_at(self) -> float | None:
        """Return when the next timer is due, or None."""
        self._drop_cancelled_head()
        return self._heap[0].at if self._heap else None

    def pop_due(self, now: float) -> list[Any]:
        """Take out what is due at `now`, in order."""
        due: list[Any] = []
        while True:
            self._drop_cancelled_head()
            if not self._heap or self._heap[0].at > now:
                return due
            timer = heapq.heappop(self._heap)
            timer.pending = False
            due.append(timer.payload)
            timer.payload = None

    def shift(self, seconds: float) -> None:
        """Move every deadline by so many seconds, as when the clock is exchanged."""
        for timer in self._heap:
            timer.at += seconds

    def waiting(self) -> list[ArmedTimer]:
        """Return the timers that wait, earliest first."""
        return sorted(timer for timer in self._heap if timer.pending)

    def _drop_cancelled_head(self) -> None:
        while self._heap and not self._heap[0].pending:
            heapq.heappop(self._heap)
            self._cancelled -= 1

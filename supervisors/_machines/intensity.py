"""Restarts within a window of time: when is it too much?

A restart at time t counts at time `now` while `now - t <= max_seconds` (both ends included, as in
OTP's `add_restart/3`). The supervisor gives up at the first restart that makes more than
`max_restarts` of them count (S52). One window serves all children of a supervisor (S54).
"""

from __future__ import annotations

from collections import deque

__all__ = ["RestartIntensity"]


class RestartIntensity:
    """The restart budget of one supervisor.

    Example:
        >>> budget = RestartIntensity(max_restarts=1, max_seconds=5.0)
        >>> budget.charge(0.0), budget.charge(5.0), budget.charge(10.5)
        (True, False, True)
    """

    __slots__ = ("_times", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int, max_seconds: float) -> None:
        """Allow `max_restarts` restarts within `max_seconds` seconds."""
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self._times: deque[float] = deque()

    def charge(self, now: float) -> bool:
        """Count a restart that is about to be made; tell whether it may be made (S55, S56)."""
        times = self._times
        times.append(now)
        self._forget(now)
        return len(times) <= self.max_restarts

    def charge_if_borne(self, now: float) -> bool:
        """Count a restart if it may be made; tell whether."""
        times = self._times
        if times and now - times[0] > self.max_seconds:
            self._forget(now)
        if len(times) >= self.max_restarts:
            return False
        times.append(now)
        return True

    def counted(self, now: float) -> int:
        """Return how many restarts count at this moment."""
        self._forget(now)
        return len(self._times)

    def _forget(self, now: float) -> None:
        times = self._times
        while times and now - times[0] > self.max_seconds:
            times.popleft()

"""Time and chance as arguments: a clock that can be exchanged, and one deadline for a whole wait.

Monotonic time decides; wall time is never used. Everything is in seconds.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Protocol

__all__ = ["Clock", "Deadline", "MonotonicClock", "as_seconds", "chance"]


class Clock(Protocol):
    """Anything that tells the time in seconds and never goes back."""

    def now(self) -> float:
        """Return the present moment, in seconds since some fixed point."""
        ...


class MonotonicClock:
    """The real clock, `time.monotonic`. Safe from any thread.

    Example:
        >>> clock = MonotonicClock()
        >>> clock.now() <= clock.now()
        True
    """

    __slots__ = ()

    # The function itself: the time is asked for several times for each message.
    now = staticmethod(time.monotonic)


class Deadline:
    """One total deadline for a wait that has several steps.

    Example:
        >>> Deadline(None, MonotonicClock()).remaining() is None
        True
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, timeout: float | None, clock: Clock) -> None:
        """Start the deadline: `timeout` seconds from now, or never with None."""
        self._clock = clock
        self._at = None if timeout is None else clock.now() + timeout

    def remaining(self) -> float | None:
        """Return the seconds left, at least 0.0, or None when there is no deadline."""
        return None if self._at is None else max(0.0, self._at - self._clock.now())


def as_seconds(value: float | timedelta | None, what: str) -> float | None:
    """Turn a public duration into seconds: a float, an int or a timedelta; None stays None.

    Whole numbers too large for a float become the largest one.

    Raises:
        TypeError: for anything else, True and False included.
        ValueError: for negative numbers and NaN.

    Example:
        >>> as_seconds(timedelta(minutes=1), "timeout")
        60.0
    """
    if value is None or (type(value) is float and value >= 0.0):
        return value
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{what} must be seconds (a number), a timedelta or None, not {value!r}"
        raise TypeError(msg)
    if not value >= 0:
        msg = f"{what} must be 0 or more seconds, not {value!r}"
        raise ValueError(msg)
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max


def chance() -> float:
    """Return a random number, 0 or more and less than 1; the first call imports `random`."""
    import random

    return random.random()  # noqa: S311  it spreads retries and is no secret

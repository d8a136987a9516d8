"""A clock that stands still until the test moves it."""

from __future__ import annotations

__all__ = ["ManualClock"]


class ManualClock:
    """Time as the test says.

    Example:
        >>> clock = ManualClock()
        >>> clock.advance(2.5)
        >>> clock.now()
        2.5
    """

    def __init__(self, start: float = 0.0) -> None:
        """Begin at `start` seconds."""
        self._now = start

    def now(self) -> float:
        """Return the present moment in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: for negative seconds; monotonic time never goes back.
        """
        if seconds < 0:
            msg = f"time does not go back: advance by 0 or more seconds, not {seconds}"
            raise ValueError(msg)
        self._now += seconds

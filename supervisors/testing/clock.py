"""A clock that stands still until the test moves it, and all actors living by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supervisors._runtime.timers import timers
from supervisors.clock import Deadline, MonotonicClock
from supervisors.testing.settling import settle

__all__ = ["ManualClock", "manual_time"]

# Real seconds that one `advance` waits for actors.
_PATIENCE = 1.0


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

    def __repr__(self) -> str:
        """Tell the time."""
        return f"<{type(self).__name__} at {self._now} s>"

    def now(self) -> float:
        """Return the present moment in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: for negative seconds; monotonic time never goes back.
        """
        self._now = self._later(seconds)

    def _later(self, seconds: float) -> float:
        if not seconds >= 0:
            msg = f"time does not go back: advance by 0 or more seconds, not {seconds}"
            raise ValueError(msg)
        return self._now + seconds


class _ActorsClock(ManualClock):
    """The clock of all timers of the process: what is due on the way fires at its own moment."""

    def __init__(
        self, start: float, next_at: Callable[[], float | None], fire_due: Callable[[], None]
    ) -> None:
        super().__init__(start)
        self._next_at = next_at
        self._fire_due = fire_due

    def advance(self, seconds: float) -> None:
        """Let time pass; after each moment at which something is due, let the actors handle it."""
        end = self._later(seconds)
        patience = Deadline(_PATIENCE, MonotonicClock())
        settle(patience.remaining())
        while (at := self._next_at()) is not None and at <= end:
            self._now = max(self._now, at)
            self._fire_due()
            settle(patience.remaining())
        self._now = end


@contextmanager
def manual_time() -> Iterator[ManualClock]:
    """Let the timers of every actor in the process go by a clock that the block moves.

    `send_after`, `Timeout`, restart windows, back-offs and shutdown deadlines of `supervisors`
    follow it, and with them heartbeats, reconnecting, rejoining and the time-outs of joins and
    pushes of a Phoenix client. What waits in a plain thread does not: `call(timeout=…)`,
    `future.get(timeout=…)` and `Probe.expect` take real seconds.

    `advance(seconds)` goes from one moment at which something is due to the next. At each it fires
    what is due and waits until all actors are at rest (see `settle`), so that what they arm then
    counts from that moment: an actor that ticks every second ticks 60 times in `advance(60)`. It
    waits for at most 1 real second in all, since an actor may wait in a handler for something that
    the test has yet to do; and it does not wait for sockets.

    Start the actors inside the block: the clock begins at the present moment, and timers keep what
    they have left, but actors that outlive the block see time go back when it ends.

    Raises:
        RuntimeError: inside another such block.

    Example:
        >>> from supervisors import GenServer
        >>> class Tea(GenServer):
        ...     ready = False
        ...     def init(self):
        ...         self.send_after(180, "ready")
        ...     def handle_info(self, message):
        ...         self.ready = True
        ...     def handle_call(self, request, sender):
        ...         return self.ready
        >>> with manual_time() as clock:
        ...     tea = Tea.start()
        ...     clock.advance(179)
        ...     print(tea.call("ready?"))
        ...     clock.advance(1)
        ...     print(tea.call("ready?"), tea.stop())
        False
        True True
    """
    before = timers.clock
    if isinstance(before, _ActorsClock):
        msg = "time is in the hands of another block: use its clock"
        raise RuntimeError(msg)
    clock = _ActorsClock(before.now(), timers.next_at, timers.fire_due)
    timers.use(clock, by_hand=True)
    try:
        yield clock
    finally:
        timers.use(before, by_hand=False)

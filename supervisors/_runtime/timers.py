"""One timer thread for the whole process, over one heap.

The callback runs on the timer thread and must only hand something over, such as a message to a
mailbox. The thread starts with the first timer and is a daemon.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import msgspec

from supervisors._locks import new_rlock
from supervisors._machines.timer_heap import ArmedTimer, TimerHeap
from supervisors.clock import Clock, MonotonicClock
from supervisors.telemetry import execute

__all__ = ["Timer", "TimerService", "timers"]


class Timer(msgspec.Struct, eq=False):
    """Something that will happen later, unless it is cancelled. Safe from any thread.

    Made by `TimerService.after` and `send_after`.
    """

    _service: TimerService
    _armed: ArmedTimer

    def __repr__(self) -> str:
        """Tell whether it still waits."""
        return f"<Timer {'waiting' if self._armed.pending else 'over'}>"

    @property
    def waiting(self) -> bool:
        """Whether it has neither fired nor been cancelled."""
        return self._armed.pending

    def cancel(self) -> bool:
        """Make sure it does not fire; tell whether it was still waiting."""
        return self._service.cancel(self._armed)


class TimerService:
    """A timer thread and its heap.

    Example:
        >>> fired = threading.Event()
        >>> timer = timers.after(0.0, fired.set)
        >>> fired.wait(10)
        True
    """

    def __init__(self, clock: Clock | None = None) -> None:
        """Use the clock, by default the real one."""
        self.clock = clock or MonotonicClock()
        self._by_hand = False
        self._heap = TimerHeap()
        self._lock = new_rlock()
        # To be waited at and notified; never taken itself, see `_locks`.
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        # When the thread looks at the heap by itself; while it is awake, that is now.
        self._wakes_at = -math.inf

    def __len__(self) -> int:
        """Return the number of timers that wait."""
        with self._lock:
            return len(self._heap)

    def after(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback()` on the timer thread in `delay` seconds."""
        with self._lock:
            at = self.clock.now() + delay
            armed = self._heap.arm(at, callback)
            if self._thread is None:
                self._start_thread()
            elif at < self._wakes_at:
                self._changed.notify()
        return Timer(self, armed)

    def man(self) -> None:
        """See to it that there is a thread, for whom none may be started later."""
        with self._lock:
            if self._thread is None:
                self._start_thread()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="supervisors-timer", daemon=True)
        # A signal handler may have armed a timer since the caller looked.
        if self._thread is None:
            self._thread = thread
            try:
                thread.start()
            except BaseException:
                self._thread = None
                raise

    def cancel(self, armed: ArmedTimer) -> bool:
        """Cancel what `after` armed; tell whether it was still waiting."""
        with self._lock:
            return self._heap.cancel(armed)

    # ---- time by hand, for tests --------------------------------------------------------------

    def use(self, clock: Clock, *, by_hand: bool) -> None:
        """Go on by another clock; each timer keeps the time it has left.

        Args:
            clock: tells the time from now on.
            by_hand: it stands still until somebody moves it, who then calls `fire_due()`.
        """
        with self._lock:
            self._heap.shift(clock.now() - self.clock.now())
            self.clock = clock
            self._by_hand = by_hand
            self._changed.notify()

    def next_at(self) -> float | None:
        """Return when the next timer is due, or None."""
        with self._lock:
            return self._heap.next_at()

    def due_times(self) -> list[float]:
        """Return in how many seconds each waiting timer is due, earliest first."""
        with self._lock:
            now = self.clock.now()
            return [timer.at - now for timer in self._heap.waiting()]

    def fire_due(self) -> None:
        """Call back in this thread what is due now, in order."""
        with self._lock:
            due = self._heap.pop_due(self.clock.now())
        _fire(due)

    # ---- the timer thread ---------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._lock:
                due = self._heap.pop_due(self.clock.now())
                if not due:
                    at = None if self._by_hand else self._heap.next_at()
                    wait = None if at is None else at - self.clock.now()
                    if wait is None or wait > 0:
                        self._sleep(at, wait)
                    continue
            _fire(due)

    def _sleep(self, at: float | None, wait: float | None) -> None:
        """Wait until the moment `at`, for so many seconds, or until a timer is due before that.

        A timer that is armed behind it wakes nobody, nor does one that is cancelled: most are
        cancelled, and are behind another one.
        """
        self._wakes_at = math.inf if at is None else at
        try:
            self._changed.wait(None if wait is None else min(wait, threading.TIMEOUT_MAX))
        finally:
            self._wakes_at = -math.inf


def _fire(due: list[Callable[[], object]]) -> None:
    for callback in due:
        try:
            callback()
        except BaseException as error:  # noqa: BLE001  the other timers must go on
            event = ("supervisors", "timer", "callback_failed")
            execute(event, {"count": 1}, {"error": type(error).__name__})


timers = TimerService()

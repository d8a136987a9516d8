"""The timer service without its thread, and the thread's loop by hand."""

from __future__ import annotations

import threading
from typing import Any

from supervisors._runtime.timers import TimerService
from supervisors.testing import ManualClock
from tests.unit.supervisors.stepped import Seen, SteppedTimers


class End(BaseException):
    """Ends the loop of a timer thread that runs in the test."""


def run(service: TimerService) -> None:
    """Runs the loop of the timer thread until it would wait."""

    def wait(timeout: float | None = None) -> None:
        waits.append(timeout)
        raise End

    waits: list[Any] = []
    service._changed.wait = wait  # type: ignore[assignment,method-assign]
    try:
        service._run()
    except End:
        service.waits = waits  # type: ignore[attr-defined]


def service() -> Any:
    """A service on a manual clock whose thread does not start."""
    made = TimerService(ManualClock())
    made._thread = threading.current_thread()
    return made


def test_loop() -> None:
    """Due callbacks run in order; then the thread waits until the next one, or for ever."""
    timers, got = service(), []
    for delay in (2.0, 1.0, 5.0):
        timers.after(delay, lambda delay=delay: got.append(delay))
    run(timers)
    assert (got, timers.waits) == ([], [1.0])
    timers.clock.advance(2.5)
    run(timers)
    assert (got, timers.waits) == ([1.0, 2.0], [2.5])
    timers.clock.advance(9.0)
    run(timers)
    assert (got, timers.waits, len(timers)) == ([1.0, 2.0, 5.0], [None], 0)


def test_failing_callback() -> None:
    """It is reported, and the other timers go on."""
    seen, got = Seen().of(("supervisors", "timer", "callback_failed")), []
    timers = service()
    timers.after(0.0, lambda: 1 / 0)
    timers.after(0.0, lambda: got.append(1))
    run(timers)
    seen.close()
    assert got == [1]
    assert [metadata["error"] for _, _, metadata in seen.events] == ["ZeroDivisionError"]


def test_only_an_earlier_timer_wakes_the_thread() -> None:
    """A timer behind the next one changes nothing for it."""
    timers, woken = service(), []
    timers._changed.notify = lambda: woken.append(1)
    for delay in (5.0, 6.0, 4.0):
        timers.after(delay, int)
    assert len(woken) == 2


def test_handles(clock: SteppedTimers) -> None:
    """A timer tells whether it waits, and cancel whether it came in time."""
    timer = clock.after(1.0, int)
    assert (timer.waiting, repr(timer)) == (True, "<Timer waiting>")
    assert timer.cancel()
    assert not timer.cancel()
    assert repr(timer) == "<Timer over>"

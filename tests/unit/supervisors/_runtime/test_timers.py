"""The timer service without its thread, and the thread's loop by hand."""

from __future__ import annotations

import threading
from typing import Any

import pytest

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
    """One behind what it sleeps until changes nothing for it, even where that was cancelled."""
    timers, woken = service(), []
    first = timers.after(5.0, int)

    def wait(timeout: float | None = None) -> None:
        timers._changed.notify = lambda: woken.append(timeout)
        timers.after(6.0, int)
        first.cancel()
        timers.after(5.5, int)
        assert woken == []
        timers.after(4.0, int)
        raise End

    timers._changed.wait = wait
    with pytest.raises(End):
        timers._run()
    assert woken == [5.0]
    # Awake it looks by itself before it sleeps.
    timers.after(1.0, int)
    assert woken == [5.0]


def test_the_first_timer_wakes_a_thread_that_waits_for_ever() -> None:
    """It sleeps without a limit while there is none."""
    timers, woken = service(), []

    def wait(timeout: float | None = None) -> None:
        timers._changed.notify = lambda: woken.append(timeout)
        timers.after(6.0, int)
        raise End

    timers._changed.wait = wait
    with pytest.raises(End):
        timers._run()
    assert woken == [None]


def test_handles(clock: SteppedTimers) -> None:
    """A timer tells whether it waits, and cancel whether it came in time."""
    timer = clock.after(1.0, int)
    assert (timer.waiting, repr(timer)) == (True, "<Timer waiting>")
    assert timer.cancel()
    assert not timer.cancel()
    assert repr(timer) == "<Timer over>"

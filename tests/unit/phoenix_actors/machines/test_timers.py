"""Timers as a machine sees them."""

from __future__ import annotations

from phoenix_actors.machines.timers import CancelTimer, TimerFired, Timers


def test_a_timer_fires_once() -> None:
    """The firing of the present arming counts, and only the first time."""
    timers = Timers()
    armed = timers.arm("a", 1.0)
    assert timers.armed == {"a"}
    assert timers.take(TimerFired("a", armed.serial))
    assert not timers.take(TimerFired("a", armed.serial))
    assert timers.armed == set()


def test_the_firing_of_a_former_arming_is_late() -> None:
    """A timer that was armed anew does not fire by its old message."""
    timers = Timers()
    old = timers.arm("a", 1.0)
    new = timers.arm("a", 2.0)
    assert not timers.take(TimerFired("a", old.serial))
    assert timers.take(TimerFired("a", new.serial))


def test_a_cancelled_timer_does_not_fire() -> None:
    """Cancelling tells which timers were armed, and makes their firings late."""
    timers = Timers()
    armed = timers.arm("a", 1.0)
    timers.arm("b", 1.0)
    assert timers.cancel("a", "never armed") == [CancelTimer("a")]
    assert timers.cancel("a") == []
    assert not timers.take(TimerFired("a", armed.serial))
    assert timers.cancel_all() == [CancelTimer("b")]
    assert timers.cancel_all() == []

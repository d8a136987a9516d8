"""Timers as a machine sees them: armed and cancelled by name, late firings known for what they are.

A shell cancels a timer and its firing may be in a mailbox already. So each arming has a serial
number, which the firing brings back; one that is not the present arming changes nothing.
"""

from __future__ import annotations

import msgspec

__all__ = ["ArmTimer", "CancelTimer", "TimerFired", "Timers"]


class ArmTimer(msgspec.Struct, frozen=True):
    """Command: in `delay` seconds send `TimerFired(timer, serial)`; replaces one of this name."""

    timer: str
    serial: int
    delay: float


class CancelTimer(msgspec.Struct, frozen=True):
    """Command: forget the timer of this name."""

    timer: str


class TimerFired(msgspec.Struct, frozen=True):
    """Event: a timer ran out; name and serial are those of its `ArmTimer`."""

    timer: str
    serial: int


class Timers:
    """The timers of one machine.

    Example:
        >>> timers = Timers()
        >>> armed = timers.arm("rejoin", 1.0)
        >>> timers.cancel("rejoin", "leave")
        [CancelTimer(timer='rejoin')]
        >>> timers.take(TimerFired("rejoin", armed.serial))
        False
    """

    __slots__ = ("_armed", "_serial")

    def __init__(self) -> None:
        # Name and serial of each; few are armed at once, and mostly none.
        self._armed: tuple[tuple[str, int], ...] = ()
        self._serial = 0

    def arm(self, timer: str, delay: float) -> ArmTimer:
        """Arm a timer, or arm it anew; return the command."""
        self._serial += 1
        self._armed = (*self._without(timer), (timer, self._serial))
        return ArmTimer(timer, self._serial, delay)

    def cancel(self, *timers: str) -> list[CancelTimer]:
        """Cancel those of the named timers that are armed; return the commands."""
        if not self._armed:
            return []
        cancelled = []
        for timer in timers:
            kept = self._without(timer)
            if kept is not self._armed:
                self._armed = kept
                cancelled.append(CancelTimer(timer))
        return cancelled

    def _without(self, timer: str) -> tuple[tuple[str, int], ...]:
        """Return what is armed but this; the very same where it is not armed."""
        armed = self._armed
        for index, entry in enumerate(armed):
            if entry[0] == timer:
                return armed[:index] + armed[index + 1 :]
        return armed

    def cancel_all(self) -> list[CancelTimer]:
        """Cancel every armed timer; return the commands."""
        return self.cancel(*(timer for timer, _ in self._armed))

    def take(self, event: TimerFired) -> bool:
        """Tell whether a firing is the one waited for; it is armed no more then."""
        if (event.timer, event.serial) not in self._armed:
            return False
        self._armed = self._without(event.timer)
        return True

    @property
    def armed(self) -> frozenset[str]:
        """The names of the timers that will fire."""
        return frozenset(timer for timer, _ in self._armed)

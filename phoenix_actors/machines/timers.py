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
        self._armed: dict[str, int] = {}
        self._serial = 0

    def arm(self, timer: str, delay: float) -> ArmTimer:
        """Arm a timer, or arm it anew; return the command."""
        self._serial += 1
        self._armed[timer] = self._serial
        return ArmTimer(timer, self._serial, delay)

    def cancel(self, *timers: str) -> list[CancelTimer]:
        """Cancel those of the named timers that are armed; return the commands."""
        cancelled = [CancelTimer(timer) for timer in timers if timer in self._armed]
        for command in cancelled:
            del self._armed[command.timer]
        return cancelled

    def cancel_all(self) -> list[CancelTimer]:
        """Cancel every armed timer; return the commands."""
        return self.cancel(*self._armed)

    def take(self, event: TimerFired) -> bool:
        """Tell whether a firing is the one waited for; it is armed no more then."""
        if self._armed.get(event.timer) != event.serial:
            return False
        del self._armed[event.timer]
        return True

    @property
    def armed(self) -> frozenset[str]:
        """The names of the timers that will fire."""
        return frozenset(self._armed)

"""When a program of one tree stops, when it abandons, and what it returns: no signal, no clock.

States: RUNNING (the tree starts or runs), STOPPING (it was told to stop, in order), ABANDONING
(it was ended at once), OVER. The first signal stops, what comes after it abandons: a second
signal, or the deadline. The same signal within 0.1 s is no second one: GNU `timeout` sends one to
the process and to its group, so that it comes twice. Law: a state only ever becomes a later one;
after `Finish` or `FailStart` no command comes any more.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeAlias

import msgspec

from supervisors.exits import ExitReason, GaveUp, Killed, is_abnormal

__all__ = [
    "ABANDONED",
    "GAVE_UP",
    "AbandonTree",
    "ApplicationMachine",
    "ApplicationState",
    "Command",
    "DeadlinePassed",
    "Event",
    "FailStart",
    "Finish",
    "SignalReceived",
    "StopRequested",
    "StopTree",
    "TreeEnded",
    "TreeFailed",
    "exit_code",
]

GAVE_UP = 1
ABANDONED = 3
# Seconds within which the same signal is the same order.
_TWICE: Final = 0.1
_BY_SIGNAL = 128


class ApplicationState(IntEnum):
    """How far the program is."""

    RUNNING = 0
    STOPPING = 1
    ABANDONING = 2
    OVER = 3


class SignalReceived(msgspec.Struct, frozen=True):
    """The operating system asks the program to end; `at` is when, in seconds of any clock."""

    number: int
    at: float


class StopRequested(msgspec.Struct, frozen=True):
    """The program itself wants the tree to stop."""


class DeadlinePassed(msgspec.Struct, frozen=True):
    """The time for the orderly stop is over."""


class TreeFailed(msgspec.Struct, frozen=True):
    """The tree did not start; what had started of it is stopped again."""


class TreeEnded(msgspec.Struct, frozen=True):
    """The topmost supervisor is gone."""

    reason: ExitReason


class StopTree(msgspec.Struct, frozen=True):
    """Order the tree to stop within its deadline; `number` is the signal that asked for it."""

    number: int | None


class AbandonTree(msgspec.Struct, frozen=True):
    """End everything at once."""


class Finish(msgspec.Struct, frozen=True):
    """The program is over, for this reason; `number` is the first signal, if there was one."""

    reason: ExitReason
    number: int | None


class FailStart(msgspec.Struct, frozen=True):
    """Raise the error of the start."""


Event: TypeAlias = SignalReceived | StopRequested | DeadlinePassed | TreeFailed | TreeEnded
Command: TypeAlias = StopTree | AbandonTree | Finish | FailStart


class ApplicationMachine:
    """One program of one tree.

    Example:
        >>> machine = ApplicationMachine()
        >>> machine.handle(SignalReceived(15, 1.0)), machine.handle(SignalReceived(15, 2.0))
        ([StopTree(number=15)], [AbandonTree()])
    """

    def __init__(self) -> None:
        """Begin with a tree that starts."""
        self.state = ApplicationState.RUNNING
        self._number: int | None = None
        self._first: SignalReceived | None = None

    def handle(self, event: Event) -> list[Command]:
        """Take one event and return what is to be done."""
        if self.state is ApplicationState.OVER:
            return []
        match event:
            case SignalReceived() | StopRequested() | DeadlinePassed():
                return self._asked(event)
            case TreeFailed() if self._number is None:
                self.state = ApplicationState.OVER
                return [FailStart()]
            case TreeFailed():
                return self._over(Killed())
            case TreeEnded(reason):
                return self._over(reason)

    def _asked(self, event: SignalReceived | StopRequested | DeadlinePassed) -> list[Command]:
        number = None
        if isinstance(event, SignalReceived):
            number, first = event.number, self._first
            if first is None:
                self._number, self._first = number, event
            elif first.number == number and event.at - first.at < _TWICE:
                return []
        if self.state is ApplicationState.RUNNING:
            self.state = ApplicationState.STOPPING
            return [StopTree(number)]
        if self.state is ApplicationState.STOPPING and not isinstance(event, StopRequested):
            self.state = ApplicationState.ABANDONING
            return [AbandonTree()]
        return []

    def _over(self, reason: ExitReason) -> list[Command]:
        self.state = ApplicationState.OVER
        return [Finish(reason, self._number)]


def exit_code(reason: ExitReason, number: int | None, unstopped: int) -> int:
    """Return the status of a program whose tree ended so, with so many actors still running.

    Example:
        >>> from supervisors.exits import Normal, Shutdown
        >>> exit_code(Normal(), None, 0), exit_code(Shutdown(), 15, 0), exit_code(Shutdown(), 15, 1)
        (0, 143, 3)
        >>> exit_code(GaveUp("app", 3, 5.0), None, 0)
        1
    """
    if unstopped:
        return ABANDONED
    if isinstance(reason, GaveUp):
        return GAVE_UP
    if number is not None:
        return _BY_SIGNAL + number
    return GAVE_UP if is_abnormal(reason) else 0

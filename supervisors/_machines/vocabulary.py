"""The words between a supervisor's machine and the actor around it.

Events are past tense and tell what happened; commands are imperative and say what to do. A child's
`incarnation` is a number that no other start of any child of this supervisor has, so that news of
an instance that was replaced meanwhile cannot be taken for news of its successor.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias

import msgspec

from supervisors.child_spec import ChildSpec, ChildType
from supervisors.exits import ExitReason

__all__ = [
    "RESTARTING",
    "AnswerRequest",
    "Appended",
    "ArmTimer",
    "BootRequested",
    "CancelTimer",
    "ChildAbandoned",
    "ChildCounts",
    "ChildExited",
    "ChildFailed",
    "ChildIgnored",
    "ChildInfo",
    "ChildReturned",
    "ChildStarted",
    "Command",
    "ConfirmStart",
    "EmitReport",
    "Event",
    "FinishSupervisor",
    "KillChild",
    "RefuseRequest",
    "RefuseStart",
    "Report",
    "RequestReceived",
    "RequestVerb",
    "RetryLater",
    "ShutdownRequested",
    "StartChild",
    "StopChild",
    "SupervisorInfo",
    "TimerFired",
    "TimerKind",
]


class _Restarting(Enum):
    """The one value that stands for a child between two lives."""

    RESTARTING = "RESTARTING"

    def __repr__(self) -> str:
        return self.value


RESTARTING: Final = _Restarting.RESTARTING


class RequestVerb(StrEnum):
    """What a caller may ask of a supervisor."""

    START_CHILD = "start_child"
    TERMINATE_CHILD = "terminate_child"
    RESTART_CHILD = "restart_child"
    DELETE_CHILD = "delete_child"
    WHICH_CHILDREN = "which_children"
    COUNT_CHILDREN = "count_children"
    GET_CHILDSPEC = "get_childspec"
    DESCRIBE = "describe"
    RESIZE = "resize"


class TimerKind(StrEnum):
    """The two things a supervisor waits for by the clock."""

    STOP_DEADLINE = "stop_deadline"
    RETRY = "retry"


class Report(StrEnum):
    """What a supervisor reports: progress, and OTP's four kinds of trouble (S194-S200)."""

    CHILD_STARTED = "started"
    CHILD_RESTARTED = "restarted"
    CHILD_TERMINATED = "terminated"
    START_FAILED = "start_failed"
    SHUTDOWN_ERROR = "shutdown_error"
    GAVE_UP = "gave_up"
    RESTART_HELD = "restart_held"


class ChildInfo(msgspec.Struct, frozen=True):
    """One line of `which_children()` (S97).

    `ref` is the living child, `RESTARTING` while it waits for its next start, or None when it is
    stopped. `restarts` counts starts after the first; `next_attempt` is how many seconds the next
    start is away while it waits, else None. `last_reason` is why it ended last, or why its last
    start failed; None while neither has happened. Stops that were asked for do not count.
    """

    id: Any
    ref: Any
    type: ChildType
    restarts: int = 0
    next_attempt: float | None = None
    last_reason: Any = None


class ChildCounts(msgspec.Struct, frozen=True):
    """What `count_children()` answers: specs includes stopped ones, active only living (S98)."""

    specs: int
    active: int
    supervisors: int
    workers: int


class SupervisorInfo(msgspec.Struct, frozen=True):
    """What a supervisor tells an observer: its rules, its budget, and its children in order.

    `counted` is how many restarts count against `max_restarts` at this moment; None where each
    child has a budget of its own.
    """

    strategy: str
    max_restarts: int
    max_seconds: float
    counted: int | None
    dynamic: bool
    children: tuple[tuple[Any, ChildInfo], ...]


class Appended(msgspec.Struct, frozen=True):
    """What `start_child` gives a supervisor that has a template: the rest of its arguments."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


# ---- events ---------------------------------------------------------------------------------


class BootRequested(msgspec.Struct, frozen=True):
    """The supervisor's own init is through; its children are to be started.

    `start_now`, where there is one, starts a child by its incarnation and specification: it returns
    the reference of one that has come up, and tells of that itself; None of another, whose outcome
    comes as an event.
    """

    start_now: Callable[[int, ChildSpec], Any] | None = None


class ChildStarted(msgspec.Struct, frozen=True):
    """The child's init returned; `ref` is what the start answered."""

    incarnation: int
    ref: Any


class ChildIgnored(msgspec.Struct, frozen=True):
    """The child's init answered IGNORE: success without a process."""

    incarnation: int


class ChildFailed(msgspec.Struct, frozen=True):
    """The child did not start. `error` is the exception that a caller gets, if one waits."""

    incarnation: int
    reason: Any
    error: Any = None


class ChildExited(msgspec.Struct, frozen=True):
    """A child that had started is gone, all its callbacks finished."""

    incarnation: int
    reason: ExitReason


class ChildAbandoned(msgspec.Struct, frozen=True):
    """A child, or the start of one, was fenced off inside a handler whose thread goes on."""

    incarnation: int


class ChildReturned(msgspec.Struct, frozen=True):
    """The handler of an abandoned instance has returned at last."""

    incarnation: int


class TimerFired(msgspec.Struct, frozen=True):
    """A timer armed by `ArmTimer`, or the message of `RetryLater`, has come."""

    kind: TimerKind
    incarnation: int


class RequestReceived(msgspec.Struct, frozen=True):
    """A caller asks; `token` is given back with the answer."""

    token: Any
    verb: RequestVerb
    argument: Any = None


class ShutdownRequested(msgspec.Struct, frozen=True):
    """The supervisor is to stop its children in order and end with `reason`.

    With a `deadline`, a moment, all of them are down by then; one that came before stays if it
    is earlier.
    """

    reason: ExitReason
    deadline: float | None = None


Event: TypeAlias = (
    BootRequested
    | ChildStarted
    | ChildIgnored
    | ChildFailed
    | ChildExited
    | ChildAbandoned
    | ChildReturned
    | TimerFired
    | RequestReceived
    | ShutdownRequested
)


# ---- commands -------------------------------------------------------------------------------


class StartChild(msgspec.Struct, frozen=True):
    """Start the child; answer with ChildStarted, ChildIgnored or ChildFailed.

    `args` are the positional arguments, those of the supervisor before those of `spec` (S106).
    """

    incarnation: int
    spec: ChildSpec
    args: tuple[Any, ...]


class StopChild(msgspec.Struct, frozen=True):
    """Ask the child to stop with reason Shutdown(); ChildExited follows.

    A child that is a supervisor gets the `deadline`, a moment, as that of its own children.
    """

    incarnation: int
    deadline: float | None = None


class KillChild(msgspec.Struct, frozen=True):
    """End or fence the child without asking; ChildExited follows.

    `whole`: everything below it as well, since the time of all is over.
    """

    incarnation: int
    whole: bool = False


class ArmTimer(msgspec.Struct, frozen=True):
    """Send TimerFired(kind, incarnation) after `delay` seconds, instead of what was armed so."""

    kind: TimerKind
    incarnation: int
    delay: float


class CancelTimer(msgspec.Struct, frozen=True):
    """Forget that timer, if it is still armed."""

    kind: TimerKind
    incarnation: int


class RetryLater(msgspec.Struct, frozen=True):
    """Send TimerFired(RETRY, incarnation) behind what is queued already (S67)."""

    incarnation: int


class AnswerRequest(msgspec.Struct, frozen=True):
    """Give the caller its answer."""

    token: Any
    value: Any


class RefuseRequest(msgspec.Struct, frozen=True):
    """Raise `error` at the caller."""

    token: Any
    error: Exception


class ConfirmStart(msgspec.Struct, frozen=True):
    """All children run: the supervisor's start may return."""


class RefuseStart(msgspec.Struct, frozen=True):
    """A child did not start, those before it are stopped again: the start fails (S64)."""

    reason: Any
    child_id: Any
    error: Any = None


class EmitReport(msgspec.Struct, frozen=True):
    """Tell the world: `kind`, the child it is about, its ref while it has one, and why.

    `requested` marks what a caller asked for, not the supervisor's own doing (S195).
    """

    kind: Report
    spec: ChildSpec
    ref: Any = None
    reason: Any = None
    restarts: int = 0
    requested: bool = False

    @property
    def child_id(self) -> Any:
        """The id of the child that this is about."""
        return self.spec.id


class FinishSupervisor(msgspec.Struct, frozen=True):
    """All children are gone: end with this reason."""

    reason: ExitReason


Command: TypeAlias = (
    StartChild
    | StopChild
    | KillChild
    | ArmTimer
    | CancelTimer
    | RetryLater
    | AnswerRequest
    | RefuseRequest
    | ConfirmStart
    | RefuseStart
    | EmitReport
    | FinishSupervisor
)

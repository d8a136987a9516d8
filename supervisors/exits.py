"""Why an actor ended: a closed set of reasons, compared by value.

Three are clean, as in OTP: `Normal()`, `Shutdown()` and `Shutdown(detail)` (S47). Everything else
is abnormal: a transient child that ends so is restarted, and linked actors are ended too.
`GaveUp` is what a supervisor past its restart intensity ends with; it counts as a shutdown for
restart decisions (S49) and is still told apart by monitors and reports (S50).

>>> is_abnormal(Shutdown("maintenance")), is_abnormal(Crashed(ValueError("x")))
(False, True)
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

__all__ = [
    "Abandoned",
    "Crashed",
    "Down",
    "Exit",
    "ExitReason",
    "FailedToStartChild",
    "GaveUp",
    "Killed",
    "NoProc",
    "Normal",
    "Shutdown",
    "TraceEntry",
    "as_reason",
    "is_abnormal",
]


class Normal(msgspec.Struct, frozen=True):
    """The actor finished its work. Links are not ended by it."""


class Shutdown(msgspec.Struct, frozen=True):
    """The actor was told to stop in order; `detail` says more and is kept (S51).

    Its repr names the type of the detail, which may hold what a user sent.
    """

    detail: Any = None

    def __repr__(self) -> str:
        """Show what is this package's own, name the type of anything else."""
        own = self.detail is None or isinstance(self.detail, FailedToStartChild)
        shown = repr(self.detail) if own else f"<{type(self.detail).__name__}>"
        return f"Shutdown(detail={shown})"


class TraceEntry(msgspec.Struct, frozen=True):
    """One line of a trimmed traceback: where the exception passed, without any local variable."""

    file: str
    line: int
    function: str


class Crashed(msgspec.Struct, frozen=True, eq=False):
    """A handler raised `exception`; `trace` says where, the innermost call last (S168)."""

    exception: BaseException
    trace: tuple[TraceEntry, ...] = ()

    def __repr__(self) -> str:
        """Name the type of the exception; its text may hold what a user sent."""
        return f"Crashed({type(self.exception).__name__})"

    def __eq__(self, other: object) -> bool:
        """Two crashes are equal when they carry the same exception object."""
        return isinstance(other, Crashed) and other.exception is self.exception

    def __hash__(self) -> int:
        """Hash by the identity of the exception, as equality does."""
        return hash((Crashed, id(self.exception)))


class Killed(msgspec.Struct, frozen=True):
    """The actor was ended between two messages by a kill, which cannot be trapped (S149)."""


class Abandoned(msgspec.Struct, frozen=True):
    """A kill met the actor inside a handler: it is fenced off, its thread still runs.

    Python cannot end a thread. Replies of the fenced actor go nowhere, its names are free, its
    mailbox is closed; `unstopped()` lists it until the handler returns.
    """


class NoProc(msgspec.Struct, frozen=True):
    """The actor was dead already when it was monitored or linked (S151)."""


class GaveUp(msgspec.Struct, frozen=True):
    """A supervisor ended because its children needed more restarts than it allows.

    `child_id` is the child whose crash was one too many, `reason` why it ended. With `stuck` the
    cause was not the restarts but an abandoned instance that still runs: of a child with
    `on_stuck="escalate"`, or one more than `max_abandoned`.
    """

    supervisor: str
    max_restarts: int
    max_seconds: float
    child_id: Any = None
    reason: Any = None
    stuck: bool = False


class FailedToStartChild(msgspec.Struct, frozen=True):
    """The detail of the `Shutdown` of a supervisor that could not start child `child_id` (S64)."""

    child_id: Any
    reason: Any


ExitReason: TypeAlias = Normal | Shutdown | Crashed | Killed | Abandoned | NoProc | GaveUp
_ALL_BUT_CRASHED = (Normal, Shutdown, Killed, Abandoned, NoProc, GaveUp)
_CLEAN = (Normal, Shutdown, GaveUp)


class Down(msgspec.Struct, frozen=True):
    """What a monitor delivers, exactly once: `ref` is gone, for `reason` (S151)."""

    monitor: Any
    ref: Any
    reason: ExitReason


class Exit(msgspec.Struct, frozen=True):
    """What an actor with `trap_exit` gets instead of being ended by a link (S148)."""

    ref: Any
    reason: ExitReason


def is_abnormal(reason: ExitReason) -> bool:
    """Tell whether a transient child that ends with this reason is restarted.

    Example:
        >>> is_abnormal(Normal()), is_abnormal(Killed())
        (False, True)
    """
    return not isinstance(reason, _CLEAN)


def as_reason(value: object) -> ExitReason:
    """Turn what a user gave as a reason into one: an exception becomes `Crashed(exception)`.

    Raises:
        TypeError: for anything that is neither a reason nor an exception, and for a `Crashed`
            without one.

    Example:
        >>> as_reason(Normal())
        Normal()
        >>> as_reason("normal")
        Traceback (most recent call last):
        TypeError: 'normal' is no exit reason: give Normal(), Shutdown(detail), Crashed(exception),\
 Killed() or an exception
    """
    if isinstance(value, _ALL_BUT_CRASHED):
        return value
    if isinstance(value, Crashed):
        if isinstance(value.exception, BaseException):
            return value
        msg = f"Crashed(exception) is given an exception, not {value.exception!r}"
        raise TypeError(msg)
    if isinstance(value, BaseException):
        return Crashed(value)
    msg = (
        f"{value!r} is no exit reason: give Normal(), Shutdown(detail), Crashed(exception), "
        "Killed() or an exception"
    )
    raise TypeError(msg)

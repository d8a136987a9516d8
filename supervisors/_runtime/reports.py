"""What the runtime tells the world of a process: by names and types, never by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._runtime.items import Info, Told
from supervisors._runtime.status import StatusParts, format_parts
from supervisors.exits import Crashed, ExitReason
from supervisors.telemetry import execute, wanted

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors._runtime.ref import ActorRef

_CRASHED = ("supervisors", "actor", "crashed")

__all__ = ["report_abandoned", "report_crash", "report_dead_letter", "report_returned"]


def report_crash(process: Process, reason: ExitReason, last_message: object) -> None:
    """Tell of an end that was not clean; a clean one is silent (S176)."""
    if not isinstance(reason, Crashed) or not wanted(_CRASHED):
        return
    # Of a task: the actors that had it started, the nearest first (S185).
    callers = " < ".join(map(str, getattr(process.actor, "_otp_callers", ())))
    status, status_error = _status(process, reason, last_message)
    execute(
        _CRASHED,
        {"count": 1},
        {
            "actor": str(process.actor_ref),
            "path": process.path(),
            "error": type(reason.exception).__name__,
            "message_type": type(last_message).__name__,
            "state_type": type(process.actor).__name__,
            "trace": reason.trace,
            **({"callers": callers} if callers else {}),
            "status": status,
            "status_error": status_error,
        },
    )


def _status(
    process: Process, reason: ExitReason, last_message: object
) -> tuple[str | None, str | None]:
    """Return what the actor's format_status lets show, as text, and the name of its error."""
    try:
        parts = StatusParts(process.actor._otp_state(), last_message, reason)
        shown, error = format_parts(process.actor, parts)
        if shown is None or isinstance(shown, str):
            return shown, error
        return repr(shown), error
    except BaseException as error:  # noqa: BLE001  as in format_parts; a repr is the user's too
        return None, type(error).__name__


def report_dead_letter(ref: ActorRef, item: Any, why: str = "ended") -> None:
    """Tell of a message that nobody will handle: its actor has "ended", or "mailbox_full"."""
    message = item.message if isinstance(item, Info | Told) else item
    execute(
        ("supervisors", "dead_letter"),
        {"count": 1},
        {"actor": str(ref), "message_type": type(message).__name__, "why": why},
    )


def report_abandoned(ref: ActorRef) -> None:
    """Tell of an actor that was fenced off inside a handler."""
    execute(("supervisors", "actor", "abandoned"), {"count": 1}, {"actor": str(ref)})


def report_returned(ref: ActorRef) -> None:
    """Tell that the handler of an abandoned actor has returned at last."""
    execute(("supervisors", "actor", "abandoned_returned"), {"count": 1}, {"actor": str(ref)})

"""Restart type × exit reason: what to do with a child that ended by itself.

One arm per row of OTP's table (S41-S47). An end that the supervisor itself ordered is never
decided on (S48); for that one, the second table says whether it is worth a report (S82).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from supervisors.child_spec import BRUTAL_KILL, AutoShutdown, ChildSpec, Restart
from supervisors.exits import (
    Abandoned,
    ExitReason,
    GaveUp,
    Killed,
    Normal,
    Shutdown,
    is_abnormal,
)

if TYPE_CHECKING:
    from supervisors._machines.children import Child

__all__ = ["Decision", "decide", "ends_supervisor", "is_orderly"]


class Decision(StrEnum):
    """What happens to the child."""

    RESTART = "restart"
    KEEP_STOPPED = "keep_stopped"
    REMOVE = "remove"


def decide(restart: Restart, reason: ExitReason) -> Decision:
    """Return the decision for a child of this restart type that ended for this reason.

    Example:
        >>> from supervisors.exits import Normal
        >>> str(decide(Restart.TRANSIENT, Normal()))
        'keep_stopped'
    """
    match restart, is_abnormal(reason):
        case Restart.PERMANENT, _:
            return Decision.RESTART
        case Restart.TRANSIENT, True:
            return Decision.RESTART
        case Restart.TRANSIENT, False:
            return Decision.KEEP_STOPPED
        case _:
            return Decision.REMOVE


def ends_supervisor(mode: AutoShutdown, child: Child, children: Iterable[Child]) -> bool:
    """Tell whether the end of this child, not restarted, ends the supervisor (S23-S28)."""
    if not child.spec.significant:
        return False
    match mode:
        case AutoShutdown.ANY_SIGNIFICANT:
            return True
        case AutoShutdown.ALL_SIGNIFICANT:
            return not any(other.spec.significant and not other.is_stopped() for other in children)
        case AutoShutdown.NEVER:
            return False


def is_orderly(spec: ChildSpec, reason: ExitReason) -> bool:
    """Tell whether a child that was told to stop ended in a way nobody need hear of (S82)."""
    if type(reason) is Shutdown and reason.detail is None:
        # What nearly all of them are.
        return True
    match reason:
        case GaveUp():
            return True
        case Shutdown() | Normal():
            return spec.restart is not Restart.PERMANENT
        case Killed() | Abandoned():
            return spec.shutdown is BRUTAL_KILL
        case _:
            return False

"""Walk the live tree with a deadline; what is dead or silent becomes a fact, not an error."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from supervisors._machines.vocabulary import RESTARTING, ChildInfo
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.root import root
from supervisors._runtime.unstopped import unstopped
from supervisors.clock import Deadline, MonotonicClock, as_seconds
from supervisors.errors import CallTimeout, NoProcError
from supervisors.exits import Crashed
from supervisors.observer.records import SystemSnapshot, TreeNode
from supervisors.supervisor import SupervisorRef

__all__ = ["snapshot"]


def snapshot(
    tops: Iterable[ActorRef] | None = None, timeout: float | timedelta | None = 5.0
) -> SystemSnapshot:
    """Return what lives now. Safe from any thread; inside an actor only of trees it is not in.

    Args:
        tops: where to begin; by default all that was started with start_link outside any actor.
        timeout: seconds for the whole walk, None for as long as it takes; a supervisor that does
            not answer within half of what is left is "silent".
    """
    deadline = Deadline(as_seconds(timeout, "timeout"), MonotonicClock())
    refs = [process.actor_ref for process in root.members()] if tops is None else list(tops)
    trees = tuple(
        _node(str(ref.name or ref.actor_class.__name__), ref, 0, deadline) for ref in refs
    )
    return SystemSnapshot(trees, tuple(str(entry) for entry in unstopped()))


def _node(
    label: str, ref: Any, restarts: int, deadline: Deadline, last_reason: str | None = None
) -> TreeNode:
    class_name = ref.actor_class.__name__
    process = getattr(ref, "process", None)
    urn = str(ref.actor_urn)
    if not isinstance(ref, SupervisorRef):
        return TreeNode(
            label=label,
            kind="worker",
            class_name=class_name,
            state="running" if ref.is_alive() else "dead",
            restarts=restarts,
            last_reason=last_reason,
            mailbox=0 if process is None else len(process.mailbox),
            urn=urn,
        )
    try:
        # One that is silent leaves half of the time to the others.
        left = deadline.remaining()
        info = ref.describe(timeout=None if left is None else left / 2)
    except (NoProcError, CallTimeout) as error:
        state = "dead" if isinstance(error, NoProcError) else "silent"
        return TreeNode(
            label=label,
            kind="supervisor",
            class_name=class_name,
            state=state,
            restarts=restarts,
            last_reason=last_reason,
            urn=urn,
        )
    return TreeNode(
        label=label,
        kind="supervisor",
        class_name=class_name,
        state="running",
        restarts=restarts,
        last_reason=last_reason,
        mailbox=0 if process is None else len(process.mailbox),
        strategy="dynamic" if info.dynamic else info.strategy,
        counted=info.counted,
        max_restarts=info.max_restarts,
        max_seconds=info.max_seconds,
        children=tuple(_child(child_id, child, deadline) for child_id, child in info.children),
        urn=urn,
    )


def _child(child_id: Any, info: ChildInfo, deadline: Deadline) -> TreeNode:
    # A crash names the exception's type here, never its text.
    last_reason = None if info.last_reason is None else _word(info.last_reason)
    if info.ref is None or info.ref is RESTARTING:
        return TreeNode(
            label=str(child_id),
            kind=str(info.type),
            class_name="",
            state="stopped" if info.ref is None else "restarting",
            restarts=info.restarts,
            last_reason=last_reason,
        )
    return _node(str(child_id), info.ref, info.restarts, deadline, last_reason)


def _word(reason: Any) -> str:
    """Name the reason; what a Shutdown carries may be what a user sent."""
    return repr(reason) if isinstance(reason, Crashed) else type(reason).__name__

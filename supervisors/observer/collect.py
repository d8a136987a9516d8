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
    found = [_Found(str(ref.name or ref.actor_class.__name__), ref) for ref in refs]
    # In the order in which they are drawn, each before what is below it; a tree may be of any
    # depth, so nothing here calls itself.
    waiting, walked = found[::-1], []
    while waiting:
        one = waiting.pop()
        one.look(deadline)
        walked.append(one)
        waiting.extend(reversed(one.below))
    for one in reversed(walked):
        one.settle()
    trees = tuple(one.node for one in found)
    return SystemSnapshot(trees, tuple(str(entry) for entry in unstopped()))


class _Found:
    """One actor, or the place of one, on the walk."""

    __slots__ = ("_facts", "_ref", "below", "node")

    node: TreeNode

    def __init__(self, label: str, ref: Any, **facts: Any) -> None:
        self._facts: dict[str, Any] = {"label": label, "kind": "worker", "class_name": "", **facts}
        self._ref = ref
        self.below: list[_Found] = []

    def look(self, deadline: Deadline) -> None:
        """Ask a supervisor, once, what it has; of the others read what is there."""
        ref, facts = self._ref, self._facts
        if ref is None:
            return
        process = getattr(ref, "process", None)
        facts["class_name"] = ref.actor_class.__name__
        facts["urn"] = str(ref.actor_urn)
        if not isinstance(ref, SupervisorRef):
            facts["kind"] = "worker"
            facts["state"] = "running" if ref.is_alive() else "dead"
            facts["mailbox"] = 0 if process is None else len(process.mailbox.user)
            return
        facts["kind"] = "supervisor"
        if process is not None and not process.initialised and not process.ended:
            # It has no time for questions before all its children are up.
            facts["state"] = "starting"
            return
        try:
            # One that is silent leaves half of the time to the others.
            left = deadline.remaining()
            info = ref.describe(timeout=None if left is None else left / 2)
        except (NoProcError, CallTimeout) as error:
            facts["state"] = "dead" if isinstance(error, NoProcError) else "silent"
            return
        facts["state"] = "running"
        facts["mailbox"] = 0 if process is None else len(process.mailbox.user)
        facts["strategy"] = "dynamic" if info.dynamic else info.strategy
        facts["counted"] = info.counted
        facts["max_restarts"] = info.max_restarts
        facts["max_seconds"] = info.max_seconds
        self.below = [_child(child_id, child) for child_id, child in info.children]

    def settle(self) -> None:
        """Become a record, after all those below have."""
        self.node = TreeNode(children=tuple(one.node for one in self.below), **self._facts)


def _child(child_id: Any, info: ChildInfo) -> _Found:
    # A crash names the exception's type here, never its text.
    last_reason = None if info.last_reason is None else _word(info.last_reason)
    facts = {"restarts": info.restarts, "last_reason": last_reason}
    if info.ref is None or info.ref is RESTARTING:
        state = "stopped" if info.ref is None else "restarting"
        return _Found(str(child_id), None, kind=str(info.type), state=state, **facts)
    return _Found(str(child_id), info.ref, **facts)


def _word(reason: Any) -> str:
    """Name the reason; what a Shutdown carries may be what a user sent."""
    return repr(reason) if isinstance(reason, Crashed) else type(reason).__name__

"""The children that were abandoned and whose handlers still run, and what that forbids.

Python cannot end a thread, so a child that would not stop is fenced off and its thread goes on.
Laws: an incarnation is listed from the news that it was abandoned to the news that its handler
has returned, whichever of the two comes first; one that a predecessor of this supervisor had
started has a negative number; a held child is one that waits for its next start,
paid for, without a timer: what it waits for is that none of its group is listed any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from supervisors._machines.children import Child, ChildState
from supervisors.child_spec import ChildSpec, OnStuck, Restart

__all__ = ["StuckTable", "is_held"]


def is_held(child: Child) -> bool:
    """Tell whether the next start of this child waits for a stuck thread."""
    return child.state is ChildState.RESTARTING and child.paid and child.retry_at is None


class StuckTable:
    """The stuck incarnations of one supervisor's children.

    Example:
        >>> table, child = StuckTable(0), Child("a", ChildSpec("a", start=print, on_stuck="wait"))
        >>> table.add(1, child)
        >>> table.blocks(child.spec), table.exceeded
        (True, True)
        >>> table.discard(1)
        >>> table.blocks(child.spec), table.exceeded
        (False, False)
    """

    __slots__ = ("_bound", "_early", "_stuck", "dynamic")

    def __init__(self, bound: int | None, *, dynamic: bool = False) -> None:
        """Start empty; more than `bound` entries are too many, None sets no bound."""
        self.dynamic = dynamic
        self._bound = bound
        self._stuck: dict[int, Child] = {}
        # Handlers that returned before it was heard that they were abandoned.
        self._early: set[int] = set()

    def __len__(self) -> int:
        """Return how many still run."""
        return len(self._stuck)

    @property
    def exceeded(self) -> bool:
        """Whether there are more than the supervisor bears; its predecessor's do not count."""
        own = sum(incarnation > 0 for incarnation in self._stuck)
        return self._bound is not None and own > self._bound

    def add(self, incarnation: int, child: Child | None) -> None:
        """List an incarnation that was abandoned; a child that is not known is nobody's concern."""
        if incarnation in self._early:
            self._early.discard(incarnation)
        elif child is not None:
            self._stuck[incarnation] = child

    def discard(self, incarnation: int) -> None:
        """Forget an incarnation whose handler has returned."""
        if self._stuck.pop(incarnation, None) is None:
            self._early.add(incarnation)

    def last(self) -> Child | None:
        """Return the child that was abandoned last."""
        return next(reversed(self._stuck.values()), None)

    def has(self, child: Child) -> bool:
        """Tell whether an instance of this child still runs."""
        return any(stuck is child for stuck in self._stuck.values())

    def blocks(self, spec: ChildSpec) -> bool:
        """Tell whether an instance of a child with this id forbids a start on request."""
        return (
            not self.dynamic
            and spec.on_stuck is not OnStuck.REPLACE
            and any(stuck.spec.id == spec.id for stuck in self._stuck.values())
        )

    def first_barred(self, group: Iterable[Child], policy: OnStuck) -> Child | None:
        """Return the first of the group that would be started and may not be, by this policy."""
        if not self._stuck:
            return None
        for child in group:
            wanted = child.spec.restart is not Restart.TEMPORARY
            if wanted and child.spec.on_stuck is policy and self.has(child):
                return child
        return None

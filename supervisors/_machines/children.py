"""The children of one supervisor, in start order.

Laws: a child has exactly one of three states; `RUNNING` has a ref and its incarnation is known to
`by_incarnation`; a child removed is found in no way any more. A static table keys children by
their id, a dynamic one by a number, so that equal ids do not meet (S105).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from operator import attrgetter, countOf
from typing import Any, Final

from supervisors._machines.intensity import RestartIntensity
from supervisors._machines.vocabulary import RESTARTING, ChildCounts, ChildInfo
from supervisors.child_spec import ChildSpec, ChildType
from supervisors.exits import ExitReason

__all__ = ["NO_PAST", "Child", "ChildState", "ChildTable"]

_state = attrgetter("state")
_type = attrgetter("spec.type")


class ChildState(StrEnum):
    """Stopped: known, no process. Restarting: waits for its next start. Running: has a ref."""

    STOPPED = "stopped"
    RUNNING = "running"
    RESTARTING = "restarting"


class _Past:
    """What a supervisor remembers of a child that did not simply start and run."""

    __slots__ = (
        "attempt",
        "budget",
        "early_exit",
        "failure",
        "last_reason",
        "paid",
        "restarts",
        "retry_at",
        "started_at",
    )

    def __init__(self) -> None:
        """Begin with nothing."""
        # Only where each child has a budget of its own.
        self.budget: RestartIntensity | None = None
        self.restarts = 0
        # The reason of an end that was noticed while the supervisor was busy with something else.
        self.early_exit: ExitReason | None = None
        # Restart attempts in a row, for the backoff; and when the last one succeeded.
        self.attempt = 0
        self.started_at = 0.0
        self.retry_at: float | None = None
        # Whether the attempt that waits for a timer was charged to the budget already.
        self.paid = False
        # Why the attempt before the one that waits failed.
        self.failure: Any = None
        # Why it ended, or did not start, the last time that nobody had asked for it.
        self.last_reason: Any = None


NO_PAST: Final = _Past()
"""What every child has until something is written there; it does not change."""


def _past(name: str) -> Any:
    """Return the property of a child that stands in its past."""
    usual = getattr(NO_PAST, name)

    def write(child: Child, value: Any) -> None:
        if child.past is NO_PAST:
            if value is usual:
                return
            child.past = _Past()
        setattr(child.past, name, value)

    return property(lambda child: getattr(child.past, name), write)


class Child:
    """One child and what its supervisor remembers of it."""

    __slots__ = ("incarnation", "key", "past", "ref", "spec", "state")

    def __init__(self, key: Any, spec: ChildSpec, incarnation: int = 0) -> None:
        """Begin stopped."""
        self.key = key
        self.spec = spec
        self.state = ChildState.STOPPED
        self.ref: Any = None
        self.incarnation = incarnation
        # Most children have none: a shared one takes the place of 96 bytes for each.
        self.past = NO_PAST

    budget = _past("budget")
    restarts = _past("restarts")
    early_exit = _past("early_exit")
    attempt = _past("attempt")
    started_at = _past("started_at")
    retry_at = _past("retry_at")
    paid = _past("paid")
    failure = _past("failure")
    last_reason = _past("last_reason")

    def own_past(self) -> _Past:
        """Return what may be written into, made with the first of it."""
        past = self.past
        if past is NO_PAST:
            self.past = past = _Past()
        return past

    def is_stopped(self) -> bool:
        """Tell whether it has no process and waits for none."""
        return self.state is ChildState.STOPPED

    def own_budget(self, max_restarts: int, max_seconds: float) -> RestartIntensity:
        """Return the child's own restart budget, made with its first restart."""
        budget: RestartIntensity | None = self.budget
        if budget is None:
            self.budget = budget = RestartIntensity(max_restarts, max_seconds)
        return budget

    def info(self, now: float, *, dynamic: bool) -> ChildInfo:
        """Describe the child for which_children()."""
        ref = RESTARTING if self.state is ChildState.RESTARTING else self.ref
        wait = None if self.retry_at is None else max(0.0, self.retry_at - now)
        child_id = None if dynamic else self.spec.id
        return ChildInfo(child_id, ref, self.spec.type, self.restarts, wait, self.last_reason)


class ChildTable:
    """All children of one supervisor.

    Example:
        >>> table = ChildTable(dynamic=False)
        >>> child = table.add(ChildSpec("a", start=print))
        >>> table.find("a") is child, table.find("b")
        (True, None)
    """

    __slots__ = (
        "_at_rest",
        "_by_incarnation",
        "_by_ref",
        "_children",
        "_next",
        "_number_of",
        "dynamic",
    )

    def __init__(self, *, dynamic: bool, number_of: Callable[[Any], int] = lambda _: 0) -> None:
        """Start empty.

        Args:
            dynamic: decides how children are keyed and found.
            number_of: tells of a living child's reference by which number it is known; of others 0,
                or it raises AttributeError.
        """
        self.dynamic = dynamic
        self._number_of = number_of
        self._children: dict[Any, Child] = {}
        # In a dynamic table the first incarnation of a child has the number by which the child is
        # kept, so only later ones stand here; and there, those whose first one is over.
        self._by_incarnation: dict[int, Child] = {}
        self._at_rest: set[int] = set()
        # Not those of a dynamic table whose reference tells their number.
        self._by_ref: dict[Any, Child] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return the number of children, whatever their state."""
        return len(self._children)

    def __iter__(self) -> Iterator[Child]:
        """Iterate in start order."""
        return iter(self._children.values())

    def add(self, spec: ChildSpec) -> Child:
        """Append a stopped child."""
        self._next += 1
        child = Child(self._next if self.dynamic else spec.id, spec)
        self._children[child.key] = child
        return child

    def add_all(self, specs: Iterable[ChildSpec]) -> None:
        """Fill an empty static table with stopped children; as `add` of each."""
        self._children = {spec.id: Child(spec.id, spec) for spec in specs}
        self._next = len(self._children)

    def add_begun(self, spec: ChildSpec) -> Child:
        """Append a child that is being started; as `add` and then `begin`, in one step."""
        if not self.dynamic:
            child = self.add(spec)
            self.begin(child)
            return child
        # Its key is a number that nobody else has.
        self._next = number = self._next + 1
        self._children[number] = child = Child(number, spec, number)
        return child

    def remove(self, child: Child) -> None:
        """Forget the child with everything it was started with (S15)."""
        key = child.key
        self._children.pop(key, None)
        if child.incarnation != key or not self.dynamic:
            self._by_incarnation.pop(child.incarnation, None)
        if self._at_rest:
            self._at_rest.discard(key)
        if self._by_ref:
            self._by_ref.pop(child.ref, None)
        child.ref = None
        child.state = ChildState.STOPPED

    def arrange(self, children: Iterable[Child]) -> None:
        """Put all children into this start order."""
        self._children = {child.key: child for child in children}

    def find(self, id_or_ref: Any) -> Child | None:
        """Return the child with this living ref or, in a static table, with this id (S110)."""
        if self.dynamic:
            try:
                number = self._number_of(id_or_ref)
                # Who is at rest has no reference.
                child = self._children.get(number) or self._by_incarnation.get(number)
                if child is not None and child.ref is id_or_ref:
                    return child
            except AttributeError:
                pass
        try:
            child = self._by_ref.get(id_or_ref)
            if child is None and not self.dynamic:
                child = self._children.get(id_or_ref)
        except TypeError:
            return None
        return child

    def by_incarnation(self, incarnation: int) -> Child | None:
        """Return the child whose present life, or present wait, has this number."""
        if self.dynamic:
            child = self._children.get(incarnation)
            if child is not None and child.incarnation == incarnation:
                return None if incarnation in self._at_rest else child
        return self._by_incarnation.get(incarnation)

    def _note_incarnation(self, child: Child) -> None:
        """Have the child found by its incarnation."""
        if self.dynamic and child.incarnation == child.key:
            self._at_rest.discard(child.key)
        else:
            self._by_incarnation[child.incarnation] = child

    def begin(self, child: Child) -> int:
        """Give the child a new incarnation and return it."""
        if not self.dynamic:
            if child.state is not ChildState.STOPPED:
                self.mark_stopped(child)
            child.incarnation = self._next = number = self._next + 1
            self._by_incarnation[number] = child
            return number
        if child.incarnation and self.by_incarnation(child.incarnation) is child:
            self.mark_stopped(child)
        if not child.incarnation:
            # Its key is a number that nobody else has.
            child.incarnation = child.key
        else:
            self._next += 1
            child.incarnation = self._next
        self._note_incarnation(child)
        return child.incarnation

    def begin_anew(self, child: Child, reason: ExitReason) -> int:
        """Give a child that has ended by itself a new incarnation, at once, and return it.

        As `begin`, with the reason noted: of who ran there is no `retry_at`, no failure and nothing
        paid.
        """
        if self.dynamic:
            number = self.begin(child)
        else:
            self._by_incarnation.pop(child.incarnation, None)
            self._by_ref.pop(child.ref, None)
            child.ref, child.state = None, ChildState.STOPPED
            self._next = number = self._next + 1
            child.incarnation = number
            self._by_incarnation[number] = child
        child.own_past().last_reason = reason
        return number

    def mark_running(self, child: Child, ref: Any, now: float) -> None:
        """The child lives."""
        child.state = ChildState.RUNNING
        child.ref = ref
        if child.past is not NO_PAST:
            child.past.started_at = now
        if self.dynamic:
            try:
                if self._number_of(ref) == child.incarnation:
                    return
            except AttributeError:
                pass
        self._by_ref[ref] = child

    def mark_row_started(
        self, row: Sequence[Child], refs: list[Any], now: float, *, again: bool
    ) -> int:
        """These were started, one after the other, and the last one is being started.

        As `mark_running`, one restart more if it is `again`, and then `begin` of the next one, for
        each reference. Only for a static table, in which the first is begun, the others stopped.

        Returns:
            The incarnation of the last one, one more than that of the one before.
        """
        number, running = self._next, ChildState.RUNNING
        by_ref, by_incarnation = self._by_ref, self._by_incarnation
        by_ref.update(zip(refs, row, strict=False))
        for child, ref in zip(row, refs, strict=False):
            child.state, child.ref = running, ref
            past = child.past
            if past is not NO_PAST:
                past.started_at = now
            elif again:
                child.past = past = _Past()
            past.restarts += again
            child.incarnation = number
            number += 1
        row[-1].incarnation = number
        by_incarnation.update(zip(range(self._next + 1, number + 1), row[1:], strict=True))
        self._next = number
        return number

    def mark_restarting(self, child: Child) -> None:
        """The child waits for its next start and keeps its incarnation, for the timer."""
        if child.ref is not None:
            self._by_ref.pop(child.ref, None)
        child.ref = None
        child.early_exit = None
        child.state = ChildState.RESTARTING
        self._note_incarnation(child)

    def mark_stopped(self, child: Child) -> None:
        """The child has no process and waits for none."""
        if self.dynamic and child.incarnation == child.key:
            self._at_rest.add(child.key)
        else:
            self._by_incarnation.pop(child.incarnation, None)
        self._put_to_rest(child)

    def mark_row_stopped(self, children: Sequence[Child]) -> None:
        """These, which all were running and wait for nothing, have no process; as `mark_stopped`.

        Of who runs there is no `retry_at`, no failure and nothing paid.
        """
        if self.dynamic:
            for child in children:
                self.mark_stopped(child)
            return
        forget, forget_ref = self._by_incarnation.pop, self._by_ref.pop
        for child in children:
            forget(child.incarnation, None)
            forget_ref(child.ref, None)
            child.ref = None
            child.state = ChildState.STOPPED

    def _put_to_rest(self, child: Child) -> None:
        """Let the child have no process and wait for none."""
        if child.ref is not None and self._by_ref:
            self._by_ref.pop(child.ref, None)
        child.ref = None
        past = child.past
        if past is not NO_PAST:
            past.early_exit = None
            past.retry_at = None
            past.paid = False
            past.failure = None
        child.state = ChildState.STOPPED

    def counts(self) -> ChildCounts:
        """Count for count_children() (S98, S99)."""
        children = self._children.values()
        active = countOf(map(_state, children), ChildState.RUNNING)
        supervisors = countOf(map(_type, children), ChildType.SUPERVISOR)
        return ChildCounts(
            specs=len(self),
            active=active,
            supervisors=supervisors,
            workers=len(self) - supervisors,
        )

"""`PartitionSupervisor`: one kind of child several times, each key served by always the same one.

>>> from supervisors import GenServer
>>> class Counter(GenServer):
...     def init(self):
...         self.count = 0
...     def handle_call(self, request, sender):
...         self.count += request
...         return self.count
>>> with PartitionSupervisor.start_link(Counter, partitions=4, name="doc-counters") as counters:
...     first = counters.partition("alice").call(1)
...     again = PartitionSupervisor.partition("doc-counters", "alice").call(1)
...     first, again, counters.partitions()
(1, 2, 4)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from supervisors._machines.backoff import Backoff
from supervisors._machines.partitions import partition_of
from supervisors._machines.rules import MAX_ABANDONED, checked_flags
from supervisors._machines.vocabulary import ChildCounts, ChildInfo, RequestVerb
from supervisors._runtime.calling import start_and_wait, take_options
from supervisors._runtime.names import whereis
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.supervising import Plan, SupervisingActor
from supervisors.child_spec import (
    UNSET,
    AutoShutdown,
    ChildSpec,
    OnStuck,
    Strategy,
    refuse_unknown,
)
from supervisors.errors import ChildSpecError, NoPartitionError, NoProcError, SpecProblem
from supervisors.supervisor import SupervisorRef, checked_spec

__all__ = ["PartitionSupervisor", "PartitionSupervisorRef"]

_OPTIONS = (
    "partitions",
    "with_arguments",
    "strategy",
    "max_restarts",
    "max_seconds",
    "backoff",
    "max_abandoned",
    "name",
)


class PartitionSupervisorRef(SupervisorRef):
    """A reference to a partition supervisor. Keys are looked up without asking its actor.

    The children's ids are the numbers of the partitions, from 0.
    """

    @property
    def _partitioned(self) -> PartitionSupervisor:
        process = self.process
        if process is None or process.has_ended():
            raise NoProcError(self)
        actor: PartitionSupervisor = process.actor  # type: ignore[assignment]
        return actor

    def partition(self, key: Hashable) -> Any:
        """Return the ref of the child that serves this key (S119).

        Whole numbers are routed by their absolute value modulo the number of partitions in use,
        strings, bytes, None and tuples of these by a checksum that is the same in every run,
        other keys by their own hash(). Equal keys get the same child. After a restart this is a
        new ref; while a child is being restarted it may be that of a dead one.

        Raises:
            NoProcError: the partition supervisor is dead.
            NoPartitionError: it was resized to 0, or this child never came up.
            TypeError: the key is not hashable.
        """
        hash(key)
        actor = self._partitioned
        machine = actor._otp_machine
        if machine is None:
            raise NoProcError(self)
        in_use = machine.partitions.in_use
        if not in_use:
            raise NoPartitionError(self, None)
        number = partition_of(key, in_use)
        ref = actor._otp_refs.get(number)
        if ref is None:
            raise NoPartitionError(self, number)
        return ref

    def partitions(self) -> int:
        """Return the number of partitions in use.

        Raises:
            NoProcError: the partition supervisor is dead.
        """
        machine = self._partitioned._otp_machine
        if machine is None:
            raise NoProcError(self)
        return machine.partitions.in_use

    def resize(self, partitions: int) -> int:
        """Use only the first `partitions` children, stop the others; return how many there were.

        Never more than were started. Most keys get another child by this (S123).

        Raises:
            ChildSpecError: it is not within 0 and the number that was started.
            NoProcError: the partition supervisor is dead.
            StartError: a child that was to be used again did not start; those before it did.
        """
        before: int = self._request(RequestVerb.RESIZE, partitions)
        return before


class PartitionSupervisor(SupervisingActor):
    """Starts the same child once per partition and finds the one for a key (S118).

    For a server that many use and that has become the bottleneck. The class's own methods take
    the name, or anything else that `whereis()` takes, instead of the ref (S124).

    Example:
        >>> from supervisors import TaskSupervisor
        >>> tasks = PartitionSupervisor.start_link(TaskSupervisor, partitions=2, name="doc-tasks")
        >>> tasks.partition(42).run(sum, [1, 2]).result(timeout=5)
        3
        >>> PartitionSupervisor.partitions("doc-tasks"), tasks.resize(1), tasks.stop()
        (2, 2, True)
    """

    ref_class: ClassVar[type[ActorRef]] = PartitionSupervisorRef

    @classmethod
    def start_link(cls, child: Any = UNSET, *, name: Any = None, **options: Any) -> Any:
        """Start all partitions, linked; return the PartitionSupervisorRef when all run.

        Args:
            child: the one child: a ChildSpec, a class with child_spec(), or `(class, *args)`. Its
                id is replaced by the partition's number.
            name: a name to register the partition supervisor under; there must be one.
            **options: `partitions=None` (how many; by default one per processor),
                `with_arguments=None` (`fn(args, number)` returns the arguments of this partition,
                S120; called here, once for each), `strategy="one_for_one"`, `max_restarts=3`,
                `max_seconds=5.0`, `backoff=None`, `max_abandoned=100`; `start_timeout` and
                `dispatcher`, as for any actor.

        Raises:
            ChildSpecError: the child or an option is wrong, or the name is missing; raised in the
                caller, nothing was started (S121).
            StartError: a partition did not start; those before it were stopped again.
        """
        plan, rest = _split(child, name, options)
        return start_and_wait(cls, (plan,), {**rest, "name": name}, linked=True)

    @classmethod
    def start(cls, child: Any = UNSET, *, name: Any = None, **options: Any) -> Any:
        """Start it without a link; takes and raises what start_link() does."""
        plan, rest = _split(child, name, options)
        return start_and_wait(cls, (plan,), {**rest, "name": name})

    @classmethod
    def child_spec(
        cls,
        child: Any = UNSET,
        *,
        name: Any = None,
        id: Any = UNSET,
        restart: str = "permanent",
        shutdown: Any = UNSET,
        significant: bool = False,
        on_stuck: str = OnStuck.REPLACE,
        **options: Any,
    ) -> ChildSpec:
        """Return how another supervisor starts this one; its id is its name unless given."""
        plan, rest = _split(child, name, options)
        return ChildSpec(
            name if id is UNSET else id,
            start=cls,
            args=(plan,),
            kwargs=rest,
            restart=restart,
            shutdown=shutdown,
            type="supervisor",
            significant=significant,
            name=name,
            on_stuck=on_stuck,
        )

    @staticmethod
    def partition(name: Any, key: Hashable) -> Any:
        """Return the ref that serves the key in the partition supervisor of this name.

        Raises:
            NoProcError: no partition supervisor of this name lives.
            NoPartitionError: see `PartitionSupervisorRef.partition`.
        """
        return _find(name).partition(key)

    @staticmethod
    def partitions(name: Any) -> int:
        """Return the number of partitions in use; raises NoProcError for an unknown name."""
        return _find(name).partitions()

    @staticmethod
    def count_children(name: Any) -> ChildCounts:
        """Count the children; raises NoProcError for an unknown name."""
        return _find(name).count_children()

    @staticmethod
    def which_children(name: Any) -> list[ChildInfo]:
        """List the children; raises NoProcError for an unknown name."""
        return _find(name).which_children()

    @staticmethod
    def resize(name: Any, partitions: int) -> int:
        """Change how many are in use; raises what `PartitionSupervisorRef.resize` does."""
        return _find(name).resize(partitions)

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan:
        plan: Plan = args[0]
        # The number of each partition → the last child it was given; read by any thread.
        self._otp_refs: dict[int, ActorRef] = {}
        flags = msgspec.structs.replace(plan.flags, label=self._process.path(), partitioned=True)
        return Plan(flags, plan.children)

    def _otp_take_in(self, process: Process, spec: ChildSpec, incarnation: int) -> None:
        super()._otp_take_in(process, spec, incarnation)
        self._otp_refs[spec.id] = process.actor_ref


def _find(name: Any) -> PartitionSupervisorRef:
    ref = whereis(name)
    if ref is None:
        raise NoProcError(f"the partition supervisor {name!r}")
    if not isinstance(ref, PartitionSupervisorRef):
        msg = f"{ref} is no partition supervisor: give the name or the ref of one"
        raise TypeError(msg)
    return ref


def _split(child: Any, name: Any, options: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """Part the plan, checked, from the options of every start."""
    if child is UNSET:
        text = "a partition supervisor needs a child: give it as the first argument"
        raise ChildSpecError(SpecProblem.MISSING_START, text)
    if name is None:
        text = "a partition supervisor needs a name: give name="
        raise ChildSpecError(SpecProblem.BAD_NAME, text)
    taken, rest = take_options(options)
    return _plan(child, **rest), taken.given()


def _plan(
    child: Any,
    *,
    partitions: int | None = None,
    with_arguments: Callable[[tuple[Any, ...], int], Iterable[Any]] | None = None,
    strategy: str = Strategy.ONE_FOR_ONE,
    max_restarts: int = 3,
    max_seconds: float | timedelta = 5.0,
    backoff: Backoff | None = None,
    max_abandoned: int | None = MAX_ABANDONED,
    auto_shutdown: str = AutoShutdown.NEVER,
    **unknown: Any,
) -> Plan:
    """Check the options of a partition supervisor and make its children."""
    refuse_unknown(unknown, _OPTIONS, "option", "a partition supervisor")
    if auto_shutdown != AutoShutdown.NEVER:
        text = (
            f"a partition supervisor has no auto_shutdown (given: {auto_shutdown!r}): its "
            "partitions are all alike; use a Supervisor for significant children"
        )
        raise ChildSpecError(SpecProblem.BAD_AUTO_SHUTDOWN, text, auto_shutdown)
    flags = checked_flags(
        strategy=strategy,
        max_restarts=max_restarts,
        max_seconds=max_seconds,
        auto_shutdown=AutoShutdown.NEVER,
        backoff=backoff,
        label="",
        max_abandoned=max_abandoned,
    )
    spec = checked_spec(child, AutoShutdown.NEVER)
    if spec.name is not None:
        text = (
            f"the child of a partition supervisor cannot have a name ({spec.name!r}): there are "
            "several of it; find one with partition(key)"
        )
        raise ChildSpecError(SpecProblem.BAD_NAME, text, spec.name)
    count = _processors() if partitions is None else partitions
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        text = f"partitions must be a whole number, 1 or more, or None, not {count!r}"
        raise ChildSpecError(SpecProblem.BAD_PARTITIONS, text, count)
    if with_arguments is None:
        return Plan(flags, tuple(spec.with_(id=number) for number in range(count)))
    _check_takes_two(with_arguments)
    numbered = [(number, with_arguments(spec.args, number)) for number in range(count)]
    return Plan(flags, tuple(spec.with_(id=number, args=args) for number, args in numbered))


def _processors() -> int:
    """Return on how many processors this program may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_takes_two(function: Any) -> None:
    """Refuse a with_arguments that cannot be called with arguments and number (S120)."""
    text = "with_arguments must be a function of two arguments, the child's arguments and a number"
    if not callable(function):
        text = f"{text}, not {function!r}"
        raise ChildSpecError(SpecProblem.BAD_WITH_ARGUMENTS, text, function)
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some functions written in C do not say what they take.
        return
    try:
        signature.bind((), 0)
    except TypeError as error:
        text = f"{text}: {error}"
        raise ChildSpecError(SpecProblem.BAD_WITH_ARGUMENTS, text, function) from None

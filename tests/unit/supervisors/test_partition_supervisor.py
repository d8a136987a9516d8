"""Partition supervisors of real actors, stepped by hand."""

from __future__ import annotations

import inspect
import os
from typing import Any

import pytest

from supervisors import (
    Backoff,
    ChildCounts,
    ChildSpec,
    ChildSpecError,
    GenServer,
    NoPartitionError,
    NoProcError,
    PartitionSupervisor,
    Registry,
    SpecProblem,
    StartError,
    Supervisor,
    via,
    whereis,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import Worker, worker


def parts(turns: ManualDispatcher, **options: Any) -> Any:
    """Starts a partition supervisor of workers."""
    options = {"name": "parts", "partitions": 3} | options
    return PartitionSupervisor.start_link(worker(turns, "w"), dispatcher=turns, **options)


@pytest.mark.contract("S118", "S124")
def test_identical_children(turns: ManualDispatcher, log: list[str]) -> None:
    """N children of one kind, with their numbers as ids, counted and listed by name."""
    sup = parts(turns)
    assert [info.id for info in PartitionSupervisor.which_children("parts")] == [2, 1, 0]
    assert PartitionSupervisor.count_children("parts") == ChildCounts(3, 3, 0, 3)
    assert PartitionSupervisor.partitions("parts") == sup.partitions() == 3
    assert log == ["init w"] * 3
    assert whereis("parts") is sup
    assert sup.describe().strategy == "one_for_one"
    assert sup.stop()
    assert log[3:] == ["terminate w"] * 3


@pytest.mark.contract("S118")
@pytest.mark.parametrize("affinity", [True, False])
def test_one_per_processor(
    turns: ManualDispatcher, monkeypatch: pytest.MonkeyPatch, affinity: bool
) -> None:
    """Left out, there are as many as processors this program may use."""
    if affinity:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    else:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 3)
    sup = parts(turns, partitions=None)
    assert sup.partitions() == 3
    assert sup.stop()


@pytest.mark.contract("S119")
def test_keys(turns: ManualDispatcher) -> None:
    """A key always meets the same child, a number the one of its absolute value."""
    sup = parts(turns)
    refs = {info.id: info.ref for info in sup.which_children()}
    assert [sup.partition(key) for key in (0, 4, -4, 5)] == [refs[i] for i in (0, 1, 1, 2)]
    for key in ("alice", b"x", ("a", 1), None):
        assert sup.partition(key) is PartitionSupervisor.partition("parts", key)
        assert sup.partition(key) in refs.values()
    with pytest.raises(TypeError, match="unhashable"):
        sup.partition([])
    assert sup.stop()


@pytest.mark.contract("S122")
def test_restart(turns: ManualDispatcher) -> None:
    """A crashed partition is found under its key again, as a new child; the others are left."""
    sup = parts(turns)
    old, other = sup.partition(1), sup.partition(2)
    old.tell("crash")
    turns.run_until_idle()
    new = sup.partition(1)
    assert (new.is_alive(), new is old, sup.partition(2)) == (True, False, other)
    assert new.call("hi") == "hi"
    assert sup.stop()


def test_between_two_lives(turns: ManualDispatcher, clock: Any) -> None:
    """While it waits for its restart the dead child is what one gets, and it says so."""
    sup = parts(turns, backoff=Backoff(initial=1.0, jitter=0.0))
    old = sup.partition(1)
    old.tell("crash")
    turns.run_until_idle()
    assert sup.partition(1) is old
    sup.partition(1).cast("lost")
    with pytest.raises(NoProcError):
        sup.partition(1).call("hi")
    clock.advance(1.0)
    turns.run_until_idle()
    assert sup.partition(1).call("hi") == "hi"
    assert sup.stop()


@pytest.mark.contract("S120")
def test_with_arguments(turns: ManualDispatcher) -> None:
    """Each partition gets what the function makes of the arguments and its number."""
    sup = parts(turns, with_arguments=lambda args, number: [f"{args[0]}{number}", "more"])
    assert [sup.partition(number).call(lambda self: self.name) for number in range(3)] == [
        "w0",
        "w1",
        "w2",
    ]
    assert sup.get_childspec(2).args == ("w2", "more")
    sup.partition(0).tell("crash")
    turns.run_until_idle()
    assert sup.partition(0).call(lambda self: self.name) == "w0"
    assert sup.stop()


@pytest.mark.contract("S120")
@pytest.mark.parametrize(
    "function",
    [lambda args: args, lambda args, n, more: args, 1, "ab"],
    ids=["one", "three", "number", "text"],
)
def test_bad_with_arguments(turns: ManualDispatcher, log: list[str], function: Any) -> None:
    """A function of another arity, or none at all, is refused before anything starts."""
    with pytest.raises(ChildSpecError, match="two arguments") as caught:
        parts(turns, with_arguments=function)
    assert caught.value.problem is SpecProblem.BAD_WITH_ARGUMENTS
    assert log == []


def test_with_arguments_that_does_not_tell_its_arity(
    turns: ManualDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some functions written in C do not; they are called, and judged by what they return."""

    def silent(_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(inspect, "signature", silent)
    with pytest.raises(ChildSpecError, match="args must be a tuple") as caught:
        parts(turns, with_arguments=lambda *_: 1)
    assert caught.value.problem is SpecProblem.BAD_START


@pytest.mark.contract("S121")
@pytest.mark.parametrize(
    ("options", "problem", "said"),
    [
        ({"name": None}, "bad_name", "needs a name"),
        ({"partitions": 0}, "bad_partitions", "1 or more, or None, not 0"),
        ({"partitions": -1}, "bad_partitions", "not -1"),
        ({"partitions": 1.0}, "bad_partitions", "whole number"),
        ({"partitions": True}, "bad_partitions", "whole number"),
        ({"auto_shutdown": "any_significant"}, "bad_auto_shutdown", "has no auto_shutdown"),
        ({"partition": 1}, "unknown_key", "did you mean 'partitions'"),
        ({"strategy": "all"}, "bad_strategy", "strategy"),
        ({"max_restarts": -1}, "bad_intensity", "0 or more"),
        ({"backoff": 1}, "bad_backoff", "Backoff"),
    ],
)
def test_bad_options(
    turns: ManualDispatcher, log: list[str], options: dict[str, Any], problem: str, said: str
) -> None:
    """Each is refused in the caller with a problem of its own, and nothing starts."""
    options = {"name": "parts"} | options
    for attempt in (
        PartitionSupervisor.start_link,
        PartitionSupervisor.start,
        PartitionSupervisor.child_spec,
    ):
        with pytest.raises(ChildSpecError, match=said) as caught:
            attempt(worker(turns, "w"), **options)
        assert caught.value.problem == problem
    assert log == []


@pytest.mark.contract("S121")
def test_bad_children(turns: ManualDispatcher) -> None:
    """No child, no specification, a significant one, or one with a name of its own."""
    significant = worker(turns, "w", restart="transient", significant=True)
    for children, problem in (
        ((), SpecProblem.MISSING_START),
        ((3,), SpecProblem.NOT_A_SPEC),
        ((significant,), SpecProblem.BAD_COMBINATION),
        ((worker(turns, "w", name="only"),), SpecProblem.BAD_NAME),
    ):
        with pytest.raises(ChildSpecError) as caught:
            PartitionSupervisor.start_link(*children, name="parts")
        assert caught.value.problem is problem


@pytest.mark.contract("S123")
def test_resize(turns: ManualDispatcher) -> None:
    """Within 0 and the first number; at 0 there is nothing to be found; growing beyond raises."""
    sup = parts(turns)
    kept = sup.partition(0)
    assert PartitionSupervisor.resize("parts", 1) == 3
    assert [sup.partition(key) for key in (0, 1, "alice")] == [kept] * 3
    assert (sup.partitions(), sup.count_children()) == (1, ChildCounts(3, 1, 0, 3))
    assert sup.resize(0) == 1
    with pytest.raises(NoPartitionError, match="no partition in use: resize") as none:
        sup.partition(1)
    assert none.value.partition is None
    for wrong in (4, -1, "1"):
        with pytest.raises(ChildSpecError, match="0 to 3 partitions"):
            sup.resize(wrong)
    assert sup.resize(3) == 0
    assert sup.partition(2).call("hi") == "hi"
    assert sup.stop()


@pytest.mark.contract("S124")
def test_unknown_names(turns: ManualDispatcher) -> None:
    """Every function that takes a name says that there is no such process."""
    calls = (
        PartitionSupervisor.count_children,
        PartitionSupervisor.which_children,
        PartitionSupervisor.partitions,
        lambda name: PartitionSupervisor.partition(name, 1),
        lambda name: PartitionSupervisor.resize(name, 1),
    )
    for call in calls:
        for name in ("nobody", via("no registry", 1)):
            with pytest.raises(NoProcError, match="not alive"):
                call(name)
    ref = GenServer.start(name="plain", dispatcher=turns)
    with pytest.raises(TypeError, match="is no partition supervisor"):
        PartitionSupervisor.partitions("plain")
    assert ref.stop()


@pytest.mark.contract("S124")
def test_via_and_ref(turns: ManualDispatcher) -> None:
    """A via name and the ref itself do as well as a plain name."""
    names = Registry.start_link(name="names", dispatcher=turns)
    sup = parts(turns, name=via("names", "p"))
    for name in (via("names", "p"), sup):
        assert PartitionSupervisor.partitions(name) == 3
        assert PartitionSupervisor.count_children(name).active == 3
        assert PartitionSupervisor.partition(name, 1) is sup.partition(1)
    assert sup.stop()
    for call in (sup.partitions, lambda: sup.partition(1), lambda: sup.resize(1)):
        with pytest.raises(NoProcError):
            call()
    assert names.stop()


def test_child_that_never_came_up(turns: ManualDispatcher) -> None:
    """A start function that ignores leaves a partition without a child, and that is said."""
    sup = PartitionSupervisor.start(
        ChildSpec("x", lambda number: None if number else worker_ref(turns)),
        partitions=2,
        with_arguments=lambda _, number: (number,),
        name="parts",
        dispatcher=turns,
    )
    assert sup.partition(0).call("hi") == "hi"
    with pytest.raises(NoPartitionError, match="no partition 1"):
        sup.partition(1)
    assert sup.stop()


def worker_ref(turns: ManualDispatcher) -> Any:
    """Starts a worker without a supervisor."""
    return Worker.start("w", dispatcher=turns)


def test_a_partition_that_does_not_start(turns: ManualDispatcher, log: list[str]) -> None:
    """The start fails as a whole; those before were stopped, and the name is free."""

    class Second(Worker):
        def init(self, name: Any, *_: Any, **__: Any) -> None:
            super().init(name, fail=name == 1)

    spec = Second.child_spec(dispatcher=turns)
    with pytest.raises(StartError, match="its child 1 did not"):
        PartitionSupervisor.start_link(
            spec,
            partitions=3,
            with_arguments=lambda _, number: (number,),
            name="parts",
            dispatcher=turns,
        )
    assert log == ["init 0", "init 1", "terminate 0"]
    assert whereis("parts") is None


def test_as_a_child(turns: ManualDispatcher) -> None:
    """It goes into another supervisor under its name, and its label is in the path."""
    spec = PartitionSupervisor.child_spec(
        worker(turns, "w"), name="parts", partitions=2, dispatcher=turns
    )
    assert (spec.id, spec.type, spec.shutdown) == ("parts", "supervisor", None)
    sup = Supervisor.start_link([spec], strategy="one_for_one", dispatcher=turns)
    ref = PartitionSupervisor.partition("parts", 1)
    assert ref.process.path() == "Supervisor/parts/1"
    assert sup.stop()
    assert not ref.is_alive()

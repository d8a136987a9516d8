"""Dynamic supervisors of real actors, stepped by hand."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    Backoff,
    ChildNotFoundError,
    ChildSpec,
    ChildSpecError,
    DynamicSupervisor,
    MaxChildrenError,
    SpecProblem,
    StartError,
    Supervisor,
    UnsupportedRequestError,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import Worker, worker


@pytest.mark.contract("S18", "S115")
@pytest.mark.parametrize(
    ("options", "problem", "said"),
    [
        ({"max_childs": 1}, "unknown_key", "did you mean 'max_children'"),
        ({"strategy": "one_for_one"}, "unknown_key", "there are max_children, extra_args"),
        ({"max_children": -1}, "bad_max_children", "0 or more, or None, not -1"),
        ({"max_children": 1.0}, "bad_max_children", "whole number"),
        ({"max_children": True}, "bad_max_children", "whole number"),
        ({"extra_args": "ab"}, "bad_start", "must be a tuple of arguments, not a str"),
        ({"extra_args": 1}, "bad_start", "must be a tuple of arguments, not a int"),
        ({"max_restarts": -1}, "bad_intensity", "0 or more"),
        ({"max_seconds": 0}, "bad_period", "more than 0"),
        ({"backoff": 1}, "bad_backoff", "Backoff"),
        ({"auto_shutdown": "any_significant"}, "bad_auto_shutdown", "has no auto_shutdown"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else None,
)
def test_bad_options(options: dict[str, Any], problem: str, said: str) -> None:
    """Each wrong option is refused in the caller with a problem of its own."""
    for attempt in (
        DynamicSupervisor.start_link,
        DynamicSupervisor.start,
        DynamicSupervisor.child_spec,
    ):
        with pytest.raises(ChildSpecError, match=said) as caught:
            attempt(**options)
        assert caught.value.problem == problem


@pytest.mark.contract("S17")
def test_defaults(turns: ManualDispatcher) -> None:
    """No bound, three restarts in five seconds."""
    sup = DynamicSupervisor.start_link(dispatcher=turns, auto_shutdown="never")
    info = sup.describe()
    assert (info.dynamic, info.max_restarts, info.max_seconds) == (True, 3, 5.0)
    assert sup.process.actor._otp_machine.flags.max_children is None
    assert sup.stop()


@pytest.mark.contract("S105", "S115")
def test_bad_child_does_not_reach_it(turns: ManualDispatcher) -> None:
    """A wrong or significant child is refused in the caller."""
    sup = DynamicSupervisor.start_link(dispatcher=turns)
    significant = worker(turns, "a", restart="transient", significant=True)
    for bad, problem in (
        (3, SpecProblem.NOT_A_SPEC),
        (significant, SpecProblem.BAD_COMBINATION),
    ):
        with pytest.raises(ChildSpecError) as caught:
            sup.start_child(bad)
        assert caught.value.problem is problem
    assert not sup.process.mailbox.has_work()
    assert sup.stop()


@pytest.mark.contract("S106", "S114")
def test_extra_arguments(turns: ManualDispatcher) -> None:
    """They come first, at every start."""
    got: list[Any] = []

    class Args(Worker):
        def init(self, *args: Any, **_: Any) -> None:
            got.append(args)
            super().init("x")

    sup = DynamicSupervisor.start_link(extra_args=[1, 2], dispatcher=turns)
    ref = sup.start_child(Args.child_spec(3, dispatcher=turns))
    ref.tell("crash")
    turns.run_until_idle()
    assert got == [(1, 2, 3)] * 2
    assert ref not in [info.ref for info in sup.which_children()]
    assert sup.stop()


@pytest.mark.contract("S105", "S110", "S111", "S112", "S113")
def test_life_of_children(turns: ManualDispatcher, log: list[str]) -> None:
    """Children with one id are told apart by reference; one that is gone is not found."""
    sup = DynamicSupervisor.start_link(dispatcher=turns)
    one, two = (sup.start_child(worker(turns, name, id="same")) for name in "12")
    assert sup.start_child(ChildSpec("x", lambda: None)) is None
    with pytest.raises(StartError):
        sup.start_child(worker(turns, "3", fail=True))
    assert [(info.id, info.ref) for info in sup.which_children()] == [(None, one), (None, two)]
    assert sup.get_childspec(two).args == ("2",)
    sup.terminate_child(one)
    for gone in (one, "same", 1):
        with pytest.raises(ChildNotFoundError):
            sup.terminate_child(gone)
    for request in (sup.restart_child, sup.delete_child):
        with pytest.raises(UnsupportedRequestError, match="it forgets a child that ends"):
            request(two)
    assert sup.count_children().specs == 1
    assert log == ["init 1", "init 2", "init 3", "terminate 1"]
    assert sup.stop()


@pytest.mark.contract("S107", "S108", "S109")
def test_max_children(turns: ManualDispatcher) -> None:
    """The bound counts children that wait for a restart; an ended one frees its slot."""
    backoff = Backoff(initial=1.0, jitter=0.0)
    sup = DynamicSupervisor.start_link(max_children=2, backoff=backoff, dispatcher=turns)
    ref = sup.start_child(worker(turns, "a", restart="temporary"))
    sup.start_child(worker(turns, "b")).tell("crash")
    turns.run_until_idle()
    with pytest.raises(MaxChildrenError, match="max_children=2 is reached"):
        sup.start_child(worker(turns, "c"))
    ref.tell("crash")
    turns.run_until_idle()
    assert sup.start_child(worker(turns, "c")).is_alive()
    assert sup.stop()


@pytest.mark.contract("S117")
def test_as_children(turns: ManualDispatcher) -> None:
    """Several run side by side under a static supervisor and are stopped with it."""
    specs = [
        DynamicSupervisor.child_spec(id=name, name=name, dispatcher=turns) for name in ("x", "y")
    ]
    sup = Supervisor.start_link(specs, strategy="one_for_one", dispatcher=turns)
    refs = [info.ref.start_child(worker(turns, info.id)) for info in sup.which_children()]
    assert [info.type for info in sup.which_children()] == ["supervisor", "supervisor"]
    assert sup.stop()
    assert [ref.is_alive() for ref in refs] == [False, False]


@pytest.mark.contract("S104")
def test_template(turns: ManualDispatcher) -> None:
    """All children are of the one template; what start_child is given stands behind its own."""
    got: list[Any] = []

    class Args(Worker):
        def init(self, *args: Any, **kwargs: Any) -> None:
            got.append((args, kwargs))
            super().init("x")

    template = Args.child_spec(2, restart="permanent", dispatcher=turns, a=1, b=2)
    sup = DynamicSupervisor.start_link(template=template, extra_args=[1], dispatcher=turns)
    ref, other = sup.start_child(args=[3, 4], kwargs={"b": 3}), sup.start_child()
    assert got == [((1, 2, 3, 4), {"a": 1, "b": 3}), ((1, 2), {"a": 1, "b": 2})]
    got.clear()
    ref.tell("crash")
    turns.run_until_idle()
    assert got == [((1, 2, 3, 4), {"a": 1, "b": 3})]
    assert sup.get_childspec(other).restart == "permanent"
    assert sup.count_children().active == 2
    assert sup.stop()


@pytest.mark.contract("S104", "S115")
def test_template_is_one_child(turns: ManualDispatcher) -> None:
    """No list of children, nothing significant; other children are refused, and so is none."""
    significant = worker(turns, "a", restart="transient", significant=True)
    for bad in ([worker(turns, "a"), worker(turns, "b")], [], 3, significant):
        with pytest.raises(ChildSpecError):
            DynamicSupervisor.start_link(template=bad, dispatcher=turns)
    sup = DynamicSupervisor.start_link(template=worker(turns, "a"), dispatcher=turns)
    with pytest.raises(ChildSpecError, match=r"of its template 'a' only: give start_child\(args="):
        sup.start_child(worker(turns, "b"))
    other = DynamicSupervisor.start_link(dispatcher=turns)
    with pytest.raises(ChildSpecError, match="has no template"):
        other.start_child(args=(1,))
    with pytest.raises(ChildSpecError, match="stand in its specification"):
        other.start_child(worker(turns, "b"), args=(1,))
    assert [len(each.which_children()) for each in (sup, other)] == [0, 0]
    assert sup.stop()
    assert other.stop()

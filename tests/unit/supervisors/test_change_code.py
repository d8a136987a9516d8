"""New rules for supervisors that have children, stepped by hand."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    IGNORE,
    ChildSpecError,
    DynamicSupervisor,
    GenServer,
    MaxChildrenError,
    NotAvailableError,
    Supervisor,
    SupervisorSpec,
    introspect,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import probe
from tests.unit.supervisors.trees import child, start, worker


def changed(sup: Any, *args: Any, **kwargs: Any) -> None:
    """Changes the code of a supervisor, suspended meanwhile."""
    introspect.suspend(sup)
    try:
        introspect.change_code(sup, *args, **kwargs)
    finally:
        introspect.resume(sup)


@pytest.mark.contract("S192")
def test_only_while_suspended(turns: ManualDispatcher) -> None:
    """A supervisor that is not suspended keeps its rules."""
    sup = start(turns, worker(turns, "a"))
    with pytest.raises(RuntimeError, match=r"is not suspended: suspend\(\) it"):
        introspect.change_code(sup, [], strategy="one_for_all")
    assert introspect.get_state(sup).strategy == "one_for_one"


@pytest.mark.contract("S192")
def test_children_live_on(turns: ManualDispatcher, log: list[str]) -> None:
    """Living children stay as they are, new ones are stopped, those not named are not deleted."""
    sup = start(turns, worker(turns, "a"), worker(turns, "b"), worker(turns, "c"))
    refs = {name: child(sup, name) for name in "abc"}
    log.clear()
    specs = [worker(turns, name) for name in "dcb"]
    changed(sup, specs, strategy="rest_for_one", max_restarts=7, max_seconds=9.0)
    info = introspect.get_state(sup)
    assert (info.strategy, info.max_restarts, info.max_seconds) == ("rest_for_one", 7, 9.0)
    assert [(name, line.ref) for name, line in info.children] == [
        ("a", refs["a"]),
        ("d", None),
        ("c", refs["c"]),
        ("b", refs["b"]),
    ]
    assert log == []
    assert sup.restart_child("d") is child(sup, "d")
    assert sup.stop()
    assert log == ["init d", *(f"terminate {name}" for name in "bcda")]


@pytest.mark.contract("S192")
def test_new_rules_hold(turns: ManualDispatcher, log: list[str]) -> None:
    """The next end is handled by the new strategy, budget and specification."""
    sup = start(turns, worker(turns, "a"), worker(turns, "b"), max_restarts=0)
    specs = [worker(turns, "a"), worker(turns, "b", restart="temporary")]
    changed(sup, specs, strategy="one_for_all", max_restarts=1)
    log.clear()
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    assert log == ["terminate a", "terminate b", "init a"]
    assert [info.id for info in sup.which_children()] == ["a"]
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    assert not sup.is_alive()


@pytest.mark.contract("S192")
@pytest.mark.parametrize("bad", ["children", "rule"])
def test_bad_specs_are_refused_as_a_whole(turns: ManualDispatcher, bad: str) -> None:
    """One wrong child or rule, and nothing is changed."""
    sup = start(turns, worker(turns, "a"))
    before = introspect.get_state(sup)
    specs = [worker(turns, "b"), worker(turns, "c"), *([object()] if bad == "children" else [])]
    with pytest.raises(ChildSpecError):
        changed(sup, specs, strategy="one_for_all" if bad == "children" else "one_for_some")
    assert introspect.get_state(sup) == before
    assert sup.stop()


@pytest.mark.contract("S192")
def test_own_init_is_called_again(turns: ManualDispatcher) -> None:
    """A class's init gets the new arguments; IGNORE and an exception leave all as it was."""

    class App(Supervisor):
        def init(self, names: Any) -> Any:
            if names == "ignore":
                return IGNORE
            return SupervisorSpec([worker(turns, name) for name in names], strategy="one_for_one")

    sup = App.start_link("a", dispatcher=turns)
    changed(sup, "ab")
    changed(sup, "ignore")
    with pytest.raises(TypeError):
        changed(sup, None)
    assert [info.id for info in sup.which_children()] == ["b", "a"]
    assert sup.stop()


@pytest.mark.contract("S192")
def test_dynamic_supervisor(turns: ManualDispatcher) -> None:
    """A dynamic supervisor takes new options and keeps its children; wrong ones are refused."""
    sup = DynamicSupervisor.start_link(dispatcher=turns)
    ref = sup.start_child(worker(turns, "a"))
    changed(sup, max_children=1, max_restarts=8)
    with pytest.raises(ChildSpecError):
        changed(sup, max_children=-1)
    with pytest.raises(MaxChildrenError):
        sup.start_child(worker(turns, "b"))
    assert [info.ref for info in sup.which_children()] == [ref]
    assert introspect.get_state(sup).max_restarts == 8
    assert sup.stop()


@pytest.mark.contract("S116")
def test_lowered_max_children(turns: ManualDispatcher) -> None:
    """Children beyond the new bound live on, and none is started before enough have ended."""
    sup = DynamicSupervisor.start_link(max_children=4, dispatcher=turns)
    refs = [sup.start_child(worker(turns, str(number))) for number in range(3)]
    changed(sup, max_children=2)
    assert [ref.is_alive() for ref in refs] == [True] * 3
    for ref in refs[:2]:
        with pytest.raises(MaxChildrenError, match="max_children=2 is reached"):
            sup.start_child(worker(turns, "new"))
        sup.terminate_child(ref)
    assert sup.start_child(worker(turns, "new")).is_alive()
    refs[2].tell("crash")
    turns.run_until_idle()
    assert sup.count_children().active == 2
    assert sup.stop()


class First(GenServer):
    """The old code."""

    def init(self) -> None:
        self.count, self.extra = 1, [1]

    def handle_call(self, request: Any, sender: Any) -> Any:
        return self.count

    def code_change(self, fail: bool) -> None:
        self.total = self.count * 10
        del self.count
        self.__class__ = Second  # type: ignore[assignment]
        if fail:
            raise KeyError("fail")


class Second(GenServer):
    """The new one."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return self.total  # type: ignore[attr-defined]


@pytest.mark.contract("S192")
def test_gen_server(turns: ManualDispatcher) -> None:
    """A GenServer's code_change brings its state into a new shape, or all stays as it was."""
    ref = First.start(dispatcher=turns)
    with pytest.raises(RuntimeError, match=r"is not suspended: suspend\(\) it"):
        introspect.change_code(ref, fail=False)
    with pytest.raises(KeyError):
        changed(ref, fail=True)
    assert (ref.ask("?"), introspect.get_state(ref)) == (1, {"count": 1, "extra": [1]})
    introspect.suspend(ref)
    reply = ref.ask("?", block=False)
    introspect.change_code(ref, False)
    introspect.resume(ref)
    assert reply.get(timeout=0) == 10
    assert introspect.get_state(ref) == {"extra": [1], "total": 10}
    assert ref.stop()


def test_no_code_change(turns: ManualDispatcher) -> None:
    """A class without code_change() is not changed, and that is said."""
    ref, _ = probe(turns)
    with pytest.raises(NotAvailableError, match=r"has no code_change\(\) of its own"):
        changed(ref)
    assert ref.is_alive()

"""What is done with many children in one step: what stands against it, and what is left of it."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import BRUTAL_KILL, Backoff, Crashed
from supervisors._machines.at_once import begin_restart, end_child
from supervisors._machines.children import ChildState, ChildTable
from supervisors._machines.restarting import came_up, row_ahead
from supervisors._machines.vocabulary import (
    BootRequested,
    ChildFailed,
    ChildStarted,
    ConfirmStart,
    ShutdownRequested,
)
from supervisors.exits import Normal, Shutdown
from tests.unit.supervisors.rig import Rig, spec

BOOM = Crashed(RuntimeError("boom"))


def being_started(*specs: Any, **flags: Any) -> Rig:
    """A machine that has begun with the first of its children."""
    machine = Rig(*specs, **flags)
    machine.slow = {each.id for each in specs}
    machine.feed(BootRequested())
    return machine


@pytest.mark.contract("S19")
def test_the_last_of_a_boot_comes_as_an_event() -> None:
    """For then the supervisor itself is up, which is to be told."""
    machine = being_started(spec("a"), spec("b")).machine
    number = machine.starting
    assert came_up(machine, number, "ref a", 0.0) is not None
    assert came_up(machine, number + 1, "ref b", 0.0) is None
    commands = machine.handle(ChildStarted(number + 1, "ref b"), 0.0)
    assert isinstance(commands[-1], ConfirmStart)


def test_a_start_after_a_row_belongs_to_none() -> None:
    """A row is over with its last member, and with one that has failed."""
    machine = being_started(spec("a"), spec("b"))
    machine.finish_start()
    machine.finish_start()
    machine.ask("terminate_child", "b")
    machine.ask("restart_child", "b")
    inner = machine.machine
    assert inner.starting
    assert came_up(inner, inner.starting, "ref", 0.0) is None
    machine.finish_start()
    # In the row of a restart, which is the one of the next attempt when this one has failed.
    machine.end("a", BOOM)
    failed = inner.row
    machine.finish_start(BOOM)
    assert inner.row is not failed


@pytest.mark.contract("S88")
def test_no_row_under_a_deadline() -> None:
    """The start of each has a limit of its own then."""
    machine = being_started(spec("a"), spec("b"), spec("c"))
    machine.feed(ShutdownRequested(Normal(), 9.0))
    machine.finish_start()
    inner = machine.machine
    assert inner.starting
    assert (came_up(inner, inner.starting, "ref", 0.0), row_ahead(inner, 9)) == (None, [])


def test_who_has_a_backoff_is_told_of_singly() -> None:
    """For the moment at which it came up counts."""
    pause = Backoff(initial=1.0, jitter=0.0)
    inner = being_started(spec("a"), spec("b"), spec("c", backoff=pause), spec("d")).machine
    assert [child.spec.id for child in row_ahead(inner, 9)] == ["b"]
    assert [child.spec.id for child in row_ahead(inner, 0)] == []
    assert row_ahead(being_started(spec("a"), spec("b"), backoff=pause).machine, 9) == []


def with_one_held(**flags: Any) -> Rig:
    """A machine with a and b, which never ran in here, for an old instance of it runs still."""
    machine = Rig(spec("a"), spec("b", on_stuck="wait"), spec("c"), **flags)
    inner = machine.machine
    inner.stuck.add(-1, next(child for child in inner.children if child.spec.id == "b"))
    return machine.boot()


def test_a_held_child_that_starts_with_others_is_held_no_more() -> None:
    """What comes after that is a restart of it."""
    machine = with_one_held(strategy="rest_for_one")
    inner = machine.machine
    # The old instance is gone, but no news of that has come yet.
    inner.stuck.discard(-1)
    machine.slow = {"a"}
    machine.end("a", BOOM)
    assert inner.starting
    assert row_ahead(inner, 9) == []
    assert came_up(inner, inner.starting, "ref a", 0.0) is None
    machine.finish_start()
    assert inner.unbooted == set()
    assert set(machine.states().values()) == {"running"}


def test_what_stands_against_a_restart_in_one_step() -> None:
    """An abandoned instance that still runs, and that the child does not run."""
    machine = with_one_held()
    inner = machine.machine
    number = machine.gone("a", BOOM).incarnation
    assert begin_restart(inner, number, BOOM, 0.0) is None
    inner.stuck.discard(-1)
    begun = begin_restart(inner, number, BOOM, 0.0)
    assert begun is not None
    inner.handle(ChildFailed(begun[0].incarnation, BOOM, RuntimeError("boom")), 0.0)
    # It waits for its next start.
    assert begin_restart(inner, begun[0].incarnation, BOOM, 0.0) is None


@pytest.mark.contract("S78")
def test_who_is_to_be_killed_is_not_ended_in_one_step() -> None:
    """Else its end would have another reason."""
    machine = Rig(spec("a", shutdown=BRUTAL_KILL), spec("b")).boot()
    machine.quick = {"a", "b"}
    assert [end_child(machine.machine, name) for name in "ab"] == [False, True]
    assert machine.log == ["end b"]


@pytest.mark.contract("S76", "S81")
def test_only_who_runs_is_ended_in_a_row() -> None:
    """Whose end was heard of has a reason of its own, and who is stopped has nothing to end."""
    machine = Rig(*map(spec, "abcd"), strategy="one_for_all").boot()
    asked: list[int] = []

    def end_all(incarnations: list[int]) -> int:
        asked.extend(incarnations)
        return len(incarnations)

    machine.ask("terminate_child", "c")
    machine.stubborn = {"d"}
    machine.shut_down()
    machine.log.clear()
    machine.machine.end_now = end_all
    machine.feed(machine.gone("b", BOOM))
    machine.feed(machine.gone("d", Shutdown()))
    assert asked == []
    ends = {each.spec.id: each.reason for each in machine.reports}
    assert ends == {"b": BOOM}
    # Behind what was reported it is asked.
    assert machine.log == ["stop a", "finish"]


def kept(table: ChildTable) -> tuple[Any, ...]:
    """Everything that a table knows, but for the children themselves."""
    by_number = {number: child.spec.id for number, child in table._by_incarnation.items()}
    by_ref = {ref: child.spec.id for ref, child in table._by_ref.items()}
    children = [
        (child.spec.id, child.state, child.ref, child.incarnation, child.restarts, child.started_at)
        for child in table
    ]
    return by_number, by_ref, children, table._at_rest, table._next


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("past", [True, False])
def test_a_row_is_stopped_as_each(dynamic: bool, past: bool) -> None:
    """The table knows the same afterwards."""
    tables = [ChildTable(dynamic=dynamic), ChildTable(dynamic=dynamic)]
    for table in tables:
        for name in "abc":
            child = table.add(spec(name))
            table.begin(child)
            table.mark_running(child, f"ref {name}", 1.0)
            if past:
                child.restarts = 1
    one, row = tables
    for child in list(one)[1:]:
        one.mark_stopped(child)
    row.mark_row_stopped(list(row)[1:])
    assert kept(row) == kept(one)
    assert [child.state for child in row] == [ChildState.RUNNING] + [ChildState.STOPPED] * 2


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("past", [True, False])
def test_a_row_is_started_as_each(again: bool, past: bool) -> None:
    """The table knows the same afterwards."""
    tables = [ChildTable(dynamic=False), ChildTable(dynamic=False)]
    for table in tables:
        for name in "abcd":
            child = table.add(spec(name))
            if past:
                child.attempt = 1
        table.begin(next(iter(table)))
    one, row = tables
    refs = ["ref a", "ref b", "ref c"]
    children = list(one)
    for child, following, ref in zip(children[:3], children[1:], refs, strict=True):
        one.mark_running(child, ref, 2.0)
        child.restarts += again
        one.begin(following)
    assert row.mark_row_started(list(row), refs, 2.0, again=again) == 8
    assert kept(row) == kept(one)

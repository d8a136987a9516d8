"""The table of a supervisor's children: who is found by what."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest

from supervisors._machines.children import Child, ChildState, ChildTable
from supervisors.child_spec import ChildSpec

SPEC = ChildSpec("a", start=print)


class Ref:
    """A reference that tells by which number its supervisor knows the actor."""

    def __init__(self, process: object) -> None:
        self.process: object = process


def ref_of(number: int) -> Ref:
    """That of the actor with this number."""
    return Ref(SimpleNamespace(incarnation=number))


# The number that a reference tells; an AttributeError where it tells none.
number_of: Callable[[Any], int] = attrgetter("process.incarnation")


def started(table: ChildTable, child: Child, ref: Any = None) -> Any:
    """The child lives; its reference."""
    ref = ref_of(table.begin(child)) if ref is None else ref
    table.mark_running(child, ref, 0.0)
    return ref


@pytest.mark.contract("S110")
def test_a_reference_finds_its_own_child_only() -> None:
    """Not that of another supervisor which has the same number there, nor anything else."""
    table = ChildTable(dynamic=True, number_of=number_of)
    child = table.add(SPEC)
    ref = started(table, child)
    assert table.find(ref) is child
    others: list[Any] = [ref_of(child.incarnation), Ref(object()), [], "a"]
    assert [table.find(other) for other in others] == [None] * 4
    ref.process = None
    assert table.find(ref) is None


@pytest.mark.parametrize("tells", [True, False])
def test_a_second_life_has_a_number_of_its_own(tells: bool) -> None:
    """News of the first one finds nobody, whether references tell the number or not."""
    table = ChildTable(dynamic=True, number_of=number_of)
    child = table.add(SPEC)
    refs: list[Any] = [None, None] if tells else ["first", "second"]
    first = table.begin(child)
    ref = started(table, child, ref_of(first) if tells else refs[0])
    assert (table.find(ref), table.by_incarnation(first)) == (child, child)
    table.mark_restarting(child)
    assert (table.find(ref), table.by_incarnation(first)) == (None, child)
    second = table.begin(child)
    assert second != first
    assert (table.by_incarnation(first), table.by_incarnation(second)) == (None, child)
    again = started(table, child, ref_of(second) if tells else refs[1])
    assert table.find(again) is child
    table.remove(child)
    assert (table.find(again), table.by_incarnation(second), len(table)) == (None, None, 0)


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_stopped_child_is_found_by_no_number(dynamic: bool) -> None:
    """Stopped, and then removed, it leaves nothing in the table."""
    table = ChildTable(dynamic=dynamic)
    child = table.add(SPEC)
    ref = started(table, child)
    number = child.incarnation
    table.mark_stopped(child)
    assert child.state is ChildState.STOPPED
    assert (table.by_incarnation(number), table.find(ref)) == (None, None)
    table.mark_restarting(child)
    assert table.by_incarnation(number) is child
    table.mark_stopped(child)
    table.remove(child)
    tables = (table._children, table._by_incarnation, table._by_ref, table._at_rest)
    assert not any(tables)

"""The table of children."""

from __future__ import annotations

import gc
import weakref

import pytest

from supervisors._machines.children import ChildState, ChildTable
from supervisors._machines.vocabulary import ChildCounts
from tests.unit.supervisors.rig import spec


def test_life_of_a_child() -> None:
    """A child is found by id, by its living reference and by its present incarnation only."""
    table = ChildTable(dynamic=False)
    child = table.add(spec("a"))
    first = table.begin(child)
    table.mark_running(child, "ref", 1.0)
    assert table.find("a") is table.find("ref") is table.by_incarnation(first) is child
    table.mark_restarting(child)
    assert (table.find("ref"), table.by_incarnation(first)) == (None, child)
    second = table.begin(child)
    assert second != first
    assert table.by_incarnation(first) is None
    table.mark_stopped(child)
    assert table.by_incarnation(second) is None
    assert (child.state, child.ref, len(table)) == (ChildState.STOPPED, None, 1)


def test_dynamic_children_have_no_id() -> None:
    """In a dynamic table equal ids do not meet, and none is found by id or by number."""
    table = ChildTable(dynamic=True)
    one, two = table.add(spec("a")), table.add(spec("a"))
    assert one is not two
    assert [table.find("a"), table.find(one.key), len(table)] == [None, None, 2]


@pytest.mark.contract("S98")
@pytest.mark.parametrize("dynamic", [False, True])
def test_counts(*, dynamic: bool) -> None:
    """Those with a living process are active; all are counted by type, whatever their state."""
    table = ChildTable(dynamic=dynamic)
    types = ["supervisor"] * 2 + ["worker"] * 4
    children = [table.add(spec(number, type=kind)) for number, kind in enumerate(types)]
    for child in children[::2]:
        table.begin(child)
        table.mark_running(child, f"ref {child.key}", 0.0)
    table.mark_restarting(children[4])
    assert table.counts() == ChildCounts(specs=6, active=2, supervisors=2, workers=4)


@pytest.mark.contract("S15")
def test_nothing_is_kept_of_a_removed_child() -> None:
    """Specification and arguments are gone with the child."""

    class Argument:
        pass

    table = ChildTable(dynamic=False)
    argument = Argument()
    left = weakref.ref(argument)
    child = table.add(spec("a", restart="temporary", args=(argument,)))
    table.begin(child)
    table.mark_running(child, "ref", 0.0)
    table.remove(child)
    del argument, child
    gc.collect()
    assert left() is None
    assert (len(table), table.find("a"), table.find("ref")) == (0, None, None)

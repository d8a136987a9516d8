"""What a viewer makes of keys and of two looks, without a terminal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from supervisors.observer.facts import (
    ActorRow,
    Column,
    Deed,
    Look,
    ProcessFacts,
    Section,
    Sort,
)
from supervisors.observer.keys import keys_in
from supervisors.observer.records import SystemSnapshot, TreeNode
from supervisors.observer.viewing import (
    Panel,
    View,
    message_rates,
    press,
    section_rates,
    tree_rows,
)

PROCESS = ProcessFacts(
    pid=1,
    program="p",
    python="3",
    uptime=1.0,
    threads=1,
    cpu_seconds=0.0,
    memory=None,
    workers=1,
    blocked=0,
    max_workers=1,
)


def node(label: str, *children: TreeNode, urn: str = "") -> TreeNode:
    return TreeNode(
        label=label, kind="worker", class_name="C", state="running", children=children, urn=urn
    )


def look(*actors: ActorRow, clock: float = 0.0, pid: int = 1, **keys: Any) -> Look:
    return Look(
        at=0.0,
        clock=clock,
        process=msgspec.structs.replace(PROCESS, pid=pid),
        system=keys.pop("system", SystemSnapshot(())),
        actors=actors,
        actors_total=len(actors),
        **keys,
    )


def actor(urn: str, messages: int | None = None) -> ActorRow:
    return ActorRow(urn=urn, path=urn, class_name="C", state="idle", messages=messages)


def pressed(keys: str, seen: Look | None, view: View | None = None) -> View:
    now = View() if view is None else view
    for key in keys.split():
        now = press(now, key, seen)
    return now


def test_selection_moves_within_the_actors() -> None:
    """Arrows move the mark by one and stop at the ends; the first line is marked at first."""
    seen = look(actor("a"), actor("b"), actor("c"))
    assert pressed("down", seen).selected == "b"
    assert pressed("down down down down", seen).selected == "c"
    assert pressed("down up up", seen).selected == "a"
    assert pressed("page-down", seen).selected is None
    assert press(View(), "page down", seen).selected == "c"


def test_an_actor_that_has_gone_is_not_marked() -> None:
    """Then the mark begins again at the first."""
    view = pressed("down down", look(actor("a"), actor("b"), actor("c")))
    assert pressed("enter", look(actor("a"), actor("b")), view).selected == "a"


def test_into_an_actor_and_back() -> None:
    """Enter goes into the marked actor, escape comes back to where it was."""
    seen = look(actor("a"), actor("b"))
    inside = pressed("2 down enter", seen)
    assert (inside.inside, inside.selected) == (True, "b")
    back = press(inside, "escape", seen)
    assert (back.inside, back.panel, back.selected) == (False, Panel.ACTORS, "b")
    assert press(back, "escape", seen).panel is Panel.ALL
    assert not press(View(panel=Panel.LOG), "enter", seen).inside


def test_the_tree_is_walked_by_its_own_lines() -> None:
    """In the tree the mark goes over nodes that live, in the order in which they are drawn."""
    trees = SystemSnapshot((node("top", node("x"), node("y", urn="uy"), urn="ut"),))
    seen = look(actor("a"), system=trees)
    assert [row.head + row.node.label for row in tree_rows(seen)] == ["top", "├─ x", "└─ y"]
    assert pressed("1 down", seen).selected == "uy"


def test_orders_need_control_and_a_yes() -> None:
    """Without control the keys do nothing; with it an order waits for y, and n forgets it."""
    assert pressed("enter x", look(actor("a"))).asked is None
    seen = look(actor("a"), control=True)
    asked = pressed("enter x", seen)
    assert (asked.asked, asked.deed) == (Deed.STOP, None)
    assert press(asked, "y", seen).deed is Deed.STOP
    assert press(asked, "n", seen) == msgspec.structs.replace(asked, asked=None)
    assert pressed("x", seen).asked is None


@pytest.mark.parametrize(("key", "sort"), [("m", "mailbox"), ("n", "messages"), ("b", "memory")])
def test_sorting(key: str, sort: str) -> None:
    """A key for each order."""
    assert press(View(sort=Sort.MEMORY, panel=Panel.ACTORS), key, None).sort == sort


def test_unknown_keys_change_nothing() -> None:
    """Nor do arrows with nothing to mark."""
    assert pressed("é ? down enter", look()) == View()


def test_keys_of_a_terminal() -> None:
    """Sequences are single keys; those of keys that mean nothing here are swallowed whole."""
    assert keys_in("\x1b[Aj\x1b[5~\x1bOB") == ["up", "j", "page up", "down"]
    assert keys_in("\x1b[1;5Cq\x1b[3~") == ["q"]
    assert keys_in("\x1b") == ["escape"]


def test_message_rates() -> None:
    """Rates are of actors that are counted in both looks, of one and the same process."""
    before = look(actor("a", 10), actor("b"), actor("d", 9), clock=1.0)
    now = look(actor("a", 30), actor("b", 5), actor("c", 7), actor("d", 3), clock=3.0)
    assert message_rates(now, before) == {"a": 10.0}
    assert message_rates(now, None) == {}
    assert message_rates(now, look(actor("a", 10), clock=1.0, pid=2)) == {}


def test_section_rates() -> None:
    """A row is known again by its keys, wherever it stands; only totals have rates."""
    columns = (Column("name", "key"), Column("seen", "total"), Column("now", "count"))

    def table(*rows: tuple[Any, ...]) -> Section:
        return Section("T", columns, rows)

    before = look(clock=1.0, sections=(table(("x", 1, 5), ("y", 10, 5)),))
    section = table(("y", 14, 9), ("z", 3, 9), ("x", None, 9))
    now = look(clock=3.0, sections=(section,))
    assert section_rates(section, now, before) == [{1: 2.0}, {}, {}]
    assert section_rates(section, now, None) == [{}, {}, {}]

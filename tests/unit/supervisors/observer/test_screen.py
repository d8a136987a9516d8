"""The screen as text: what is there in a wide terminal, and what a narrow one leaves out."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from supervisors.observer import ActorRow, LogEntry, Look, Section, SystemSnapshot, TreeNode
from supervisors.observer.facts import ActorDetail, Column, ProcessFacts
from supervisors.observer.following import Seen
from supervisors.observer.screen import full_screen
from supervisors.observer.viewing import Panel, View

NAMES = ("cache", "index_of_all_products", "mailer")
PROCESS = ProcessFacts(7, "shop.py", "3.13.0", 60.0, 5, 1.0, 2**25, 2, 0, 64)
COLUMNS = {
    "client": "key",
    "url": "key",
    "status": "text",
    "rtt": "seconds",
    "sent": "total",
    "received": "total",
    "queued": "count",
    "last error": "text",
}


def looked(clock: float, sent: int) -> Look:
    """A look at a shop with three workers and one client."""
    children = tuple(
        TreeNode(label=name, kind="worker", class_name="Worker", state="running") for name in NAMES
    )
    top = TreeNode(
        label="shop",
        kind="supervisor",
        class_name="Supervisor",
        state="running",
        strategy="one_for_one",
        counted=0,
        max_restarts=3,
        max_seconds=5.0,
        children=children,
    )
    row = ("chat", "ws://localhost:4000/socket/websocket", "connected", None, sent, 5, 0, None)
    return Look(
        at=clock,
        clock=clock,
        process=PROCESS,
        system=SystemSnapshot((top,)),
        actors=tuple(
            ActorRow(urn=name, path=f"shop/{name}", class_name="Worker", state="idle", memory=1)
            for name in NAMES
        ),
        actors_total=3,
        sections=(Section("Sockets", tuple(Column(*pair) for pair in COLUMNS.items()), (row,)),),
    )


SEEN = Seen(
    look=looked(2.0, 40),
    before=looked(0.0, 10),
    at=2.0,
    log=(LogEntry(1, 1.0, "info", "shop.opened", "door=1"),),
)


def drawn(view: View, width: int, height: int, seen: Seen = SEEN) -> list[str]:
    """Returns the lines of the screen."""
    out = Console(
        file=io.StringIO(), width=width, height=height, highlight=False, markup=False, emoji=False
    )
    with out.capture() as captured:
        out.print(full_screen(seen, view, width, height))
    return captured.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 50)])
def test_names_are_whole_in_the_overview(width: int, height: int) -> None:
    """In any usual terminal children and actors can be told apart, and nothing is too wide."""
    lines = drawn(View(), width, height)
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for name in NAMES:
        assert f"─ {name} " in text
        assert f"shop/{name} " in text
    assert "shop.opened" in text


def test_the_keys_are_whole_in_80_columns() -> None:
    """The line of keys is not cut."""
    assert drawn(View(), 80, 24)[-1].rstrip().endswith("space pause")
    assert "look into" in drawn(View(), 120, 24)[-1]


def test_a_low_terminal_has_no_tables_in_the_overview() -> None:
    """They are one key away."""
    assert "Sockets" not in "\n".join(drawn(View(), 80, 24))
    assert "Sockets" in "\n".join(drawn(View(panel=Panel.SECTIONS), 80, 24))
    assert "Sockets" in "\n".join(drawn(View(), 80, 40))


def test_columns_without_news_give_way() -> None:
    """In 80 columns totals are rates, and what is empty or 0 everywhere is left out."""
    narrow = "\n".join(drawn(View(panel=Panel.SECTIONS), 80, 24))
    assert "15.0/s" in narrow
    assert "40 15.0/s" not in narrow
    for heading in ("rtt", "queued", "last error"):
        assert heading not in narrow
    wide = "\n".join(drawn(View(panel=Panel.SECTIONS), 140, 24))
    assert "40 15.0/s" in wide
    for heading in COLUMNS:
        assert heading in wide


def test_one_actor() -> None:
    """The attributes of an actor are its own; the rules of a supervisor are none of its."""
    row = SEEN.look.actors[0] if SEEN.look is not None else None
    assert row is not None
    detail = ActorDetail(row=row, state={"token": "'x'"}, stack=("a.py:1 in f: g()",))
    seen = msgspec.structs.replace(SEEN, detail=detail)
    view = View(inside=True, selected="cache")
    text = "\n".join(drawn(view, 80, 24, seen))
    assert "self.token" in text
    assert "a.py:1 in f: g()" in text
    other = msgspec.structs.replace(detail, state_of="")
    text = "\n".join(drawn(view, 80, 24, msgspec.structs.replace(seen, detail=other)))
    assert "self.token" not in text
    assert "token" in text


def test_what_has_gone_is_told() -> None:
    """A red line says since when nothing is new."""
    gone = msgspec.structs.replace(SEEN, problem="process 7 is gone")
    assert "process 7 is gone; what you see is of" in drawn(View(), 80, 24, gone)[1]

"""What a viewer shows of the looks it gets: selection, keys and rates; no terminal, no clock."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from supervisors.observer.facts import Deed, Look, Section, Sort
from supervisors.observer.records import TreeNode
from supervisors.observer.render import branches

__all__ = [
    "Panel",
    "TreeRow",
    "View",
    "amount",
    "duration",
    "message_rates",
    "press",
    "section_rates",
    "tree_rows",
]

Cell: TypeAlias = str | int | float | None


class Panel(StrEnum):
    """What takes the screen."""

    ALL = "all"
    TREE = "tree"
    ACTORS = "actors"
    SECTIONS = "tables"
    LOG = "events"


class View(msgspec.Struct, frozen=True):
    """What the user has chosen.

    Attributes:
        panel: what is shown.
        sort: of the actors.
        selected: the URN of the marked line, None for the first.
        inside: whether that actor is shown, instead of the panel.
        scroll: lines that the tables, the log or the actor are scrolled by.
        paused: whether news are held back.
        deed: what is to be done to the actor now; the viewer takes it out.
        asked: a deed that waits for "y".
        over: whether the user has left.
    """

    panel: Panel = Panel.ALL
    sort: Sort = Sort.MAILBOX
    selected: str | None = None
    inside: bool = False
    scroll: int = 0
    paused: bool = False
    deed: Deed | None = None
    asked: Deed | None = None
    over: bool = False


_PANELS = {"0": Panel.ALL, "1": Panel.TREE, "2": Panel.ACTORS, "3": Panel.SECTIONS, "4": Panel.LOG}
_SORTS = {"m": Sort.MAILBOX, "n": Sort.MESSAGES, "b": Sort.MEMORY}
_DEEDS = {"s": Deed.SUSPEND, "r": Deed.RESUME, "x": Deed.STOP}
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -10, "page down": 10}


def press(view: View, key: str, look: Look | None) -> View:
    """Return the view after a key; unknown keys change nothing.

    Example:
        >>> press(View(), "b", None).sort
        <Sort.MEMORY: 'memory'>
        >>> press(View(), "q", None).over
        True
    """
    if view.asked is not None or view.deed is not None:
        return msgspec.structs.replace(view, asked=None, deed=view.asked if key == "y" else None)
    changed: dict[str, Any] = {}
    if key == "q":
        changed = {"over": True}
    elif key in ("escape", "backspace", "h", "left"):
        changed = {"scroll": 0, "inside": False}
        if not view.inside:
            changed["panel"] = Panel.ALL
    elif key in _PANELS:
        changed = {"panel": _PANELS[key], "inside": False, "scroll": 0}
    elif key in _STEPS:
        changed = _moved(view, look, _STEPS[key])
    elif key == "space":
        changed = {"paused": not view.paused}
    elif view.inside:
        if key in _DEEDS and look is not None and look.control:
            changed = {"asked": _DEEDS[key]}
    elif key in _SORTS:
        changed = {"sort": _SORTS[key], "selected": None}
    elif key in ("enter", "l", "right") and view.panel in (Panel.ALL, Panel.TREE, Panel.ACTORS):
        urn = _marked(view, look)
        if urn is not None:
            changed = {"inside": True, "selected": urn, "scroll": 0}
    return msgspec.structs.replace(view, **changed)


def _moved(view: View, look: Look | None, step: int) -> dict[str, Any]:
    if view.inside or view.panel in (Panel.SECTIONS, Panel.LOG):
        return {"scroll": max(0, view.scroll + step)}
    urns = _urns(view, look)
    if not urns:
        return {}
    place = urns.index(view.selected) if view.selected in urns else 0
    return {"selected": urns[max(0, min(len(urns) - 1, place + step))]}


def _marked(view: View, look: Look | None) -> str | None:
    urns = _urns(view, look)
    if view.selected in urns:
        return view.selected
    return urns[0] if urns else None


def _urns(view: View, look: Look | None) -> list[str]:
    if look is None:
        return []
    if view.panel is Panel.TREE:
        return [row.node.urn for row in tree_rows(look) if row.node.urn]
    return [row.urn for row in look.actors]


class TreeRow(NamedTuple):
    """A line of the tree: what is drawn before the label, and the node."""

    head: str
    node: TreeNode


def tree_rows(look: Look) -> list[TreeRow]:
    """Return the lines of all trees."""
    return [TreeRow(*row) for tree in look.system.trees for row in branches(tree)]


def _gap(look: Look, before: Look | None) -> float:
    """Return the seconds between two looks of one process, 0 where there are none."""
    if before is None or before.process.pid != look.process.pid:
        return 0.0
    return look.clock - before.clock


def message_rates(look: Look, before: Look | None) -> dict[str, float]:
    """Return URN → messages handled per second, of actors that are counted in both looks."""
    gap = _gap(look, before)
    if before is None or gap <= 0:
        return {}
    then = {row.urn: row.messages for row in before.actors}
    rates = {}
    for row in look.actors:
        earlier = then.get(row.urn)
        if row.messages is not None and earlier is not None and row.messages >= earlier:
            rates[row.urn] = (row.messages - earlier) / gap
    return rates


def section_rates(section: Section, look: Look, before: Look | None) -> list[dict[int, float]]:
    """Return, for each row, column → growth per second of the totals in it."""
    gap = _gap(look, before)
    olds = [] if before is None else [old for old in before.sections if old.title == section.title]
    keys = [place for place, column in enumerate(section.columns) if column.kind == "key"]
    totals = [place for place, column in enumerate(section.columns) if "total" in column.kind]

    def key_of(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return tuple(row[place] for place in keys)

    then = {key_of(row): row for old in olds for row in old.rows if old.columns == section.columns}
    rates: list[dict[int, float]] = []
    for row in section.rows:
        earlier, found = then.get(key_of(row)), {}
        for place in totals if earlier is not None and gap > 0 else ():
            now, was = row[place], earlier[place] if earlier is not None else None
            if isinstance(now, int | float) and isinstance(was, int | float) and now >= was:
                found[place] = (now - was) / gap
        rates.append(found)
    return rates


def amount(size: float | None) -> str:
    """Return bytes in words.

    Example:
        >>> amount(12), amount(2048), amount(3 * 1024**3), amount(None)
        ('12 B', '2.0 KiB', '3.0 GiB', '–')
    """
    if size is None:
        return "–"
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} GiB"


def duration(seconds: float | None) -> str:
    """Return seconds in words.

    Example:
        >>> duration(0.0012), duration(65.0), duration(600.0), duration(90000.0), duration(None)
        ('1.2 ms', '65.0 s', '10 min', '25.0 h', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

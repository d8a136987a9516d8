"""The terminal screen: what is seen, drawn with rich.

All text is given to rich as text, never as its markup, and what does not print is replaced, so
that nothing in a label can steer the terminal.
"""

from __future__ import annotations

import time
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel as Frame
from rich.table import Table
from rich.text import Text

from supervisors.observer.facts import ActorDetail, Column, Look, Section
from supervisors.observer.following import Seen
from supervisors.observer.records import TreeNode
from supervisors.observer.render import clean
from supervisors.observer.viewing import (
    Panel,
    View,
    amount,
    duration,
    message_rates,
    section_rates,
    tree_rows,
)

__all__ = ["console", "full_screen", "live", "printout"]

_TONES: Final = {
    "running": "green",
    "connected": "green",
    "joined": "green",
    "busy": "yellow",
    "suspended": "yellow",
    "starting": "yellow",
    "restarting": "yellow",
    "connecting": "yellow",
    "joining": "yellow",
    "closing": "yellow",
    "warning": "yellow",
    "silent": "bold red",
    "dead": "bold red",
    "disconnected": "bold red",
    "errored": "bold red",
    "error": "bold red",
    "critical": "bold red",
    "idle": "dim",
    "stopped": "dim",
    "closed": "dim",
}
_HELP: Final = (
    "q leave  0 all  1 tree  2 actors  3 tables  4 events  m n b sort  ↑↓ ⏎ look into  space pause"
)
_PRINTED_ACTORS: Final = 20
_PRINTED_ENTRIES: Final = 20


def console(width: int | None) -> Console:
    """Return where to draw: standard output, as wide as it is, or this wide."""
    return Console(width=width, highlight=False, markup=False, emoji=False)


def live(out: Console) -> Live:
    """Return a context that has the terminal to itself, and gives it back as it was."""
    return Live(console=out, screen=True, auto_refresh=False)


def _text(value: Any, style: str = "") -> Text:
    return Text(clean(str(value)), style=style, no_wrap=True, overflow="ellipsis")


def _toned(word: str) -> Text:
    return _text(word, _TONES.get(word, ""))


def _table(*columns: str) -> Table:
    """Return an empty table; a heading that begins with ">" is of numbers."""
    made = Table(box=None, expand=True, pad_edge=False, header_style="dim", padding=(0, 1))
    for name in columns:
        right = name.startswith(">")
        made.add_column(name.lstrip(">"), justify="right" if right else "left", no_wrap=True)
    return made


def _window(count: int, marked: int, height: int | None) -> range:
    """Return which of `count` lines are shown in `height`, so that the marked one is in sight."""
    if height is None or count <= height:
        return range(count)
    first = max(0, min(marked - height // 2, count - height))
    return range(first, first + height)


# ---- the parts ---------------------------------------------------------------------------------


def _header(seen: Seen, look: Look) -> RenderableType:
    process = look.process
    parts = [
        ("", process.program),
        ("process ", process.pid),
        ("Python ", process.python),
        ("observed ", duration(process.uptime)),
        ("actors ", look.actors_total),
        ("threads ", process.threads),
        ("pool ", f"{process.workers}, {process.blocked} blocked"),
        ("memory ", amount(process.memory)),
    ]
    before = seen.before
    if before is not None and look.clock > before.clock:
        used = process.cpu_seconds - before.process.cpu_seconds
        parts.append(("CPU ", f"{100 * used / (look.clock - before.clock):.0f} %"))
    line = Text(no_wrap=True, overflow="ellipsis")
    for place, (name, value) in enumerate(parts):
        line.append(name, "dim")
        line.append(clean(str(value)), "bold")
        line.append("  " if place else "   ")
    return line


def _banner(seen: Seen, view: View) -> Text | None:
    """Return what must not be overlooked."""
    at = "" if seen.at is None else time.strftime("%H:%M:%S", time.localtime(seen.at))
    if seen.problem is not None:
        age = "" if seen.at is None else f", {duration(time.time() - seen.at)} ago"
        return _text(f" {seen.problem}; what you see is of {at}{age} ", "bold white on red")
    if view.asked is not None:
        return _text(
            f" {view.asked.value} this actor? y does it, any other key does not ", "reverse"
        )
    if seen.notice is not None:
        return _text(f" {seen.notice} ", "reverse")
    return _text(f" paused at {at}: space goes on ", "reverse") if view.paused else None


def _budget(node: TreeNode) -> Text:
    if node.max_restarts is None:
        return _toned(node.state)
    within = f"{node.max_restarts} in {node.max_seconds:g} s"
    if node.counted is None:
        return _text(f"{within} each", "dim")
    tone = "yellow" if node.counted else "dim"
    return _text(f"{node.counted} of {within}", tone)


def _tree(look: Look, view: View, height: int | None) -> RenderableType:
    made = _table("child", "class or strategy", "state or budget", ">restarts", "last reason")
    rows = tree_rows(look)
    places = [place for place, row in enumerate(rows) if row.node.urn == view.selected]
    marked = places[0] if places and view.selected else 0
    for place in _window(len(rows), marked, height):
        head, node = rows[place]
        made.add_row(
            _text(head + node.label),
            _text(node.strategy or node.class_name, "dim"),
            _budget(node),
            _text(node.restarts or "", "yellow"),
            _text(node.last_reason or "", "red"),
            style="reverse" if view.panel is Panel.TREE and place == marked else "",
        )
    stuck = [_text(f"abandoned: {entry}", "bold red") for entry in look.system.unstopped]
    return Group(*stuck, made)


def _actors(seen: Seen, look: Look, view: View, height: int | None) -> RenderableType:
    made = _table("actor", "class", "state", ">mailbox", ">messages", ">per s", ">memory")
    rates = message_rates(look, seen.before)
    marked = next((place for place, row in enumerate(look.actors) if row.urn == view.selected), 0)
    for place in _window(len(look.actors), marked, height):
        row = look.actors[place]
        rate = rates.get(row.urn)
        state = _toned(row.state)
        if row.busy_for is not None:
            state.append(f" {duration(row.busy_for)}")
        made.add_row(
            _text(row.path),
            _text(row.class_name, "dim"),
            state,
            _text(row.mailbox, "yellow" if row.mailbox else "dim"),
            _text("–" if row.messages is None else row.messages),
            _text("–" if rate is None else f"{rate:.1f}"),
            _text(amount(row.memory)),
            style="reverse" if view.panel in (Panel.ALL, Panel.ACTORS) and place == marked else "",
        )
    return made


def _actors_title(look: Look, view: View) -> str:
    shown = len(look.actors)
    of = f"{shown} of {look.actors_total}" if shown < look.actors_total else f"{shown}"
    hint = ""
    if view.sort == "messages" and not look.counted:
        hint = "; not counted: serve(…, count_messages=True)"
    return f"Actors: {of}, by {view.sort.value}{hint}"


def _section(section: Section, seen: Seen, look: Look) -> RenderableType:
    if section.error is not None:
        return _text(f"this table failed: {section.error}", "red")
    if not section.rows:
        return _text("none", "dim")
    lines = [
        [_cell(column, value, rates.get(place)) for place, (column, value) in enumerate(pairs)]
        for pairs, rates in zip(
            (list(zip(section.columns, row, strict=True)) for row in section.rows),
            section_rates(section, look, seen.before),
            strict=True,
        )
    ]
    made = _table()
    for place, column in enumerate(section.columns):
        word = column.kind in ("key", "text")
        # Numbers are shown whole; words give way where there is little room.
        whole = max(len(column.name), *(len(line[place]) for line in lines))
        made.add_column(
            _text(column.name),
            justify="left" if word else "right",
            no_wrap=True,
            min_width=None if word else whole,
        )
    for line in lines:
        made.add_row(*line)
    return made


def _cell(column: Column, value: Any, rate: float | None) -> Text:
    kind = column.kind
    if value is None:
        return _text("–", "dim")
    if kind in ("key", "text"):
        return _text(value) if kind == "key" else _toned(str(value))
    if kind == "seconds":
        return _text(duration(value))
    size = kind.startswith("bytes")
    cell = _text(amount(value) if size else value)
    if rate is not None:
        cell.append(f" {amount(rate) if size else f'{rate:.1f}'}/s", "bold" if rate else "dim")
    return cell


def _log(seen: Seen, newest: int | None, scroll: int = 0) -> RenderableType:
    """Draw the log, newest first."""
    if not seen.log:
        return _text("no event since the observer was opened", "dim")
    made = Table(box=None, expand=True, pad_edge=False, show_header=False, padding=(0, 1))
    for ratio in (None, None, None, 1):
        made.add_column(no_wrap=True, ratio=ratio)
    entries = seen.log[::-1][scroll:]
    for entry in entries if newest is None else entries[:newest]:
        made.add_row(
            _text(time.strftime("%H:%M:%S", time.localtime(entry.at)), "dim"),
            _toned(entry.level),
            _text(entry.event),
            _text(entry.text, "dim"),
        )
    return made


def _detail(detail: ActorDetail, look: Look, scroll: int) -> RenderableType:
    row = detail.row
    facts = [
        ("class", row.class_name),
        ("state", row.state + (f" for {duration(row.busy_for)}" if row.busy_for else "")),
        ("mailbox", row.mailbox),
        ("messages", "not counted" if row.messages is None else row.messages),
        ("memory", amount(row.memory)),
        ("restarts", detail.restarts),
        ("last reason", detail.last_reason or "none"),
        ("parent", detail.parent or "none"),
        ("links", ", ".join(detail.links) or "none"),
        ("monitors", ", ".join(detail.monitors) or "none"),
        ("monitored by", ", ".join(detail.monitored_by) or "none"),
        ("traps exits", "yes" if detail.trap_exit else "no"),
    ]
    if detail.state is None:
        facts.append(("attributes", detail.state_note or "none"))
    facts += [(f"self.{name}", value) for name, value in (detail.state or {}).items()]
    made = Table.grid(padding=(0, 2))
    for name, value in facts[scroll:]:
        made.add_row(_text(name, "dim"), Text(clean(str(value)), overflow="fold"))
    parts: list[RenderableType] = [made]
    if detail.stack:
        parts.append(Text("\nwhere it is, innermost call first", "dim"))
        parts += [_text(f"  {line}") for line in reversed(detail.stack)]
    if look.control:
        parts.append(Text("\ns suspend  r resume  x stop", "dim"))
    return Group(*parts)


# ---- the whole ---------------------------------------------------------------------------------


def full_screen(seen: Seen, view: View, height: int) -> RenderableType:
    """Draw what fills a terminal of this many lines."""
    look = seen.look
    if look is None:
        return _text("no look yet")
    layout = Layout()
    banner = _banner(seen, view)
    lines = [Layout(_header(seen, look), size=1)]
    if banner is not None:
        lines.append(Layout(banner, size=1))
    room = height - len(lines) - 1
    layout.split_column(
        *lines,
        Layout(_body(seen, look, view, room), size=room),
        Layout(_text(_HELP, "dim"), size=1),
    )
    return layout


def _body(seen: Seen, look: Look, view: View, room: int) -> RenderableType:
    # A frame takes two lines, and a table's head one.
    inner = room - 3
    if view.inside:
        if seen.detail is None:
            return Frame(_text(seen.detail_problem or "…"), title="Actor")
        title = clean(seen.detail.row.path)
        return Frame(_detail(seen.detail, look, view.scroll), title=Text(title), height=room)
    match view.panel:
        case Panel.TREE:
            return Frame(_tree(look, view, inner), title="Supervision", height=room)
        case Panel.ACTORS:
            title = _actors_title(look, view)
            return Frame(_actors(seen, look, view, inner), title=title, height=room)
        case Panel.LOG:
            entries = _log(seen, None, view.scroll)
            return Frame(entries, title="Events, newest first", height=room)
        case Panel.SECTIONS:
            return _sections(seen, look, view, room)
    return _overview(seen, look, view, room)


def _sections(seen: Seen, look: Look, view: View, room: int) -> RenderableType:
    frames: list[RenderableType] = [
        Frame(_section(section, seen, look), title=Text(clean(section.title)))
        for section in look.sections[view.scroll :]
    ]
    return Group(*frames) if frames else Frame(_text("there is none"), title="Tables", height=room)


def _overview(seen: Seen, look: Look, view: View, room: int) -> Layout:
    heights = [max(1, len(section.rows)) + 3 for section in look.sections]
    most = max(4, room // 4)
    sized = [min(height, most) for height in heights[: max(0, room // 12)]]
    log = max(5, room // 5)
    upper = max(5, room - sum(sized) - log)
    both = Layout(size=upper)
    both.split_row(
        Layout(Frame(_tree(look, view, upper - 3), title="Supervision")),
        Layout(Frame(_actors(seen, look, view, upper - 3), title=_actors_title(look, view))),
    )
    tables = [
        Layout(Frame(_section(section, seen, look), title=Text(clean(section.title))), size=size)
        for section, size in zip(look.sections, sized, strict=False)
    ]
    whole = Layout()
    whole.split_column(both, *tables, Layout(Frame(_log(seen, log - 2), title="Events")))
    return whole


def printout(seen: Seen, view: View) -> RenderableType:
    """Draw everything below each other, for `--once`."""
    look = seen.look
    if look is None:
        return _text("no look")
    none_marked = View(panel=Panel.LOG, sort=view.sort)
    parts: list[tuple[str, RenderableType]] = [
        ("Supervision", _tree(look, none_marked, None)),
        (_actors_title(look, view), _actors(seen, look, none_marked, _PRINTED_ACTORS)),
        *((section.title, _section(section, seen, look)) for section in look.sections),
        ("Events, newest first", _log(seen, _PRINTED_ENTRIES)),
    ]
    shown: list[RenderableType] = [_header(seen, look)]
    for title, part in parts:
        shown += [Text(""), _text(title, "bold"), Padding(part, (0, 0, 0, 2))]
    return Group(*shown)

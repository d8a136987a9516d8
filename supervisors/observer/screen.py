"""The terminal screen: what is seen, drawn with rich.

All text is given to rich as text, never as its markup, and what does not print is replaced, so
that nothing in a label can steer the terminal.
"""

from __future__ import annotations

import time
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.padding import Padding
from rich.panel import Panel as Frame
from rich.table import Table
from rich.text import Text

from supervisors.observer.cells import Rows, text_cell, toned, window
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

__all__ = ["full_screen", "printout"]

_HELP: Final = (
    "q leave  0 all  1 tree  2 actors  3 tables  4 events  m n b sort  ↑↓ ⏎ look into  space pause"
)
# For a terminal of 80 columns.
_SHORT_HELP: Final = (
    "q leave 0 all 1 tree 2 actors 3 tables 4 events mnb sort ↑↓ ⏎ look space pause"
)
# A table that is narrower than this has fewer columns; two of this stand side by side.
_WIDE: Final = 90
_HALF: Final = 60
# Lines below which the overview has no tables.
_LOW: Final = 28
_PRINTED_ACTORS: Final = 20
_PRINTED_ENTRIES: Final = 20


# ---- the parts ---------------------------------------------------------------------------------


def _header(seen: Seen, look: Look) -> RenderableType:
    process = look.process
    parts = [
        ("", process.program),
        ("pid ", process.pid),
        ("CPU ", _cpu(seen, look)),
        ("memory ", amount(process.memory)),
        ("actors ", look.actors_total),
        ("threads ", process.threads),
        ("pool ", f"{process.workers}, {process.blocked} blocked"),
        ("observed for ", duration(process.uptime)),
        ("Python ", process.python),
    ]
    line = Text(no_wrap=True, overflow="ellipsis")
    for place, (name, value) in enumerate(parts):
        line.append(name, "dim")
        line.append(clean(str(value)), "bold")
        line.append("  " if place else "   ")
    return line


def _cpu(seen: Seen, look: Look) -> str:
    before = seen.before
    if before is None or look.clock <= before.clock:
        return "–"
    used = look.process.cpu_seconds - before.process.cpu_seconds
    return f"{100 * used / (look.clock - before.clock):.0f} %"


def _banner(seen: Seen, view: View) -> Text | None:
    """Return what must not be overlooked."""
    at = "" if seen.at is None else time.strftime("%H:%M:%S", time.localtime(seen.at))
    if seen.problem is not None:
        age = "" if seen.at is None else f", {duration(time.time() - seen.at)} ago"
        return text_cell(f" {seen.problem}; what you see is of {at}{age} ", "bold white on red")
    if view.asked is not None:
        return text_cell(
            f" {view.asked.value} this actor? y does it, any other key does not ", "reverse"
        )
    if seen.notice is not None:
        return text_cell(f" {seen.notice} ", "reverse")
    return text_cell(f" paused at {at}: space goes on ", "reverse") if view.paused else None


def _budget(node: TreeNode) -> Text:
    if node.max_restarts is None:
        return toned(node.state)
    within = f"{node.max_restarts} in {node.max_seconds:g} s"
    if node.counted is None:
        return text_cell(f"{within} each", "dim")
    tone = "yellow" if node.counted else "dim"
    return text_cell(f"{node.counted} of {within}", tone)


def _tree(look: Look, view: View, height: int | None, *, wide: bool) -> RenderableType:
    rows = tree_rows(look)
    places = [place for place, row in enumerate(rows) if row.node.urn == view.selected]
    marked = places[0] if places and view.selected else 0
    shown = window(len(rows), marked, height)
    made = Rows(
        *(("!child", "class or strategy") if wide else ("child",)),
        "!state or budget",
        ">restarts" if wide else ">↻",
        "!last reason",
        marked=marked - shown.start if view.panel is Panel.TREE else None,
    )
    for place in shown:
        head, node = rows[place]
        what = [text_cell(node.strategy or node.class_name, "dim")] if wide else []
        made.add(
            text_cell(head + node.label),
            *what,
            _budget(node),
            text_cell(node.restarts or "", "yellow"),
            text_cell(node.last_reason or "", "red"),
        )
    stuck = [text_cell(f"abandoned: {entry}", "bold red") for entry in look.system.unstopped]
    return Group(*stuck, made.table())


def _actors(
    seen: Seen, look: Look, view: View, height: int | None, *, wide: bool
) -> RenderableType:
    rates = message_rates(look, seen.before)
    marked = next((place for place, row in enumerate(look.actors) if row.urn == view.selected), 0)
    shown = window(len(look.actors), marked, height)
    made = Rows(
        *(("!actor", "class") if wide else ("actor",)),
        "!state",
        ">mailbox" if wide else ">mail",
        *((">messages",) if wide else ()),
        ">msg/s",
        ">memory",
        marked=marked - shown.start if view.panel in (Panel.ALL, Panel.ACTORS) else None,
    )
    for place in shown:
        row = look.actors[place]
        rate = rates.get(row.urn)
        state = toned(row.state)
        if row.busy_for is not None and wide:
            state.append(f" {duration(row.busy_for)}")
        count = text_cell("–" if row.messages is None else row.messages)
        made.add(
            *(text_cell(row.path), text_cell(row.class_name, "dim"))[: 1 + wide],
            state,
            text_cell(row.mailbox, "yellow" if row.mailbox else "dim"),
            *((count,) if wide else ()),
            text_cell("–" if rate is None else f"{rate:.1f}"),
            text_cell(amount(row.memory)),
        )
    return made.table()


def _actors_title(look: Look, view: View) -> str:
    shown = len(look.actors)
    of = f"{shown} of {look.actors_total}" if shown < look.actors_total else f"{shown}"
    hint = ""
    if view.sort == "messages" and not look.counted:
        hint = "; not counted: serve(…, count_messages=True)"
    return f"Actors: {of}, by {view.sort.value}{hint}"


def _section(section: Section, seen: Seen, look: Look, *, wide: bool) -> RenderableType:
    if section.error is not None:
        return text_cell(f"this table failed: {section.error}", "red")
    if not section.rows:
        return text_cell("none", "dim")
    # Where there is little room, columns without news are left out.
    shown = [
        place
        for place, column in enumerate(section.columns)
        if wide or column.kind == "key" or any(row[place] not in (None, 0) for row in section.rows)
    ]
    headings = []
    for place in shown:
        column = section.columns[place]
        word = "!" if column.kind == "text" or place == 0 else ""
        headings.append((word if column.kind in ("key", "text") else ">") + column.name)
    made = Rows(*headings)
    for row, rates in zip(section.rows, section_rates(section, look, seen.before), strict=True):
        made.add(*(_cell(section.columns[at], row[at], rates.get(at), wide=wide) for at in shown))
    return made.table()


def _cell(column: Column, value: Any, rate: float | None, *, wide: bool) -> Text:
    kind = column.kind
    if value is None:
        return text_cell("–", "dim")
    if kind in ("key", "text"):
        return text_cell(value) if kind == "key" else toned(str(value))
    if kind == "seconds":
        return text_cell(duration(value))
    if kind == "bytes total" and rate is not None:
        return text_cell(f"{amount(rate)}/s")
    if rate is not None and not wide:
        return text_cell(f"{rate:.1f}/s", "bold" if rate else "dim")
    cell = text_cell(amount(value) if kind.startswith("bytes") else value)
    if rate is not None:
        cell.append(f" {rate:.1f}/s", "bold" if rate else "dim")
    return cell


def _log(seen: Seen, newest: int | None, scroll: int = 0) -> RenderableType:
    """Draw the log, newest first."""
    if not seen.log:
        return text_cell("no event since the observer was opened", "dim")
    made = Table(box=None, expand=True, pad_edge=False, show_header=False, padding=(0, 1))
    for ratio in (None, None, None, 1):
        made.add_column(no_wrap=True, ratio=ratio)
    entries = seen.log[::-1][scroll:]
    for entry in entries if newest is None else entries[:newest]:
        made.add_row(
            text_cell(time.strftime("%H:%M:%S", time.localtime(entry.at)), "dim"),
            toned(entry.level),
            text_cell(entry.event),
            text_cell(entry.text, "dim"),
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
    owner = f"{detail.state_of}." if detail.state_of else ""
    facts += [(f"{owner}{name}", value) for name, value in (detail.state or {}).items()]
    made = Table.grid(padding=(0, 2))
    for name, value in facts[scroll:]:
        made.add_row(text_cell(name, "dim"), Text(clean(str(value)), overflow="fold"))
    parts: list[RenderableType] = [made]
    if detail.stack:
        parts.append(Text("\nwhere it is, innermost call first", "dim"))
        parts += [text_cell(f"  {line}") for line in reversed(detail.stack)]
    if look.control:
        parts.append(Text("\ns suspend  r resume  x stop", "dim"))
    return Group(*parts)


# ---- the whole ---------------------------------------------------------------------------------


def full_screen(seen: Seen, view: View, width: int, height: int) -> RenderableType:
    """Draw what fills a terminal of this many columns and lines."""
    look = seen.look
    if look is None:
        return text_cell("no look yet")
    layout = Layout()
    banner = _banner(seen, view)
    lines = [Layout(_header(seen, look), size=1)]
    if banner is not None:
        lines.append(Layout(banner, size=1))
    room = height - len(lines) - 1
    layout.split_column(
        *lines,
        Layout(_body(seen, look, view, width, room), size=room),
        Layout(text_cell(_HELP if width >= len(_HELP) else _SHORT_HELP, "dim"), size=1),
    )
    return layout


def _body(seen: Seen, look: Look, view: View, width: int, room: int) -> RenderableType:
    # A frame takes two lines, and a table's head one.
    inner = room - 3
    wide = width >= _WIDE
    if view.inside:
        if seen.detail is None:
            return Frame(text_cell(seen.detail_problem or "…"), title="Actor")
        title = clean(seen.detail.row.path)
        return Frame(_detail(seen.detail, look, view.scroll), title=Text(title), height=room)
    match view.panel:
        case Panel.TREE:
            return Frame(_tree(look, view, inner, wide=wide), title="Supervision", height=room)
        case Panel.ACTORS:
            title = _actors_title(look, view)
            return Frame(_actors(seen, look, view, inner, wide=wide), title=title, height=room)
        case Panel.LOG:
            entries = _log(seen, None, view.scroll)
            return Frame(entries, title="Events, newest first", height=room)
        case Panel.SECTIONS:
            return _sections(seen, look, view, room, wide=wide)
    return _overview(seen, look, view, width, room)


def _sections(seen: Seen, look: Look, view: View, room: int, *, wide: bool) -> RenderableType:
    frames: list[RenderableType] = [
        Frame(_section(section, seen, look, wide=wide), title=Text(clean(section.title)))
        for section in look.sections[view.scroll :]
    ]
    return (
        Group(*frames) if frames else Frame(text_cell("there is none"), title="Tables", height=room)
    )


def _overview(seen: Seen, look: Look, view: View, width: int, room: int) -> Layout:
    heights = [max(1, len(section.rows)) + 3 for section in look.sections]
    most = max(4, room // 4)
    sized = [min(height, most) for height in heights[: max(0, room // 12)]]
    if room < _LOW:
        # What happens and who lives come first; the tables are one key away.
        sized = []
    log = max(5, room // 5)
    upper = max(5, room - sum(sized) - log)
    beside = width >= 2 * _HALF
    part = _WIDE * 2 if beside else _WIDE
    above = upper if beside else upper // 2
    tree = _tree(look, view, above - 3, wide=width >= part)
    actors = _actors(seen, look, view, (upper if beside else upper - above) - 3, wide=width >= part)
    both = Layout(size=upper)
    halves = (
        Layout(Frame(tree, title="Supervision"), size=None if beside else above),
        Layout(Frame(actors, title=_actors_title(look, view))),
    )
    (both.split_row if beside else both.split_column)(*halves)
    tables = [
        Layout(
            Frame(
                _section(section, seen, look, wide=width >= _WIDE),
                title=Text(clean(section.title)),
            ),
            size=size,
        )
        for section, size in zip(look.sections, sized, strict=False)
    ]
    whole = Layout()
    whole.split_column(both, *tables, Layout(Frame(_log(seen, log - 2), title="Events")))
    return whole


def printout(seen: Seen, view: View) -> RenderableType:
    """Draw everything below each other, for `--once`."""
    look = seen.look
    if look is None:
        return text_cell("no look")
    none_marked = View(panel=Panel.LOG, sort=view.sort)
    parts: list[tuple[str, RenderableType]] = [
        ("Supervision", _tree(look, none_marked, None, wide=True)),
        (_actors_title(look, view), _actors(seen, look, none_marked, _PRINTED_ACTORS, wide=True)),
        *((section.title, _section(section, seen, look, wide=True)) for section in look.sections),
        ("Events, newest first", _log(seen, _PRINTED_ENTRIES)),
    ]
    shown: list[RenderableType] = [_header(seen, look)]
    for title, part in parts:
        shown += [Text(""), text_cell(title, "bold"), Padding(part, (0, 0, 0, 2))]
    return Group(*shown)

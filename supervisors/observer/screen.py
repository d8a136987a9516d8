"""The terminal screen: what is seen, drawn with rich.

All text is given to rich as text, never as its markup, and what does not print is replaced, so
that nothing in a label can steer the terminal.
"""

from __future__ import annotations

import time
from typing import Any, Final

from rich.cells import cell_len
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
_WHOLE: Final = 40
# A table that is narrower than this has fewer columns.
_WIDE: Final = 90
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


class _Rows:
    """A table of which some columns are shown whole, and the others give way."""

    def __init__(self, *columns: str, marked: int | None = None) -> None:
        """Take the headings: ">" begins that of numbers, which are shown whole; "!" of words."""
        self._columns = columns
        self._lines: list[list[Text]] = []
        self._marked = marked

    def add(self, *cells: Text) -> None:
        """Add a line."""
        self._lines.append(list(cells))

    def table(self) -> Table:
        """Return the table."""
        made = Table(box=None, expand=True, pad_edge=False, header_style="dim", padding=(0, 1))
        for place, heading in enumerate(self._columns):
            name = heading.lstrip(">!")
            whole = max(cell_len(name), *(line[place].cell_len for line in self._lines), 0)
            made.add_column(
                _text(name),
                justify="right" if heading.startswith(">") else "left",
                no_wrap=True,
                min_width=min(whole, _WHOLE) if heading != name else None,
                ratio=None if heading != name else 1,
            )
        for place, line in enumerate(self._lines):
            made.add_row(*line, style="reverse" if place == self._marked else "")
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


def _tree(look: Look, view: View, height: int | None, *, wide: bool) -> RenderableType:
    rows = tree_rows(look)
    places = [place for place, row in enumerate(rows) if row.node.urn == view.selected]
    marked = places[0] if places and view.selected else 0
    window = _window(len(rows), marked, height)
    made = _Rows(
        *(("!child", "class or strategy") if wide else ("child",)),
        "!state or budget",
        ">restarts" if wide else ">↻",
        "!last reason",
        marked=marked - window.start if view.panel is Panel.TREE else None,
    )
    for place in window:
        head, node = rows[place]
        what = [_text(node.strategy or node.class_name, "dim")] if wide else []
        made.add(
            _text(head + node.label),
            *what,
            _budget(node),
            _text(node.restarts or "", "yellow"),
            _text(node.last_reason or "", "red"),
        )
    stuck = [_text(f"abandoned: {entry}", "bold red") for entry in look.system.unstopped]
    return Group(*stuck, made.table())


def _actors(
    seen: Seen, look: Look, view: View, height: int | None, *, wide: bool
) -> RenderableType:
    rates = message_rates(look, seen.before)
    marked = next((place for place, row in enumerate(look.actors) if row.urn == view.selected), 0)
    window = _window(len(look.actors), marked, height)
    made = _Rows(
        *(("!actor", "class") if wide else ("actor",)),
        "!state",
        ">mailbox" if wide else ">mail",
        *((">messages",) if wide else ()),
        ">msg/s",
        ">memory",
        marked=marked - window.start if view.panel in (Panel.ALL, Panel.ACTORS) else None,
    )
    for place in window:
        row = look.actors[place]
        rate = rates.get(row.urn)
        state = _toned(row.state)
        if row.busy_for is not None and wide:
            state.append(f" {duration(row.busy_for)}")
        count = _text("–" if row.messages is None else row.messages)
        made.add(
            *(_text(row.path), _text(row.class_name, "dim"))[: 1 + wide],
            state,
            _text(row.mailbox, "yellow" if row.mailbox else "dim"),
            *((count,) if wide else ()),
            _text("–" if rate is None else f"{rate:.1f}"),
            _text(amount(row.memory)),
        )
    return made.table()


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
    headings = []
    for place, column in enumerate(section.columns):
        word = "!" if column.kind == "text" or place == 0 else ""
        headings.append((word if column.kind in ("key", "text") else ">") + column.name)
    made = _Rows(*headings)
    for row, rates in zip(section.rows, section_rates(section, look, seen.before), strict=True):
        pairs = zip(section.columns, row, strict=True)
        made.add(*(_cell(*pair, rates.get(place)) for place, pair in enumerate(pairs)))
    return made.table()


def _cell(column: Column, value: Any, rate: float | None) -> Text:
    kind = column.kind
    if value is None:
        return _text("–", "dim")
    if kind in ("key", "text"):
        return _text(value) if kind == "key" else _toned(str(value))
    if kind == "seconds":
        return _text(duration(value))
    if kind == "bytes total" and rate is not None:
        return _text(f"{amount(rate)}/s")
    cell = _text(amount(value) if kind.startswith("bytes") else value)
    if rate is not None:
        cell.append(f" {rate:.1f}/s", "bold" if rate else "dim")
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


def full_screen(seen: Seen, view: View, width: int, height: int) -> RenderableType:
    """Draw what fills a terminal of this many columns and lines."""
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
        Layout(_body(seen, look, view, width, room), size=room),
        Layout(_text(_HELP, "dim"), size=1),
    )
    return layout


def _body(seen: Seen, look: Look, view: View, width: int, room: int) -> RenderableType:
    # A frame takes two lines, and a table's head one.
    inner = room - 3
    if view.inside:
        if seen.detail is None:
            return Frame(_text(seen.detail_problem or "…"), title="Actor")
        title = clean(seen.detail.row.path)
        return Frame(_detail(seen.detail, look, view.scroll), title=Text(title), height=room)
    match view.panel:
        case Panel.TREE:
            return Frame(_tree(look, view, inner, wide=True), title="Supervision", height=room)
        case Panel.ACTORS:
            title = _actors_title(look, view)
            return Frame(_actors(seen, look, view, inner, wide=True), title=title, height=room)
        case Panel.LOG:
            entries = _log(seen, None, view.scroll)
            return Frame(entries, title="Events, newest first", height=room)
        case Panel.SECTIONS:
            return _sections(seen, look, view, room)
    return _overview(seen, look, view, width, room)


def _sections(seen: Seen, look: Look, view: View, room: int) -> RenderableType:
    frames: list[RenderableType] = [
        Frame(_section(section, seen, look), title=Text(clean(section.title)))
        for section in look.sections[view.scroll :]
    ]
    return Group(*frames) if frames else Frame(_text("there is none"), title="Tables", height=room)


def _overview(seen: Seen, look: Look, view: View, width: int, room: int) -> Layout:
    heights = [max(1, len(section.rows)) + 3 for section in look.sections]
    most = max(4, room // 4)
    sized = [min(height, most) for height in heights[: max(0, room // 12)]]
    log = max(5, room // 5)
    upper = max(5, room - sum(sized) - log)
    both = Layout(size=upper)
    both.split_row(
        Layout(Frame(_tree(look, view, upper - 3, wide=width > 2 * _WIDE), title="Supervision")),
        Layout(
            Frame(
                _actors(seen, look, view, upper - 3, wide=width > 2 * _WIDE),
                title=_actors_title(look, view),
            )
        ),
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
        ("Supervision", _tree(look, none_marked, None, wide=True)),
        (_actors_title(look, view), _actors(seen, look, none_marked, _PRINTED_ACTORS, wide=True)),
        *((section.title, _section(section, seen, look)) for section in look.sections),
        ("Events, newest first", _log(seen, _PRINTED_ENTRIES)),
    ]
    shown: list[RenderableType] = [_header(seen, look)]
    for title, part in parts:
        shown += [Text(""), _text(title, "bold"), Padding(part, (0, 0, 0, 2))]
    return Group(*shown)

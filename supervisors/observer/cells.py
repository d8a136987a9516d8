"""Cells, tables and consoles of the terminal screen.

All text is given to rich as text, never as its markup, and what does not print is replaced, so
that nothing in a label can steer the terminal.
"""

from __future__ import annotations

from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from supervisors.observer.render import clean

__all__ = ["Rows", "console", "live", "text_cell", "toned", "window"]

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
_WHOLE: Final = 40


def console(width: int | None) -> Console:
    """Return where to draw: standard output, as wide as it is, or this wide."""
    return Console(width=width, highlight=False, markup=False, emoji=False)


def live(out: Console) -> Live:
    """Return a context that has the terminal to itself, and gives it back as it was."""
    return Live(console=out, screen=True, auto_refresh=False)


def text_cell(value: Any, style: str = "") -> Text:
    """Return a value as text of one line."""
    return Text(clean(str(value)), style=style, no_wrap=True, overflow="ellipsis")


def toned(word: str) -> Text:
    """Return a word of state or level in its colour."""
    return text_cell(word, _TONES.get(word, ""))


class Rows:
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
                text_cell(name),
                justify="right" if heading.startswith(">") else "left",
                no_wrap=True,
                min_width=min(whole, _WHOLE) if heading != name else None,
                ratio=None if heading != name else 1,
            )
        for place, line in enumerate(self._lines):
            made.add_row(*line, style="reverse" if place == self._marked else "")
        return made


def window(count: int, marked: int, height: int | None) -> range:
    """Return which of `count` lines are shown in `height`, so that the marked one is in sight."""
    if height is None or count <= height:
        return range(count)
    first = max(0, min(marked - height // 2, count - height))
    return range(first, first + height)

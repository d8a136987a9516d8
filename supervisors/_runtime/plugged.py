"""What other packages add to the observer: tables, and events for its log.

Kept here as plain functions and words, so that to add something costs no import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "KINDS",
    "Rows",
    "Table",
    "add_events",
    "add_section",
    "events",
    "remove_section",
    "tables",
]

Rows: TypeAlias = Callable[[], Iterable[Sequence[Any]]]

KINDS = ("key", "text", "count", "total", "seconds", "bytes", "bytes total")

# Changed and copied in one step of a dictionary's each, with the GIL and without it: no lock.
_tables: dict[str, Table] = {}
_events: dict[tuple[str, ...], int] = {}


class Table(NamedTuple):
    """A table of the observer: its columns, and who gives the rows."""

    title: str
    columns: Mapping[str, str]
    rows: Rows


def add_section(title: str, columns: Mapping[str, str], rows: Rows) -> None:
    """Show a table of your own wherever the observer is looked at; replaces one of this title.

    Args:
        title: such as "Sockets".
        columns: heading → kind. "key" columns tell rows apart; "text"; "count" is a number as it
            is; of a "total" and a "bytes total", which only grow, the rate per second is shown too;
            "seconds" and "bytes" are shown with their units.
        rows: called for each look, on the observer's thread, and must be quick. It returns rows of
            str, int, float or None, one for each column. What it raises is shown in its place.

    Safe from any thread. Whoever may look at the observer sees what is in the rows.

    Raises:
        ValueError: a kind is none of these.

    Example:
        >>> add_section("Caches", {"cache": "key", "hits": "total"}, lambda: [("users", 12)])
        >>> remove_section("Caches")
        True
    """
    for heading, kind in columns.items():
        if kind not in KINDS:
            msg = f"column {heading!r} of section {title!r} is a {kind!r}: take one of {KINDS}"
            raise ValueError(msg)
    _tables[title] = Table(title, dict(columns), rows)


def remove_section(title: str) -> bool:
    """Show this table no more; tell whether there was one. Safe from any thread."""
    return _tables.pop(title, None) is not None


def tables() -> list[Table]:
    """Return the tables in the order in which they were added."""
    return list(_tables.values())


def add_events(levels: Mapping[tuple[str, ...], int]) -> None:
    """Have the observer's log hold these events: event → level, as of `logging`."""
    _events.update(levels)


def events() -> dict[tuple[str, ...], int]:
    """Return the events that were added."""
    return dict(_events)

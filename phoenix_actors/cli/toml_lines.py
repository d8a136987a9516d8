"""Which line of a TOML text a key stands in; the standard library's parser does not say."""

from __future__ import annotations

import re
import tomllib
from typing import Final, TypeAlias

__all__ = ["Path", "lines_of"]

Path: TypeAlias = tuple[str | int, ...]

_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_NAMES: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_ARRAY: Final = re.compile(rf"\s*\[\[\s*({_NAMES})\s*\]\]")
_TABLE: Final = re.compile(rf"\s*\[\s*({_NAMES})\s*\]")
_KEY: Final = re.compile(rf"\s*({_NAMES})\s*=")


def lines_of(text: str) -> dict[Path, int]:
    r"""Return the line, from 1, of each table, element of an array of tables, and key.

    Keys inside inline tables have none. Only for texts that are TOML.

    Example:
        >>> text = "\n".join(["a = 1", "[[child]]", "id = 2"])
        >>> lines_of(text)[("child", 0, "id")]
        3
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    here: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if array := _ARRAY.match(line):
            *above, last = _parts(array[1])
            path = (*_resolved(counts, above), last)
            counts[path] = counts.get(path, -1) + 1
            here = (*path, counts[path])
        elif table := _TABLE.match(line):
            here = _resolved(counts, _parts(table[1]))
        elif key := _KEY.match(line):
            lines.setdefault((*here, *_parts(key[1])), number)
            continue
        else:
            continue
        lines.setdefault(here, number)
    return lines


def _parts(names: str) -> list[str]:
    """Return the parts of a dotted key, without their quotes."""
    part = tomllib.loads(f"{names} = 0")
    parts = []
    while isinstance(part, dict):
        [(name, part)] = part.items()
        parts.append(name)
    return parts


def _resolved(counts: dict[Path, int], names: list[str]) -> Path:
    """Return the path of a table: a name of an array of tables means its last element."""
    path: Path = ()
    for name in names:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path])
    return path

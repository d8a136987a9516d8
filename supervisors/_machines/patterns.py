"""Patterns of values: `ANY`, and structures that contain it.

A tuple or list matches one of the same type and length, item by item; a dict matches a dict that
has at least its keys; everything else matches what is strictly equal, so 1 does not match 1.0.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

__all__ = ["ANY", "matches"]


class _Any(Enum):
    """The type of `ANY`; a member, so that no user's value can be taken for it."""

    ANY = "any"

    def __repr__(self) -> str:
        """Show the name that users import."""
        return "ANY"


ANY: Final = _Any.ANY
"""In a pattern of `Registry.match()` and its relatives: whatever stands there."""


def matches(pattern: Any, value: Any) -> bool:
    """Tell whether the value is of the pattern.

    Example:
        >>> matches(("alice", ANY), ("alice", 3)), matches({"age": 3}, {"age": 3, "name": "a"})
        (True, True)
        >>> matches(1, 1.0), matches((ANY,), (1, 2))
        (False, False)
    """
    if pattern is ANY or pattern is value:
        return True
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and matches(wanted, value[key]) for key, wanted in pattern.items()
        )
    if type(pattern) is not type(value):
        return False
    if isinstance(pattern, tuple | list):
        return len(pattern) == len(value) and all(map(matches, pattern, value))
    return bool(pattern == value)

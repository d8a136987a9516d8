"""Dictionaries of dictionaries, the shelves, of which none stays empty.

A finalizer, or a signal's handler, may put and take out in the middle of a step of the same thread.
Laws: what was put stands on the shelf that is found at its place, until it is taken out; to see
that a shelf is empty and to take it away is one step, in which nothing is called.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

__all__ = ["first", "put", "take_out"]

_T = TypeVar("_T")


def put(
    shelves: dict[Any, Any],
    at: Hashable,
    key: Hashable,
    value: Any,
    make: Callable[[], Any] = dict,
) -> Any:
    """Put a value on the shelf at this place, which is made if there is none; return the shelf.

    Example:
        >>> shelves = {}
        >>> put(shelves, "fruit", 1, "apple"), shelves
        ({1: 'apple'}, {'fruit': {1: 'apple'}})
    """
    while True:
        shelf = shelves.setdefault(at, make())
        shelf[key] = value
        # Not where it was empty, and taken away from within this step.
        if at in shelves and shelves[at] is shelf:
            return shelf


def take_out(shelves: dict[Any, Any], at: Hashable, key: Hashable) -> None:
    """Take out what has this key at this place, if it is there.

    Example:
        >>> shelves = {"fruit": {1: "apple"}}
        >>> take_out(shelves, "fruit", 1), shelves
        (None, {})
    """
    shelf = shelves.get(at)
    if shelf is None:
        return
    if key in shelf:
        del shelf[key]
    if not shelf and at in shelves and shelves[at] is shelf:
        del shelves[at]


def first(shelf: Iterable[_T]) -> _T | None:
    """Return what was put first, or None; with nothing in between that could change the shelf."""
    for key in shelf:
        return key
    return None

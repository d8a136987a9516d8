"""How a start can end: one of these, told to the starter exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

__all__ = ["UNDONE", "OnStarted", "StartFailed", "StartIgnored", "Started"]

UNDONE: Final = object()
"""Answered where nothing was done: go the long way."""


class Started(msgspec.Struct, frozen=True):
    """The start succeeded."""

    ref: Any


class StartIgnored(msgspec.Struct, frozen=True):
    """Init answered IGNORE: no process is left, and that is no failure."""


class StartFailed(msgspec.Struct, frozen=True):
    """Nothing is left running; `error` is what a waiting starter gets raised."""

    reason: Any
    error: BaseException


OnStarted: TypeAlias = Callable[[Started | StartIgnored | StartFailed], object]

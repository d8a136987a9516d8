"""What an actor's init and handlers may return beside a value: what to do next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from supervisors.child_spec import UNSET
from supervisors.exits import Normal

__all__ = [
    "IDLE_TIMEOUT",
    "IGNORE",
    "NO_REPLY",
    "Continue",
    "Directive",
    "Hibernate",
    "Stop",
    "Timeout",
]


class _Word:
    """A directive without fields."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


IGNORE = _Word("IGNORE")
NO_REPLY = _Word("NO_REPLY")
IDLE_TIMEOUT = _Word("IDLE_TIMEOUT")


class Directive(msgspec.Struct, frozen=True):
    """What a handler may return to say what is next; one of those below."""


class Stop(Directive, frozen=True):
    """End with `reason`; terminate runs before `reply` is sent (S170)."""

    reason: Any = Normal()
    reply: Any = UNSET


class Continue(Directive, frozen=True):
    """Call `handle_continue(continuation)` before any other message (S161)."""

    continuation: Any = None
    reply: Any = UNSET


class Hibernate(Directive, frozen=True):
    """Call `on_hibernate()`; the next message calls `on_wake()` and is handled as usual (S175)."""

    reply: Any = UNSET


class Timeout(Directive, frozen=True):
    """Send `IDLE_TIMEOUT` to handle_info if no message comes for `seconds`; None: never (S162)."""

    seconds: float | timedelta | None
    reply: Any = UNSET

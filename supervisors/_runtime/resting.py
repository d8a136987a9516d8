"""An idle actor gives back what it can do without: its lane of messages, its thread."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from supervisors._runtime.mailbox import NOTHING
from supervisors._runtime.own_thread import own_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisors._runtime.process import Process

__all__ = ["GivenBack", "has_thread", "holds", "rest"]


class GivenBack(msgspec.Struct, frozen=True):
    """What an actor gave back: bytes, by `sys.getsizeof`, and whether also its thread."""

    bytes: int
    thread: bool


def holds(process: Process) -> int:
    """Return the bytes that `rest` would give back of the process itself."""
    lane = process.mailbox.user
    return 0 if lane is NOTHING else sys.getsizeof(lane)


def has_thread(process: Process) -> bool:
    """Tell whether the process has a thread of its own, or had one before it was parked."""
    return process.dispatcher is own_thread


def rest(process: Process, also: Callable[[], int] = lambda: 0) -> GivenBack | None:
    """Have an idle process give back what it can; None when it is not idle. Safe from any thread.

    Nothing is lost and no order changes: the next message makes anew what it needs. An actor with
    a thread of its own gets another one then, so what it kept in `threading.local` is gone.

    Args:
        process: the actor's.
        also: gives back what its owner holds for it, while no turn can run; returns the bytes.
    """
    mailbox = process.mailbox
    if process.ended or not mailbox.take_slot():
        return None
    try:
        if mailbox.has_work():
            return None
        process.steady = False
        freed = mailbox.give_back_lane() + also()
        return GivenBack(freed, has_thread(process) and own_thread.park(process))
    finally:
        if mailbox.give_back_slot():
            process.schedule()

"""Who runs in this thread: the process whose handler it is in, and the host of the thread."""

from __future__ import annotations

import threading
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from supervisors._runtime.reply import Reply

__all__ = ["Here", "Host", "current"]


class Host(Protocol):
    """The owner of a thread that runs processes; it is told when the thread is going to wait."""

    def wait(self, reply: Reply, timeout: float | None) -> None:
        """Wait until the reply is settled, or raise CallTimeout after `timeout` seconds."""
        ...


class Here:
    """What one thread knows of itself."""

    __slots__ = (
        "bottom",
        "depth",
        "even",
        "forked",
        "height",
        "helping",
        "host",
        "ident",
        "is_main",
        "next",
        "process",
    )

    def __init__(self) -> None:
        """Made in the thread itself."""
        # The thread's number, as one object for all who note it.
        self.ident = threading.get_ident()
        self.is_main = self.ident == threading.main_thread().ident
        # The Process whose turn it is, and the Host of the thread; or None.
        self.process: Any = None
        self.host: Any = None
        # What this thread runs when its present turn is over, and what it runs while it waits;
        # both belong to `handover`.
        self.next: Any = None
        self.helping = False
        self.depth = 0
        # The first frame of the thread, where it is known, and how far below it was; `handover`'s.
        self.bottom: Any = None
        self.height = 0
        # Until when it has slept away its share, see `giving_way`.
        self.even = 0.0
        # Whether a handler has forked in this thread, which is the child's main thread now.
        self.forked = False


def _of_this_thread(name: str) -> Any:
    def put(current: _Current, value: Any) -> None:
        setattr(current.here, name, value)

    return property(attrgetter(f"here.{name}"), put)


class _Current(threading.local):
    """The `Here` of the thread that asks.

    To take `here` once and several values out of that costs a fraction of asking for each, so the
    paths taken for every message do so.
    """

    depth: Any = _of_this_thread("depth")
    forked: Any = _of_this_thread("forked")
    helping: Any = _of_this_thread("helping")
    host: Any = _of_this_thread("host")
    ident: Any = _of_this_thread("ident")
    is_main: Any = _of_this_thread("is_main")
    next: Any = _of_this_thread("next")
    process: Any = _of_this_thread("process")

    def __init__(self) -> None:
        """Called once in each thread."""
        self.here = Here()


current = _Current()

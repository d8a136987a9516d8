"""Who runs in this thread: the process whose handler it is in, and the host of the thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply

__all__ = ["Host", "current"]


class Host(Protocol):
    """The owner of a thread that runs processes; it is told when the thread is going to wait."""

    def wait(self, reply: Reply, timeout: float | None) -> None:
        """Wait until the reply is settled, or raise CallTimeout after `timeout` seconds."""
        ...


class _Current(threading.local):
    """One value of each per thread.

    In `__dict__` a thread finds its own values, all of them: to read that once and take several
    out costs a quarter of asking for each, so the paths taken for every message do that.
    """

    def __init__(self) -> None:
        """Called once in each thread."""
        # The thread's number, as one object for all who note it.
        self.ident = threading.get_ident()
        self.is_main = self.ident == threading.main_thread().ident
        self.process: Process | None = None
        self.host: Host | None = None
        # What this thread runs when its present turn is over, and what it runs while it waits;
        # both belong to `handover`.
        self.next: Process | None = None
        self.helping = False
        self.depth = 0
        # Whether a handler has forked in this thread, which is the child's main thread now.
        self.forked = False


current = _Current()

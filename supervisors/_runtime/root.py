"""The process's root: what was started with start_link outside any actor.

When the interpreter ends, the root's actors are stopped in the reverse of their start order, all
within one deadline, so that their terminate() runs although their threads are daemons.
"""

from __future__ import annotations

import atexit
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from supervisors._locks import new_rlock
from supervisors._runtime.items import StopOrder
from supervisors._runtime.reply import Reply
from supervisors._runtime.timers import timers
from supervisors.clock import Deadline
from supervisors.errors import CallTimeout
from supervisors.exits import Shutdown
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["root"]

_EXIT_DEADLINE = 10.0
# Python 3.12 starts no thread while the functions of `atexit` run; 3.11, 3.13 and 3.14 do.
_NO_THREADS_AT_EXIT = sys.version_info[:2] == (3, 12)


class Root:
    """The list of actors that nobody supervises but that are stopped at exit."""

    def __init__(self) -> None:
        """Start empty; the exit hook is installed with the first member."""
        # Reentrant: a signal handler may start or end an actor at any moment.
        self._lock = new_rlock()
        self._members: dict[Process, None] = {}
        self._hooked = False

    def add(self, process: Process) -> None:
        """Take a process in; it leaves when it ends."""
        with self._lock:
            if not self._hooked:
                self._hooked = True
                atexit.register(self.stop_all)
                if _NO_THREADS_AT_EXIT:
                    # The orders to stop have deadlines; refused where that time has come already.
                    with suppress(RuntimeError):
                        timers.man()
            self._members[process] = None
        if not process.tie() or process.has_ended():
            self.discard(process)

    def __contains__(self, process: Process) -> bool:
        """Tell whether a process is a member."""
        return process in self._members

    def discard(self, process: Process) -> None:
        """Forget a process that has ended."""
        # Without the lock: who is added at this moment is looked at once more by `add`.
        if process in self._members:
            with self._lock:
                self._members.pop(process, None)

    def members(self) -> list[Process]:
        """Return what lives, oldest first."""
        with self._lock:
            return list(self._members)

    def stop_all(self, timeout: float = _EXIT_DEADLINE) -> list[Process]:
        """Stop all members in reverse order; return those that would not stop in time.

        One that would not stop takes at most half of the time that is left, so that those before
        it have theirs.
        """
        deadline = Deadline(timeout, timers.clock)
        stuck = []
        members = self.members()
        for process in reversed(members):
            reply = Reply()
            left = deadline.remaining() or 0.0
            share = left if process is members[0] else left / 2
            # A supervisor keeps a little of its time for itself.
            process.order(StopOrder(Shutdown(), reply, timers.clock.now() + 0.9 * share))
            try:
                reply.get(timeout=share)
            except CallTimeout:
                stuck.append(process)
                event = ("supervisors", "root", "exit_deadline_passed")
                execute(event, {"timeout_seconds": timeout}, {"actor": str(process.actor_ref)})
        return stuck


root = Root()

"""`os.fork`: a child process has one thread, so none of its parent's actors lives in it.

Every lock of the process-wide tables is held across the fork, so that none of them is caught half
way. In the child all actors are dead at once: names are cleared, calls fail with NoProcError, and
what was open is settled without calling anybody back, since callbacks may hold what belongs to
the parent, such as a socket. New actors get a pool and a timer thread of their own. A child that a
handler makes ends when the handler returns, as one that any other thread makes ends with its
function.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from itertools import repeat
from operator import methodcaller
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from pykka import ActorRegistry

from supervisors import telemetry
from supervisors._locks import forks, new_rlock
from supervisors._runtime import mailbox, thread_frames, unstopped
from supervisors._runtime.current import current
from supervisors._runtime.items import Call, StopOrder
from supervisors._runtime.names import process_names
from supervisors._runtime.own_thread import own_thread
from supervisors._runtime.pool import pool
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.root import root
from supervisors._runtime.shield import lift_in_child
from supervisors._runtime.ties import FREE, claims
from supervisors._runtime.timers import timers
from supervisors.exits import Down, Killed, NoProc

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["install"]

# C code, which no signal's handler interrupts but where it waits for a lock: so it is known at any
# moment which locks are held.
_take: Final[Any] = methodcaller("acquire")
_let_go: Final[Any] = methodcaller("release")
_pop: Final[Any] = list.pop


class _Fork:
    """A fork that is under way; what a handler raises in here may be tried again."""

    __slots__ = ("in_handler", "locks", "taken", "thread")

    def __init__(self, locks: list[Any], *, in_handler: bool) -> None:
        self.in_handler = in_handler
        self.thread = get_ident()
        self.locks = locks
        # One item for each of the first locks that are held.
        self.taken: list[Any] = []

    def begin(self) -> None:
        """Take the locks that are not held yet."""
        if self not in forks:
            forks.append(self)
        self.taken.extend(map(_take, self.locks[len(self.taken) :]))

    def end(self) -> None:
        """Let those that are held go."""
        del self.locks[len(self.taken) :]
        deque(map(_let_go, map(_pop, repeat(self.locks, len(self.locks)))), 0)
        if self in forks:
            forks.remove(self)


def install() -> None:
    """Register the hooks, where the system has fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_in_child)
        # Once more, for a signal's handler may have raised before the first had begun.
        os.register_at_fork(after_in_parent=_release, after_in_child=_release)


def _before() -> None:
    # None of them is ever taken while another one is held, so any order will do. Pykka's is a
    # reentrant one, which lets the child look into the registry.
    locks: list[Any] = [root._lock, process_names._lock, unstopped._lock, telemetry._lock]
    locks += [timers._lock, pool._lock, own_thread._lock, mailbox.making, thread_frames._lock]
    locks += [getattr(ActorRegistry, "_actor_refs_lock", new_rlock())]
    in_main = threading.current_thread() is threading.main_thread()
    fork = _Fork(locks, in_handler=current.process is not None and not in_main)
    try:
        fork.begin()
    except BaseException:
        # A signal's handler has raised; Python reports that, and forks.
        fork.begin()
        raise


def _release() -> bool:
    """Let the locks go; tell whether it was a handler that forked."""
    me = get_ident()
    mine = [fork for fork in forks.copy() if fork.thread == me]
    if not mine:
        return False
    fork: _Fork = mine[-1]
    try:
        fork.end()
    except BaseException:
        # As above.
        fork.end()
        raise
    return fork.in_handler


def _in_child() -> None:
    # Some thread of the parent may have had one.
    claims[:] = [new_rlock() for _ in claims]
    plain = sys.modules.get("supervisors._runtime.foreign_process")
    for foreign in () if plain is None else list(plain._known.values()):
        foreign.claim = new_rlock()
    stuck = list(unstopped._stuck)
    refs = [ref for ref in ActorRegistry.get_all() if isinstance(ref, ActorRef)]
    for ref in refs:
        ActorRegistry.unregister(ref)
    root._members.clear()
    process_names._table = type(process_names._table)()
    unstopped._stuck.clear()
    unstopped._heirs.clear()
    current.forked = _release()
    if not current.is_main:
        lift_in_child()
    current.is_main = True
    # Their threads are not here; what they shared, such as a queue, may be in any state.
    timers.__init__(timers.clock)  # type: ignore[misc]
    pool.__init__(pool._target, pool._max_workers, pool._tick)  # type: ignore[misc]
    own_thread.__init__()  # type: ignore[misc]
    for process in [*(ref.process for ref in refs), *stuck]:
        if process is not None:
            _bury(process)
    current.host = current.process = None


def _bury(process: Process) -> None:
    """Make a process dead without telling anybody who lives in the parent."""
    process.claim = new_rlock()
    process.ended = True
    process.direct = False
    process.reason = Killed()
    process.initialised = False
    mailbox = process.mailbox
    mailbox.closed = True
    waiting = [process.handling, *mailbox.control, *mailbox.user]
    mailbox.control.clear()
    mailbox.user.clear()
    gone = process.gone()
    for item in waiting:
        if isinstance(item, Call) and (item is process.handling or item.to is process):
            item.future.settle_quietly((False, gone))
        elif isinstance(item, StopOrder) and item.reply is not None:
            item.reply.settle_quietly((True, True))
    bonds, process.bonds = process.bonds, FREE
    for reply in bonds.deferred or ():
        reply.settle_quietly((False, gone))
    for reply in bonds.stop_waiters or ():
        reply.settle_quietly((True, True))
    for monitor in bonds.monitors or ():
        monitor._reply.settle_quietly((True, Down(monitor, monitor.ref, NoProc())))
    process.actor._otp_mark_stopped()
    process.actor_ref.process = None

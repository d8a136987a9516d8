"""One thread per actor: for handlers that block often, or that need a thread of their own.

A thread waits at its bell. Who rings puts the process in, and with it the right to run it; None
only has the thread look whether it is wanted still.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from itertools import tee
from typing import TYPE_CHECKING, Any

from supervisors._locks import new_rlock
from supervisors._runtime.giving_way import answered, give_way
from supervisors._runtime.pool import pool
from supervisors._runtime.turns import run_turn

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["ThreadDispatcher", "own_thread"]

_TAKE = list.pop
_RING: Any = queue.SimpleQueue.put


class ThreadDispatcher:
    """Gives each process a daemon thread named after its actor."""

    runs_in_any_thread = False

    def __init__(self) -> None:
        """Start without threads."""
        # Reentrant, and so is a bell: a signal handler may start, tell and end actors too.
        self._lock = new_rlock()
        # What wakes each thread; None where the process is parked and has none.
        self._bells: dict[Process, Any] = {}

    def attach(self, process: Process) -> None:
        """Start the thread; its first batch is the actor's init."""
        with self._lock:
            self._bells[process] = None
        try:
            bell = self._hire(process)
        except RuntimeError:
            self.detach(process)
            raise
        if bell is not None:
            bell.put(process)

    def _hire(self, process: Process) -> Any:
        """Give a process a thread, unless it has one; return its bell, None when it was detached.

        The thread runs before anybody can ring for it, so an exception in between, as Ctrl-C raises
        in the main thread, leaves a process that is parked still.
        """
        bell: queue.SimpleQueue[Process | None] = queue.SimpleQueue()
        name = f"supervisors-actor-{process.actor_ref.name or type(process.actor).__name__}"
        thread = threading.Thread(target=self._work, args=(process, bell), name=name, daemon=True)
        try:
            thread.start()
            with self._lock:
                if self._bells.get(process, bell) is None:
                    self._bells[process] = bell
        finally:
            # Where it is another one's by now, it ends.
            bell.put(None)
        return self._bells.get(process)

    def schedule(self, process: Process) -> None:
        """Wake the thread of a process whose slot was just taken."""
        if process not in self._bells:
            return
        try:
            bell = self._bells.get(process) or self._hire(process)
        except RuntimeError:
            # The operating system refuses one more; then the pool's run it, until it is parked.
            pool.schedule(process)
            return
        if bell is not None:
            bell.put(process)

    def offer(self, process: Process) -> None:
        """Take the slot of a process and wake its thread, unless somebody has the slot.

        A signal's handler may raise in the main thread, as for Ctrl-C. Between the slot and the
        bell that would be the end of the process, so this is one step, of C code: its bell is
        looked up when the slot is taken, for who has that can park it.
        """
        try:
            if self._bells.get(process, self) is None:
                self._hire(process)
        except RuntimeError:
            # As above.
            pool.offer(process)
            return
        taken, again = tee(map(_TAKE, (process.mailbox.slot,)))
        try:
            deque(map(_RING, map(self._bells.get, taken), again), maxlen=0)
        except IndexError:
            # Somebody has it.
            return
        except TypeError:
            # No bell: it was parked meanwhile, or has ended.
            self.schedule(process)

    def park(self, process: Process) -> bool:
        """Let the thread of an idle process end; its next turn gets a new one.

        Only for who holds the slot, so that no turn runs. Tell whether there was a thread.
        """
        with self._lock:
            bell = self._bells.get(process)
            if bell is None:
                return False
            self._bells[process] = None
        bell.put(None)
        return True

    def detach(self, process: Process) -> None:
        """Let the thread end."""
        with self._lock:
            bell = self._bells.pop(process, None)
        if bell is not None:
            bell.put(None)

    def _work(self, process: Process, bell: queue.SimpleQueue[Process | None]) -> None:
        try:
            while not process.ended:
                rung = bell.get()
                while rung is not None and run_turn(process):
                    if answered:
                        give_way(answered)
                if self._bells.get(process) is not bell:
                    return  # parked or detached
        finally:
            # It may have been killed, and forgotten, before it was attached.
            with self._lock:
                if self._bells.get(process) is bell:
                    del self._bells[process]


own_thread = ThreadDispatcher()

"""One thread per actor: for handlers that block often, or that need a thread of their own."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from supervisors._runtime.pool import pool
from supervisors._runtime.turns import run_turn

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["ThreadDispatcher", "own_thread"]


class ThreadDispatcher:
    """Gives each process a daemon thread named after its actor."""

    runs_in_any_thread = False

    def __init__(self) -> None:
        """Start without threads."""
        # Reentrant, and so is a bell: a signal handler may start, tell and end actors too.
        self._lock = threading.RLock()
        # What wakes each thread; None where the process is parked and has none.
        self._bells: dict[Process, queue.SimpleQueue[None] | None] = {}

    def attach(self, process: Process) -> None:
        """Start the thread; its first batch is the actor's init."""
        try:
            self._start(process)
        except RuntimeError:
            self.detach(process)
            raise

    def _start(self, process: Process) -> None:
        bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        bell.put(None)
        with self._lock:
            self._bells[process] = bell
        name = f"supervisors-actor-{process.actor_ref.name or type(process.actor).__name__}"
        threading.Thread(target=self._work, args=(process, bell), name=name, daemon=True).start()

    def schedule(self, process: Process) -> None:
        """Wake the thread of a process whose slot was just taken."""
        try:
            bell = self._bells[process]
        except KeyError:
            return
        if bell is not None:
            bell.put(None)
            return
        try:
            self._start(process)
        except RuntimeError:
            # The operating system refuses one more; then the pool's run it, until it is parked.
            with self._lock:
                self._bells[process] = None
            pool.schedule(process)

    def offer(self, process: Process) -> None:
        """Take the slot of a process and wake its thread, unless somebody has the slot."""
        if process.mailbox.slot.acquire(False):
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

    def _work(self, process: Process, bell: queue.SimpleQueue[None]) -> None:
        try:
            while not process.ended:
                bell.get()
                if self._bells.get(process) is not bell:
                    return  # parked or detached
                while run_turn(process):
                    pass
        finally:
            # It may have been killed, and forgotten, before it was attached.
            with self._lock:
                if self._bells.get(process) is bell:
                    del self._bells[process]


own_thread = ThreadDispatcher()

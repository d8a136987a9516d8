"""One thread per actor: for handlers that block often, or that need a thread of their own."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

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
        self._bells: dict[Process, queue.SimpleQueue[None]] = {}

    def attach(self, process: Process) -> None:
        """Start the thread; its first batch is the actor's init."""
        bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        bell.put(None)
        with self._lock:
            self._bells[process] = bell
        name = f"supervisors-actor-{process.actor_ref.name or type(process.actor).__name__}"
        try:
            threading.Thread(
                target=self._work, args=(process, bell), name=name, daemon=True
            ).start()
        except RuntimeError:
            self.detach(process)
            raise

    def schedule(self, process: Process) -> None:
        """Wake the thread of a process whose slot was just taken."""
        bell = self._bells.get(process)
        if bell is not None:
            bell.put(None)

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
                while run_turn(process):
                    pass
        finally:
            # It may have been killed, and forgotten, before it was attached.
            with self._lock:
                self._bells.pop(process, None)


own_thread = ThreadDispatcher()

"""Many actors on few threads.

A process whose slot was taken lies in one run queue; a worker takes it out and runs one batch.
A worker that waits for a reply is counted as blocked and replaced at once, so a chain of asks
longer than any bound still ends. Blocking that the library cannot see (`time.sleep`, a lock, C
code) is noticed by a watcher: while something waits in the queue and no batch has ended for one
tick, it doubles the workers, up to `max_workers`. Surplus workers end when they find nothing to do.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from supervisors._runtime.current import current
from supervisors._runtime.handover import flush, runs_here
from supervisors._runtime.turns import run_turn
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply

__all__ = ["PoolDispatcher", "pool"]

_WORKERS = 2
_MAX_WORKERS = 256
_TICK = 0.005
_LINGER = 1.0
# Turns in a row that a worker runs because one handed over to the next.
_CHAIN = 64


class PoolDispatcher:
    """A run queue and its workers; one for the whole program is enough.

    Args:
        workers: threads that run when nothing blocks; more give no throughput under the GIL.
        max_workers: up to how many the watcher adds for blocking it cannot see. Waits that the
            library sees are replaced beyond it.
        tick: seconds without progress after which the watcher adds workers.
    """

    runs_in_any_thread = True

    def __init__(
        self, workers: int = _WORKERS, max_workers: int = _MAX_WORKERS, tick: float = _TICK
    ) -> None:
        """Start without threads; they come with the first process."""
        self._queue: queue.SimpleQueue[Process] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._target = workers
        self._max_workers = max_workers
        self._tick = tick
        self._workers = 0
        self._blocked = 0
        self._made = 0
        # Batches that ended; read by the watcher only to see whether it moves, so a lost update
        # between two workers does no harm.
        self._progress = 0
        self._watching = threading.Event()
        # Whether the watcher is awake; asked for each message, so not by the event's own method.
        self._is_watched = False
        self._watcher: threading.Thread | None = None

    def attach(self, process: Process) -> None:
        """Give a new process its first batch, in this thread if that is possible."""
        if self._workers < self._target:
            self._add_worker()
        if not runs_here(process, self, to_callers=process.may_wait):
            self.schedule(process)

    def schedule(self, process: Process) -> None:
        """Queue a process whose slot was just taken."""
        self._queue.put(process)
        if not self._is_watched:
            self._is_watched = True
            self._watching.set()

    def detach(self, process: Process) -> None:
        """Forget a process that has ended; the pool holds nothing of it."""

    def wait(self, reply: Reply, timeout: float | None) -> None:
        """Block a worker until the reply is settled, with a spare one in its place."""
        with self._lock:
            self._blocked += 1
            short = self._workers - self._blocked < self._target
        try:
            if short:
                self._add_worker()
            reply.block(timeout)
        finally:
            with self._lock:
                self._blocked -= 1

    def threads(self) -> tuple[int, int]:
        """Return how many workers there are and how many of them wait for a reply."""
        with self._lock:
            return self._workers, self._blocked

    def _add_worker(self) -> None:
        with self._lock:
            self._workers += 1
            self._made += 1
            number = self._made
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._watch, name="supervisors-watcher", daemon=True
                )
                self._watcher.start()
        try:
            threading.Thread(
                target=self._work, name=f"supervisors-pool-{number}", daemon=True
            ).start()
        except RuntimeError:
            # The operating system, or an ending interpreter, refuses threads.
            with self._lock:
                self._workers -= 1
                alone = self._workers == 0
            execute(("supervisors", "pool", "thread_refused"), {"count": 1}, {})
            if alone:
                raise

    def _work(self) -> None:
        current.host = self
        take, put = self._queue.get, self._queue.put
        while True:
            try:
                process = take(timeout=_LINGER)
            except queue.Empty:
                if self._may_leave():
                    return
                continue
            if run_turn(process):
                put(process)
            self._progress += 1
            if current.next is not None:
                self._follow_up()

    def _follow_up(self) -> None:
        """Run what the last turn handed over, and so on; but others get their turn too."""
        for _ in range(_CHAIN):
            process, current.next = current.next, None
            if process is None:
                return
            if run_turn(process):
                self._queue.put(process)
            self._progress += 1
        flush()

    def _may_leave(self) -> bool:
        """Let a surplus worker go that found nothing to do for a while."""
        with self._lock:
            if self._workers - self._blocked <= self._target:
                return False
            self._workers -= 1
            return True

    def _watch(self) -> None:
        """Add workers while the queue stands still; sleep while it is empty."""
        pause = threading.Event()
        reported = False
        while True:
            self._watching.wait()
            seen = self._progress
            pause.wait(self._tick)
            if self._queue.empty():
                self._watching.clear()
                self._is_watched = False
                # A process queued between the lines above must not go unwatched.
                if not self._queue.empty():
                    self._is_watched = True
                    self._watching.set()
                reported = False
                continue
            if self._progress != seen:
                continue
            room = self._max_workers - (self._workers - self._blocked)
            if room > 0:
                # Twice as many each tick, or sixteen that sleep would take sixteen ticks.
                for _ in range(max(1, min(room, self._workers, self._queue.qsize()))):
                    self._add_worker()
            elif not reported:
                reported = True
                execute(
                    ("supervisors", "pool", "exhausted"),
                    {"workers": self._workers, "queued": self._queue.qsize()},
                    {},
                )


pool = PoolDispatcher()

"""Many actors on few threads.

A process whose slot was taken lies in one run queue; a worker takes it out and runs one batch.
What another thread queues wakes a worker that waits. What a worker queues from within a turn it
takes itself after that turn: to wake another for it costs tens of µs, and under the GIL the two
would only take turns. A worker that waits for a reply is counted as blocked and replaced at once,
so a chain of asks longer than any bound still ends. Blocking that the library cannot see
(`time.sleep`, a lock, C code) is noticed by a watcher: while something waits in the queue and no
batch has ended for one tick, it wakes a worker or doubles them, up to `max_workers`. Surplus
workers end when they find nothing to do.

Law: no process lies in the queue while every worker waits. Who queues appends and *then* looks for
a waiting worker; who is going to wait says so and *then* looks into the queue. Each of these steps
is one of a deque's own, atomic with the GIL and without it.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from supervisors._locks import new_rlock
from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.giving_way import answered, give_way
from supervisors._runtime.handover import flush, runs_here
from supervisors._runtime.turns import BATCH, fail_turn
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.current import Here
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply

__all__ = ["PoolDispatcher", "pool"]

_WORKERS = 2
_MAX_WORKERS = 256
_TICK = 0.001
_LINGER = 1.0
# Ticks with an empty queue after which the watcher goes to sleep; to wake it costs a wake-up.
_QUIET = 20
# Turns in a row that a worker runs because one handed over to the next.
_CHAIN = 64
_TAKE = list.pop
# When the watcher wakes so many times later than it wanted, threads wait for the GIL; then it adds
# a worker in one tick out of so many.
_LATE = 3
_LATE_TICKS = 8
# Whether threads run Python code at the same time.
_PARALLEL = not getattr(sys, "_is_gil_enabled", lambda: True)()


class PoolDispatcher:
    """A run queue and its workers; one for the whole program is enough.

    Args:
        workers: threads that run when nothing blocks; more give no throughput under the GIL.
        max_workers: up to how many the watcher adds for blocking it cannot see. Waits that the
            library sees are replaced beyond it.
        tick: seconds without progress after which the watcher wakes or adds workers.
    """

    runs_in_any_thread = True

    def __init__(
        self, workers: int = _WORKERS, max_workers: int = _MAX_WORKERS, tick: float = _TICK
    ) -> None:
        """Start without threads; they come with the first process."""
        self._queue: deque[Process] = deque()
        # The locks at which workers wait, each until one more process is queued.
        self._parked: deque[threading.Lock] = deque()
        # Reentrant, and so is the bell: a signal handler, or a finalizer, may send and start too.
        self._lock = new_rlock()
        self._target = workers
        self._max_workers = max_workers
        self._tick = tick
        self._workers = 0
        self._blocked = 0
        self._made = 0
        # Whether a batch has ended since the watcher looked last.
        self._moved = False
        # What the watcher waits for while the queue is empty; one ring too many only wakes it.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        # Whether the watcher is awake; asked for each message.
        self._is_watched = False
        self._watcher: threading.Thread | None = None

    def attach(self, process: Process) -> None:
        """Give a new process its first batch, in this thread if that is possible."""
        if self._workers < self._target or self._watcher is None:
            self.man()
        if not runs_here(process, self, to_callers=process.may_wait):
            self.schedule(process)

    def man(self) -> None:
        """See to it that there are threads, for who runs a process's first batch itself."""
        if self._workers < self._target:
            self._add_worker()
        if self._watcher is None:
            self._add_watcher()

    def schedule(self, process: Process) -> None:
        """Queue a process whose slot was just taken."""
        self._queue.append(process)
        self._see_to_it(current.here)

    def offer(self, process: Process) -> None:
        """Take the slot of a process and queue it, unless somebody has the slot."""
        # As current.here, which costs a comparison more.
        here: Here = current.__dict__["here"]
        if here.host is not self:
            self._offer_from_outside(process, here)
            return
        try:
            self._queue.append(process.slot.pop())
        except IndexError:
            # Somebody has it.
            return
        # As _see_to_it, without its call.
        if _PARALLEL and self._parked:
            self._rouse()
        if not self._is_watched:
            self._wake_watcher()

    def _offer_from_outside(self, process: Process, here: Here) -> None:
        """Do so in a thread that is no worker, such as the main thread.

        There a signal's handler runs, and may raise, as for Ctrl-C. Between the slot and the queue
        that would be the end of the process, so this is one step, of C code.
        """
        try:
            self._queue.extend(map(_TAKE, (process.mailbox.slot,)))
        except IndexError:
            # Somebody has it.
            pass
        finally:
            self._see_to_it(here)

    def _see_to_it(self, here: Here, *, elsewhere: bool = False) -> None:
        """Have somebody take what was queued: this worker, unless it is to be `elsewhere`."""
        if self._parked and (here.host is not self or elsewhere or _PARALLEL):
            self._rouse()
        if not self._is_watched:
            self._wake_watcher()

    def _wake_watcher(self) -> None:
        self._is_watched = True
        self._bell.put(None)

    def schedule_elsewhere(self, process: Process) -> None:
        """Queue a process from a worker that may be busy for long."""
        self._queue.append(process)
        self._see_to_it(current.here, elsewhere=True)

    def _rouse(self) -> None:
        """Wake the worker that went to wait last, if one waits."""
        try:
            gate = self._parked.pop()
        except IndexError:
            return
        gate.release()

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
            elif self._queue:
                # This worker was to take it.
                self._rouse()
            reply.block(timeout)
        finally:
            with self._lock:
                self._blocked -= 1

    def threads(self) -> tuple[int, int]:
        """Return how many workers there are and how many of them wait for a reply."""
        with self._lock:
            return self._workers, self._blocked

    def _add_worker(self) -> None:
        if sys.is_finalizing():
            # Python 3.11 would wait for ever for the thread to begin.
            msg = "no thread can be started while the interpreter is taken down"
            raise RuntimeError(msg)
        begun: list[bool] = []
        counted = False
        try:
            with self._lock:
                self._made += 1
                name = f"supervisors-pool-{self._made}"
                self._workers += 1
                counted = True
            threading.Thread(target=self._begin, args=(begun,), name=name, daemon=True).start()
        except RuntimeError:
            # The operating system, or an ending interpreter, refuses threads.
            with self._lock:
                self._workers -= 1
                alone = self._workers == 0
            execute(("supervisors", "pool", "thread_refused"), {"count": 1}, {})
            if alone:
                raise
        except BaseException:
            # As Ctrl-C does. Where the thread has not begun it never may, so it must not count.
            with self._lock:
                if counted and not begun:
                    begun.append(False)
                    self._workers -= 1
            raise

    def _begin(self, begun: list[bool]) -> None:
        """Work, unless who started the thread was interrupted and does not count it."""
        with self._lock:
            if begun:
                return
            begun.append(True)
        self._work()

    def _add_watcher(self) -> None:
        """Start the watcher; where the system refuses the thread, the next process tries again."""
        watcher = threading.Thread(target=self._watch, name="supervisors-watcher", daemon=True)
        with self._lock:
            if self._watcher is not None:
                return
            self._watcher = watcher
        # Without the lock: a signal's handler may start actors meanwhile.
        try:
            watcher.start()
        except RuntimeError:
            self._watcher = None
            execute(("supervisors", "pool", "thread_refused"), {"count": 1}, {})
        except BaseException:
            # As Ctrl-C does: it may have begun or not; where it has, it leaves.
            self._watcher = None
            raise

    def _work(self) -> None:
        here = current.here
        here.host = self
        ready: deque[Any] = self._queue
        gate = _shut()
        actor: Any
        while True:
            try:
                process = ready.popleft()
            except IndexError:
                # An idle worker must not keep a dead actor, and its whole tree, alive.
                process = actor = user = item = result = None
                next_gate = self._park(gate)
                if next_gate is None:
                    return
                gate = next_gate
                continue
            try:
                # As run_turn, without its call. For what most turns are, one message, as take_turn.
                user = process.user
                if user and process.steady and not process.control:
                    actor = process.actor
                    process._thread_id = here.ident
                    here.process = process
                    try:
                        item = user.popleft()
                    except IndexError:  # drained by who ended the process
                        here.process = None
                        process._depart(here)
                        continue
                    process.handling = item
                    try:
                        if type(item) is process.direct:
                            result = actor.handle_cast(item)
                            if result is not None:
                                actor._otp_follow(result, None)
                        else:
                            process.take_other(actor, type(item), item)
                    except BaseException as error:  # noqa: BLE001  what a handler raises ends it alone
                        process.crash(error, item)
                    process.handling = IDLE
                    if user or process.ended:
                        if process.take_turn(BATCH, here):
                            ready.append(process)
                    else:
                        here.process = None
                        process.slot.append(process)
                        # What has come meanwhile; an order may have come during the handler.
                        if (user or process.control) and process.take_turn_again(here):
                            ready.append(process)
                elif process.take_turn(BATCH, here):
                    ready.append(process)
            except BaseException as error:  # noqa: BLE001  as there
                here.process = None
                fail_turn(process, error)
            self._moved = True
            if here.next is not None:
                self._follow_up(here)
            if answered and ready:
                give_way(answered)

    def _park(self, gate: threading.Lock) -> threading.Lock | None:
        """Wait for a process in the queue; return the next gate, None when one too many waits."""
        self._parked.append(gate)
        if not self._queue and gate.acquire(timeout=_LINGER):
            return gate
        try:
            self._parked.remove(gate)
        except ValueError:
            # Somebody has taken the gate out and opens it; or not, where a signal's handler raised
            # in between. Opened later still, it is nobody's any more.
            return gate if gate.acquire(timeout=_LINGER) else _shut()
        return gate if self._queue or not self._may_leave() else None

    def _follow_up(self, here: Here) -> None:
        """Run what the last turn handed over, and so on; but others get their turn too."""
        for _ in range(_CHAIN):
            process, here.next = here.next, None
            if process is None:
                return
            try:
                if process.take_turn(BATCH, here):
                    self._queue.append(process)
            except BaseException as error:  # noqa: BLE001  as there
                here.process = None
                fail_turn(process, error)
            self._moved = True
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
        reported, quiet, late = False, 0, 0
        me = threading.current_thread()
        while self._watcher is me:
            if not self._is_watched:
                self._bell.get()
            self._moved, began = False, time.monotonic()
            time.sleep(self._tick)
            if not self._queue:
                reported = False
                quiet += 1
                if quiet >= _QUIET:
                    quiet = 0
                    self._rest()
                continue
            quiet = 0
            if self._moved:
                continue
            if time.monotonic() - began > _LATE * self._tick:
                # This thread itself was kept from running: they compute, and more of them would not
                # go faster. But they may do so in C code and in part.
                late += 1
                if late % _LATE_TICKS:
                    continue
            room = self._max_workers - (self._workers - self._blocked)
            if self._parked:
                self._rouse()
            elif room > 0:
                # Twice as many each tick, or sixteen that sleep would take sixteen ticks.
                for _ in range(max(1, min(room, self._workers, len(self._queue)))):
                    self._add_worker()
            elif not reported:
                reported = True
                execute(
                    ("supervisors", "pool", "exhausted"),
                    {"workers": self._workers, "queued": len(self._queue)},
                    {},
                )

    def _rest(self) -> None:
        """Let the watcher wait until something is queued."""
        self._is_watched = False
        # Who queued before the line above may have seen that it is awake.
        if self._queue:
            self._is_watched = True


def _shut() -> threading.Lock:
    """Return a gate that somebody else is to open."""
    gate = threading.Lock()
    gate.acquire()
    return gate


pool = PoolDispatcher()

"""What the dispatchers decide, without their threads."""

from __future__ import annotations

import threading
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from supervisors import GenServer
from supervisors._runtime.current import current
from supervisors._runtime.own_thread import ThreadDispatcher
from supervisors._runtime.pool import PoolDispatcher
from supervisors._runtime.reply import Reply
from supervisors._runtime.turns import BATCH, run_turn
from supervisors.errors import UnhandledMessageError
from supervisors.exits import Crashed, ExitReason
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen


class Fake:
    """A process with `work` messages."""

    steady = False
    user = ()

    def __init__(self, work: int = 0) -> None:
        self.work = work
        self.ended = False
        self.actor_ref = self
        self.name = "fake"
        self.may_wait = True

    def take_turn(self, budget: int, here: dict[str, Any]) -> bool:
        self.work -= min(self.work, budget)
        return self.work > 0


def no_thread(monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> list[Any]:
    """Lets no thread start; returns the targets of those that would have."""
    started: list[Any] = []

    def start(thread: Any) -> None:
        if error is not None and "watcher" not in thread.name:
            raise error
        started.append(thread._target)

    monkeypatch.setattr(threading.Thread, "start", start)
    return started


class Noting(GenServer):
    """Counts what it is told, and does it where it is a function."""

    def init(self) -> None:
        self.count = 0

    def handle_cast(self, message: Any) -> None:
        self.count += 1
        if callable(message):
            message()


def taken(turns: ManualDispatcher) -> Any:
    """A process whose slot the test holds."""
    ref = Noting.start(dispatcher=turns)
    turns.run_until_idle()
    assert ref.process.mailbox.take_slot()
    return ref.process


def test_turn(turns: ManualDispatcher) -> None:
    """A turn is one batch; with nothing left the slot is given back."""
    process = taken(turns)
    for number in range(BATCH + 1):
        process.actor_ref.tell(number)
    assert run_turn(process)
    assert (process.actor.count, process.mailbox.slot) == (BATCH, [])
    assert not run_turn(process)
    assert (process.actor.count, process.mailbox.slot) == (BATCH + 1, [process])


def test_turn_meets_a_late_message(turns: ManualDispatcher) -> None:
    """A message that came while the slot was given back is not forgotten."""
    process = taken(turns)

    class Slot(list[Any]):
        def append(self, item: Any) -> None:
            super().append(item)
            process.mailbox.user.append("late")

    process.mailbox.lane()
    process.mailbox.slot = slot = Slot()
    assert run_turn(process)
    assert not slot


def test_slot_of_the_dead(turns: ManualDispatcher) -> None:
    """Nobody gets the slot of a process that has ended."""
    process = taken(turns)
    process.actor_ref.tell(process.kill)
    assert not run_turn(process)
    assert process.ended
    assert not process.mailbox.slot


def test_workers_come_with_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as wanted, and a watcher."""
    started = no_thread(monkeypatch)
    pool = PoolDispatcher(workers=2)
    assert pool.threads() == (0, 0)
    for _ in range(5):
        pool.attach(Fake())  # type: ignore[arg-type]
    assert pool.threads() == (2, 0)
    assert started.count(pool._watch) == 1


def test_no_thread_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker that is refused is an error of the start; a further one is only reported."""
    seen = Seen().of(("supervisors", "pool", "thread_refused"))
    no_thread(monkeypatch, RuntimeError("can't start new thread"))
    pool = PoolDispatcher()
    with pytest.raises(RuntimeError):
        pool.attach(Fake())  # type: ignore[arg-type]
    pool._workers = 1
    pool.attach(Fake())  # type: ignore[arg-type]
    seen.close()
    assert pool.threads() == (1, 0)
    assert len(seen.events) == 2


def test_wait_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that waits counts as blocked, and a spare one is there meanwhile."""
    no_thread(monkeypatch)
    pool = PoolDispatcher(workers=1)
    pool.attach(Fake())  # type: ignore[arg-type]
    counts: list[tuple[int, int]] = []

    class Waiting(Reply):
        def block(self, timeout: float | None) -> None:
            counts.append(pool.threads())

    pool.wait(Waiting(), None)
    assert counts == [(2, 1)]
    assert pool.threads() == (2, 0)
    assert pool._may_leave()
    assert not pool._may_leave()
    assert pool.threads() == (1, 0)


def test_a_turn_that_raises_costs_no_worker() -> None:
    """An error of the runtime itself is reported and ends the process; the worker goes on."""
    seen = Seen().of(("supervisors", "pool", "turn_failed"))
    pool = PoolDispatcher()

    finished: list[ExitReason] = []

    class Broken(Fake):
        def take_turn(self, budget: int, here: dict[str, Any]) -> bool:
            raise SystemExit

        def finish(self, reason: ExitReason) -> None:
            finished.append(reason)

        def _come_back(self) -> None:
            """Nobody has fenced it off."""

    ran: list[int] = []

    class Fine(Fake):
        def take_turn(self, budget: int, here: dict[str, Any]) -> bool:
            ran.append(1)
            return False

    pool._queue.extend((Broken(), Fine()))  # type: ignore[arg-type]
    pool._park = lambda gate: None  # type: ignore[method-assign]
    try:
        pool._work()
    finally:
        current.host = None
    seen.close()
    assert ran == [1]
    assert [type(reason) for reason in finished] == [Crashed]
    assert [metadata["error"] for _, _, metadata in seen.events] == ["SystemExit"]


def parked(pool: PoolDispatcher) -> threading.Lock:
    """Let a worker wait, and return its gate."""
    gate = threading.Lock()
    gate.acquire()
    pool._parked.append(gate)
    return gate


@pytest.mark.parametrize("parallel", [False, True])
def test_another_thread_wakes_a_worker(monkeypatch: pytest.MonkeyPatch, parallel: bool) -> None:
    """Who is no worker wakes the one that went to wait last; under the GIL no worker does."""
    monkeypatch.setattr("supervisors._runtime.pool._PARALLEL", parallel)
    pool = PoolDispatcher()
    pool._is_watched = True
    first, last = parked(pool), parked(pool)
    current.host = pool
    try:
        pool.schedule(Fake())  # type: ignore[arg-type]
    finally:
        current.host = None
    assert last.locked() != parallel
    if not parallel:
        pool.schedule(Fake())  # type: ignore[arg-type]
    assert not last.locked()
    assert first.locked()
    pool.schedule_elsewhere(Fake())  # type: ignore[arg-type]
    assert not first.locked()
    pool.schedule(Fake())  # type: ignore[arg-type]
    assert len(pool._queue) == (3 if parallel else 4)


@pytest.mark.parametrize("thread", ["main", "plain"])
def test_offered_processes_are_queued_once(
    turns: ManualDispatcher, monkeypatch: pytest.MonkeyPatch, thread: str
) -> None:
    """Who has the slot runs or queues the process already; a free slot is taken with queuing."""
    monkeypatch.setattr(current, "is_main", thread == "main")
    pool = PoolDispatcher()
    pool._is_watched = True
    process = taken(turns)
    pool.offer(process)
    assert not pool._queue
    process.mailbox.slot.append(process)
    gate = parked(pool)
    pool.offer(process)
    pool.offer(process)
    assert list(pool._queue) == [process]
    assert not process.mailbox.slot
    assert not gate.locked()


def test_a_worker_that_waits_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was to take next is taken by another, woken before it waits."""
    no_thread(monkeypatch)
    pool = PoolDispatcher(workers=1)
    pool._workers, pool._is_watched = 3, True
    gate = parked(pool)
    pool._queue.append(Fake())  # type: ignore[arg-type]
    was_locked: list[bool] = []

    class Waiting(Reply):
        def block(self, timeout: float | None) -> None:
            was_locked.append(gate.locked())

    pool.wait(Waiting(), None)
    assert was_locked == [False]


def test_parking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does not wait while something is queued, nor stay when it is one too many."""
    pool = PoolDispatcher(workers=1)
    pool._workers = 2
    gate = threading.Lock()
    gate.acquire()
    pool._queue.append(Fake())  # type: ignore[arg-type]
    assert pool._park(gate)
    assert not pool._parked
    pool._queue.clear()
    monkeypatch.setattr("supervisors._runtime.pool._LINGER", 0.0)
    assert not pool._park(gate)
    assert not pool._parked
    assert pool.threads() == (1, 0)
    assert pool._park(gate)


def test_parking_meets_a_waker() -> None:
    """A worker whose gate was taken meanwhile waits for it to be opened, and works."""
    pool = PoolDispatcher()

    class Gate:
        waits = 0

        def acquire(self, timeout: float) -> bool:
            self.waits += 1
            if self.waits == 1:
                # Somebody takes the gate out just when the wait is over.
                pool._parked.pop()
            return self.waits > 1

    gate: Any = Gate()
    passed: Any = pool._park(gate)
    assert passed is gate
    assert passed.waits == 2


def test_parking_meets_a_waker_that_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that was taken out and never opened costs no worker: a signal's handler had raised."""
    monkeypatch.setattr("supervisors._runtime.pool._LINGER", 0.0)
    pool = PoolDispatcher()
    pool._workers = pool._target
    gate = threading.Lock()
    gate.acquire()
    monkeypatch.setattr(pool, "_parked", Robbed())
    fresh = pool._park(gate)
    assert fresh is not None
    assert fresh is not gate
    gate.release()
    assert fresh.locked()


class Robbed(deque[Any]):
    """Somebody has always taken out what is to be removed."""

    def remove(self, item: Any) -> None:
        """Finds nothing."""
        raise ValueError


def test_watcher_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses the watcher its thread, the next process brings one."""
    asked: list[str] = []

    def start(thread: Any) -> None:
        asked.append(thread.name)
        if asked.count("supervisors-watcher") == 1 and thread.name == "supervisors-watcher":
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    seen = Seen().of(("supervisors", "pool", "thread_refused"))
    pool = PoolDispatcher(workers=1)
    pool.attach(Fake())  # type: ignore[arg-type]
    seen.close()
    assert len(seen.events) == 1
    assert (pool.threads(), pool._watcher) == ((1, 0), None)
    for _ in range(2):
        pool.attach(Fake())  # type: ignore[arg-type]
    assert (pool.threads(), asked.count("supervisors-watcher")) == ((1, 0), 2)


def test_own_thread_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ended before it was attached leaves no bell behind."""
    started = no_thread(monkeypatch)
    dispatcher = ThreadDispatcher()
    process: Any = Fake()
    process.ended = True
    dispatcher.detach(process)
    dispatcher.attach(process)
    bell = dispatcher._bells[process]
    assert bell is not None
    dispatcher._work(process, bell)
    assert dispatcher._bells == {}
    assert len(started) == 1


def test_own_thread_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused thread is an error of the start, and nothing is kept."""
    no_thread(monkeypatch, RuntimeError("can't start new thread"))
    dispatcher = ThreadDispatcher()
    process: Any = Fake()
    with pytest.raises(RuntimeError):
        dispatcher.attach(process)
    assert dispatcher._bells == {}
    dispatcher.schedule(process)


def test_own_thread_that_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal while a parked process gets its thread leaves it parked, until the next message."""
    dispatcher = ThreadDispatcher()
    process: Any = Fake()
    process.mailbox = SimpleNamespace(slot=[process])
    dispatcher._bells[process] = None
    no_thread(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        dispatcher.offer(process)
    assert (dispatcher._bells, process.mailbox.slot) == ({process: None}, [process])
    started = no_thread(monkeypatch)
    dispatcher.offer(process)
    dispatcher.offer(process)
    bell = dispatcher._bells[process]
    assert (len(started), process.mailbox.slot) == (1, [])
    assert [bell.get_nowait() for _ in range(bell.qsize())] == [None, process]


def test_own_thread_is_parked_while_somebody_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has taken the slot, and finds the thread gone, gets another one."""
    started = no_thread(monkeypatch)
    dispatcher = ThreadDispatcher()
    process: Any = Fake()
    process.mailbox = SimpleNamespace(slot=[process])

    class Parking(dict[Any, Any]):
        looks = 0

        def get(self, key: Any, default: Any = None) -> Any:
            self.looks += 1
            if self.looks == 2:
                self[key] = None
            return super().get(key, default)

    dispatcher._bells = Parking({process: "bell"})
    dispatcher.offer(process)
    bell = dispatcher._bells[process]
    assert (len(started), process.mailbox.slot) == (1, [])
    assert [bell.get_nowait() for _ in range(bell.qsize())] == [None, process]


def test_watcher_whose_start_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ctrl-C meets the start of the watcher, the next process brings one, which stays."""
    begun: list[Any] = []

    def start(thread: Any) -> None:
        if thread.name == "supervisors-watcher":
            begun.append(thread)
            if len(begun) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    pool = PoolDispatcher(workers=1)
    with pytest.raises(KeyboardInterrupt):
        pool.attach(Fake())  # type: ignore[arg-type]
    pool.attach(Fake())  # type: ignore[arg-type]
    assert pool._watcher is begun[1]
    # It had begun all the same.
    monkeypatch.setattr(threading, "current_thread", lambda: begun[0])
    pool._is_watched = True
    pool._watch()
    assert pool._is_watched


@pytest.mark.parametrize("begins", ["never", "before", "afterwards"])
def test_worker_whose_start_is_interrupted(monkeypatch: pytest.MonkeyPatch, begins: str) -> None:
    """Where Ctrl-C meets the start of a worker, only one that has begun by then counts."""
    threads: list[Any] = []

    def start(thread: Any) -> None:
        if "watcher" in thread.name:
            return
        threads.append(thread)
        if len(threads) == 1:
            if begins == "before":
                thread.run()
            raise KeyboardInterrupt

    worked: list[None] = []
    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(PoolDispatcher, "_work", lambda _: worked.append(None))
    pool = PoolDispatcher(workers=1)
    with pytest.raises(KeyboardInterrupt):
        pool.attach(Fake())  # type: ignore[arg-type]
    assert pool.threads() == (int(begins == "before"), 0)
    if begins == "afterwards":
        threads[0].run()
    assert len(worked) == int(begins == "before")
    pool.attach(Fake())  # type: ignore[arg-type]
    assert pool.threads() == (1, 0)
    assert len(threads) == (1 if begins == "before" else 2)


def used(turns: ManualDispatcher) -> Any:
    """A process that has had its first turn, and whose slot the test holds."""
    process = taken(turns)
    process.actor_ref.tell("first")
    assert not run_turn(process)
    process.actor.count = 0
    assert process.steady
    assert process.mailbox.take_slot()
    return process


def worked(process: Any) -> PoolDispatcher:
    """Has a worker run what the process has to do, in this thread; returns its pool."""
    pool = PoolDispatcher()
    pool._is_watched = True
    pool._park = lambda gate: None  # type: ignore[method-assign]
    host = current.host
    pool._queue.append(process)
    try:
        pool._work()
    finally:
        current.host = host
    return pool


def test_worker_takes_one_message(turns: ManualDispatcher) -> None:
    """A cast, then a cast of another type, then an ask: each alone, and the slot is given back."""
    process = used(turns)
    for message in (1, 2, "three"):
        process.actor_ref.tell(message)
        worked(process)
        assert process.mailbox.slot == [process]
        process.mailbox.slot.clear()
    reply = process.actor_ref.ask("anything", block=False)
    worked(process)
    assert process.actor.count == 3
    assert isinstance(reply.exception(0), UnhandledMessageError)
    assert process.ended
    assert not process.mailbox.slot
    assert current.here.process is None


def test_worker_meets_a_late_message(turns: ManualDispatcher) -> None:
    """What came while the slot was given back has a turn of its own, in the same worker."""
    process = used(turns)
    process.actor_ref.tell(1)
    late = ["late"]

    class Slot(list[Any]):
        def append(self, item: Any) -> None:
            super().append(item)
            if late:
                process.mailbox.user.append(late.pop())

    process.mailbox.slot = Slot()
    worked(process)
    assert (process.actor.count, process.mailbox.slot) == (2, [process])


def test_worker_meets_more(turns: ManualDispatcher) -> None:
    """What a handler tells its own actor comes in the same turn."""
    process = used(turns)
    process.actor_ref.tell(lambda: process.actor_ref.tell("more"))
    worked(process)
    assert (process.actor.count, process.mailbox.slot) == (2, [process])


def test_worker_meets_an_end(turns: ManualDispatcher) -> None:
    """Between the look and the message the lane was drained by who killed the process."""
    process = used(turns)

    class Drained(deque[Any]):
        def popleft(self) -> Any:
            # As another thread does.
            current.process = None
            process.kill()
            return super().popleft()

    process.mailbox.user = Drained(["never"])
    seen = Seen().of(("supervisors", "pool", "turn_failed"))
    worked(process)
    seen.close()
    assert process.ended
    assert (process.actor.count, process.mailbox.slot, seen.events) == (0, [], [])
    assert current.here.process is None


@pytest.mark.parametrize("way", ["raises", "kills"])
def test_worker_meets_an_end_in_a_handler(turns: ManualDispatcher, way: str) -> None:
    """The slot of what has ended is nobody's."""
    process = used(turns)

    def end() -> None:
        if way == "raises":
            raise ValueError
        process.kill()

    process.actor_ref.tell(end)
    process.actor_ref.tell("never")
    worked(process)
    assert process.ended
    assert (process.actor.count, process.mailbox.slot) == (1, [])

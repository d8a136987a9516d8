"""What the dispatchers decide, without their threads."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest

from supervisors._runtime.own_thread import ThreadDispatcher
from supervisors._runtime.pool import PoolDispatcher
from supervisors._runtime.reply import Reply
from supervisors._runtime.turns import BATCH, run_turn
from supervisors.exits import Crashed, ExitReason
from tests.unit.supervisors.stepped import Seen


class Fake:
    """A process with `work` messages."""

    def __init__(self, work: int = 0) -> None:
        self.work = work
        self.ended = False
        self.mailbox = self
        self.slot = threading.Lock()
        self.slot.acquire()
        self.actor_ref = self
        self.name = "fake"
        self.may_wait = True

    def run_batch(self, budget: int) -> bool:
        self.work -= min(self.work, budget)
        return self.work > 0

    def has_work(self) -> bool:
        return self.work > 0


def no_thread(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> list[Any]:
    """Lets no thread start; returns the targets of those that would have."""
    started: list[Any] = []

    def start(thread: Any) -> None:
        if error is not None and "watcher" not in thread.name:
            raise error
        started.append(thread._target)

    monkeypatch.setattr(threading.Thread, "start", start)
    return started


def test_turn() -> None:
    """A turn is one batch; with nothing left the slot is given back."""
    process: Any = Fake(BATCH + 1)
    assert run_turn(process)
    assert process.slot.locked()
    assert not run_turn(process)
    assert not process.slot.locked()


def test_turn_meets_a_late_message() -> None:
    """A message that came while the slot was given back is not forgotten."""
    process: Any = Fake()
    process.run_batch = lambda budget: setattr(process, "work", 1)
    assert run_turn(process)
    assert process.slot.locked()


def test_slot_of_the_dead() -> None:
    """Nobody gets the slot of a process that has ended."""
    process: Any = Fake()
    process.ended = True
    assert not run_turn(process)
    assert process.slot.locked()


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
        def run_batch(self, budget: int) -> bool:
            raise SystemExit

        def finish(self, reason: ExitReason) -> None:
            finished.append(reason)

    ran: list[int] = []

    class Fine(Fake):
        def run_batch(self, budget: int) -> bool:
            ran.append(1)
            return False

    items: list[Any] = [Broken(), Fine()]

    class Queue:
        def get(self, timeout: float) -> Any:
            if not items:
                raise queue.Empty
            return items.pop(0)

        def put(self, item: Any) -> None:
            items.append(item)

    pool._queue = Queue()  # type: ignore[assignment]
    pool._may_leave = lambda: True  # type: ignore[method-assign]
    pool._work()
    seen.close()
    assert ran == [1]
    assert [type(reason) for reason in finished] == [Crashed]
    assert [metadata["error"] for _, _, metadata in seen.events] == ["SystemExit"]


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

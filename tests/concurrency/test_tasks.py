"""Tasks and partitions with real threads: bounds, ends, deadlines, and nothing left."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    Abandoned,
    CallTimeout,
    ChildNotFoundError,
    Crashed,
    NoPartitionError,
    NoProcError,
    Normal,
    PartitionSupervisor,
    TaskAwaitError,
    TaskSupervisor,
    cancelled,
    unstopped,
)
from tests.concurrency.crew import DEADLINE, Doer, boom, together

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])
PAUSE = threading.Event()


def until_cancelled(entered: threading.Event) -> str:
    """Runs until it is told to stop."""
    entered.set()
    while not cancelled():
        PAUSE.wait(0.002)
    return "told"


def gone(crew: Any) -> None:
    """Waits until a task supervisor has no task."""
    for _ in range(int(DEADLINE / 0.002)):
        if not crew.count_children().specs:
            return
        PAUSE.wait(0.002)
    pytest.fail("tasks are left")


# ---- links -------------------------------------------------------------------------------------


@pytest.mark.contract("S177")
@DISPATCHERS
def test_a_crash_ends_a_caller_that_waits(dispatcher: str) -> None:
    """An actor in the middle of result() gets the exception, and ends by it or by the link."""
    with TaskSupervisor.start_link() as crew:
        ref = Doer.start(dispatcher=dispatcher)
        watch = ref.monitor()
        ref.tell(lambda _: crew.run(boom, dispatcher=dispatcher).result(DEADLINE))
        reason = watch.wait(DEADLINE).reason
        assert isinstance(reason, Crashed)
        assert isinstance(reason.exception, ValueError)
        gone(crew)


@pytest.mark.contract("S177", "S178")
@DISPATCHERS
def test_the_callers_crash(dispatcher: str) -> None:
    """It tells a linked task that runs to stop, and no other one."""
    with TaskSupervisor.start_link() as crew:
        entered = [threading.Event(), threading.Event()]
        ref = Doer.start(dispatcher=dispatcher)
        linked, free = (
            ref.call(lambda _, run=run, e=e: run(until_cancelled, e, dispatcher=dispatcher))
            for run, e in zip((crew.run, crew.run_nolink), entered, strict=True)
        )
        assert all(event.wait(DEADLINE) for event in entered)
        watch = linked.ref.monitor()
        ref.tell(boom)
        assert watch.wait(DEADLINE).reason == Normal()
        assert free.ref.is_alive()
        crew.terminate_child(free)
        assert not free.ref.is_alive()


@pytest.mark.contract("S178")
def test_a_task_outlives_its_caller() -> None:
    """What was started without a link runs to its end when the caller has crashed."""
    with TaskSupervisor.start_link() as crew:
        gate, ran = threading.Event(), threading.Event()

        def work() -> None:
            gate.wait(DEADLINE)
            ran.set()

        ref = Doer.start()
        watch = ref.monitor()
        ref.tell(lambda _: boom(crew.run_nolink(work)))
        watch.wait(DEADLINE)
        gate.set()
        assert ran.wait(DEADLINE)
        gone(crew)


# ---- results -----------------------------------------------------------------------------------


@pytest.mark.contract("S180")
def test_one_of_many_gets_it() -> None:
    """Of threads that take the same result at once exactly one has it."""
    with TaskSupervisor.start_link() as crew:
        for _ in range(20):
            task = crew.run(int, "7")
            got: list[Any] = []

            def take(task: Any = task, got: list[Any] = got) -> None:
                try:
                    got.append(task.result(DEADLINE))
                except TaskAwaitError:
                    got.append("refused")

            def look(task: Any = task, got: list[Any] = got) -> None:
                try:
                    got.append(task.yield_(DEADLINE).value)
                except TaskAwaitError:
                    got.append("refused")

            together(take, look, take, look)
            assert Counter(map(str, got)) == {"7": 1, "refused": 3}


@pytest.mark.contract("S180", "S181")
@DISPATCHERS
def test_waiting_in_vain(dispatcher: str) -> None:
    """yield_ may be repeated and then gives the value; result() in vain gives it up for good."""
    with TaskSupervisor.start_link() as crew:
        gate = threading.Event()
        tasks = [crew.run(gate.wait, DEADLINE, dispatcher=dispatcher) for _ in range(2)]
        assert [tasks[0].yield_(0.01), tasks[0].yield_(0.01)] == [None, None]
        with pytest.raises(CallTimeout):
            tasks[1].result(0.01)
        gate.set()
        assert tasks[0].yield_(DEADLINE).value is True
        with pytest.raises(TaskAwaitError):
            tasks[1].result(DEADLINE)
        gone(crew)


def test_await_in_a_loop() -> None:
    """Coroutines wait for tasks side by side while the loop goes on."""
    with TaskSupervisor.start_link() as crew:
        gate = threading.Event()

        async def main() -> list[Any]:
            tasks = [crew.run(lambda n: gate.wait(DEADLINE) and n, n) for n in range(5)]
            waiting = [asyncio.ensure_future(one(task)) for task in tasks]
            asyncio.get_running_loop().call_soon(gate.set)
            return await asyncio.gather(*waiting)

        async def one(task: Any) -> Any:
            return await task

        assert asyncio.run(main()) == list(range(5))


@pytest.mark.contract("S109", "S182")
def test_the_slot_is_free() -> None:
    """Who has a task's result can start the next one, whatever the bound, in all threads."""
    with TaskSupervisor.start_link(max_children=4) as crew:

        def work() -> None:
            for number in range(50):
                assert crew.run(abs, -number).result(DEADLINE) == number

        together(*[work] * 4)
        assert crew.count_children().specs == 0


# ---- ends --------------------------------------------------------------------------------------


@pytest.mark.contract("S181", "S183")
@DISPATCHERS
@pytest.mark.parametrize("limit", [0.02, BRUTAL_KILL])
@pytest.mark.parametrize("way", ["shutdown", "terminate_child", "stop"])
def test_a_task_that_does_not_stop(dispatcher: str, limit: Any, way: str) -> None:
    """After its own time it is abandoned and listed until it returns; it has no result."""
    entered, gate = threading.Event(), threading.Event()

    def stuck() -> str:
        entered.set()
        gate.wait(DEADLINE)
        return "late"

    crew = TaskSupervisor.start_link()
    task = crew.run(stuck, shutdown=limit, dispatcher=dispatcher)
    assert entered.wait(DEADLINE)
    watch = task.ref.monitor()
    match way:
        case "shutdown":
            assert task.shutdown() is None
        case "terminate_child":
            crew.terminate_child(task)
            with pytest.raises(ChildNotFoundError):
                crew.terminate_child(task)
        case _:
            crew.stop(timeout=DEADLINE)
    assert watch.wait(DEADLINE).reason == Abandoned()
    assert [entry.path.rpartition(".")[2] for entry in unstopped()] == ["stuck"]
    if way != "shutdown":
        with pytest.raises(NoProcError) as caught:
            task.result(DEADLINE)
        assert caught.value.reason == Abandoned()
    gate.set()
    crew.stop(timeout=DEADLINE)


@pytest.mark.contract("S181", "S183")
def test_a_task_that_looks_at_cancelled() -> None:
    """It stops in time, and what it returns is its outcome."""
    with TaskSupervisor.start_link() as crew:
        entered = threading.Event()
        task = crew.run(until_cancelled, entered, shutdown=DEADLINE)
        assert entered.wait(DEADLINE)
        assert task.shutdown().value == "told"


# ---- map ---------------------------------------------------------------------------------------


@pytest.mark.contract("S184")
@DISPATCHERS
def test_map_is_bounded(dispatcher: str) -> None:
    """Never do more run at once than asked for, and they do run at once."""
    with TaskSupervisor.start_link() as crew:
        lock, running, most = threading.Lock(), [0], [0]
        barrier = threading.Barrier(3)

        def work(number: int) -> int:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            barrier.wait(DEADLINE)
            with lock:
                running[0] -= 1
            return number

        results = crew.map(work, range(30), max_concurrency=3, dispatcher=dispatcher)
        assert list(results) == list(range(30))
        assert most == [3]
        gone(crew)


@pytest.mark.contract("S184")
def test_map_gives_what_is_done() -> None:
    """Unordered, what is done first comes first; ordered, it waits for its turn."""
    with TaskSupervisor.start_link() as crew:
        gates = [threading.Event() for _ in range(3)]

        def work(number: int) -> int:
            gates[number].wait(DEADLINE)
            return number

        gates[2].set()
        results = []
        for number in crew.map(work, range(3), max_concurrency=3, ordered=False):
            results.append(number)
            gates[number - 1].set()
        assert results == [2, 1, 0]

        gates = [threading.Event() for _ in range(3)]
        stream = crew.map(work, range(3), max_concurrency=3)
        threading.Timer(0.02, gates[0].set).start()
        gates[1].set()
        gates[2].set()
        assert list(stream) == [0, 1, 2]


@pytest.mark.contract("S184")
@pytest.mark.parametrize("in_actor", [True, False])
@pytest.mark.parametrize("ordered", [True, False])
def test_map_ends_what_runs(in_actor: bool, ordered: bool) -> None:
    """When the consumer stops early or raises, tasks that run are told, and have ended after it."""
    began: list[Any] = []
    told: list[Any] = []

    def work(number: int) -> int:
        if number == 0:
            return number
        began.append(number)
        while not cancelled():
            PAUSE.wait(0.002)
        told.append(number)
        return number

    def items() -> Iterator[int]:
        yield from itertools.count()

    with TaskSupervisor.start_link() as crew:

        def stops(_: object = None) -> int:
            for _result in crew.map(work, items(), max_concurrency=4, ordered=ordered):
                break
            left: int = crew.count_children().specs
            return left

        def raises(_: object = None) -> None:
            for _result in crew.map(work, items(), max_concurrency=4, ordered=ordered):
                raise LookupError

        if in_actor:
            ref = Doer.start()
            assert ref.call(stops, timeout=DEADLINE) == 0
            with pytest.raises(LookupError):
                ref.call(raises, timeout=DEADLINE)
            gone(crew)
        else:
            assert stops() == 0
            with pytest.raises(LookupError):
                raises()
            assert crew.count_children().specs == 0
        assert sorted(told) == sorted(began)
        assert set(told) <= {1, 2, 3}


@pytest.mark.contract("S184")
def test_map_abandons_what_does_not_stop() -> None:
    """A stream waits for its tasks as long as was said, and no longer."""
    entered, gate = threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number:
            entered.set()
            gate.wait(DEADLINE)
        return number

    with TaskSupervisor.start_link() as crew:
        stream = crew.map(work, [0, 1], max_concurrency=2, shutdown=0.02)
        assert next(stream) == 0
        assert entered.wait(DEADLINE)
        stream.close()
        gone(crew)
        assert len(unstopped()) == 1
        gate.set()


# ---- partitions --------------------------------------------------------------------------------


@pytest.mark.contract("S119", "S122")
def test_partitions_under_fire() -> None:
    """While partitions crash and come back, a key is always served by the same one."""

    class Owner(Doer):
        def init(self, number: int) -> None:
            self.number = number

    parts = PartitionSupervisor.start_link(
        Owner,
        partitions=3,
        with_arguments=lambda _, number: (number,),
        max_restarts=10**6,
        name="fired-at",
    )
    seen: dict[Any, set[int]] = {}

    def answer(key: Any) -> int:
        """Asks until the key's child, restarting perhaps, has answered."""
        for _ in range(int(DEADLINE / 0.002)):
            try:
                number: int = parts.partition(key).call(lambda self: self.number, timeout=DEADLINE)
            except NoProcError:
                PAUSE.wait(0.002)
            else:
                return number
        pytest.fail("the partition did not come back")

    def ask(key: Any) -> None:
        for turn in range(40):
            seen.setdefault(key, set()).add(answer(key))
            if turn % 10 == 0:
                parts.partition(key).cast(boom)

    together(*[lambda key=key: ask(key) for key in ("alice", 7, b"x")])
    assert [len(numbers) for numbers in seen.values()] == [1, 1, 1]
    assert seen[7] == {1}
    parts.stop(timeout=DEADLINE)


@pytest.mark.contract("S123")
def test_resizing_at_once() -> None:
    """Resizes from many threads come one after the other; lookups meanwhile find or refuse."""
    parts = PartitionSupervisor.start_link(Doer, partitions=4, name="resized")

    def resize(to: int) -> None:
        for _ in range(15):
            assert 0 <= parts.resize(to) <= 4

    def look() -> None:
        for key in range(60):
            try:
                parts.partition(key).call("x", timeout=DEADLINE)
            except (NoPartitionError, NoProcError):
                continue

    together(*[lambda to=to: resize(to) for to in (0, 2, 4)], look)
    assert parts.resize(3) in {0, 2, 4}
    assert (parts.partitions(), parts.count_children().active) == (3, 3)
    parts.stop(timeout=DEADLINE)

"""What many children cost: processor time of one thread, so that a busy machine does not count."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator

import pytest

from supervisors import DynamicSupervisor, GenServer, Supervisor, SupervisorRef
from supervisors.testing import ManualDispatcher

FEW, MANY = 500, 10_000
# Double the children, at most 2.3 times the time: 4 times where each looks at all others.
AT_MOST = 2.3 ** math.log2(MANY / FEW)

Start = Callable[[ManualDispatcher, int], SupervisorRef]


def static(turns: ManualDispatcher, count: int) -> SupervisorRef:
    """A static supervisor with this many children."""
    specs = [GenServer.child_spec(id=number, dispatcher=turns) for number in range(count)]
    sup: SupervisorRef = Supervisor.start(specs, strategy="one_for_all", dispatcher=turns)
    return sup


def dynamic(turns: ManualDispatcher, count: int) -> SupervisorRef:
    """A dynamic one."""
    sup: SupervisorRef = DynamicSupervisor.start(dispatcher=turns)
    for _ in range(count):
        sup.start_child(GenServer.child_spec(restart="temporary", dispatcher=turns))
    return sup


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Keeps the collector's looks at all objects out of the measure."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.contract("S102")
@pytest.mark.parametrize("start", [static, dynamic])
def test_linear(turns: ManualDispatcher, no_collection: None, start: Start) -> None:
    """Starting and stopping many children costs each of them what it costs each of few."""

    def seconds(count: int) -> tuple[float, float]:
        begin = time.thread_time()
        sup = start(turns, count)
        middle = time.thread_time()
        assert sup.count_children().active == count
        before_stop = time.thread_time()
        assert sup.stop()
        return middle - begin, time.thread_time() - before_stop

    few = [seconds(FEW) for _ in range(3)]
    many = seconds(MANY)
    for which in (0, 1):
        assert many[which] < AT_MOST * min(pair[which] for pair in few)

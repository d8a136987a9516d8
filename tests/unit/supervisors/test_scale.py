"""What many children cost, counted in steps of the interpreter: the same on a busy machine."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from supervisors import DynamicSupervisor, GenServer, Supervisor, SupervisorRef
from supervisors.testing import ManualDispatcher
from tests.striking import under_trace

FEW, MANY = 50, 400

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


def steps(act: Callable[[], object]) -> int:
    """Returns how many instructions of Python code this takes, loops counted each time round."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        # In this order: 3.13 notes the wish for opcodes only of a frame that is traced already.
        frame.f_trace = trace
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    under_trace(trace, act)
    return count


def test_each_step_is_counted() -> None:
    """From the first one on, in whichever version of Python."""

    def loop(count: int) -> None:
        for _ in range(count):
            pass

    few, many = steps(lambda: loop(10)), steps(lambda: loop(110))
    assert many - few in {200, 300}
    assert few > 20


@pytest.mark.contract("S102")
@pytest.mark.parametrize("start", [static, dynamic])
def test_linear(turns: ManualDispatcher, start: Start) -> None:
    """Each of many children is started and stopped in as many steps as each of few."""

    def of_each(count: int) -> tuple[float, float]:
        sups: list[SupervisorRef] = []
        starting = steps(lambda: sups.append(start(turns, count)))
        assert sups[0].count_children().active == count
        stopping = steps(sups[0].stop)
        return starting / count, stopping / count

    of_each(FEW)  # what the interpreter does once only
    few, many = of_each(FEW), of_each(MANY)
    assert many[0] < 1.1 * few[0]
    assert many[1] < 1.1 * few[1]

"""One deadline for the stop of a whole tree, and what each child gets of it."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import BRUTAL_KILL, Shutdown
from supervisors._machines.vocabulary import (
    BootRequested,
    FinishSupervisor,
    KillChild,
    ShutdownRequested,
    TimerFired,
    TimerKind,
)
from tests.unit.supervisors.rig import Rig, spec


def stubborn(*shutdowns: Any, **flags: Any) -> Rig:
    """A booted machine whose children a, b, c … do not stop, with these limits of their own."""
    specs = [spec("abcdef"[i], shutdown=limit) for i, limit in enumerate(shutdowns)]
    machine = Rig(*specs, **flags).boot()
    machine.stubborn = set("abcdef")
    return machine


def stop_by(machine: Rig, deadline: float) -> None:
    """Orders the supervisor to stop by this moment."""
    machine.feed(ShutdownRequested(Shutdown(), deadline))


def pending(machine: Rig) -> list[float]:
    """Returns the moments at which children will be killed."""
    return [at for (kind, _), at in machine.timers.items() if kind is TimerKind.STOP_DEADLINE]


@pytest.mark.contract("S88")
def test_shares() -> None:
    """Each child may take half of what is left, the last one nine tenths; all is over in time."""
    machine = stubborn(None, None, None)
    stop_by(machine, 10.0)
    for child, at in (("c", 5.0), ("b", 7.5), ("a", 9.75)):
        assert machine.ids("stop")[-1] == child
        assert pending(machine) == [at]
        machine.advance(at - machine.now)
    assert machine.log[-1] == "finish"
    assert machine.now < 10.0


def test_own_limit_is_shorter() -> None:
    """A child's own shutdown binds where it is shorter, and BRUTAL_KILL kills at once."""
    machine = stubborn(None, BRUTAL_KILL, 1.0)
    stop_by(machine, 10.0)
    assert pending(machine) == [1.0]
    machine.advance(1.0)
    assert machine.log == ["stop c", "kill c", "kill b", "stop a"]


def test_quick_children_leave_the_time() -> None:
    """Who stops at once takes nothing of the others' time."""
    machine = stubborn(None, None, None)
    machine.stubborn = {"a"}
    stop_by(machine, 10.0)
    assert pending(machine) == [9.0]


def test_dynamic_shares() -> None:
    """Children that are stopped all at once wait for nobody: each has nine tenths."""
    machine = stubborn(None, 2.0, None, dynamic=True)
    stop_by(machine, 10.0)
    assert sorted(pending(machine)) == [2.0, 9.0, 9.0]


def test_child_supervisors_get_a_deadline() -> None:
    """What a child gets is its own deadline, so that a supervisor below keeps to it."""
    machine = stubborn(None, None)
    stop_by(machine, 10.0)
    machine.advance(5.0)
    assert machine.deadlines == {"b": 5.0, "a": 9.5}


def test_without_a_deadline() -> None:
    """Without one nothing is hurried and infinity is infinity."""
    machine = stubborn(None)
    machine.shut_down()
    assert (pending(machine), machine.deadlines) == ([], {"a": None})


def test_deadline_during_a_stop() -> None:
    """A deadline that comes later binds what is under way, and only ever brings it forward."""
    machine = stubborn(None, 3.0, None)
    machine.shut_down()
    stop_by(machine, 10.0)
    assert pending(machine) == [5.0]
    assert machine.ids("stop") == ["c", "c"]
    stop_by(machine, 20.0)
    assert pending(machine) == [5.0]
    stop_by(machine, 2.0)
    assert pending(machine) == [1.0]
    machine.advance(1.0)
    assert pending(machine) == [1.5]


def test_own_limit_is_not_extended() -> None:
    """A child that has used most of its own time gets no more by the deadline of all."""
    machine = stubborn(3.0)
    machine.shut_down()
    machine.advance(2.5)
    stop_by(machine, 60.0)
    assert pending(machine) == [3.0]


def test_slow_start() -> None:
    """Under a deadline an init that does not return is ended too."""
    machine = Rig(spec("a"), spec("b"))
    machine.slow = {"b"}
    machine.feed(BootRequested())
    stop_by(machine, 10.0)
    assert pending(machine) == [5.0]
    ordered = machine.machine.handle(machine_timer(machine), 5.0)
    assert ordered == [KillChild(machine.started[-1].incarnation, whole=True)]
    machine.finish_start("killed")
    assert machine.log[-2:] == ["stop a", "refuse"]


def test_start_that_comes_through() -> None:
    """An init that returns in time is not killed by the timer that was set for it."""
    machine = Rig(spec("a"), spec("b"))
    machine.slow = {"b"}
    machine.feed(BootRequested())
    machine.stubborn = {"b"}
    stop_by(machine, 10.0)
    machine.now = 4.0
    machine.finish_start()
    assert pending(machine) == [7.0]
    machine.advance(1.0)
    assert "kill b" not in machine.log
    machine.advance(2.0)
    assert machine.log[-3:] == ["kill b", "stop a", "finish"]
    assert isinstance(machine.outcome, FinishSupervisor)


@pytest.mark.contract("S76")
def test_static_children_end_in_rows() -> None:
    """Idle children end in few steps, the last first; who has to be asked has its turn between."""
    machine = Rig(*map(spec, range(200))).boot()
    machine.quick = set(range(200)) - {50, 51}
    rows: list[int] = []
    end_now = machine.machine.end_now

    def counted(incarnations: list[int]) -> int:
        rows.append(len(incarnations))
        return end_now(incarnations)

    machine.machine.end_now = counted
    machine.feed(ShutdownRequested(Shutdown()))
    words = ["stop" if number in {50, 51} else "end" for number in range(200)]
    assert machine.log == [f"{words[number]} {number}" for number in range(199, -1, -1)] + [
        "finish"
    ]
    assert len(rows) < 20
    assert max(rows) < 100


def machine_timer(machine: Rig) -> Any:
    """Returns the event of the one timer that waits."""
    [key] = machine.timers
    return TimerFired(*key)

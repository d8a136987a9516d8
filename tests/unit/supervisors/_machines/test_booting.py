"""The first start beside instances that a predecessor had to abandon."""

from __future__ import annotations

import pytest

from supervisors import Abandoned, ChildStuckError, Crashed, FailedToStartChild, Shutdown
from supervisors._machines.vocabulary import ChildReturned, RefuseStart, Report
from tests.unit.supervisors.rig import Rig, spec

BOOM = Crashed(RuntimeError("boom"))


def inheriting(policy: str, strategy: str, max_abandoned: int | None = None) -> Rig:
    """A machine with a, b and c, where an old b still runs, after its boot."""
    machine = Rig(
        spec("a"),
        spec("b", on_stuck=policy),
        spec("c", restart="temporary"),
        strategy=strategy,
        max_abandoned=max_abandoned,
    )
    inner = machine.machine
    old = next(child for child in inner.children if child.spec.id == "b")
    inner.stuck.add(-1, old)
    return machine.boot()


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_replace(strategy: str) -> None:
    """A twin is started."""
    machine = inheriting("replace", strategy)
    assert set(machine.states().values()) == {"running"}


@pytest.mark.parametrize(
    ("strategy", "meanwhile", "then"),
    [
        ("one_for_one", ["running", "restarting", "running"], ["b"]),
        ("rest_for_one", ["running", "restarting", "stopped"], ["b", "c"]),
        ("one_for_all", ["stopped", "restarting", "stopped"], ["a", "b", "c"]),
    ],
)
def test_wait(strategy: str, meanwhile: list[str], then: list[str]) -> None:
    """It comes up with the child held, and with those that would be restarted with it."""
    machine = inheriting("wait", strategy)
    assert list(machine.states().values()) == meanwhile
    assert [info.next_attempt for info in machine.children()] == [None] * 3
    machine.feed(ChildReturned(-1))
    assert machine.ids("start") == then
    assert set(machine.states().values()) == {"running"}
    # These were first starts.
    assert [info.restarts for info in machine.children()] == [0, 0, 0]
    assert {report.kind for report in machine.reports} == {Report.CHILD_STARTED}
    machine.end("b", BOOM)
    assert next(info.restarts for info in machine.children() if info.id == "b") == 1


def test_wait_is_cancelled() -> None:
    """terminate_child ends the wait; what is started on request later counts as any start."""
    machine = inheriting("wait", "one_for_one")
    assert machine.ask("terminate_child", "b") is None
    assert isinstance(machine.ask("restart_child", "b"), ChildStuckError)
    machine.feed(ChildReturned(-1))
    assert machine.states()["b"] == "stopped"
    assert machine.ask("restart_child", "b") == machine.ref("b")
    machine.end("b", BOOM)
    assert machine.reports[-1].kind is Report.CHILD_RESTARTED


def test_escalate() -> None:
    """It does not come up, and starts nobody."""
    machine = inheriting("escalate", "one_for_one")
    assert machine.started == []
    assert isinstance(machine.outcome, RefuseStart)
    assert machine.outcome.reason == Shutdown(FailedToStartChild("b", Abandoned()))
    assert isinstance(machine.outcome.error, ChildStuckError)


def test_the_bound_is_for_its_own() -> None:
    """What a predecessor left behind does not count against max_abandoned."""
    machine = inheriting("wait", "one_for_one", max_abandoned=0)
    machine.end("a", BOOM)
    assert machine.outcome is None
    assert machine.states()["a"] == "running"

"""Start-up and shutdown: order, deadlines, rollback, reports."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    Abandoned,
    ChildSpecError,
    Crashed,
    ExitReason,
    FailedToStartChild,
    GaveUp,
    Killed,
    Normal,
    Shutdown,
)
from supervisors._machines.restart_rules import is_orderly
from supervisors._machines.vocabulary import (
    BootRequested,
    ChildExited,
    FinishSupervisor,
    RefuseStart,
    Report,
    RequestReceived,
    RequestVerb,
    ShutdownRequested,
    TimerFired,
    TimerKind,
)
from tests.unit.supervisors.rig import Rig, rig, spec

BOOM = Crashed(RuntimeError("boom"))


# ---- start-up ----------------------------------------------------------------------------------


@pytest.mark.contract("S19")
def test_boot_waits_for_each_child() -> None:
    """Children start left to right, one after the other; then the start is confirmed."""
    machine = Rig(*map(spec, "abc"))
    machine.slow = {"a", "b", "c"}
    machine.feed(BootRequested())
    for child in "abc":
        assert machine.ids("start")[-1] == child
        assert "confirm" not in machine.log
        machine.finish_start()
    assert machine.log == ["start a", "start b", "start c", "confirm"]


@pytest.mark.contract("S64")
def test_boot_is_rolled_back() -> None:
    """A child that fails stops those before it in reverse order; the start names it and why."""
    machine = Rig(*map(spec, "abcd"))
    machine.inits["c"] = [BOOM]
    machine.feed(BootRequested())
    assert machine.log == [*(f"start {i}" for i in "abc"), "stop b", "stop a", "refuse"]
    match machine.outcome:
        case RefuseStart(Shutdown(FailedToStartChild("c", reason)), "c", RuntimeError()):
            assert reason is BOOM
        case other:
            pytest.fail(f"{other}")


@pytest.mark.contract("S71")
def test_boot_with_ignoring_children() -> None:
    """IGNORE is success: a temporary child is dropped, another one can be started later."""
    machine = Rig(spec("a"), spec("b", restart="temporary"), spec("c"))
    machine.inits = {"a": ["ignore"], "b": ["ignore"]}
    machine.feed(BootRequested())
    assert machine.log[-1] == "confirm"
    assert machine.states() == {"a": "stopped", "c": "running"}
    assert machine.ask("restart_child", "a") is machine.ref("a")


def test_shutdown_during_boot() -> None:
    """A shutdown that comes while the children start is done after them, before all else."""
    machine = Rig(*map(spec, "ab"))
    machine.slow = {"a", "b"}
    machine.feed(BootRequested())
    asked = machine.send("count_children")
    machine.shut_down(Normal())
    machine.finish_start()
    machine.finish_start()
    assert machine.log[-4:] == ["confirm", "stop b", "stop a", "finish"]
    assert machine.answers[asked] == []


# ---- shutdown ----------------------------------------------------------------------------------


@pytest.mark.contract("S76")
def test_shutdown_one_at_a_time() -> None:
    """A static supervisor asks the next child when the one after it is down."""
    machine = rig("abc")
    machine.stubborn = {"a", "b", "c"}
    machine.shut_down()
    for child, rest in (("c", "ba"), ("b", "a"), ("a", "")):
        assert machine.ids("stop")[-1] == child
        assert len(machine.alive) == len(rest) + 1
        machine.end(child, Shutdown())
    assert machine.log[-1] == "finish"


@pytest.mark.contract("S80")
def test_dynamic_shutdown_all_at_once() -> None:
    """A dynamic supervisor asks all children at once, each under its own deadline."""
    machine = Rig(*(spec(i, shutdown=n) for n, i in enumerate("abc", start=1)), dynamic=True).boot()
    machine.stubborn = {"a", "b", "c"}
    machine.shut_down()
    assert machine.ids("stop") == ["a", "b", "c"]
    assert sorted(machine.timers.values()) == [1.0, 2.0, 3.0]
    machine.end("b", Shutdown())
    machine.advance(1.0)
    machine.advance(2.0)
    assert machine.ids("kill") == ["a", "c"]
    assert machine.log[-1] == "finish"


@pytest.mark.contract("S77")
def test_deadline_kills() -> None:
    """A child that does not stop in its seconds is killed, and the shutdown goes on."""
    machine = Rig(spec("a"), spec("b", shutdown=0.5)).boot()
    machine.stubborn = {"b"}
    machine.shut_down()
    machine.advance(0.49)
    assert machine.log == ["stop b"]
    machine.advance(0.02)
    assert machine.log == ["stop b", "kill b", "stop a", "finish"]
    assert machine.timers == {}


@pytest.mark.contract("S77")
def test_deadline_is_cancelled_by_the_end() -> None:
    """A child that stops in time is not killed later, even if its timer has fired already."""
    machine = Rig(spec("a", shutdown=0.5)).boot()
    machine.stubborn = {"a"}
    token = machine.send("terminate_child", "a")
    [(kind, incarnation)] = machine.timers
    machine.end("a", Shutdown())
    assert machine.timers == {}
    machine.feed(TimerFired(kind, incarnation))
    assert machine.ids("kill") == []
    assert machine.answers[token] == [None]


@pytest.mark.contract("S78")
def test_brutal_kill() -> None:
    """BRUTAL_KILL asks nothing and arms nothing."""
    machine = Rig(spec("a"), spec("b", shutdown=BRUTAL_KILL)).boot()
    machine.shut_down()
    assert machine.log == ["kill b", "stop a", "finish"]


@pytest.mark.contract("S79")
def test_no_deadline() -> None:
    """shutdown=None waits for ever, as supervisors do by default."""
    machine = Rig(spec("a", type="supervisor")).boot()
    machine.stubborn = {"a"}
    machine.shut_down()
    machine.advance(1e9)
    assert (machine.log, machine.timers) == (["stop a"], {})


@pytest.mark.contract("S81")
@pytest.mark.parametrize("reason", [Normal(), BOOM, Killed()])
def test_death_during_shutdown(reason: ExitReason) -> None:
    """A child that dies while others are stopped neither hangs nor ends the shutdown."""
    machine = rig("abc")
    machine.stubborn = {"c"}
    machine.shut_down()
    machine.end("a", reason)
    machine.end("c", Shutdown())
    assert machine.log == ["stop c", "stop b", "finish"]
    ends = [report.reason for report in machine.reports if report.child_id == "a"]
    assert ends == [reason]


@pytest.mark.contract("S84")
def test_reason_is_the_supervisors_own() -> None:
    """Whatever the supervisor is stopped with is its own reason; children are asked to stop."""
    machine = rig("a")
    machine.shut_down(BOOM)
    assert machine.log == ["stop a", "finish"]
    assert machine.outcome == FinishSupervisor(BOOM)


@pytest.mark.contract("S82")
@pytest.mark.parametrize(
    ("reason", "silent_for"),
    [
        (Shutdown(), {"permanent", "transient", "temporary"}),
        (GaveUp("s", 1, 1.0), {"permanent", "transient", "temporary"}),
        (Shutdown("detail"), {"transient", "temporary"}),
        (Normal(), {"transient", "temporary"}),
        (BOOM, set()),
        (Killed(), set()),
        (Abandoned(), set()),
    ],
)
def test_reports_of_ordered_ends(reason: ExitReason, silent_for: set[str]) -> None:
    """An ordered end is reported unless it is the shutdown that was asked for."""
    for restart in ("permanent", "transient", "temporary"):
        machine = Rig(spec("a", restart=restart)).boot()
        machine.stubborn = {"a"}
        machine.send("terminate_child", "a")
        machine.end("a", reason)
        expected = [] if restart in silent_for else [Report.SHUTDOWN_ERROR]
        assert [report.kind for report in machine.reports] == expected


@pytest.mark.contract("S82")
@pytest.mark.parametrize("reason", [Killed(), Abandoned()])
def test_brutal_end_is_silent(reason: ExitReason) -> None:
    """Who is to be killed is not reported for that."""
    assert is_orderly(spec("a", shutdown=BRUTAL_KILL), reason)
    assert not is_orderly(spec("a", shutdown=1.0), reason)


@pytest.mark.contract("S196", "S197")
@pytest.mark.parametrize(
    ("restart", "reason", "reported"),
    [
        ("permanent", Normal(), True),
        ("permanent", BOOM, True),
        ("transient", Normal(), False),
        ("transient", Shutdown("x"), False),
        ("transient", BOOM, True),
        ("temporary", Shutdown(), False),
        ("temporary", BOOM, True),
    ],
)
def test_reports_of_ends(restart: str, reason: ExitReason, reported: bool) -> None:
    """A permanent child's end is always reported, another's when it is no clean one."""
    machine = Rig(spec("a", restart=restart)).boot()
    dead = machine.ref("a")
    machine.end("a", reason)
    found = [report for report in machine.reports if report.kind is Report.CHILD_TERMINATED]
    assert [(report.child_id, report.ref, report.reason) for report in found] == (
        [("a", dead, reason)] if reported else []
    )


@pytest.mark.contract("S194", "S200")
@pytest.mark.parametrize("dynamic", [False, True])
def test_every_start_is_reported(dynamic: bool) -> None:
    """Each start and restart gives one report with the child's reference and specification."""
    child = spec("a", restart="transient")
    machine = Rig(dynamic=dynamic).boot()
    first = machine.ask("start_child", child)
    machine.end("a", BOOM)
    found = [report for report in machine.reports if report.kind is not Report.CHILD_TERMINATED]
    assert [(report.kind, report.ref, report.restarts) for report in found] == [
        (Report.CHILD_STARTED, first, 0),
        (Report.CHILD_RESTARTED, machine.ref("a"), 1),
    ]
    assert all(report.spec is child for report in found)


# ---- the end -----------------------------------------------------------------------------------


EVENTS: list[Any] = [
    BootRequested(),
    ChildExited(2, BOOM),
    TimerFired(TimerKind.RETRY, 2),
    TimerFired(TimerKind.STOP_DEADLINE, 2),
    RequestReceived(0, RequestVerb.COUNT_CHILDREN),
    RequestReceived(0, RequestVerb.START_CHILD, spec("z")),
    ShutdownRequested(Normal()),
]


@pytest.mark.parametrize("event", EVENTS, ids=range(len(EVENTS)))
@pytest.mark.parametrize("how", ["finish", "refuse"])
def test_nothing_after_the_end(how: str, event: Any) -> None:
    """After the last command no event brings another one."""
    machine = Rig(spec("a"))
    machine.inits["a"] = [BOOM] if how == "refuse" else ["ok"]
    machine.feed(BootRequested())
    if how == "finish":
        machine.shut_down()
    assert machine.outcome is not None
    assert machine.machine.handle(event, 1.0) == []


@pytest.mark.contract("S9")
def test_significant_child_is_refused_later_too() -> None:
    """start_child refuses a significant child where auto_shutdown is never."""
    machine = rig("a")
    refusal = machine.ask("start_child", spec("b", restart="transient", significant=True))
    assert isinstance(refusal, ChildSpecError)
    assert refusal.problem == "bad_combination"
    assert machine.log == []


# ---- ends that take no time --------------------------------------------------------------------


@pytest.mark.contract("S76", "S93")
def test_a_child_that_ends_at_once_is_not_asked() -> None:
    """No order, no timer and no news of it; what follows is as for any other stop."""
    machine = rig("abc")
    machine.quick = {"a", "b", "c"}
    machine.ask("terminate_child", "b")
    assert machine.states() == {"a": "running", "b": "stopped", "c": "running"}
    machine.shut_down()
    assert machine.log == ["end b", "end c", "end a", "finish"]
    assert machine.timers == {}


@pytest.mark.contract("S30", "S76")
def test_what_was_ordered_comes_before_an_end_at_once() -> None:
    """The report of a crash comes before the first sibling is stopped, which is asked therefore."""
    machine = rig("abcd", strategy="one_for_all")
    machine.quick = set("abcd")
    machine.end("b", BOOM)
    stops = ["stop d", "end c", "end a"]
    assert machine.log == [*stops, *(f"start {i}" for i in "abcd")]
    kinds = [report.kind for report in machine.reports]
    assert kinds == [Report.CHILD_TERMINATED, *[Report.CHILD_RESTARTED] * 4]


@pytest.mark.contract("S78")
def test_a_child_that_is_to_be_killed_is_not_ended_at_once() -> None:
    """BRUTAL_KILL stays a kill."""
    machine = Rig(spec("a", shutdown=BRUTAL_KILL)).boot()
    machine.quick = {"a"}
    machine.ask("terminate_child", "a")
    assert machine.log == ["kill a"]

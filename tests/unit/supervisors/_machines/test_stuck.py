"""Children that were abandoned and still run: twins, held restarts, escalation, and the bound."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    Abandoned,
    AlreadyPresentError,
    Backoff,
    ChildSpec,
    ChildStuckError,
    Crashed,
    GaveUp,
    OnStuck,
    Shutdown,
)
from supervisors._machines.children import Child
from supervisors._machines.stuck import StuckTable
from supervisors._machines.vocabulary import (
    ChildAbandoned,
    ChildFailed,
    ChildReturned,
    FinishSupervisor,
    Report,
)
from tests.unit.supervisors.rig import Rig, spec

BOOM = Crashed(RuntimeError("boom"))


def pair(policy: str, *, strategy: str = "one_for_all", **flags: Any) -> Rig:
    """A booted machine with a and b; b does not stop and is abandoned when it is killed."""
    machine = Rig(
        spec("a"), spec("b", on_stuck=policy, shutdown=2.0), strategy=strategy, **flags
    ).boot()
    machine.stuck = {"b"}
    return machine


def abandon(machine: Rig, child_id: str) -> int:
    """Lets somebody kill the child inside a handler; returns its incarnation."""
    incarnation = machine.ref(child_id).incarnation
    exited = machine.gone(child_id, Abandoned())
    machine.feed(ChildAbandoned(incarnation), exited)
    return incarnation


def end_of(machine: Rig) -> Any:
    """Returns the reason with which the supervisor ended."""
    assert isinstance(machine.outcome, FinishSupervisor)
    return machine.outcome.reason


# ---- the policies ------------------------------------------------------------------------------


def test_replace() -> None:
    """A new instance is started beside the stuck one."""
    machine = pair("replace")
    machine.end("a", BOOM)
    machine.advance(2.0)
    assert machine.log == ["stop b", "kill b", "start a", "start b"]


def test_wait() -> None:
    """No instance of the group is started before the stuck handler returns; charged once."""
    machine = pair("wait")
    old = machine.ref("b").incarnation
    machine.end("a", BOOM)
    machine.advance(2.0)
    assert machine.log == ["stop b", "kill b"]
    assert machine.states() == {"a": "restarting", "b": "stopped"}
    assert [report.kind for report in machine.reports][-1] is Report.RESTART_HELD
    machine.advance(100.0)
    assert "start a" not in machine.log
    machine.feed(ChildReturned(old))
    assert machine.log[2:] == ["start a", "start b"]
    assert machine.ask("describe").counted == 0  # the charge of a hundred seconds ago


def test_wait_alone() -> None:
    """Under one_for_one the sibling goes on; the child is RESTARTING until its thread is gone."""
    machine = pair("wait", strategy="one_for_one")
    old = abandon(machine, "b")
    assert machine.states() == {"a": "running", "b": "restarting"}
    assert machine.log == []
    machine.feed(ChildReturned(old))
    assert machine.log == ["start b"]
    assert machine.ask("describe").counted == 1


def test_wait_for_all_of_the_group() -> None:
    """The restart is made when the last stuck member of the group has returned."""
    specs = [spec(i, on_stuck="wait", shutdown=1.0) for i in "abc"]
    machine = Rig(*specs, strategy="one_for_all").boot()
    old = {i: machine.ref(i).incarnation for i in "abc"}
    machine.stuck = {"b", "c"}
    machine.end("a", BOOM)
    machine.advance(1.0)
    machine.advance(1.0)
    machine.feed(ChildReturned(old["b"]))
    assert not machine.ids("start")
    machine.feed(ChildReturned(old["c"]))
    assert machine.ids("start") == ["a", "b", "c"]


def test_return_before_the_news() -> None:
    """A handler that returned before its abandonment was heard of holds up nothing."""
    machine = pair("wait", strategy="one_for_one")
    incarnation = machine.ref("b").incarnation
    exited = machine.gone("b", Abandoned())
    machine.feed(ChildReturned(incarnation), ChildAbandoned(incarnation), exited)
    assert machine.log == ["start b"]


def test_wait_after_a_pause() -> None:
    """A backoff's pause is over first; then the held restart waits without a timer."""
    machine = pair("wait", strategy="one_for_one", backoff=Backoff(initial=1.0, jitter=0.0))
    old = abandon(machine, "b")
    assert list(machine.timers.values()) == [1.0]
    machine.advance(1.0)
    assert (machine.log, machine.timers) == ([], {})
    machine.feed(ChildReturned(old))
    assert machine.log == ["start b"]


def test_return_during_the_pause() -> None:
    """A handler that returns during the backoff's pause does not shorten it."""
    machine = pair("wait", strategy="one_for_one", backoff=Backoff(initial=1.0, jitter=0.0))
    old = abandon(machine, "b")
    machine.feed(ChildReturned(old))
    assert machine.log == []
    machine.advance(1.0)
    assert machine.log == ["start b"]


def test_start_that_is_stuck() -> None:
    """An init that was abandoned by its time-out is not tried again while it runs."""
    machine = pair("wait", strategy="one_for_one")
    machine.stuck = set()
    machine.slow = {"b"}
    machine.end("b", BOOM)
    old = machine.started[-1].incarnation
    machine.feed(ChildAbandoned(old), ChildFailed(old, "late"))
    assert machine.ids("start") == ["b"]
    assert machine.states()["b"] == "restarting"
    machine.feed(ChildReturned(old))
    assert machine.ids("start") == ["b", "b"]


@pytest.mark.contract("S72")
def test_held_restart_is_cancelled() -> None:
    """terminate_child cancels a held restart; the return of the handler starts nothing then."""
    machine = pair("wait", strategy="one_for_one")
    old = abandon(machine, "b")
    assert machine.ask("terminate_child", "b") is None
    machine.feed(ChildReturned(old))
    assert machine.log == []
    assert machine.states()["b"] == "stopped"


def test_shutdown_while_held() -> None:
    """A supervisor stops without the thread that it waits for."""
    machine = pair("wait", strategy="one_for_one")
    abandon(machine, "b")
    machine.shut_down()
    assert machine.log == ["stop a", "finish"]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all"])
def test_escalate(strategy: str) -> None:
    """The supervisor gives up, at once and without a charge, and says that a child is stuck."""
    machine = pair("escalate", strategy=strategy, backoff=Backoff(initial=1.0))
    abandon(machine, "b")
    assert machine.log == ["stop a", "finish"]
    match end_of(machine):
        case GaveUp(child_id="b", reason=Abandoned(), stuck=True):
            pass
        case other:
            pytest.fail(f"{other}")


def test_escalate_of_a_bystander() -> None:
    """So it does when the stuck child would be restarted for another one's sake."""
    machine = pair("escalate")
    machine.end("a", BOOM)
    machine.advance(2.0)
    assert machine.log == ["stop b", "kill b", "finish"]
    assert (end_of(machine).child_id, end_of(machine).stuck) == ("b", True)


def test_nothing_to_replace() -> None:
    """A temporary child that is stuck is not restarted, so nothing is held or escalated."""
    for policy in OnStuck:
        machine = Rig(spec("a", restart="temporary", on_stuck=str(policy))).boot()
        abandon(machine, "a")
        assert (machine.log, machine.outcome) == ([], None)


def test_budget_per_child() -> None:
    """Where each child has a budget of its own, the one that escalates is given up alone."""
    machine = pair("escalate", strategy="one_for_one", budget_per_child=True)
    abandon(machine, "b")
    assert machine.states() == {"a": "running"}
    assert machine.outcome is None


# ---- requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["wait", "escalate"])
def test_requests(policy: str) -> None:
    """No request starts a twin that the policy forbids, not under the same id either."""
    machine = pair(policy, strategy="one_for_one")
    old = machine.ref("b").incarnation
    machine.send("terminate_child", "b")
    machine.advance(2.0)
    assert isinstance(machine.ask("restart_child", "b"), ChildStuckError)
    twin = spec("b", on_stuck=policy)
    assert isinstance(machine.ask("start_child", twin), AlreadyPresentError)
    machine.ask("delete_child", "b")
    assert isinstance(machine.ask("start_child", twin), ChildStuckError)
    assert machine.ids("start") == []
    assert machine.ask("start_child", spec("other", on_stuck=policy)) is machine.ref("other")
    machine.feed(ChildReturned(old))
    assert machine.ask("start_child", twin) is machine.ref("b")


def test_requests_may_replace() -> None:
    """With "replace" a request starts a new instance at once."""
    machine = pair("replace", strategy="one_for_one")
    machine.send("terminate_child", "b")
    machine.advance(2.0)
    assert machine.ask("restart_child", "b") is machine.ref("b")


# ---- the bound ---------------------------------------------------------------------------------


def test_bound() -> None:
    """One abandoned instance more than max_abandoned ends the supervisor; no twin comes before."""
    machine = pair("replace", strategy="one_for_one", max_abandoned=1, max_restarts=9)
    first = abandon(machine, "b")
    assert machine.log == ["start b"]
    machine.feed(ChildReturned(first))
    abandon(machine, "b")
    assert machine.log == ["start b", "start b"]
    machine.stuck = set()
    abandon(machine, "b")
    assert machine.log[2:] == ["stop a", "finish"]
    assert end_of(machine) == GaveUp("supervisor", 9, 5.0, "b", Abandoned(), stuck=True)


def test_bound_passed_by_a_group() -> None:
    """A group restart that abandons one too many starts none of the group."""
    machine = pair("replace", max_abandoned=0)
    machine.end("a", BOOM)
    machine.advance(2.0)
    assert machine.log == ["stop b", "kill b", "finish"]
    assert end_of(machine).stuck


def test_bound_passed_by_requests() -> None:
    """It counts those that were abandoned on request as well; a running twin is stopped too."""
    machine = pair("replace", strategy="one_for_one", max_abandoned=0)
    machine.send("terminate_child", "b")
    machine.advance(2.0)
    assert machine.log == ["stop b", "kill b", "stop a", "finish"]
    assert end_of(machine).stuck


def test_no_bound() -> None:
    """None bears any number."""
    machine = pair("replace", strategy="one_for_one", max_abandoned=None, max_restarts=99)
    for _ in range(50):
        abandon(machine, "b")
    assert machine.outcome is None


def test_shutdown_comes_first() -> None:
    """A supervisor that is stopping goes on with that, whatever is abandoned meanwhile."""
    machine = pair("escalate", strategy="one_for_one", max_abandoned=0)
    machine.shut_down()
    machine.advance(2.0)
    assert machine.log == ["stop b", "kill b", "stop a", "finish"]
    assert end_of(machine) == Shutdown()


def test_table_is_not_about_strangers() -> None:
    """An incarnation that no child has is not listed."""
    table = StuckTable(0)
    table.add(7, None)
    assert len(table) == 0
    child = Child("a", ChildSpec("a", start=print))
    table.add(8, child)
    assert (len(table), table.has(child), table.last()) == (1, True, child)

"""Restarts: which children, how often, and what happens when they fail."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    Abandoned,
    AutoShutdown,
    Crashed,
    ExitReason,
    GaveUp,
    Killed,
    NoProc,
    Normal,
    Shutdown,
)
from supervisors._machines.vocabulary import FinishSupervisor, Report
from tests.unit.supervisors.rig import Rig, quick_backoff, rig, spec

BOOM = Crashed(RuntimeError("boom"))


# ---- restart type × reason ---------------------------------------------------------------------


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(
    ("restart", "reason", "after"),
    [
        pytest.param("permanent", Normal(), "running", marks=pytest.mark.contract("S41")),
        pytest.param("permanent", Shutdown(), "running", marks=pytest.mark.contract("S42")),
        pytest.param("permanent", Shutdown("x"), "running", marks=pytest.mark.contract("S42")),
        pytest.param("permanent", BOOM, "running", marks=pytest.mark.contract("S43")),
        pytest.param("permanent", Killed(), "running"),
        pytest.param("transient", Normal(), "stopped", marks=pytest.mark.contract("S44")),
        pytest.param("transient", Shutdown(), "stopped", marks=pytest.mark.contract("S44")),
        pytest.param("transient", Shutdown("x"), "stopped", marks=pytest.mark.contract("S44")),
        pytest.param(
            "transient", GaveUp("s", 1, 1.0), "stopped", marks=pytest.mark.contract("S49")
        ),
        pytest.param("transient", BOOM, "running", marks=pytest.mark.contract("S45", "S47")),
        pytest.param("transient", Killed(), "running", marks=pytest.mark.contract("S45", "S47")),
        pytest.param("transient", Abandoned(), "running", marks=pytest.mark.contract("S45")),
        pytest.param("transient", NoProc(), "running", marks=pytest.mark.contract("S45")),
        pytest.param("temporary", Normal(), None, marks=pytest.mark.contract("S46")),
        pytest.param("temporary", Shutdown("x"), None, marks=pytest.mark.contract("S46")),
        pytest.param("temporary", BOOM, None, marks=pytest.mark.contract("S46", "S63")),
        pytest.param("temporary", Killed(), None, marks=pytest.mark.contract("S46", "S63")),
    ],
)
def test_each_row(restart: str, reason: ExitReason, after: str | None, dynamic: bool) -> None:
    """A child is restarted, kept or forgotten by its type and reason, and only a restart counts."""
    machine = Rig(spec("a", restart=restart), spec("b"), dynamic=dynamic, max_restarts=1).boot()
    machine.end("a", reason)
    if dynamic and after == "stopped":
        after = None
    assert machine.states().get("a") == after
    assert machine.states()["b"] == "running"
    assert machine.machine.budget.counted(machine.now) == (after == "running")


# ---- strategies --------------------------------------------------------------------------------


@pytest.mark.contract("S29")
def test_one_for_one() -> None:
    """Only the dead child is started; the others keep their references."""
    machine = rig("abc")
    others = machine.ref("a"), machine.ref("c")
    machine.end("b", BOOM)
    assert machine.log == ["start b"]
    assert (machine.ref("a"), machine.ref("c")) == others


@pytest.mark.contract("S30", "S39")
def test_one_for_all() -> None:
    """The survivors stop in reverse order, once, before any child starts, in order."""
    machine = rig("abcd", strategy="one_for_all")
    machine.end("b", BOOM)
    assert machine.log == [*("stop d", "stop c", "stop a"), *(f"start {i}" for i in "abcd")]


@pytest.mark.contract("S31", "S39")
def test_rest_for_one() -> None:
    """Those after the dead child stop in reverse order; then it and they start in order."""
    machine = rig("abcd", strategy="rest_for_one")
    machine.end("b", BOOM)
    assert machine.log == ["stop d", "stop c", "start b", "start c", "start d"]


@pytest.mark.contract("S30")
def test_group_stops_one_at_a_time() -> None:
    """The next child is asked to stop only when the one after it is down."""
    machine = rig("abc", strategy="one_for_all")
    machine.stubborn = {"b"}
    machine.end("c", BOOM)
    assert machine.log == ["stop b"]
    machine.end("b", Normal())
    assert machine.log == ["stop b", "stop a", "start a", "start b", "start c"]


@pytest.mark.contract("S32")
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_temporary_bystander(strategy: str) -> None:
    """A temporary member of the group is stopped and forgotten."""
    machine = Rig(spec("a"), spec("b", restart="temporary"), spec("c"), strategy=strategy).boot()
    machine.end("a", BOOM)
    assert machine.log == ["stop c", "stop b", "start a", "start c"]
    assert list(machine.states()) == ["a", "c"]


@pytest.mark.contract("S33")
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_group_starts_stopped_members(strategy: str) -> None:
    """Members that were stopped or had finished are started with the group."""
    machine = Rig(spec("a"), spec("b"), spec("c", restart="transient"), strategy=strategy).boot()
    machine.ask("terminate_child", "b")
    machine.end("c", Normal())
    machine.log.clear()
    machine.end("a", BOOM)
    assert machine.log == ["start a", "start b", "start c"]


@pytest.mark.contract("S34")
@pytest.mark.parametrize(
    ("restart", "reason"), [("temporary", BOOM), ("transient", Normal()), ("temporary", Normal())]
)
def test_no_group_action(restart: str, reason: ExitReason) -> None:
    """A child that is not restarted moves nobody."""
    machine = Rig(spec("a"), spec("b", restart=restart), strategy="one_for_all").boot()
    machine.end("b", reason)
    assert machine.log == []
    assert machine.states()["a"] == "running"


@pytest.mark.contract("S35", "S62")
@pytest.mark.parametrize(
    ("strategy", "cost"), [("one_for_all", 1), ("rest_for_one", 1), ("one_for_one", 2)]
)
def test_two_deaths_together(strategy: str, cost: int) -> None:
    """The second death of a group is absorbed by the stop; under one_for_one both count."""
    machine = rig("abc", strategy=strategy)
    machine.feed(machine.gone("a", BOOM), machine.gone("c", BOOM))
    assert machine.machine.budget.counted(0.0) == cost
    assert set(machine.states().values()) == {"running"}
    assert len(machine.started) == 3 + {"one_for_one": 2}.get(strategy, 3)


@pytest.mark.contract("S36")
def test_linked_siblings() -> None:
    """Two siblings that a link ends together are both restarted, and two restarts count."""
    machine = rig("ab", max_restarts=1)
    machine.feed(machine.gone("a", BOOM), machine.gone("b", BOOM))
    assert isinstance(machine.outcome, FinishSupervisor)
    assert isinstance(machine.outcome.reason, GaveUp)


@pytest.mark.contract("S35", "S48")
def test_death_during_the_group_stop() -> None:
    """A member that dies while its group stops is not stopped again, nor counted."""
    machine = rig("abc", strategy="one_for_all")
    machine.stubborn = {"c"}
    machine.end("b", BOOM)
    assert machine.log == ["stop c"]
    machine.end("a", BOOM)
    machine.end("c", BOOM)
    assert machine.log == ["stop c", "start a", "start b", "start c"]
    assert machine.machine.budget.counted(0.0) == 1


@pytest.mark.contract("S37")
def test_late_child_joins_at_the_end() -> None:
    """A child that is added later is last in every order."""
    machine = rig("ab", strategy="one_for_all")
    machine.ask("start_child", spec("c"))
    machine.log.clear()
    machine.end("a", BOOM)
    assert machine.log == ["stop c", "stop b", "start a", "start b", "start c"]
    machine.log.clear()
    machine.shut_down()
    assert machine.ids("stop") == ["c", "b", "a"]


@pytest.mark.contract("S38")
def test_place_in_the_order_is_kept() -> None:
    """A child that was terminated and restarted is where it was."""
    machine = rig("abc", strategy="rest_for_one")
    machine.ask("terminate_child", "b")
    machine.ask("restart_child", "b")
    machine.log.clear()
    machine.end("b", BOOM)
    assert machine.log == ["stop c", "start b", "start c"]


# ---- intensity ---------------------------------------------------------------------------------


@pytest.mark.contract("S52", "S53", "S57", "S198")
@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_gives_up_at_one_more(allowed: int) -> None:
    """N restarts are made; the next crash ends the supervisor, others stopped in reverse order."""
    machine = rig("abc", max_restarts=allowed)
    for _ in range(allowed):
        machine.end("b", BOOM)
    assert machine.log == ["start b"] * allowed
    machine.log.clear()
    machine.reports.clear()
    machine.end("b", BOOM)
    assert machine.log == ["stop c", "stop a", "finish"]
    assert [report.kind for report in machine.reports] == [
        Report.CHILD_TERMINATED,
        Report.GAVE_UP,
    ]
    assert machine.outcome == FinishSupervisor(GaveUp("supervisor", allowed, 5.0, "b", BOOM))


@pytest.mark.contract("S58", "S59")
def test_window_boundary() -> None:
    """A restart counts for exactly max_seconds, both ends included."""
    inside, outside = rig("a", max_restarts=1), rig("a", max_restarts=1)
    for machine, pause in ((inside, 5.0), (outside, 5.0 + 1e-9)):
        machine.end("a", BOOM)
        machine.advance(pause)
        machine.end("a", BOOM)
    assert inside.outcome is not None
    assert outside.outcome is None


@pytest.mark.contract("S54")
def test_window_is_shared() -> None:
    """Crashes of different children count together."""
    machine = rig("abc", max_restarts=2)
    for child in "abc":
        machine.end(child, BOOM)
    assert machine.ids("start") == ["a", "b"]
    assert machine.outcome is not None


@pytest.mark.contract("S55", "S56", "S66", "S199")
def test_every_attempt_counts() -> None:
    """A restart whose init fails is tried until the budget is used up, and reported each time."""
    machine = rig("ab", max_restarts=4)
    machine.inits["b"] = [BOOM] * 9
    machine.end("b", BOOM)
    assert machine.ids("start") == ["b"] * 4
    kinds = [report.kind for report in machine.reports]
    assert kinds.count(Report.START_FAILED) == 4
    assert machine.log[-2:] == ["stop a", "finish"]
    assert isinstance(machine.outcome, FinishSupervisor)
    assert machine.outcome.reason == GaveUp("supervisor", 4, 5.0, "b", BOOM)


@pytest.mark.contract("S61", "S95")
def test_manual_actions_are_free() -> None:
    """Starting, stopping and restarting by request costs no restart, failures included."""
    machine = rig("ab", max_restarts=0)
    machine.inits["b"] = [BOOM, "ok"]
    machine.ask("terminate_child", "b")
    assert isinstance(machine.ask("restart_child", "b"), RuntimeError)
    machine.ask("restart_child", "b")
    machine.ask("start_child", spec("c"))
    machine.ask("terminate_child", "c")
    assert machine.machine.budget.counted(0.0) == 0
    assert machine.outcome is None


@pytest.mark.contract("S62")
def test_group_restart_costs_one() -> None:
    """Restarting three children at once is one restart."""
    machine = rig("abc", strategy="one_for_all", max_restarts=1)
    machine.end("a", BOOM)
    assert machine.machine.budget.counted(0.0) == 1
    assert set(machine.states().values()) == {"running"}


@pytest.mark.contract("S48")
def test_ordered_end_is_never_counted() -> None:
    """A child that is told to stop and crashes at that is neither counted nor restarted."""
    machine = rig("ab", max_restarts=0)
    machine.stubborn = {"b"}
    token = machine.send("terminate_child", "b")
    machine.end("b", BOOM)
    assert machine.answers[token] == [None]
    assert machine.states() == {"a": "running", "b": "stopped"}
    assert machine.outcome is None


# ---- restarts that fail ------------------------------------------------------------------------


@pytest.mark.contract("S66")
def test_failed_restart_leaves_siblings() -> None:
    """While a child does not come back its siblings run, and it does in the end."""
    machine = rig("abc")
    machine.inits["b"] = [BOOM, BOOM]
    machine.end("b", BOOM)
    assert machine.log == ["start b", "retry later"] * 2 + ["start b"]
    assert set(machine.states().values()) == {"running"}


@pytest.mark.contract("S67", "S193")
def test_requests_are_answered_between_attempts() -> None:
    """What waited before an attempt failed is answered before the next one."""
    machine = rig("ab", max_restarts=100)
    machine.inits["b"] = [BOOM] * 3
    machine.slow = {"b"}
    machine.end("b", BOOM)
    token = machine.send("which_children")
    assert machine.answers[token] == []
    machine.finish_start(BOOM)
    [infos] = machine.answers[token]
    assert [(info.id, repr(info.ref)) for info in infos[:1]] == [("b", "RESTARTING")]


@pytest.mark.contract("S68")
def test_failed_restart_in_one_for_all() -> None:
    """Members restarted in that round are stopped again, and all is tried from the first."""
    machine = rig("abc", strategy="one_for_all", max_restarts=9)
    machine.inits["b"] = [BOOM]
    machine.end("c", BOOM)
    assert machine.log == [
        *("stop b", "stop a", "start a", "start b", "retry later"),
        *("stop a", "start a", "start b", "start c"),
    ]


@pytest.mark.contract("S69")
def test_failed_restart_in_rest_for_one() -> None:
    """Members restarted before the one that fails are kept; the retry begins with it."""
    machine = rig("abcd", strategy="rest_for_one", max_restarts=9)
    machine.inits["c"] = [BOOM]
    machine.end("b", BOOM)
    assert machine.log == [
        *("stop d", "stop c", "start b", "start c", "retry later"),
        *("start c", "start d"),
    ]


@pytest.mark.contract("S70")
@pytest.mark.parametrize("dynamic", [False, True])
def test_ignored_restart(dynamic: bool) -> None:
    """A restart that is ignored ends the attempts; dynamic children are dropped by it."""
    machine = Rig(spec("a"), spec("b"), dynamic=dynamic).boot()
    machine.inits["b"] = ["ignore"]
    machine.end("b", BOOM)
    assert machine.log == ["start b"]
    assert machine.states().get("b") == (None if dynamic else "stopped")


@pytest.mark.contract("S74")
def test_slow_start_loses_nothing() -> None:
    """While a child's init runs, requests and deaths wait and are handled afterwards, in order."""
    machine = rig("ab")
    machine.slow = {"c"}
    started = machine.send("start_child", spec("c"))
    asked = machine.send("count_children")
    machine.end("a", BOOM)
    assert machine.answers[started] == machine.answers[asked] == []
    assert machine.ids("start") == ["c"]
    machine.finish_start()
    assert machine.answers[asked][0].active == 3
    assert machine.ids("start") == ["c", "a"]


@pytest.mark.contract("S157")
def test_end_heard_of_before_the_start() -> None:
    """A child whose end is heard of before its start is restarted all the same."""
    machine = rig("a")
    machine.slow = {"a"}
    machine.end("a", BOOM)
    incarnation = machine.started[-1].incarnation
    from supervisors._machines.vocabulary import ChildExited, ChildStarted

    machine.feed(ChildExited(incarnation, Killed()))
    assert machine.ids("start") == ["a"]
    machine.slow = set()
    machine.feed(ChildStarted(incarnation, object()))
    assert machine.ids("start") == ["a", "a"]
    assert machine.states() == {"a": "running"}


def test_old_news_changes_nothing() -> None:
    """The end of an instance that was replaced is not taken for that of its successor."""
    machine = rig("a")
    old = machine.gone("a", BOOM)
    machine.feed(old, old)
    assert machine.ids("start") == ["a"]
    assert machine.states() == {"a": "running"}


# ---- backoff -----------------------------------------------------------------------------------


@pytest.mark.contract("S75")
def test_backoff_pauses() -> None:
    """Each restart waits for its pause, visible in which_children; each is charged."""
    machine = Rig(spec("a"), backoff=quick_backoff(), max_restarts=9).boot()
    machine.end("a", BOOM)
    assert machine.log == []
    machine.advance(0.25)
    [info] = machine.children()
    assert (repr(info.ref), info.next_attempt) == ("RESTARTING", 0.75)
    machine.advance(0.75)
    assert machine.log == ["start a"]
    machine.end("a", BOOM)
    machine.advance(1.9)
    assert machine.log == ["start a"]
    machine.advance(0.1)
    assert machine.log == ["start a", "start a"]
    assert machine.machine.budget.counted(machine.now) == 2


@pytest.mark.contract("S75")
@pytest.mark.parametrize("how", ["terminate", "shutdown"])
def test_backoff_is_cancelled(how: str) -> None:
    """terminate_child and shutdown cancel the pause."""
    machine = Rig(spec("a"), backoff=quick_backoff()).boot()
    machine.end("a", BOOM)
    assert machine.timers
    if how == "terminate":
        assert machine.ask("terminate_child", "a") is None
        assert machine.states() == {"a": "stopped"}
    else:
        machine.shut_down()
        assert machine.outcome is not None
    assert machine.timers == {}
    machine.advance(100.0)
    assert machine.log in ([], ["finish"])


def test_backoff_of_a_child_comes_first() -> None:
    """A child's own backoff is taken instead of its supervisor's."""
    machine = Rig(spec("a", backoff=quick_backoff(initial=3.0)), backoff=quick_backoff()).boot()
    machine.end("a", BOOM)
    assert list(machine.timers.values()) == [3.0]


def test_backoff_grows_through_a_long_outage() -> None:
    """Failing starts do not begin anew, however long the child has not run."""
    machine = Rig(spec("a"), backoff=quick_backoff(), max_restarts=10**6, max_seconds=1.0).boot()
    machine.inits["a"] = [BOOM] * 10
    machine.end("a", BOOM)
    pauses = []
    for _ in range(8):
        [at] = machine.timers.values()
        pauses.append(at - machine.now)
        machine.advance(at - machine.now)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0]


@pytest.mark.parametrize(("ran", "pause"), [(16.0, 2.0), (16.1, 1.0)])
def test_backoff_forgets_after_a_quiet_time(ran: float, pause: float) -> None:
    """A child that ran longer than reset_after begins with the first pause again."""
    machine = Rig(spec("a"), backoff=quick_backoff(), max_restarts=9).boot()
    machine.end("a", BOOM)
    machine.advance(1.0)
    machine.advance(ran)
    machine.end("a", BOOM)
    [at] = machine.timers.values()
    assert at - machine.now == pytest.approx(pause)


def test_backoff_with_a_budget_gives_up() -> None:
    """A pause does not keep the budget from being used up."""
    machine = Rig(spec("a"), spec("b"), backoff=quick_backoff(factor=1.0), max_restarts=2).boot()
    for _ in range(2):
        machine.end("a", BOOM)
        machine.advance(1.0)
    machine.log.clear()
    machine.end("a", BOOM)
    assert machine.log == ["stop b", "finish"]


def test_group_restart_cancels_a_pause() -> None:
    """A waiting member of the group is started with it, and its own pause is over."""
    machine = Rig(
        spec("a", backoff=quick_backoff()), spec("b"), strategy="one_for_all", max_restarts=9
    ).boot()
    machine.end("a", BOOM)
    machine.end("b", BOOM)
    assert machine.log == ["start a", "start b"]
    assert machine.timers == {}
    machine.advance(50.0)
    assert machine.log == ["start a", "start b"]


# ---- significant children ----------------------------------------------------------------------


def significant(mode: str, *children: tuple[str, str, bool], **flags: Any) -> Rig:
    """A supervisor with auto_shutdown and children (id, restart, significant)."""
    specs = [spec(i, restart=restart, significant=sig) for i, restart, sig in children]
    return Rig(*specs, auto_shutdown=AutoShutdown(mode), **flags).boot()


T, U, P = ("t", "transient", True), ("u", "temporary", True), ("p", "permanent", False)


@pytest.mark.contract("S23", "S27")
def test_any_significant() -> None:
    """The first significant child that ends stops the others in reverse order; Shutdown."""
    machine = significant("any_significant", P, T, U)
    machine.end("t", Normal())
    assert machine.log == ["stop u", "stop p", "finish"]
    assert machine.outcome == FinishSupervisor(Shutdown())


@pytest.mark.contract("S24")
def test_all_significant() -> None:
    """Only the last running significant child that ends stops the supervisor."""
    machine = significant("all_significant", P, T, U)
    machine.end("t", Normal())
    assert machine.outcome is None
    machine.end("u", BOOM)
    assert machine.log == ["stop p", "finish"]


@pytest.mark.contract("S24")
def test_all_significant_waits_for_a_restart() -> None:
    """A significant child between two lives is still a running one."""
    machine = significant("all_significant", T, U, backoff=quick_backoff())
    machine.end("t", BOOM)
    machine.end("u", Normal())
    assert machine.outcome is None


@pytest.mark.contract("S25")
def test_significant_crash() -> None:
    """A transient one that crashes is restarted; a temporary one ends the supervisor."""
    machine = significant("any_significant", T, U)
    machine.end("t", BOOM)
    assert (machine.log, machine.outcome) == (["start t"], None)
    machine.end("u", BOOM)
    assert machine.outcome == FinishSupervisor(Shutdown())


@pytest.mark.contract("S26")
@pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
def test_significant_stopped_on_purpose(mode: str) -> None:
    """Stopping one by request, or as a bystander, does not end the supervisor."""
    machine = significant(mode, T, U, P, strategy="one_for_all")
    machine.ask("terminate_child", "t")
    machine.end("p", BOOM)
    assert machine.states() == {"t": "running", "p": "running"}
    machine.ask("terminate_child", "t")
    assert machine.outcome is None


@pytest.mark.contract("S28")
@pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
def test_other_children_never_trigger(mode: str) -> None:
    """Children that are not significant end as they like."""
    machine = significant(mode, T, ("x", "temporary", False), ("y", "transient", False))
    machine.end("x", BOOM)
    machine.end("y", Normal())
    assert machine.outcome is None

"""Supervisors of real actors, stepped by hand."""

from __future__ import annotations

import gc
import math
import weakref
from datetime import timedelta
from functools import partial
from typing import Any

import pykka
import pytest

from supervisors import (
    IGNORE,
    RESTARTING,
    AlreadyStartedError,
    Backoff,
    ChildSpec,
    ChildSpecError,
    Crashed,
    FailedToStartChild,
    GaveUp,
    GenServer,
    NoProcError,
    Registry,
    SelfCallError,
    SpecProblem,
    StartError,
    Supervisor,
    SupervisorSpec,
    check_childspecs,
    via,
    whereis,
)
from supervisors._runtime.calling import start_and_wait
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen, SteppedTimers
from tests.unit.supervisors.trees import Worker, child, start, worker

ONE = "one_for_one"


# ---- options -----------------------------------------------------------------------------------


@pytest.mark.contract("S17")
def test_defaults(turns: ManualDispatcher) -> None:
    """Three restarts in five seconds, visible in describe(); the strategy has no default."""
    sup = start(turns)
    info = sup.describe()
    assert (info.strategy, info.max_restarts, info.max_seconds) == (ONE, 3, 5.0)
    assert sup.stop()
    with pytest.raises(TypeError, match="strategy"):
        Supervisor.start_link([])


@pytest.mark.contract("S18")
@pytest.mark.parametrize(
    ("rules", "problem", "said"),
    [
        ({"strategy": "one_for_some"}, "bad_strategy", "'one_for_one', 'one_for_all'"),
        ({"max_restarts": -1}, "bad_intensity", "0 or more, not -1"),
        ({"max_restarts": 1.5}, "bad_intensity", "whole number"),
        ({"max_restarts": True}, "bad_intensity", "whole number"),
        ({"max_seconds": 0}, "bad_period", "more than 0 seconds, not 0"),
        ({"max_seconds": -1}, "bad_period", "more than 0"),
        ({"max_seconds": math.inf}, "bad_period", "more than 0"),
        ({"max_seconds": None}, "bad_period", "more than 0"),
        ({"max_seconds": "5"}, "bad_period", "more than 0"),
        ({"auto_shutdown": "sometimes"}, "bad_auto_shutdown", "'never', 'any_significant'"),
        ({"backoff": 3}, "bad_backoff", "a Backoff or None"),
        ({"max_abandoned": -1}, "bad_max_abandoned", "0 or more, or None, not -1"),
        ({"max_abandoned": True}, "bad_max_abandoned", "whole number"),
        ({"max_restart": 1}, "unknown_key", "did you mean 'max_restarts'"),
        ({"stragety": ONE}, "unknown_key", "did you mean 'strategy'"),
        ({"max_children": 1}, "unknown_key", "there are strategy, max_restarts, max_seconds"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else None,
)
def test_bad_options(rules: dict[str, Any], problem: str, said: str) -> None:
    """Each wrong option is refused in the caller with a problem of its own."""
    rules = {"strategy": ONE, **rules}
    for attempt in (
        lambda: Supervisor.start_link([], **rules),
        lambda: Supervisor.start([], **rules),
        lambda: Supervisor.child_spec([], **rules),
        lambda: SupervisorSpec([], **rules),
    ):
        with pytest.raises(ChildSpecError, match=said) as caught:
            attempt()
        assert caught.value.problem == problem


@pytest.mark.contract("S18")
def test_legal_options(turns: ManualDispatcher) -> None:
    """Zero restarts, a fraction of a second and a timedelta are fine."""
    sup = start(turns, max_restarts=0, max_seconds=0.5)
    assert sup.describe().max_restarts == 0
    assert sup.stop()
    spec = SupervisorSpec([], strategy=ONE, max_seconds=timedelta(minutes=1), backoff=Backoff())
    assert spec.flags.max_seconds == 60.0
    assert repr(spec) == "SupervisorSpec(0 children, one_for_one, 3 restarts in 60.0 s)"


@pytest.mark.contract("S10", "S13", "S9")
@pytest.mark.parametrize(
    ("children", "problem"),
    [
        ([Worker, Worker], SpecProblem.DUPLICATE_ID),
        ([3], SpecProblem.NOT_A_SPEC),
        ("ab", SpecProblem.NOT_A_SPEC),
        (None, SpecProblem.NOT_A_SPEC),
        (
            [Worker.child_spec("a", restart="transient", significant=True)],
            SpecProblem.BAD_COMBINATION,
        ),
    ],
    ids=["duplicate", "number", "string", "none", "significant"],
)
def test_bad_children(log: list[str], children: Any, problem: SpecProblem) -> None:
    """Wrong children are refused in the caller, before any of them runs."""
    with pytest.raises(ChildSpecError) as caught:
        Supervisor.start_link(children, strategy=ONE)
    assert (caught.value.problem, log) == (problem, [])


def test_plain_pykka_actor() -> None:
    """An actor class of plain Pykka is a child as it is; one with a child_spec() has its word."""

    class Plain(pykka.ThreadingActor):
        pass

    class Own(Plain):
        @classmethod
        def start(cls, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    class Publishing(Plain):
        @classmethod
        def child_spec(cls) -> ChildSpec:
            return ChildSpec("published", cls, restart="transient")

    plain, own, published = check_childspecs([(Plain, 1), Own, Publishing])
    assert plain == ChildSpec("Plain", Plain, (1,))
    assert own == ChildSpec("Own", Own.start)
    assert published.id == "published"
    with pytest.raises(ChildSpecError):
        check_childspecs([pykka.ActorRef])


# ---- starting ----------------------------------------------------------------------------------


@pytest.mark.contract("S19")
def test_start_is_synchronous(turns: ManualDispatcher, log: list[str]) -> None:
    """The reference comes back when every child's init has run, left to right."""
    sup = start(turns, *(worker(turns, name) for name in "abc"))
    assert log == ["init a", "init b", "init c"]
    assert [info.id for info in sup.which_children()] == ["c", "b", "a"]
    assert sup.stop()


@pytest.mark.contract("S64", "S65")
def test_start_fails_with_a_child(turns: ManualDispatcher, log: list[str]) -> None:
    """Those before it are stopped again; the error names the child, its reason and its cause."""
    before = len(pykka.ActorRegistry.get_all())
    with pytest.raises(StartError, match="its child 'c' did not") as caught:
        start(turns, worker(turns, "a"), worker(turns, "b"), worker(turns, "c", fail=True))
    assert log == ["init a", "init b", "init c", "terminate b", "terminate a"]
    error = caught.value
    assert error.child_id == "c"
    assert isinstance(error.reason.detail, FailedToStartChild)
    assert isinstance(error.reason.detail.reason, Crashed)
    assert isinstance(error.__cause__, StartError)
    assert isinstance(error.__cause__.__cause__, ValueError)
    assert len(pykka.ActorRegistry.get_all()) == before


@pytest.mark.contract("S20", "S21")
def test_init_of_a_supervisor_class(turns: ManualDispatcher) -> None:
    """Init may return a SupervisorSpec or IGNORE; anything else is an error that names both."""

    class App(Supervisor):
        def init(self, result: Any) -> Any:
            return result

    sup = App.start_link(SupervisorSpec([], strategy="rest_for_one"), dispatcher=turns, name="app")
    assert (whereis("app"), sup.describe().strategy) == (sup, "rest_for_one")
    assert sup.stop()
    assert App.start_link(IGNORE, dispatcher=turns, name="app") is None
    assert whereis("app") is None
    with pytest.raises(StartError) as caught:
        App.start_link([1], dispatcher=turns)
    cause = "App.init() must return a SupervisorSpec or IGNORE, not a list"
    assert str(caught.value.__cause__) == cause


@pytest.mark.contract("S22")
def test_name_of_a_supervisor(turns: ManualDispatcher, log: list[str]) -> None:
    """A taken name gives the holder, and no child is started."""
    sup = start(turns, name="app")
    with pytest.raises(AlreadyStartedError) as caught:
        start(turns, worker(turns, "a"), name="app")
    assert (caught.value.ref, log) == (sup, [])
    rooms = start_and_wait(Registry, (), {"dispatcher": turns})
    keyed = start(turns, name=via(rooms, "app"))
    assert whereis(via(rooms, "app")) is keyed
    with pytest.raises(AlreadyStartedError) as caught:
        start(turns, name=via(rooms, "app"))
    assert caught.value.ref is keyed
    assert all(ref.stop() for ref in (keyed, rooms, sup))


def throw(error: type[BaseException]) -> None:
    """Raises the error."""
    raise error


@pytest.mark.contract("S65")
@pytest.mark.parametrize(
    "call",
    [
        lambda: 1 / 0,
        partial(throw, SystemExit),
        partial(throw, KeyboardInterrupt),
        lambda: "no ref",
        lambda: Worker,
    ],
    ids=["exception", "exit", "interrupt", "string", "class"],
)
def test_start_callable_that_fails(turns: ManualDispatcher, call: Any) -> None:
    """Whatever a start callable raises, or returns instead of a reference, is a start error."""
    sup = start(turns, worker(turns, "a"))
    with pytest.raises(StartError) as caught:
        sup.start_child(ChildSpec("b", call))
    assert caught.value.child_id == "b"
    assert isinstance(caught.value.reason, Crashed)
    assert caught.value.__cause__ is caught.value.reason.exception
    assert sup.count_children().specs == 1
    assert sup.stop()


@pytest.mark.contract("S65")
def test_constructor_that_exits(turns: ManualDispatcher) -> None:
    """Not even a SystemExit in a child's __init__ harms the supervisor that makes it."""

    class Leaving(GenServer):
        def __init__(self) -> None:
            raise SystemExit

    sup = start(turns)
    with pytest.raises(StartError):
        sup.start_child(Leaving.child_spec(dispatcher=turns))
    assert sup.is_alive()
    assert sup.stop()


@pytest.mark.contract("S89", "S92", "S157")
def test_start_callables(turns: ManualDispatcher, log: list[str], seen: Seen) -> None:
    """A callable may start an actor in any way, answer None, or give one that is dead already."""
    seen.of(("supervisors", "actor", "unexpected_message"))

    def linked(name: str) -> Any:
        return Worker.start_link(name, dispatcher=turns)

    def dead(name: str) -> Any:
        ref = Worker.start(name, dispatcher=turns)
        ref.stop()
        return ref

    sup = start(turns)
    ref = sup.start_child(ChildSpec("a", linked, args=("a",)))
    assert child(sup, "a") is ref
    assert sup.start_child(ChildSpec("none", lambda: None)) is None
    ref.tell("crash")
    turns.run_until_idle()
    assert child(sup, "a") is not ref
    assert sup.start_child(ChildSpec("d", dead, args=("d",), restart="temporary")) is not None
    turns.run_until_idle()
    assert [info.id for info in sup.which_children()] == ["none", "a"]
    assert sup.stop()
    assert log.count("terminate a") == log.count("init a") == 2
    assert seen.events == []


@pytest.mark.contract("S103")
def test_child_that_runs_elsewhere(turns: ManualDispatcher) -> None:
    """A name held elsewhere gives its holder, who is not adopted."""
    holder = Worker.start("x", name="held", dispatcher=turns)
    sup = start(turns)
    with pytest.raises(AlreadyStartedError) as caught:
        sup.start_child(worker(turns, "x", name="held"))
    assert caught.value.ref is holder
    other = start(turns, worker(turns, "y"))
    with pytest.raises(StartError, match="did not start: TypeError") as refused:
        sup.start_child(ChildSpec("y", lambda: child(other, "y")))
    assert "has a supervisor" in str(refused.value.__cause__)
    assert sup.count_children().specs == 0
    assert sup.stop()
    assert holder.is_alive()
    assert child(other, "y").is_alive()
    assert other.stop()
    assert holder.stop()


# ---- life --------------------------------------------------------------------------------------


@pytest.mark.contract("S29", "S40", "S43")
def test_restarted_child_is_a_new_one(turns: ManualDispatcher, log: list[str]) -> None:
    """Nothing of the dead instance is used again: neither its object nor its messages."""
    sup = start(turns, worker(turns, "a"), worker(turns, "b"))
    old, other = child(sup, "a"), child(sup, "b")
    actor = old.process.actor
    actor.polluted = True
    old.tell("crash")
    queued = old.ask("queued", block=False)
    turns.run_until_idle()
    new = child(sup, "a")
    assert new is not old
    assert new.process.actor is not actor
    assert not hasattr(new.process.actor, "polluted")
    assert isinstance(queued.exception(0), NoProcError)
    assert child(sup, "b") is other
    assert log == ["init a", "init b", "terminate a", "init a"]
    assert sup.stop()


@pytest.mark.contract("S57")
def test_give_up(turns: ManualDispatcher, log: list[str], seen: Seen) -> None:
    """The supervisor ends with GaveUp, the others stopped in reverse order, reported before."""
    seen.of(("supervisors", "supervisor", "gave_up"), ("supervisors", "child", "terminated"))
    sup = start(turns, *(worker(turns, name) for name in "abc"), max_restarts=0, name="app")
    monitor = sup.monitor()
    child(sup, "b").tell("crash")
    turns.run_until_idle()
    reason = monitor.wait(0).reason
    assert (reason.supervisor, reason.child_id, reason.max_restarts) == ("app", "b", 0)
    assert log[3:] == ["terminate b", "terminate c", "terminate a"]
    assert seen.names() == ["terminated", "gave_up"]
    assert seen.events[1][2]["reason"] == reason


@pytest.mark.contract("S49", "S50", "S60")
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_give_up_of_an_inner_supervisor(turns: ManualDispatcher, restart: str) -> None:
    """Above, it counts as a shutdown, and monitors can tell it apart."""
    inner = Supervisor.child_spec(
        [worker(turns, "x")],
        strategy=ONE,
        max_restarts=0,
        dispatcher=turns,
        id="inner",
        restart=restart,
    )
    sup = start(turns, worker(turns, "a"), inner, max_restarts=1)
    inner_ref = child(sup, "inner")
    monitor = inner_ref.monitor()
    child(inner_ref, "x").tell("crash")
    turns.run_until_idle()
    assert isinstance(monitor.wait(0).reason, GaveUp)
    states = {info.id: info.ref for info in sup.which_children()}
    assert set(states) == ({"a"} if restart == "temporary" else {"a", "inner"})
    assert (states.get("inner") is not None) == (restart == "permanent")
    assert sup.describe().counted == (restart == "permanent")
    assert sup.stop()


@pytest.mark.contract("S66", "S75", "S67")
def test_restarting_child_is_visible(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """A child that waits for its next start shows as RESTARTING with the seconds to go."""
    backoff = Backoff(initial=2.0, jitter=0.0)
    sup = start(turns, worker(turns, "a"), backoff=backoff)
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    clock.advance(0.5)
    [info] = sup.which_children()
    assert info.ref is RESTARTING
    assert info.next_attempt == 1.5
    clock.advance(1.5)
    turns.run_until_idle()
    [info] = sup.which_children()
    assert (info.restarts, info.next_attempt, info.ref.is_alive()) == (1, None, True)
    assert sup.stop()
    assert len(clock) == 0


@pytest.mark.contract("S61", "S93", "S94")
def test_child_life_cycle(turns: ManualDispatcher, log: list[str]) -> None:
    """Terminate, restart, terminate, delete."""
    sup = start(turns, worker(turns, "a"), max_restarts=0)
    first = child(sup, "a")
    sup.terminate_child("a")
    sup.terminate_child("a")
    second = sup.restart_child("a")
    assert second is not first
    sup.terminate_child(second)
    sup.delete_child("a")
    assert sup.which_children() == []
    assert log == ["init a", "terminate a"] * 2
    assert sup.stop()


@pytest.mark.contract("S16")
def test_get_childspec(turns: ManualDispatcher) -> None:
    """The specification comes with every default, by id and by reference."""
    sup = start(turns, worker(turns, "a"))
    spec = sup.get_childspec("a")
    assert (spec.shutdown, spec.restart) == (5.0, "permanent")
    assert sup.get_childspec(child(sup, "a")) is spec
    assert sup.stop()


@pytest.mark.contract("S15")
@pytest.mark.parametrize("how", ["end", "terminate"])
def test_temporary_children_leave_nothing(turns: ManualDispatcher, how: str) -> None:
    """Neither arguments nor the actor of a temporary child that is gone stay in memory."""

    class Argument:
        pass

    argument = Argument()
    sup = start(turns)
    ref = sup.start_child(
        Worker.child_spec("t", argument, id="t", restart="temporary", dispatcher=turns)
    )
    left = weakref.ref(argument), weakref.ref(ref.process.actor)
    del argument
    if how == "end":
        ref.tell("crash")
    else:
        sup.terminate_child("t")
    turns.run_until_idle()
    gc.collect()
    assert [each() for each in left] == [None, None]
    assert sup.stop()


def test_failed_starts_leave_nothing(turns: ManualDispatcher) -> None:
    """A supervisor keeps no actor whose init failed or was ignored."""
    actors: list[Any] = []

    class Failing(GenServer):
        def init(self, result: Any) -> Any:
            actors.append(weakref.ref(self))
            if result is None:
                raise ValueError
            return result

    sup = start(turns)
    for _ in range(3):
        with pytest.raises(StartError):
            sup.start_child(Failing.child_spec(None, dispatcher=turns))
        sup.start_child(Failing.child_spec(IGNORE, dispatcher=turns, restart="temporary"))
    gc.collect()
    assert [actor() for actor in actors] == [None] * 6
    assert sup.process.actor._otp_lives == {}
    assert sup.stop()


# ---- who would wait for itself -----------------------------------------------------------------


class AsksAbove(GenServer):
    """Asks the supervisor 'above' in its init, through as many starts as it is told."""

    def init(self, starts: int = 0) -> None:
        if starts:
            AsksAbove.start_link(starts - 1)
        else:
            whereis("above").which_children()


@pytest.mark.contract("S163")
@pytest.mark.parametrize("starts", [0, 1, 3])
def test_an_init_asks_the_supervisor_that_waits_for_it(starts: int) -> None:
    """It is refused at once, whether the supervisor is starting too or runs already."""
    asking = AsksAbove.child_spec(starts, id="asks")
    with pytest.raises(StartError) as caught:
        Supervisor.start_link([asking], strategy=ONE, name="above")
    assert "to have started: return Continue" in str(root_cause(caught.value))
    with Supervisor.start_link([], strategy=ONE, name="above") as above:
        with pytest.raises(StartError) as caught:
            above.start_child(asking)
        assert isinstance(root_cause(caught.value), SelfCallError)
        assert above.which_children() == []


def root_cause(error: BaseException | None) -> BaseException | None:
    """Returns the first error of a chain of causes."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    return error

"""Who asks somebody that waits for the asker is refused; who only has to wait a little is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from supervisors import (
    CallTimeout,
    ChildNotFoundError,
    ChildSpec,
    Continue,
    DynamicSupervisor,
    GenServer,
    SelfCallError,
    Shutdown,
    Supervisor,
    SupervisorSpec,
    introspect,
)
from supervisors._runtime.ending import order_end
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import child, start, worker

Act: TypeAlias = "Callable[[Any], Any]"

# What a supervisor may be asked for, each as it would be refused.
REQUESTS: dict[str, Act] = {
    "start_child": lambda sup: sup.start_child(ChildSpec("new", start=GenServer)),
    "terminate_child": lambda sup: sup.terminate_child("a"),
    "restart_child": lambda sup: sup.restart_child("a"),
    "delete_child": lambda sup: sup.delete_child("a"),
    "which_children": lambda sup: sup.which_children(),
    "count_children": lambda sup: sup.count_children(),
    "get_childspec": lambda sup: sup.get_childspec("a"),
    "describe": lambda sup: sup.describe(),
    "stop": lambda sup: sup.stop(),
}


class Acting(GenServer):
    """Does something in its init, its terminate or a handler, and keeps what came of it."""

    def init(self, in_init: Act | None = None, in_terminate: Act | None = None) -> Any:
        self.in_terminate = in_terminate
        return None if in_init is None else in_init(self)

    def handle_continue(self, continuation: Act) -> None:
        continuation(self)

    def handle_call(self, request: Act, sender: Any) -> Any:
        return request(self)

    def handle_cast(self, message: Act) -> None:
        message(self)

    def terminate(self, reason: Any) -> None:
        if self.in_terminate is not None:
            self.in_terminate(self)


class Outcomes(list[Any]):
    """What came of calls: a value, or an exception."""

    def of(self, act: Callable[[], Any]) -> Any:
        """Keeps what comes of this."""
        try:
            self.append(act())
        except Exception as error:  # noqa: BLE001  it is what the test is about
            self.append(error)


def acting(turns: ManualDispatcher, *args: Any, **keys: Any) -> ChildSpec:
    """The specification of one."""
    return Acting.child_spec(*args, dispatcher=turns, **keys)


# ---- in an init --------------------------------------------------------------------------------


@pytest.mark.contract("S163")
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_init_that_asks_its_supervisor(turns: ManualDispatcher, request_: Act) -> None:
    """It is told at once what to do instead; the supervisor was not asked, and goes on."""
    outcomes = Outcomes()
    sup = start(turns, worker(turns, "a"))

    def ask(_: Any) -> None:
        outcomes.of(lambda: request_(sup))

    ref = sup.start_child(acting(turns, ask))
    [error] = outcomes
    assert isinstance(error, SelfCallError)
    assert "Continue(...)" in str(error)
    assert str(sup) in str(error)
    assert str(ref) in str(error)
    assert [info.id for info in sup.which_children()] == ["Acting", "a"]
    assert child(sup, "a").is_alive()


def test_init_of_a_dynamic_supervisors_child(turns: ManualDispatcher) -> None:
    """So it is there."""
    outcomes = Outcomes()
    sup = DynamicSupervisor.start_link(dispatcher=turns)
    sup.start_child(acting(turns, lambda _: outcomes.of(sup.count_children)))
    assert isinstance(outcomes[0], SelfCallError)


def test_init_that_asks_above_its_supervisor(turns: ManualDispatcher) -> None:
    """A supervisor waits for one that it starts, and by that for all inits below that."""
    outcomes = Outcomes()
    sup = start(turns)
    inner = Supervisor.child_spec(
        [acting(turns, lambda _: outcomes.of(sup.count_children))],
        strategy="one_for_one",
        dispatcher=turns,
    )
    sup.start_child(inner)
    assert isinstance(outcomes.pop(), SelfCallError)
    # Once it is up, its children's starts are its own affair.
    child(child(sup, "Supervisor"), "Acting").stop(ValueError("again"))
    turns.run_until_idle()
    assert outcomes == [sup.count_children()]


def test_init_of_a_supervisor(turns: ManualDispatcher) -> None:
    """A supervisor's class that asks in its init whoever supervises it is refused as well."""
    outcomes = Outcomes()
    sup = start(turns)

    class Inner(Supervisor):
        def init(self, *_: Any, **__: Any) -> Any:
            outcomes.of(sup.count_children)
            return SupervisorSpec([], strategy="one_for_one")

    sup.start_child(Inner.child_spec(dispatcher=turns))
    assert isinstance(outcomes[0], SelfCallError)


def test_restart(turns: ManualDispatcher) -> None:
    """The init of a restart is waited for as well."""
    outcomes = Outcomes()
    sup = start(turns)
    sup.start_child(acting(turns, lambda _: outcomes.of(sup.count_children)))
    child(sup, "Acting").stop(ValueError("again"))
    turns.run_until_idle()
    assert [type(outcome) for outcome in outcomes] == [SelfCallError, SelfCallError]


def test_what_may_be_asked_in_an_init(turns: ManualDispatcher) -> None:
    """Others, supervisors too, and what the supervisor answers in the middle of anything."""
    outcomes = Outcomes()
    sup, other = start(turns), start(turns)

    def ask(_: Any) -> None:
        outcomes.of(other.count_children)
        outcomes.of(lambda: introspect.get_state(sup))
        outcomes.of(lambda: sup.stop(timeout=0))

    sup.start_child(acting(turns, ask))
    assert outcomes[0] == other.count_children()
    assert [one for one, _ in outcomes[1].children] == ["Acting"]
    # With a time-out it is no deadlock, and the order stays.
    assert isinstance(outcomes[2], CallTimeout)
    turns.run_until_idle()
    assert not sup.is_alive()


def test_continuation_asks(turns: ManualDispatcher) -> None:
    """What the error recommends works."""
    outcomes = Outcomes()
    sup = start(turns)
    sup.start_child(acting(turns, lambda _: Continue(lambda _: outcomes.of(sup.count_children))))
    turns.run_until_idle()
    assert outcomes == [sup.count_children()]


@pytest.mark.contract("S163")
def test_init_that_asks_its_starter(turns: ManualDispatcher) -> None:
    """Who starts an actor linked handles nothing before that has come up."""
    outcomes = Outcomes()
    starter = Acting.start(dispatcher=turns)

    def ask(_: Any) -> None:
        outcomes.of(lambda: starter.ask("anything"))
        outcomes.of(lambda: starter.call("anything"))
        outcomes.of(starter.stop)

    starter.call(lambda _: Acting.start_link(ask, dispatcher=turns))
    assert [type(outcome) for outcome in outcomes] == [SelfCallError] * 3
    assert starter.is_alive()


def test_init_below_one_whose_start_has_a_limit(turns: ManualDispatcher) -> None:
    """The starter gives that one up, and answers who was started by it."""
    outcomes = Outcomes()
    starter = Acting.start(dispatcher=turns)

    def ask(_: Any) -> None:
        outcomes.of(lambda: starter.call(lambda _: "answered", timeout=0))
        outcomes.of(lambda: starter.stop(timeout=0))

    def begin(_: Any) -> None:
        Acting.start_link(ask, dispatcher=turns)

    starter.call(lambda _: Acting.start_link(begin, dispatcher=turns, start_timeout=60.0))
    assert [type(outcome) for outcome in outcomes] == [CallTimeout] * 2


def test_start_by_a_function(turns: ManualDispatcher) -> None:
    """A function that starts a child runs in the supervisor's turn, which is waited for."""
    outcomes = Outcomes()
    sup = start(turns)

    def ask(_: Any) -> None:
        outcomes.of(sup.count_children)
        outcomes.of(lambda: sup.ask("no request"))

    sup.start_child(ChildSpec("a", start=lambda: Acting.start_link(ask, dispatcher=turns)))
    assert [type(outcome) for outcome in outcomes] == [SelfCallError] * 2


# ---- while it is stopped -----------------------------------------------------------------------


@pytest.mark.contract("S163")
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_terminate_that_asks_its_supervisor(turns: ManualDispatcher, request_: Act) -> None:
    """A supervisor that stops a child waits for its terminate."""
    outcomes = Outcomes()
    sup = start(turns, worker(turns, "a"))
    sup.start_child(acting(turns, None, lambda _: outcomes.of(lambda: request_(sup))))
    sup.terminate_child("Acting")
    [error] = outcomes
    assert isinstance(error, SelfCallError)
    assert "in terminate()" in str(error)
    assert child(sup, "a").is_alive()


def test_terminate_below(turns: ManualDispatcher) -> None:
    """So it does with one below a supervisor that it stops."""
    outcomes = Outcomes()
    sup = start(turns)
    inner = Supervisor.child_spec(
        [acting(turns, None, lambda _: outcomes.of(sup.count_children))],
        strategy="one_for_one",
        dispatcher=turns,
    )
    sup.start_child(inner)
    sup.terminate_child("Supervisor")
    assert isinstance(outcomes[0], SelfCallError)


def test_terminate_for_other_reasons(turns: ManualDispatcher) -> None:
    """A child that ends by itself is not waited for, so its supervisor answers."""
    outcomes = Outcomes()
    sup = start(turns)
    ref = sup.start_child(
        acting(turns, None, lambda _: outcomes.of(sup.count_children), restart="temporary")
    )
    ref.stop()
    assert outcomes[0].active == 1


@pytest.mark.parametrize("shutdown", [4.0, 60.0, None])
@pytest.mark.parametrize("below", ["linked", "supervised"])
def test_below_one_that_is_stopped_in_time(
    turns: ManualDispatcher, below: str, shutdown: float | None
) -> None:
    """Its supervisor gives it up after `shutdown`, and answers who lives on; else never."""
    outcomes = Outcomes()
    sup = start(turns)

    def ask(_: Any) -> None:
        outcomes.of(lambda: sup.describe(timeout=0))

    keys: dict[str, Any] = {"id": "a", "shutdown": shutdown}
    if below == "linked":
        spec = acting(turns, None, lambda _: Acting.start_link(ask, dispatcher=turns), **keys)
        # That limit is over with the start.
        spec = spec.with_(kwargs={**spec.kwargs, "start_timeout": 60.0})
    else:
        kept = [acting(turns, None, ask)]
        spec = Supervisor.child_spec(kept, strategy="one_for_one", dispatcher=turns, **keys)
    sup.start_child(spec)
    sup.terminate_child("a")
    # The limit of who is supervised is 5 seconds.
    lives_on = shutdown == 4.0 or (below == "linked" and shutdown)
    assert isinstance(outcomes[0], CallTimeout if lives_on else SelfCallError)


def test_below_one_that_is_killed_with_all_below_it(turns: ManualDispatcher) -> None:
    """Past the deadline of a whole tree nobody lives on who is supervised."""
    outcomes = Outcomes()
    sup = start(turns)
    lives: list[Any] = []

    def ask(actor: Any) -> None:
        lives.append(actor)
        if len(lives) > 1:
            above = actor._process.parent
            order_end(sup.process, Shutdown(), 60.0)
            # Until the order has come, of which the one above has heard nothing.
            while not above.mailbox.control:
                turns.step()
            outcomes.of(lambda: sup.describe(timeout=0))

    kept = [acting(turns, ask)]
    sup.start_child(Supervisor.child_spec(kept, strategy="one_for_one", dispatcher=turns))
    lives[0].actor_ref.stop(ValueError("again"))
    turns.run_until_idle()
    assert isinstance(outcomes[0], SelfCallError)


def test_handler_while_the_order_waits(turns: ManualDispatcher) -> None:
    """A handler that is in the way of the order is refused, and terminate runs soon."""
    outcomes = Outcomes()
    sup = start(turns)
    ref = sup.start_child(acting(turns))

    def ask(actor: Any) -> None:
        actor.actor_ref.process.control_lane()
        sup.stop(block=False)
        outcomes.of(lambda: introspect.get_state(sup))
        outcomes.of(sup.count_children)

    ref.tell(ask)
    turns.run_until_idle()
    assert isinstance(outcomes[1], SelfCallError)
    assert not sup.is_alive()


@pytest.mark.parametrize("by_id", [False, True])
def test_handler_that_has_itself_terminated(turns: ManualDispatcher, by_id: bool) -> None:
    """Where `shutdown` is None nothing would end that; else the supervisor gives up on it."""
    outcomes = Outcomes()
    sup = start(turns)
    ref = sup.start_child(acting(turns, shutdown=None))
    which = "Acting" if by_id else ref

    def ask(_: Any) -> None:
        outcomes.of(lambda: sup.terminate_child(which))
        outcomes.of(sup.stop)
        outcomes.of(sup.count_children)

    ref.call(ask)
    assert [type(outcome) for outcome in outcomes[:2]] == [SelfCallError] * 2
    assert "without limit" in str(outcomes[0])
    assert outcomes[2] == sup.count_children()


def test_handler_that_has_others_terminated(turns: ManualDispatcher) -> None:
    """That is not its own end, so it is done."""
    sup = start(turns, worker(turns, "a"))
    ref = sup.start_child(acting(turns, shutdown=None))
    assert ref.call(lambda _: sup.terminate_child("a")) is None
    assert child(sup, "a") is None


def test_id_in_a_dynamic_supervisor(turns: ManualDispatcher) -> None:
    """There it names nobody, and so nobody who would wait for himself."""
    outcomes = Outcomes()
    sup = DynamicSupervisor.start_link(dispatcher=turns)
    ref = sup.start_child(acting(turns, shutdown=None))
    ref.call(lambda _: outcomes.of(lambda: sup.terminate_child("Acting")))
    ref.call(lambda _: outcomes.of(lambda: sup.terminate_child(ref)))
    assert [type(outcome) for outcome in outcomes] == [ChildNotFoundError, SelfCallError]


class Delegating(Acting):
    """Answers for each attribute that it does not have, and keeps the names."""

    asked_for: list[str]

    def init(self, *_: Any) -> None:
        self.asked_for = []

    def __getattr__(self, name: str) -> Any:
        self.__dict__.get("asked_for", []).append(name)
        return self


def test_actor_that_has_every_attribute(turns: ManualDispatcher) -> None:
    """What a user's class says of names that it does not know is no reason for a refusal."""
    outcomes = Outcomes()
    sup = start(turns)
    ref = sup.start_child(Delegating.child_spec(dispatcher=turns))
    parent = Delegating.start(dispatcher=turns)
    linked = parent.call(lambda _: Acting.start_link(dispatcher=turns))
    other = start(turns)
    assert ref.call(lambda actor: outcomes.of(sup.count_children) or actor.asked_for) == []
    linked.call(lambda _: outcomes.of(other.stop))
    assert parent.call(lambda actor: actor.asked_for) == []
    assert outcomes == [sup.count_children(), True]


def test_who_is_called_at_the_end(turns: ManualDispatcher) -> None:
    """A function that is called when an actor ends is in the way of its supervisor's next step."""
    outcomes = Outcomes()
    sup = start(turns)
    ref = sup.start_child(acting(turns))
    ref.monitor(call=lambda _: outcomes.of(sup.count_children))
    sup.terminate_child("Acting")
    own = sup.restart_child("Acting")
    own.monitor(call=lambda _: outcomes.of(sup.stop))
    own.stop(ValueError("again"))
    turns.run_until_idle()
    assert [type(outcome) for outcome in outcomes] == [SelfCallError] * 2
    assert child(sup, "Acting").is_alive()

"""Who is told of a start, and when: never in a turn that somebody may be waiting for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pykka import ActorRegistry

from supervisors import (
    ChildSpec,
    Continue,
    DynamicSupervisor,
    GenServer,
    Killed,
    NoProcError,
    Shutdown,
    StartError,
    Supervisor,
    telemetry,
)
from supervisors._machines.at_once import begin_start
from supervisors._machines.vocabulary import RequestVerb
from supervisors._runtime import asking, first_turn, plain_child
from supervisors._runtime.actor_list import enlist
from supervisors._runtime.first_turn import hand_on
from supervisors._runtime.items import StopOrder
from supervisors._runtime.pool import pool
from supervisors._runtime.supervising import SupervisorRequest
from tests.concurrency.crew import wait_for
from tests.concurrency.test_handover import DEADLINE, in_thread

SOON = 5.0
EVERYWHERE = pytest.mark.parametrize("run", [in_thread, lambda act: act()], ids=["other", "main"])
STARTED = ("supervisors", "child", "started")


class Going(GenServer):
    """Goes on after its init, and answers what it did."""

    done = False

    def init(self) -> Any:
        return Continue("on")

    def handle_continue(self, continuation: Any) -> None:
        self.done = True

    def handle_call(self, request: Any, sender: Any) -> bool:
        return self.done


def living(cls: type) -> Any:
    """Returns the one living actor of a class."""
    ref: Any
    (ref,) = ActorRegistry.get_by_class(cls)
    return ref


def counted(ref: Any) -> int:
    """Returns how many children a supervisor has, asked by a call that does not wait for ever."""
    counts: Any = ref.ask(SupervisorRequest(RequestVerb.COUNT_CHILDREN), timeout=SOON)
    return int(counts.specs)


@EVERYWHERE
@pytest.mark.contract("S19")
def test_a_start_calls_a_child_that_goes_on(run: Callable[[Any], Any]) -> None:
    """The start of a child may ask the one before it, whose Continue is not through yet."""
    answers: list[Any] = []

    def start() -> Any:
        answers.append(living(Going).call("done?", timeout=SOON))
        return GenServer.start_link()

    children = [Going, ChildSpec("next", start=start)]
    run(lambda: Supervisor.start_link(children, strategy="one_for_one").stop())
    assert answers == [True]


@EVERYWHERE
@pytest.mark.contract("S19")
def test_a_start_asks_a_child_supervisor(run: Callable[[Any], Any]) -> None:
    """The start of a child may ask the supervisor before it, which has just told that it is up."""
    answers: list[int] = []

    def start() -> Any:
        answers.append(counted(living(DynamicSupervisor)))
        return GenServer.start_link()

    children = [DynamicSupervisor, ChildSpec("next", start=start)]
    run(lambda: Supervisor.start_link(children, strategy="one_for_one").stop())
    assert answers == [0]


@EVERYWHERE
def test_who_hears_of_a_child_supervisor_asks_it(run: Callable[[Any], Any]) -> None:
    """A telemetry handler that is told of a started supervisor may ask it something."""
    answers: list[int] = []
    telemetry.attach("asks", STARTED, lambda _, __, data, ___: answers.append(counted(data["ref"])))
    try:
        run(lambda: Supervisor.start_link([DynamicSupervisor], strategy="one_for_one").stop())
    finally:
        telemetry.detach("asks")
    assert answers == [0]


class Ordered(GenServer):
    """Is told to stop in the middle of its init; its end takes until somebody says so."""

    dispatcher = "thread"

    def init(self, go: threading.Event, waited: list[bool], then: Any = None) -> Any:
        self.go, self.waited = go, waited
        self._process.order(StopOrder(Shutdown()))
        return then

    def handle_continue(self, continuation: Any) -> None:
        raise AssertionError

    def terminate(self, reason: Any) -> None:
        self.waited.append(self.go.wait(SOON))


@pytest.mark.parametrize("then", [None, Continue("on")])
def test_an_order_during_an_init_is_obeyed_when_the_starter_knows(then: Any) -> None:
    """An end that waits for the starter finds it; what the init left for later is not begun."""
    go = threading.Event()
    waited: list[bool] = []
    watch = in_thread(lambda: Ordered.start(go, waited, then)).monitor()
    go.set()
    assert watch.wait(DEADLINE).reason == Shutdown()
    assert waited == [True]


class Meeting(GenServer):
    """Its init says that it is there, and waits."""

    def init(self, there: threading.Event, go: threading.Event) -> None:
        there.set()
        assert go.wait(DEADLINE)


class Asker(GenServer):
    """Starts what it is told, and tells that it has."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        parent, spec, returned = request
        ref = parent.start_child(spec)
        returned.set()
        return ref


def test_who_has_the_answer_starts_nothing_for_others() -> None:
    """An asker that is answered goes on, whatever the start that was asked for next waits for."""
    there, go, returned = (threading.Event() for _ in range(3))
    waited: list[bool] = []

    def start() -> Any:
        waited.append(returned.wait(SOON))
        return GenServer.start()

    with DynamicSupervisor.start_link() as parent:
        spec = Meeting.child_spec(there, go)
        asker = Asker.start()
        answer = asker.ask((parent, spec, returned), block=False)
        assert there.wait(DEADLINE)
        request = SupervisorRequest(RequestVerb.START_CHILD, ChildSpec("next", start=start))
        other = parent.ask(request, block=False)
        go.set()
        assert answer.get(timeout=DEADLINE).is_alive()
        assert other.get(timeout=DEADLINE).is_alive()
    asker.stop()
    assert waited == [True]


class Begun(GenServer):
    """Has an init."""

    def init(self) -> None:
        pass


@pytest.mark.parametrize(("cls", "place"), [(Begun, asking), (GenServer, plain_child)])
def test_a_supervisor_is_killed_before_it_knows_of_a_start(
    cls: Any, place: Any, monkeypatch: Any
) -> None:
    """An asker who has just begun a turn of a supervisor that is killed is told so."""
    parent = DynamicSupervisor.start()

    def kill_first(machine: Any, *args: Any) -> Any:
        in_thread(lambda: parent.exit(Killed()))
        return begin_start(machine, *args)

    wait_for(lambda: bool(parent.process.slot))
    monkeypatch.setattr(place, "begin_start", kill_first)
    with pytest.raises(NoProcError):
        in_thread(lambda: parent.start_child(cls))


class Odd:
    """An id that can be compared once."""

    def __hash__(self) -> int:
        return hash("odd")

    def __eq__(self, other: object) -> bool:
        raise LookupError


def test_an_id_that_cannot_be_compared() -> None:
    """It ends the supervisor, as any error of its own, and the asker is told."""
    parent = Supervisor.start([GenServer.child_spec(id="odd")], strategy="one_for_one")
    with pytest.raises((LookupError, NoProcError)):
        in_thread(lambda: parent.start_child(ChildSpec(Odd(), start=GenServer)))
    assert not parent.is_alive()


class Doomed(GenServer):
    """Kills itself in its init."""

    def init(self) -> Any:
        self.actor_ref.exit(Killed())
        return Continue("on")

    def handle_continue(self, continuation: Any) -> None:
        raise AssertionError


@EVERYWHERE
def test_an_actor_kills_itself_in_its_init(run: Callable[[Any], Any]) -> None:
    """It has ended when its starter is told, and does not go on."""
    assert not run(Doomed.start).is_alive()


class Never(GenServer):
    """Its init is not to run."""

    def init(self) -> None:
        raise AssertionError


def test_an_actor_is_killed_before_its_init(monkeypatch: Any) -> None:
    """Who starts an actor that is found and killed at once is told, however early that was."""

    def kill_next(ref: Any) -> None:
        enlist(ref)
        ref.exit(Killed())

    monkeypatch.setattr(first_turn, "enlist", kill_next)
    with pytest.raises(StartError) as caught:
        in_thread(Never.start)
    assert caught.value.reason == Killed()


def test_an_actor_is_killed_as_its_init_returns(monkeypatch: Any) -> None:
    """A start does not succeed while somebody kills the actor in another thread."""
    there, go, left = (threading.Event() for _ in range(3))

    def leave(*args: Any) -> None:
        hand_on(*args)
        left.set()

    def hold(*_: Any) -> None:
        # The actor is ended, and nobody has been told.
        go.set()
        assert left.wait(DEADLINE)

    monkeypatch.setattr(first_turn, "hand_on", leave)
    telemetry.attach("holds", ("supervisors", "actor", "abandoned"), hold)
    try:
        killer = threading.Thread(
            target=lambda: (there.wait(DEADLINE), living(Meeting).exit(Killed()))
        )
        killer.start()
        with pytest.raises(StartError):
            in_thread(lambda: Meeting.start(there, go))
        killer.join(DEADLINE)
    finally:
        telemetry.detach("holds")


class Started(GenServer):
    """Has an init."""

    def init(self) -> None:
        """Nothing to do."""


class Parent(GenServer):
    """Starts an actor linked to it, and tells what came of that."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        try:
            return Started.start_link()
        except StartError as error:
            return error


@pytest.mark.contract("S21")
def test_a_refused_thread_costs_the_starter_nothing(monkeypatch: Any) -> None:
    """It is told by the error of the start, and by nothing else."""
    parent = Parent.start()

    def man() -> None:
        raise RuntimeError

    monkeypatch.setattr(pool, "man", man)
    assert isinstance(parent.call("start"), StartError)
    monkeypatch.undo()
    parent.call("again").stop()
    parent.stop()

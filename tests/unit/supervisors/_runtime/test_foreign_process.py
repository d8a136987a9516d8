"""A plain Pykka actor whose loop the test runs by hand: what is told, and when."""

from __future__ import annotations

import queue
from typing import Any

import pykka
import pytest
from pykka import messages

from supervisors import Abandoned, Crashed, Killed, NoProc, Normal, Shutdown, monitor, unstopped
from supervisors._runtime.foreign_process import ForeignProcess, known_process
from supervisors._runtime.items import StopOrder
from supervisors._runtime.outcomes import Started, StartFailed

STOP = messages._ActorStop


class Plain(pykka.Actor):
    """Has no thread; its loop is run by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Any] = []
        self.fail: list[BaseException] = []

    @staticmethod
    def _create_actor_inbox() -> Any:
        return queue.Queue()

    @staticmethod
    def _create_future() -> Any:
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None:
        self.notes.append("launched")

    def on_start(self) -> None:
        self.notes.append("start")
        if self.fail:
            raise self.fail.pop()

    def on_stop(self) -> None:
        self.notes.append("stop")

    def on_failure(self, *_: Any) -> None:
        self.notes.append("failure")

    def on_receive(self, message: Any) -> Any:
        self.notes.append(message)
        if callable(message):
            message(self)


def launched() -> tuple[Plain, ForeignProcess, list[Any]]:
    """Returns an actor that is to run, its process, and what its starter is told."""
    actor = Plain()
    told: list[Any] = []
    process = ForeignProcess(actor, attached=False)
    process.expect_start(told.append)
    process.launch_loop()
    return actor, process, told


def attached() -> tuple[Plain, ForeignProcess]:
    actor = Plain()
    process = known_process(actor.actor_ref)
    assert process is not None
    return actor, process


def hooks(actor: Plain) -> set[str]:
    return {name for name in vars(actor) if hasattr(Plain, name)}


def test_life() -> None:
    """Told as started behind on_start, as ended behind on_stop; nothing is left on the instance."""
    actor, process, told = launched()
    watch = monitor(actor.actor_ref)
    assert told == []
    actor.actor_ref.tell(lambda actor: told.append("handled"))
    actor.actor_ref.tell(STOP())
    actor._actor_loop()
    assert told == [Started(actor.actor_ref), "handled"]
    assert actor.notes[1] == "start"
    assert actor.notes[-1] == "stop"
    assert watch.wait(0).reason == Normal()
    assert (hooks(actor), process.ended) == (set(), True)
    assert known_process(actor.actor_ref) is None


def test_failing_start() -> None:
    """The starter is told of the exception once the loop has been left."""
    actor, process, told = launched()
    error = ValueError("no")
    actor.fail.append(error)
    actor._actor_loop()
    (outcome,) = told
    assert isinstance(outcome, StartFailed)
    assert outcome.error.__cause__ is error
    assert isinstance(process.reason, Crashed)


def test_base_exception_in_on_start() -> None:
    """Pykka lets it end the thread; here the start fails and waiting askers are answered."""
    actor, _, told = launched()
    asked = actor.actor_ref.ask("x", block=False)
    actor.fail.append(SystemExit(1))
    actor._actor_loop()
    assert isinstance(told[0], StartFailed)
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=0)
    assert not actor.actor_ref.is_alive()
    assert actor.actor_ref not in pykka.ActorRegistry.get_all()


def test_thread_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no loop can be started the start fails, and no phantom stays in the registry."""

    def refuse(_: Plain) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(Plain, "_start_actor_loop", refuse)
    actor, _, told = launched()
    assert isinstance(told[0], StartFailed)
    assert hooks(actor) == set()
    assert actor.actor_ref not in pykka.ActorRegistry.get_all()


def test_order_waits_its_turn() -> None:
    """A stop order is Pykka's stop, and gives its reason to the end it brings about."""
    actor, process, _ = launched()
    actor.actor_ref.tell("before")
    process.order(StopOrder(Shutdown("why")))
    actor._actor_loop()
    assert actor.notes == ["launched", "start", "before", "stop"]
    assert process.reason == Shutdown("why")


def test_killed_between_messages() -> None:
    """No handler begins any more, neither hook runs, and askers are answered."""
    actor, process, _ = launched()
    actor._actor_loop_setup()
    process.kill()
    assert process.reason == Killed()
    with pytest.raises(pykka.ActorDeadError):
        actor._handle_receive("late")
    assert actor._handle_receive(STOP()) is None
    actor._handle_failure(ValueError, ValueError("late"), None)
    actor.on_failure()
    actor._stop()
    assert actor.notes == ["launched", "start"]
    assert process.reason == Killed()


def test_killed_as_it_stops() -> None:
    """A stop that the loop had taken before the kill runs no hook behind it."""
    actor, process, _ = launched()
    actor._actor_loop_setup()
    process.kill()
    actor._stop()
    assert actor.notes == ["launched", "start"]


def test_killed_in_a_handler() -> None:
    """It is abandoned, and listed until its loop has been left."""
    actor, process, _ = launched()
    listed: list[Any] = []

    def handler(_: Plain) -> None:
        process.kill()
        listed.extend(unstopped())
        raise ValueError

    actor.actor_ref.tell(handler)
    actor.actor_ref.tell("late")
    actor._actor_loop()
    assert process.reason == Abandoned()
    assert [entry.path for entry in listed] == ["Plain"]
    assert unstopped() == []
    assert actor.notes == ["launched", "start", handler]


def test_killed_in_on_failure() -> None:
    """User code runs there as well: what it says is that the actor was abandoned."""
    actor, process, _ = launched()
    actor._actor_loop_setup()
    actor._handle_failure(ValueError, ValueError("boom"), None)
    process.kill()
    assert process.reason == Abandoned()
    actor._actor_loop_teardown()
    process._leave()
    assert unstopped() == []


def test_killed_before_the_loop() -> None:
    """Then no line of the user's runs."""
    actor, process, told = launched()
    process.kill()
    actor._actor_loop()
    assert actor.notes == ["launched"]
    assert isinstance(told[0], StartFailed)


def test_attached_too_late() -> None:
    """An end that began before anybody looked is NoProc(), never called normal."""
    actor, process = attached()
    watch = monitor(actor.actor_ref)
    # The loop had looked up the class's own _handle_failure when the wrappers came.
    Plain._handle_failure(actor, ValueError, ValueError("unseen"), None)
    actor._actor_loop_teardown()
    assert watch.wait(0).reason == NoProc()
    assert process.ended


def test_attached_while_stopping() -> None:
    """Where Pykka has said that it stopped, and the wrappers saw nothing, nobody waits for them."""
    actor = Plain()
    actor.actor_stopped.set()
    assert known_process(actor.actor_ref) is None
    assert monitor(actor.actor_ref).wait(0).reason == NoProc()


def test_attached_once() -> None:
    """However many watch it, an actor has one process."""
    actor, process = attached()
    first, second = monitor(actor.actor_ref), monitor(actor.actor_ref)
    assert known_process(actor.actor_ref) is process
    assert first.cancel()
    actor._stop()
    actor._actor_loop_teardown()
    assert second.wait(0).reason == Normal()


def test_garbage() -> None:
    """The reference of an actor that is gone leads nowhere."""
    ref = Plain().actor_ref
    assert known_process(ref) is None

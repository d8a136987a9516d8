"""The end of an actor of which nobody is to be told, interrupted at each of its steps."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pykka import ActorRegistry

from supervisors import GenServer, NoProcError, Normal
from supervisors._runtime import in_place
from supervisors._runtime.items import Urge
from supervisors._runtime.lone_end import end_alone
from supervisors._runtime.ties import Ties
from supervisors.exits import Crashed, Killed
from supervisors.testing import ManualDispatcher
from tests.concurrency.conftest import DEADLINE
from tests.striking import handling, strike_at

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no setitimer"
)


class Struck(IndexError):
    """What a signal's handler raises, which the step itself may raise too."""


class Idle(GenServer):
    """Answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request


class Ending(Idle):
    """Has something to do at its end."""

    def terminate(self, reason: Any) -> None:
        """Nothing."""


def stop_and_look(ref: Any) -> None:
    """Who is told that it was alive has waited until all is over."""
    assert not ref.stop() or ref.process is None


def at_each_step(handler: Callable[[Any], object], look: Callable[[Any, bool], object]) -> int:
    """Have a handler interrupt `stop()` at each step, then look; return how many there are."""
    number, more = 0, True
    refs: list[Any] = []
    with handling(signal.SIGALRM, lambda *_: handler(refs[-1])):
        while more:
            refs.append(Idle.start())
            raised = False
            try:
                more = strike_at(number, lambda: stop_and_look(refs[-1]), signal.SIGALRM)
            except Struck:
                raised = True
            look(refs[-1], raised)
            number += 1
    return number


@pytest.mark.contract("S92")
def test_what_a_handler_raises_comes_out() -> None:
    """The actor is then alive, and can be used and stopped, or has ended, and nothing is left."""
    fates = set()
    pause = threading.Event()

    def strike(_: object) -> None:
        raise Struck

    def look(ref: Any, raised: bool) -> None:
        alive = ref.is_alive()
        fates.add((alive, raised))
        if alive:
            assert ref.ask(1, timeout=DEADLINE) == 1
            assert ref.stop(timeout=DEADLINE)
        # What is left to be done is done in another thread.
        process = ref.process
        end = time.monotonic() + DEADLINE
        while ref.process is not None and time.monotonic() < end:
            pause.wait(0.001)
        assert ref.process is None
        assert process is None or process.mailbox.closed
        assert ref not in ActorRegistry.get_all()

    assert at_each_step(strike, look) > 100
    assert fates == {(True, True), (False, True), (False, False)}


def test_a_handler_that_asks_the_actor() -> None:
    """It is answered, by the actor or because that has ended; it never waits."""
    answers: list[object] = []

    def ask(ref: Any) -> None:
        try:
            answers.append(ref.ask(7, timeout=DEADLINE))
        except NoProcError:
            answers.append(None)

    def look(ref: Any, raised: bool) -> None:
        assert not raised
        assert not ref.is_alive()

    assert at_each_step(ask, look) > 100
    assert set(answers) == {7, None}


@pytest.mark.contract("S151")
def test_a_handler_that_monitors_the_actor() -> None:
    """It hears of the end."""
    monitors: list[Any] = []

    def look(_: Any, raised: bool) -> None:
        assert not raised
        assert all(each.wait(DEADLINE).ref is each.ref for each in monitors)
        monitors.clear()

    assert at_each_step(lambda ref: monitors.append(ref.monitor()), look) > 100


def test_a_handler_that_stops_the_actor() -> None:
    """One of both is told that it was alive."""
    told: list[bool] = []

    def stop(ref: Any) -> None:
        told.append(ref.stop(timeout=DEADLINE))

    def look(ref: Any, raised: bool) -> None:
        assert not raised
        assert not ref.is_alive()

    assert at_each_step(stop, look) > 100
    assert set(told) == {True, False}


def test_a_kill_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of it and `stop()` one tells the end, once; who is told that it was alive waits for that."""
    told: list[Any] = []
    killers: list[threading.Thread] = []
    begun, pause, over = threading.Event(), threading.Event(), threading.Event()

    def tell(actor: Any, _: object) -> None:
        told.append(actor._process)
        if threading.current_thread() in killers:
            begun.set()
            # Until somebody waits for the end, or nobody does.
            while not (actor._process.bonds.stop_waiters or over.is_set()):
                pause.wait(0.001)

    def end(ref: Any) -> None:
        ref.exit(Killed())
        begun.set()

    def kill(ref: Any) -> None:
        begun.clear()
        over.clear()
        killers.append(threading.Thread(target=end, args=(ref,)))
        killers[-1].start()
        begun.wait(DEADLINE)

    def look(ref: Any, raised: bool) -> None:
        over.set()
        for killer in killers:
            killer.join(DEADLINE)
        assert not raised
        assert ref.process is None
        assert len(told) == 1
        told.clear()
        killers.clear()

    monkeypatch.setattr(Idle, "_otp_after_end", tell)
    assert at_each_step(kill, look) > 100


@pytest.mark.contract("S151")
def test_who_is_tying_something_to_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has seen it alive, and holds the claim still, is told of the end."""
    ref = Idle.start()
    process, monitors = ref.process, list[Any]()
    seen, pause, own = threading.Event(), threading.Event(), Ties._own_bonds

    def slowly(ties: Any, made: Any) -> Any:
        if threading.current_thread() is other:
            seen.set()
            while not process.ended:
                pause.wait(0.001)
            pause.wait(0.05)
        return own(ties, made)

    other = threading.Thread(target=lambda: monitors.append(ref.monitor()))
    monkeypatch.setattr(Ties, "_own_bonds", slowly)
    other.start()
    assert seen.wait(DEADLINE)
    assert end_alone(process, Normal())
    other.join(DEADLINE)
    assert monitors[0].wait(DEADLINE).reason == Normal()


def test_no_such_end() -> None:
    """Not with a terminate, a crash to report, an order before it, or a thread in it."""
    ending, plain = Ending.start().process, Idle.start().process
    assert not end_alone(ending, Normal())
    assert not end_alone(plain, Crashed(ValueError()))
    assert plain.mailbox.take_slot()
    assert not end_alone(plain, Normal())
    plain.mailbox.add_control(Urge(lambda _: None))
    plain.mailbox.slot.append(plain)
    assert not end_alone(plain, Normal())
    plain.mailbox.control.clear()
    plain.actor._otp_stash = [1]
    assert not end_alone(plain, Normal())
    plain.actor._otp_stash = None
    assert [ending.ended, plain.ended] == [False, False]
    assert end_alone(plain, Normal())
    assert not end_alone(plain, Normal())
    assert ending.actor_ref.stop()
    stepped = Idle.start(dispatcher=ManualDispatcher()).process
    assert not end_alone(stepped, Normal())
    stepped.kill()


def test_the_main_thread_takes_this_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is tied to the actor; also deep in calls."""
    ended: list[object] = []

    def note(process: Any, reason: Any) -> bool:
        ended.append(process)
        return end_alone(process, reason)

    def deep(depth: int) -> bool:
        return deep(depth - 1) if depth else bool(Idle.start().stop())

    monkeypatch.setattr(in_place, "end_alone", note)
    assert deep(3)
    assert deep(sys.getrecursionlimit() // 4)
    ref = Idle.start_link()
    assert ref.stop()
    ref = Idle.start()
    ref.monitor()
    assert ref.stop()
    assert len(ended) == 2

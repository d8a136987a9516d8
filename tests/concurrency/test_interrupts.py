"""Exceptions of signal handlers, as Ctrl-C's: what they interrupt in the main thread goes on."""

from __future__ import annotations

import gc
import itertools
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pykka import ActorRegistry

from supervisors import (
    CallTimeout,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Killed,
    NoProcError,
    TaskSupervisor,
    registered,
)
from supervisors._locks import new_lock, new_rlock
from supervisors._runtime.timers import TimerService
from tests.concurrency.conftest import DEADLINE

pytestmark = [
    pytest.mark.skipif(
        not hasattr(signal, "setitimer"),
        reason="this system has no setitimer: nothing to interrupt by",
    ),
    # What is raised in the callback of a weak reference is lost, as of a thread's in `threading`.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored.*WeakSet:pytest.PytestUnraisableExceptionWarning"
    ),
]

INTERRUPTS = 200


class Struck(Exception):
    """What the signal's handler raises."""


class Cut(KeyboardInterrupt):
    """What it raises as Ctrl-C does; `Thread.start` takes an Exception for a refused thread."""


class Idle(GenServer):
    """Answers, and takes what it is told."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request

    def handle_cast(self, message: Any) -> None:
        """Nothing to do."""

    def handle_info(self, message: Any) -> None:
        """Nothing to do."""


def interrupted(act: Callable[[], object], error: type[BaseException] = Struck) -> None:
    """Does it again and again, while a signal's handler raises now and then."""
    struck: list[object] = []

    def strike(*_: object) -> None:
        struck.append(None)
        raise error

    def until_struck() -> None:
        # A function: from 3.13 on `try` does not catch what comes at the jump back of such a loop.
        # A finalizer of what other tests left behind loses what is raised in it.
        while not struck:
            act()

    chance = random.Random(20)
    # What is raised in one is lost, and the next round with it; Hypothesis leaves one behind.
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    before = signal.signal(signal.SIGALRM, strike)
    try:
        for _ in range(INTERRUPTS):
            try:
                struck.clear()
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.001))
                until_struck()
            except error:
                continue
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.callbacks[:] = callbacks


@pytest.mark.parametrize("way", ["tell", "cast", "cast_all", "send_info", "ask"])
@pytest.mark.parametrize(("dispatcher", "count"), [("pool", 300), ("thread", 30)])
def test_no_actor_is_forgotten(way: str, dispatcher: str, count: int) -> None:
    """Whatever a send in the main thread was interrupted in, the actor runs when it is sent to."""
    refs = [Idle.start(dispatcher=dispatcher) for _ in range(count)]
    turn = itertools.cycle(refs)
    send: dict[str, Callable[[Any], object]] = {
        "tell": lambda ref: ref.tell(1),
        "cast": lambda ref: ref.cast(1),
        "cast_all": lambda ref: ref.cast_all([1]),
        "send_info": lambda ref: ref.send_info(1),
        "ask": lambda ref: ref.ask(1, block=False),
    }
    interrupted(lambda: send[way](next(turn)))
    answers = [ref.ask(number, timeout=DEADLINE) for number, ref in enumerate(refs)]
    assert answers == list(range(count))
    assert [ref.stop(timeout=DEADLINE) for ref in refs] == [True] * count


def test_no_supervisor_is_forgotten() -> None:
    """A start_child that was interrupted leaves a supervisor that goes on."""
    with DynamicSupervisor.start_link() as parent:
        interrupted(lambda: parent.start_child(Idle))
        assert parent.count_children().active >= 0
        assert parent.start_child(Idle).ask(7, timeout=DEADLINE) == 7


def test_no_start_leaves_an_actor_that_cannot_run() -> None:
    """Whatever a start in the main thread was interrupted in, who is listed then has begun.

    In the pool only: in the middle of `Thread.start`, `threading` itself leaves things half done.
    """
    with TaskSupervisor.start_link() as tasks:
        # The pool has its threads.
        tasks.run(int).result(timeout=DEADLINE)
    numbers = itertools.count()
    before = set(ActorRegistry.get_all())
    interrupted(lambda: Idle.start(name=("x", next(numbers))).stop(), Cut)
    left = [ref for ref in ActorRegistry.get_all() if ref not in before]
    dead = [ref for ref in left if ref.is_alive() and not began(ref)]
    for ref in left:
        if ref not in dead:
            ref.stop(timeout=DEADLINE)
    assert dead == []
    assert registered() == []


def test_a_supervisor_hears_of_every_kill() -> None:
    """Whatever a kill in the main thread was interrupted in, the supervisor and monitors hear."""
    parent = DynamicSupervisor.start_link()
    spec = ChildSpec("x", start=Idle, restart="temporary")
    monitors = [parent.start_child(spec).monitor() for _ in range(10_000)]
    victims = iter(monitors)
    interrupted(lambda: next(victims).ref.exit(Killed()), Cut)
    killed = [monitor for monitor in monitors if not monitor.ref.is_alive()]
    assert INTERRUPTS < len(killed) < len(monitors)
    # It answers, and stops, only where no end is waited for in vain.
    parent.stop(timeout=DEADLINE)
    assert {type(monitor.wait(timeout=DEADLINE).reason) for monitor in killed} == {Killed}


def began(ref: Any) -> bool:
    """Tells whether an actor answers in time."""
    try:
        return bool(ref.ask(True, timeout=1.0))
    except NoProcError:
        return True
    except CallTimeout:
        return False


def can_be_taken(lock: Any) -> bool:
    """Tells whether another thread gets the lock."""
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(lock.acquire(timeout=1.0)))
    thread.start()
    thread.join()
    return got == [True]


@pytest.mark.parametrize("new", [new_lock, new_rlock], ids=["lock", "rlock"])
def test_no_lock_is_left_locked(new: Callable[[], Any]) -> None:
    """What `with` has taken it gives back, in every version of Python."""
    lock = new()

    def take() -> None:
        with lock:
            pass

    interrupted(take)
    assert can_be_taken(lock)


def test_timers_go_on() -> None:
    """A timer that was armed, or cancelled, in vain stops no other one."""
    service, fired = TimerService(), threading.Event()
    service.after(0.0, fired.set)
    assert fired.wait(DEADLINE)
    interrupted(lambda: service.after(600.0, int).cancel())
    fired.clear()
    threading.Thread(target=lambda: service.after(0.0, fired.set), daemon=True).start()
    assert fired.wait(DEADLINE)

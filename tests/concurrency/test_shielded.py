"""What the main thread does of supervisors' steps itself, interrupted at each step of it."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pykka import ActorRegistry

from supervisors import ChildSpec, DynamicSupervisor, GenServer, Supervisor, telemetry
from supervisors._runtime import in_place
from supervisors._runtime.shield import _state, shielded
from tests.concurrency.conftest import DEADLINE
from tests.concurrency.crew import wait_for
from tests.striking import handling, strike_at

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no setitimer"),
    pytest.mark.skipif(
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler,
        reason="SIGINT is ignored, or handled by who runs the tests",
    ),
]


ROUNDS = 100


class Struck(Exception):
    """What the signal's handler raises."""


class Cut(KeyboardInterrupt):
    """What it raises as Ctrl-C does; `Thread.start` takes an Exception for a refused thread."""


class Idle(GenServer):
    """Answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request


@pytest.fixture
def parent() -> Iterator[Any]:
    """A supervisor that answers in the end, and knows its children."""
    with DynamicSupervisor.start_link(max_restarts=10**6) as parent:
        yield parent
        assert parent.start_child(Idle).ask(7, timeout=DEADLINE) == 7
        tidy(parent)
    assert not _state.up
    assert (_state.before, _state.missed) == ({}, [])


def assert_it_knows(parent: Any) -> None:
    """All that live are its children, each of them answers, and it counts them."""
    known = [info.ref for info in parent.which_children()]
    living = [ref for ref in ActorRegistry.get_all() if ref.actor_class is Idle]
    assert sorted(map(id, known)) == sorted(map(id, living))
    assert [ref.ask(1, timeout=DEADLINE) for ref in known] == [1] * len(known)
    counts = parent.count_children()
    assert counts.specs == counts.active == len(known)


def ways(parent: Any) -> dict[str, Callable[[], Any]]:
    """Returns what is struck, each made ready by a call."""

    def start_child() -> Any:
        return lambda: parent.start_child(Idle)

    def terminate_child() -> Any:
        ref = parent.start_child(Idle)
        return lambda: parent.terminate_child(ref)

    def stop() -> Any:
        ref = parent.start_child(ChildSpec("x", start=Idle, restart="temporary"))
        return ref.stop

    def count() -> Any:
        return parent.count_children

    def stop_alone() -> Any:
        ref = Idle.start()
        return ref.stop

    def start() -> Any:
        return Idle.start

    made = (start_child, terminate_child, stop, count, stop_alone, start)
    return {each.__name__: each for each in made}


WAYS = ["start_child", "terminate_child", "stop", "count", "stop_alone", "start"]


def strike(*_: object) -> None:
    """Raises what is no Ctrl-C."""
    raise Struck


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGALRM])
@pytest.mark.contract("S92", "S93")
def test_an_exception_at_each_step(parent: Any, way: str, signum: int) -> None:
    """It comes once, and what it met is done whole or not at all."""
    handler = signal.default_int_handler if signum == signal.SIGINT else strike
    number, more = 0, True
    with handling(signum, handler):
        while more:
            act = ways(parent)[way]()
            try:
                more = strike_at(number, act, signum)
            except (Struck, KeyboardInterrupt):
                pass
            else:
                assert not more, "it was lost"
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            # Every one of the usual case; the other has more of them, each of which takes longer.
            number += 1 if signum == signal.SIGINT else 3
            if number % 100 == 0:
                tidy(parent)
    assert number > 100
    tidy(parent)


def tidy(parent: Any) -> None:
    """Looks that nothing is half done, and ends all children."""
    for ref in ActorRegistry.get_all():
        process = getattr(ref, "process", None)
        if ref.actor_class is Idle and process is not None and process.parent is None:
            # It was not stopped yet, or not yet started as a child; or another thread ends it.
            assert ref.stop() or process.ended
            wait_for(lambda ref=ref: ref.process is None)
    assert_it_knows(parent)
    for info in parent.which_children():
        parent.terminate_child(info.ref)


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_calls_the_supervisor(parent: Any, way: str) -> None:
    """Whatever it interrupts, it is answered, and so is who was interrupted."""
    answers: list[Any] = []

    def ask(*_: object) -> None:
        ref = parent.start_child(Idle)
        answers.append(ref.ask(1, timeout=DEADLINE))
        parent.terminate_child(ref)

    number, more = 0, True
    with handling(signal.SIGALRM, ask):
        while more:
            act = ways(parent)[way]()
            more = strike_at(number, act, signal.SIGALRM)
            assert answers == [1] * more
            answers.clear()
            number += 7
            tidy(parent)
    assert number > 200


@pytest.fixture
def unraised(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Return where the exceptions went that Python cannot raise."""
    # What is raised in the callback of a weak reference is lost, as of a thread's in `threading`.
    unraised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: unraised.append(what.object))
    # And in one of these; Hypothesis leaves one behind.
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    yield unraised
    gc.callbacks[:] = callbacks


@pytest.mark.parametrize("handlers", [0, 1, 2])
def test_a_storm(parent: Any, handlers: int, unraised: list[Any]) -> None:
    """Starts and ends without number, with exceptions at any time: nothing hangs, or is left."""
    chance = random.Random(handlers)
    ready = threading.Semaphore(0)
    sent: list[int] = []
    struck: list[int] = []

    def strike(signum: int, _: object) -> None:
        struck.append(signum)
        raise Cut

    def send() -> None:
        main = threading.main_thread().ident or 0
        for number in range(ROUNDS):
            ready.acquire()
            signal.sigtimedwait([], chance.uniform(0.0001, 0.002))
            signal.pthread_kill(main, signal.SIGUSR1 if handlers else signal.SIGINT)
            sent.append(number)

    def go_on(number: int) -> None:
        refs: list[Any] = []
        ready.release()
        while number not in sent:
            if refs and chance.random() < 0.5:
                parent.terminate_child(refs.pop())
            else:
                refs.append(parent.start_child(Idle))
            Idle.start().stop()
            parent.count_children()
        # It was sent from another processor, and may take its time.
        threading.Event().wait(1.0)

    lost = 0
    signums = [signal.SIGUSR1, signal.SIGALRM][:handlers]
    before = [signal.signal(each, strike) for each in signums]
    sender = threading.Thread(target=send, daemon=True)
    try:
        sender.start()
        for number in range(ROUNDS):
            # One at a time, or the next might come in here.
            try:
                go_on(number)
            except KeyboardInterrupt:
                continue
            lost += 1
        sender.join()
        assert lost == len(unraised), unraised
        assert not [each for each in unraised if "supervisors" in str(each)]
        assert len(struck) == (ROUNDS if handlers else 0)
        assert [signal.getsignal(each) for each in signums] == [strike] * len(signums)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        tidy(parent)
    finally:
        for each, handler in zip(signums, before, strict=True):
            signal.signal(each, handler)


def test_a_start_that_is_watched_is_reported_without_a_shield(parent: Any) -> None:
    """Who listens is a user's code: Ctrl-C ends it, in the thread that it runs in."""
    seen: list[bool] = []
    event = ("supervisors", "child", "started")
    telemetry.attach("shielded", event, lambda *_: seen.append(_state.up))
    try:
        parent.start_child(Idle)
    finally:
        telemetry.detach("shielded")
    assert seen == [False]


def test_who_monitors_is_told_without_a_shield(parent: Any) -> None:
    """What a monitor calls is a user's code; so is who hears of messages that nobody handled."""
    seen: list[bool] = []
    ends: list[Callable[[Any], object]] = [parent.terminate_child, lambda ref: ref.stop()]
    for end in ends:
        ref = parent.start_child(ChildSpec("x", start=Idle, restart="temporary"))
        ref.monitor(call=lambda _: seen.append(_state.up))
        end(ref)
    assert seen == [False, False]


def test_a_static_supervisor_too() -> None:
    """By id as by ref; what was terminated there stays known."""
    with Supervisor.start_link([Idle.child_spec(id="a")], strategy="one_for_one") as parent:
        ref = parent.start_child(Idle.child_spec(id="b"))
        parent.terminate_child("a")
        parent.terminate_child(ref)
        assert [(info.id, info.ref) for info in parent.which_children()] == [
            ("b", None),
            ("a", None),
        ]
        assert parent.get_childspec("a").id == "a"


def test_where_the_main_thread_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep in calls, or in a running event loop, a worker does it, as for any other thread."""
    shields: list[object] = []

    def note(act: Callable[..., object], *arguments: object) -> object:
        shields.append(act)
        return shielded(act, *arguments)

    def start_and_stop() -> bool:
        stopped: bool = Idle.start_link().stop()
        return stopped

    def deep(depth: int) -> bool:
        return deep(depth - 1) if depth else start_and_stop()

    async def in_a_loop() -> bool:
        return start_and_stop()

    monkeypatch.setattr(in_place, "shielded", note)
    assert deep(sys.getrecursionlimit() // 4)
    assert asyncio.run(in_a_loop())
    assert shields == []
    assert start_and_stop()
    assert deep(3)
    assert len(shields) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_in_another_thread() -> None:
    """In the child, where nobody is in the step that was shielded, Ctrl-C is handled as ever."""
    codes: list[int] = []

    def fork() -> None:
        child = os.fork()
        if not child:
            stands = signal.getsignal(signal.SIGINT) is signal.default_int_handler
            os._exit(0 if stands and not _state.up else 1)
        codes.append(os.waitpid(child, 0)[1])

    def act() -> None:
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join(DEADLINE)

    shielded(act)
    assert codes == [0]

"""Actors whose start runs nothing of a user's come up in the thread of who starts them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pykka import ActorRegistry

from supervisors import GenServer, Shutdown, StartError
from supervisors._runtime.first_turn import READY, start_plainly
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.root import root
from tests.concurrency.conftest import DEADLINE
from tests.concurrency.test_handover import in_thread
from tests.concurrency.test_interrupts import interrupted, pytestmark  # noqa: F401

EVERYWHERE = pytest.mark.parametrize("run", [in_thread, lambda act: act()], ids=["other", "main"])


class Plain(GenServer):
    """Has no init; answers its thread."""

    def handle_call(self, request: Any, sender: Any) -> int:
        return threading.get_ident()


class Other(Plain):
    """Is patched by a test."""


@EVERYWHERE
@pytest.mark.parametrize("way", ["start", "start_link"])
def test_it_is_up_without_a_turn(run: Callable[[Any], Any], way: str, monkeypatch: Any) -> None:
    """No other thread has a part in the start, and the handlers run in another thread as always."""
    threads: list[int] = []

    def noted(cls: type) -> bool:
        threads.append(threading.get_ident())
        return True

    monkeypatch.setattr(Plain, "_otp_starts_plainly", classmethod(noted))
    starter, ref = run(lambda: (threading.get_ident(), getattr(Plain, way)()))
    assert threads == [starter]
    assert ref in ActorRegistry.get_all()
    assert (ref.process in root) is (way == "start_link")
    assert ref.ask(1, timeout=DEADLINE) != threading.main_thread().ident
    assert ref.stop(timeout=DEADLINE)


def test_a_loop_of_asyncio_starts_it_too() -> None:
    """Its thread runs no turn of an actor's."""

    async def start() -> Any:
        ref = Plain.start()
        return ref, await ref.ask(1, block=False)

    ref, thread = asyncio.run(start())
    assert thread != threading.get_ident()
    ref.stop()


@pytest.mark.parametrize("hook", ["init", "on_start"])
@EVERYWHERE
def test_a_patched_class_is_not_taken_for_plain(
    run: Callable[[Any], Any], hook: str, monkeypatch: Any
) -> None:
    """What a class is given later, as by `mock.patch`, runs in its next start, and may fail it."""
    ref = run(Other.start)
    monkeypatch.setattr(Other, hook, lambda self: 1 / 0)
    with pytest.raises(StartError):
        run(Other.start)
    ref.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("init", lambda self: None),
        ("on_start", lambda self: None),
        ("__init__", lambda self, *_: GenServer.__init__(self)),
        ("__new__", lambda cls, *_: object.__new__(cls)),
        ("_otp_begin", lambda self, args, kwargs: READY),
        ("_otp_after_start", lambda self: None),
        ("mailbox_limit", 1),
        ("ref_class", type("Ref", (ActorRef,), {})),
        ("dispatcher", "thread"),
    ],
)
def test_what_makes_a_class_not_plain(name: str, value: Any) -> None:
    """Each by itself, in the class or in one that it derives from."""
    own: Any = type("Own", (Plain,), {name: value})
    assert Plain._otp_starts_plainly()
    assert not own._otp_starts_plainly()
    derived: Any = type("Derived", (own,), {})
    assert not derived._otp_starts_plainly()
    ref = own.start()
    assert ref.ask(1, timeout=DEADLINE) != threading.get_ident()
    ref.stop()


@EVERYWHERE
def test_arguments_go_where_no_init_is(run: Callable[[Any], Any]) -> None:
    """GenServer's own init takes any, and so does its start."""
    ref = run(lambda: Plain.start(1, two=2))
    ref.stop()


def test_a_linked_start_in_a_handler_is_a_link() -> None:
    """The end of who started it is its own end."""

    class Starter(GenServer):
        def handle_call(self, request: Any, sender: Any) -> Any:
            return Plain.start_link()

    starter = Starter.start()
    plain = starter.ask("start", timeout=DEADLINE)
    watch = plain.monitor()
    starter.stop(Shutdown("over"))
    assert watch.wait(DEADLINE).reason == Shutdown("over")


@pytest.mark.parametrize("way", ["start", "start_link"])
def test_an_interrupt_leaves_no_half_started_actor(way: str) -> None:
    """Whatever a start in the main thread was interrupted in, who can be found answers."""
    interrupted(getattr(Plain, way))
    listed: Any = ActorRegistry.get_by_class(Plain)
    refs = {*listed, *(process.actor_ref for process in root.members())}
    asked = [ref.ask(1, block=False) for ref in refs]
    assert len(asked) > 1
    for answer in asked:
        assert answer.get(timeout=DEADLINE)
    for ref in refs:
        ref.stop(block=False)
    for ref in refs:
        ref.stop(timeout=DEADLINE)


@pytest.mark.usefixtures("fast_switching")
def test_who_finds_it_in_the_registry_can_ask_it() -> None:
    """Other threads see it only when it is up."""
    over = threading.Event()
    answers: list[int] = []

    def find() -> None:
        while not over.is_set():
            refs: Any = ActorRegistry.get_by_class(Plain)
            answers.extend([ref.ask(1, timeout=DEADLINE) for ref in refs])

    thread = threading.Thread(target=find)
    thread.start()
    refs = [Plain.start() for _ in range(50)]
    while len(answers) < 100:
        over.wait(0.001)
    over.set()
    thread.join(DEADLINE)
    for ref in refs:
        assert ref.is_alive()
        ref.stop()


def test_one_that_ends_while_it_is_linked_is_not_listed() -> None:
    """Its starter may be killed in the middle of the start, and ends it: nothing dead is left."""
    ended = start_plainly(Plain, lambda process: process.kill())
    assert not ended.is_alive()
    assert ended not in ActorRegistry.get_all()

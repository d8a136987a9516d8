"""Starts with real threads: synchronous, exclusive under a name, and never lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import (
    Abandoned,
    ActorRef,
    AlreadyStartedError,
    GenServer,
    Killed,
    StartError,
    StartTimeout,
    Supervisor,
    unstopped,
    whereis,
)
from tests.concurrency.crew import DEADLINE, Doer, stop, together

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


class Gated(GenServer):
    """Its init waits for a gate."""

    def init(self, entered: threading.Event, gate: threading.Event, order: list[str]) -> None:
        entered.set()
        gate.wait(DEADLINE)
        order.append("init")


@pytest.mark.contract("S158")
@DISPATCHERS
def test_start_waits_for_init(dispatcher: str) -> None:
    """Start returns when init has, not before."""
    entered, gate, returned = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []
    refs: list[Any] = []

    def start() -> None:
        refs.append(Gated.start(entered, gate, order, dispatcher=dispatcher))
        order.append("start")
        returned.set()

    starter = threading.Thread(target=start)
    starter.start()
    assert entered.wait(DEADLINE)
    assert not returned.wait(0.05)
    gate.set()
    starter.join(DEADLINE)
    assert order == ["init", "start"]
    stop(refs)


@pytest.mark.contract("S19")
@DISPATCHERS
def test_supervisor_start_waits_for_all_inits(dispatcher: str) -> None:
    """A supervisor's start returns when the last init has; each begins after the one before."""
    gates = [(threading.Event(), threading.Event()) for _ in range(3)]
    order: list[str] = []
    specs = [
        Gated.child_spec(*gate, order, id=number, dispatcher=dispatcher)
        for number, gate in enumerate(gates)
    ]
    refs: list[Any] = []
    starter = threading.Thread(
        target=lambda: refs.append(Supervisor.start_link(specs, strategy="one_for_one"))
    )
    starter.start()
    for number, (entered, gate) in enumerate(gates):
        assert entered.wait(DEADLINE)
        assert not any(later.is_set() for later, _ in gates[number + 1 :])
        assert refs == []
        gate.set()
    starter.join(DEADLINE)
    assert order == ["init"] * 3
    stop(refs)


@pytest.mark.contract("S125")
def test_one_name_one_actor() -> None:
    """Of many starts under one name at the same moment exactly one wins, and one init runs."""

    def once() -> None:
        ran: list[Any] = []
        won: list[Any] = []
        lost: list[Any] = []

        class Named(GenServer):
            def init(self) -> None:
                ran.append(self)

        def start(cls: Any = Named) -> None:
            try:
                won.append(cls.start(name="the name"))
            except AlreadyStartedError as error:
                lost.append(error.ref)

        together(*[start] * 6)
        assert (len(won), len(ran), len(lost)) == (1, 1, 5)
        assert set(lost) == set(won)
        stop(won)

    for _ in range(50):
        once()


@pytest.mark.contract("S127")
def test_starts_and_kills_under_a_name() -> None:
    """Who finds a starting actor may kill it at any moment; its start returns all the same."""
    done = threading.Event()
    outcomes: list[Any] = []

    def start() -> None:
        for _ in range(150):
            try:
                outcomes.append(Doer.start(name="hunted"))
            except AlreadyStartedError as error:
                outcomes.append(error.ref)
            except StartError as error:
                outcomes.append(error.reason)
        done.set()

    def hunt() -> None:
        while not done.is_set():
            ref = whereis("hunted")
            if ref is not None:
                ref.exit(Killed())

    together(start, hunt, hunt)
    assert len(outcomes) == 150
    assert {type(outcome) for outcome in outcomes} <= {ActorRef, Killed, Abandoned}
    ref = whereis("hunted")
    if ref is not None:
        ref.exit(Killed())


@pytest.mark.contract("S160")
@DISPATCHERS
def test_start_timeout(dispatcher: str) -> None:
    """A start that takes too long fails; its name is free, its thread is told until it is back."""
    entered, gate = threading.Event(), threading.Event()
    order: list[str] = []
    with pytest.raises(StartTimeout) as caught:
        Gated.start(entered, gate, order, name="slow", start_timeout=0.05, dispatcher=dispatcher)
    assert caught.value.reason == Killed()
    assert whereis("slow") is None
    assert entered.wait(DEADLINE)
    assert [entry.path for entry in unstopped()] == ["slow"]
    second = Doer.start(name="slow")
    gate.set()
    stop([second])


@pytest.mark.contract("S160")
def test_start_timeout_before_the_first_turn() -> None:
    """A start may time out before a thread takes it up; nothing of it runs afterwards."""
    for _ in range(200):
        try:
            ref = Doer.start(start_timeout=0.0)
        except StartTimeout:
            continue
        stop([ref])


@pytest.mark.contract("S126", "S161")
def test_messages_during_init() -> None:
    """What is sent to a starting actor by its name waits until it has started, and is handled."""
    entered, gate = threading.Event(), threading.Event()
    refs: list[Any] = []

    class Echo(Gated):
        def handle_call(self, request: Any, sender: Any) -> Any:
            return request

    starter = threading.Thread(
        target=lambda: refs.append(Echo.start(entered, gate, [], name="early"))
    )
    starter.start()
    assert entered.wait(DEADLINE)
    replies = [whereis("early").ask(number, block=False) for number in range(10)]
    gate.set()
    assert [reply.get(timeout=DEADLINE) for reply in replies] == list(range(10))
    starter.join(DEADLINE)
    stop(refs)

"""Looking into actors that work meanwhile: real threads, nothing lost, nobody waits for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import (
    CallTimeout,
    ChildSpec,
    NoProcError,
    Reply,
    Shutdown,
    Supervisor,
    introspect,
)
from tests.concurrency.crew import DEADLINE, Doer, Noting, boom, stop, together, waits

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


@pytest.mark.contract("S187")
@DISPATCHERS
def test_suspending_loses_and_reorders_nothing(dispatcher: str) -> None:
    """An actor that is suspended and resumed all the time handles each message once, in order."""
    ref = Noting.start(dispatcher=dispatcher)
    over = threading.Event()

    def send() -> None:
        for number in range(2000):
            ref.send_info(number)
        over.set()

    def hold() -> None:
        while not over.is_set():
            introspect.suspend(ref, timeout=DEADLINE)
            introspect.resume(ref, timeout=DEADLINE)

    together(send, hold, hold)
    introspect.resume(ref, timeout=DEADLINE)
    assert ref.ask("end", timeout=DEADLINE) == "end"
    assert introspect.get_state(ref, timeout=DEADLINE)["notes"] == list(range(2000))
    stop([ref])


@DISPATCHERS
def test_suspended_actor_rests(dispatcher: str) -> None:
    """Messages to a suspended actor are not handled, and it takes no turn after turn for them."""
    ref = Noting.start(dispatcher=dispatcher)
    introspect.suspend(ref, timeout=DEADLINE)
    batches: list[int] = []
    process = ref.process
    run = process.take_turn

    class Counted(type(process)):  # type: ignore[misc]
        __slots__ = ()

        def take_turn(self, budget: int, here: dict[str, Any]) -> bool:
            batches.append(budget)
            return bool(run(budget, here))

    process.__class__ = Counted
    for number in range(10):
        ref.send_info(number)
        introspect.get_status(ref, timeout=DEADLINE)
    # Two per message and two per request at most, however long that took.
    assert len(batches) <= 50
    state = introspect.get_state(ref, timeout=DEADLINE)
    assert (state["notes"], len(process.mailbox.user)) == ([], 10)
    introspect.resume(ref, timeout=DEADLINE)
    ref.ask("end", timeout=DEADLINE)
    assert introspect.get_state(ref, timeout=DEADLINE)["notes"] == list(range(10))
    stop([ref])


@pytest.mark.contract("S190")
@DISPATCHERS
@pytest.mark.parametrize("trap", [True, False])
def test_suspended_child_obeys_its_parent(dispatcher: str, trap: bool) -> None:
    """A suspended child, trapping or not, ends long before its shutdown time is over."""
    spec = ChildSpec("a", Noting.start, (trap,), {"dispatcher": dispatcher}, shutdown=None)
    sup = Supervisor.start_link([spec], strategy="one_for_one")
    ref = sup.which_children()[0].ref
    ends = introspect.get_state(ref, timeout=DEADLINE)["ends"]
    introspect.suspend(ref, timeout=DEADLINE)
    ref.tell("queued")
    monitor = ref.monitor()
    assert sup.stop(timeout=DEADLINE)
    assert monitor.wait(DEADLINE).reason == Shutdown()
    assert ends == [Shutdown()]


def test_requests_racing_the_end_are_answered() -> None:
    """Whoever looks into an actor that ends meanwhile gets an answer or NoProcError, at once."""

    def once() -> None:
        ref = Doer.start()
        outcomes: list[Any] = []

        def look() -> None:
            for _ in range(20):
                try:
                    outcomes.append(introspect.get_state(ref, timeout=DEADLINE))
                except NoProcError:
                    outcomes.append(None)

        together(look, look, lambda: ref.stop(timeout=DEADLINE))
        assert len(outcomes) == 40

    for _ in range(30):
        once()


@DISPATCHERS
def test_busy_actor(dispatcher: str) -> None:
    """A request to a busy actor times out, and is withdrawn; statistics tell since when it is."""
    ref = Doer.start(dispatcher=dispatcher)
    introspect.statistics(ref, True, timeout=DEADLINE)
    entered, gate = threading.Event(), threading.Event()
    ref.tell(waits(entered.set, gate))
    assert entered.wait(DEADLINE)
    with pytest.raises(CallTimeout):
        introspect.suspend(ref, timeout=0.01)
    seen = introspect.statistics(ref)
    assert seen.busy
    assert seen.busy_for is not None
    assert seen.busy_for >= 0.01
    assert seen.messages_handled == 0
    gate.set()
    assert ref.ask("x", timeout=DEADLINE) == "x"
    last = introspect.statistics(ref, False, timeout=DEADLINE)
    assert (last.messages_handled, last.messages_in, last.mailbox) == (2, 2, 0)
    stop([ref])


@pytest.mark.contract("S191")
@DISPATCHERS
def test_tracing_and_counting_switched_under_load(dispatcher: str) -> None:
    """Switched on and off while messages come: each is answered, steps come in pairs."""
    ref = Doer.start(dispatcher=dispatcher)
    steps: list[introspect.TraceEvent] = []
    over = threading.Event()

    def ask() -> None:
        replies: list[Reply] = [ref.ask(number, block=False) for number in range(2000)]
        assert [reply.get(timeout=DEADLINE) for reply in replies] == list(range(2000))
        over.set()

    def switch() -> None:
        while not over.is_set():
            introspect.trace(ref, steps.append, timeout=DEADLINE)
            introspect.statistics(ref, True, timeout=DEADLINE)
            introspect.trace(ref, None, timeout=DEADLINE)
            introspect.statistics(ref, False, timeout=DEADLINE)

    together(ask, switch)
    introspect.trace(ref, steps.append, timeout=DEADLINE)
    steps.clear()
    ref.ask("x", timeout=DEADLINE)
    introspect.trace(ref, None, timeout=DEADLINE)
    assert [str(event.step) for event in steps] == ["begins", "ends"]
    assert "_otp_receive" not in vars(ref.process.actor)
    stop([ref])


@pytest.mark.contract("S188")
def test_actors_look_into_one_another() -> None:
    """An actor may look into another one from a handler, while that one is suspended too."""
    ref, other = Doer.start(), Noting.start()
    introspect.suspend(other, timeout=DEADLINE)
    state = ref.ask(lambda _: introspect.get_state(other, timeout=DEADLINE), timeout=DEADLINE)
    assert state == {"trap_exit": False, "notes": [], "ends": []}
    stop([ref, other])


@pytest.mark.contract("S193")
def test_supervisor_in_the_middle_of_a_restart() -> None:
    """A supervisor that waits for a child's slow init tells its state meanwhile."""
    gate, entered = threading.Event(), threading.Event()

    class Slow(Doer):
        starts = 0

        def init(self) -> None:
            Slow.starts += 1
            if Slow.starts > 1:
                entered.set()
                gate.wait(DEADLINE)

    sup = Supervisor.start_link([Slow], strategy="one_for_one")
    sup.which_children()[0].ref.tell(boom)
    assert entered.wait(DEADLINE)
    with pytest.raises(CallTimeout):
        sup.describe(timeout=0.01)
    [(child_id, line)] = introspect.get_state(sup, timeout=DEADLINE).children
    assert (child_id, line.ref) == ("Slow", None)
    assert introspect.get_status(sup, timeout=DEADLINE).state.counted == 1
    gate.set()
    assert sup.which_children()[0].restarts == 1
    sup.stop(timeout=DEADLINE)

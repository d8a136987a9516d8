"""A signal handler, or a finalizer, that runs in the middle of a step and does the like itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from supervisors import GenServer, Killed, registered, telemetry, unstopped, whereis
from supervisors._machines.timer_heap import ArmedTimer, TimerHeap
from supervisors._runtime.names import process_names
from supervisors._runtime.own_thread import own_thread
from supervisors._runtime.pool import pool
from supervisors._runtime.root import root
from supervisors._runtime.timers import timers

DEADLINE = 10.0


class Echo(GenServer):
    """Answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        """The request is the answer."""
        return request


def within(lock: AbstractContextManager[object], deed: Callable[[], object]) -> bool:
    """Tells whether a thread that holds the lock gets through with the deed."""
    through = threading.Event()

    def run() -> None:
        with lock:
            deed()
        through.set()

    threading.Thread(target=run, daemon=True).start()
    return through.wait(DEADLINE)


def live_in_a_thread() -> None:
    """Starts and kills an actor with a thread of its own, and waits for nothing."""
    Echo.start(dispatcher="thread").exit(Killed())


def test_what_interrupts_a_step_on_a_process() -> None:
    """It monitors, and cancels that, asks and orders the end of the very process."""
    ref = Echo.start()
    assert ref.process is not None
    replies: list[Any] = []

    def deed() -> None:
        ref.monitor().cancel()
        replies.append(ref.ask(1, block=False))
        replies.append(ref.stop(block=False))

    assert within(ref.process.claim, deed)
    assert replies[1].get(timeout=DEADLINE) is True


@pytest.mark.parametrize(
    ("lock", "deed"),
    [
        (process_names._lock, lambda: Echo.start(name="interrupting").exit(Killed())),
        (process_names._lock, registered),
        (root._lock, lambda: Echo.start_link().exit(Killed())),
        (pool._lock, pool.threads),
        (own_thread._lock, live_in_a_thread),
        (timers._changed, lambda: timers.after(60.0, lambda: None).cancel()),
        (telemetry._lock, lambda: telemetry.detach("nobody")),
    ],
    ids=["name", "registered", "start_link", "pool", "thread", "timer", "telemetry"],
)
def test_what_interrupts_a_step_on_a_table(
    lock: AbstractContextManager[object], deed: Callable[[], object]
) -> None:
    """It does a step on the same table, and does not wait for the one below it."""
    assert within(lock, deed)


def test_unstopped_is_listed_meanwhile() -> None:
    """What tells of stuck actors is what a signal handler is asked for most."""
    from supervisors._runtime.unstopped import _lock

    assert within(_lock, unstopped)


def test_a_key_that_looks_names_up_when_compared() -> None:
    """Comparing keys is a user's code, and runs in the middle of a claim."""
    compared: list[list[Any]] = []

    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            compared.append(registered())
            return self is other

    first, second = Key(), Key()
    ref = Echo.start(name=first)
    through = threading.Event()

    def run() -> None:
        Echo.start(name=second).stop()
        through.set()

    threading.Thread(target=run, daemon=True).start()
    assert through.wait(DEADLINE)
    assert [first] in compared
    assert whereis(first) is ref
    ref.stop()


def test_what_is_armed_while_cancelled_timers_are_swept_is_kept() -> None:
    """The sweep asks each timer; here that arms another one."""
    heap = TimerHeap()
    armed: list[ArmedTimer] = []

    class Meddling(ArmedTimer):
        @property
        def pending(self) -> bool:
            if sweeping and not armed:
                armed.append(heap.arm(5.0, "meanwhile"))
            return True

        @pending.setter
        def pending(self, value: bool) -> None:
            pass

    sweeping = False
    heap._heap.append((1.0, 0, Meddling(1.0, 0, "kept")))
    victims = [heap.arm(2.0, number) for number in range(3)]
    for victim in victims[:2]:
        heap.cancel(victim)
    sweeping = True
    heap.cancel(victims[2])
    assert heap.pop_due(9.0) == ["kept", "meanwhile"]


def test_what_is_kept_while_a_process_sweeps_its_timers_is_cancelled_at_its_end() -> None:
    """The sweep asks each timer; here that keeps another one."""
    ref = GenServer.start()
    ties = ref.process

    class Fake:
        def __init__(self, *, meddles: bool = False) -> None:
            self.meddles, self.cancelled = meddles, False

        @property
        def waiting(self) -> bool:
            if self.meddles:
                self.meddles = False
                ties.keep_timer(late)
            return True

        def cancel(self) -> bool:
            self.cancelled = True
            return True

    late = Fake()
    for number in range(17):
        ties.keep_timer(Fake(meddles=number == 9))
    undone = ties._undone()
    assert any(timer is late for timer in undone.timers)
    assert len(undone.timers) == 18
    ref.stop()


def test_a_telemetry_handler_attached_while_another_one_is() -> None:
    """Comparing identifiers is a user's code too; neither of the two is lost."""

    class Meddling(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            if not telemetry.wanted(("within",)):
                telemetry.attach("within", ("within",), lambda *_: None)
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    telemetry.attach("before", ("before",), lambda *_: None)
    try:
        telemetry.attach(Meddling("outer"), ("outer",), lambda *_: None)
        assert telemetry.wanted(("within",))
        assert telemetry.wanted(("outer",))
    finally:
        for handler_id in ("before", "within", "outer"):
            telemetry.detach(handler_id)

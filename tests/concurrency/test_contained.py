"""What callbacks and listeners raise ends with them: the threads that call them have other work."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import GenServer, Reply, StartError, telemetry
from supervisors._runtime.items import Urge
from supervisors._runtime.timers import timers
from tests.concurrency.crew import DEADLINE, Doer, Noting, boom


class Drastic(BaseException):
    """Not an Exception, so that `except Exception` lets it through."""


class Failing(GenServer):
    """Does not start."""

    def init(self) -> None:
        raise ValueError("init")


def drastic(*_: Any) -> None:
    """Raises what is no Exception."""
    raise Drastic


def test_a_callback_on_the_timer_thread_costs_no_timer() -> None:
    """A done-callback that raises a BaseException does not end the timers of the process."""
    reply = Reply()
    reply.add_done_callback(drastic)
    timers.after(0.0, lambda: reply.settle(1))
    assert reply.get(timeout=DEADLINE) == 1
    fired = threading.Event()
    timers.after(0.0, drastic)
    timers.after(0.0, fired.set)
    assert fired.wait(DEADLINE)


def test_a_listener_cannot_keep_an_actor_from_ending() -> None:
    """A telemetry handler that raises a BaseException is detached; the crash goes its way."""
    doer = Doer.start()
    watch = doer.monitor()
    telemetry.attach("drastic", ("supervisors", "actor", "crashed"), drastic)
    with pytest.raises(ValueError, match="boom"):
        doer.ask(boom, timeout=DEADLINE)
    assert type(watch.wait(DEADLINE).reason).__name__ == "Crashed"
    assert not telemetry.detach("drastic")


@pytest.mark.contract("S21")
def test_a_failed_start_leaves_no_exit_in_the_starter() -> None:
    """A trapping starter that caught the StartError gets no Exit message beside it."""
    noting = Noting.start(trap=True)

    def start(_: Noting) -> str:
        try:
            Failing.start_link()
        except StartError:
            return "caught"
        return "started"

    assert noting.ask(start, timeout=DEADLINE) == "caught"
    assert noting.ask(lambda actor: list(actor.notes), timeout=DEADLINE) == []
    assert noting.stop(timeout=DEADLINE)


def test_cancelled_is_about_stopping_only() -> None:
    """The flag of a long handler is not set by orders that are no stop."""
    entered, go = threading.Event(), threading.Event()
    doer = Doer.start()

    def work(actor: Doer) -> bool:
        entered.set()
        go.wait(DEADLINE)
        return actor.cancelled

    answer = doer.ask(work, block=False)
    assert entered.wait(DEADLINE)
    process = doer.process
    assert process is not None
    process.order(Urge(lambda _: None))
    go.set()
    assert answer.get(timeout=DEADLINE) is False
    assert doer.stop(timeout=DEADLINE)

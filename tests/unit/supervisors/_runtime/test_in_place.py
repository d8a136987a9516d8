"""Turns and ends of idle processes, without a message."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import GenServer, Shutdown
from supervisors._runtime.current import current
from supervisors._runtime.in_place import end_idle, take_turn
from supervisors._runtime.items import Urge
from supervisors.exits import Crashed
from supervisors.testing import ManualDispatcher


class Plain(GenServer):
    """Has nothing to do at its end."""


class Ending(GenServer):
    """Has."""

    def terminate(self, reason: Any) -> None:
        """Notes that it was here."""
        self.ended = True


class AnyThread(ManualDispatcher):
    """Stepped by hand, and no less content with any other thread."""

    runs_in_any_thread = True


@pytest.fixture
def turns() -> AnyThread:
    """Who runs the actors."""
    return AnyThread()


def boom() -> None:
    """Raises."""
    raise ValueError("boom")


def start(cls: type[GenServer], turns: ManualDispatcher) -> Any:
    """Starts an actor and lets its init be over."""
    return cls.start(dispatcher=turns)


def test_an_idle_process_takes_a_turn_at_once(turns: AnyThread) -> None:
    """In the turn the process is the present one; afterwards its slot is free."""
    process = start(Plain, turns).process
    seen: list[Any] = []
    assert take_turn(process, lambda: seen.append(current.process))
    assert (seen, process.mailbox.slot) == ([process], [process])


def test_what_waits_comes_first(turns: AnyThread) -> None:
    """A process with a message, an order, or another thread in it, is not idle."""
    process = start(Plain, turns).process
    assert process.mailbox.take_slot()
    assert not take_turn(process, pytest.fail)
    process.mailbox.user = process.mailbox.lane()
    process.mailbox.user.append("message")
    assert process.mailbox.give_back_slot()
    process.mailbox.slot.append(process)
    assert not take_turn(process, pytest.fail)
    process.mailbox.user.clear()
    process.mailbox.suspended = True
    assert not take_turn(process, pytest.fail)


def test_a_turn_that_raises_ends_the_process(turns: AnyThread) -> None:
    """As a handler that raises does."""
    ref = start(Plain, turns)
    process = ref.process
    assert take_turn(process, boom)
    assert not ref.is_alive()
    assert isinstance(process.reason, Crashed)


def test_an_end_at_once(turns: AnyThread) -> None:
    """An idle process whose class has no terminate ends there and then, whatever waits in it."""
    ref = start(Plain, turns)
    process = ref.process
    process.mailbox.lane().append("never handled")
    assert end_idle(process, Shutdown())
    assert (process.reason, ref.is_alive(), len(process.mailbox.user)) == (Shutdown(), False, 0)


def test_an_object_with_a_terminate_of_its_own(turns: AnyThread) -> None:
    """What was set on the object is called, as what its class has."""
    process = start(Plain, turns).process
    called: list[Any] = []
    process.actor.terminate = called.append
    assert not end_idle(process, Shutdown())
    assert called == []


def test_no_end_at_once(turns: AnyThread) -> None:
    """Not with a terminate, a crash to report, an order before it, or a thread in it."""
    ending, plain = start(Ending, turns).process, start(Plain, turns).process
    assert not end_idle(ending, Shutdown())
    assert not end_idle(plain, Crashed(ValueError()))
    assert plain.mailbox.take_slot()
    assert not end_idle(plain, Shutdown())
    plain.mailbox.add_control(Urge(lambda _: None))
    plain.mailbox.slot.append(plain)
    assert not end_idle(plain, Shutdown())
    assert [ending.ended, plain.ended] == [False, False]

"""Turns by hand."""

from __future__ import annotations

import pytest

from supervisors import CallTimeout, GenServer, Reply
from supervisors._runtime.current import current
from supervisors.testing import ManualClock, ManualDispatcher


class Echo(GenServer):
    """Answers, or sends to a partner."""

    def init(self, log: list[str] | None = None, name: str = "") -> None:
        self.log, self.name = log, name

    def handle_call(self, request: object, sender: object) -> object:
        return request

    def handle_cast(self, message: object) -> None:
        if self.log is not None:
            self.log.append(self.name)
        else:
            self.actor_ref.tell(message)


def order(seed: int | None) -> list[str]:
    """Returns who had its turn when."""
    log: list[str] = []
    turns = ManualDispatcher(seed)
    refs = [Echo.start(log, name, dispatcher=turns) for name in "abcde"]
    for ref in refs:
        ref.tell("x")
    turns.run_until_idle()
    for ref in refs:
        ref.stop()
    return log


def test_order() -> None:
    """The longest waiting first; with a seed by chance, the same every time."""
    assert order(None) == list("abcde")
    assert order(7) == order(7)
    assert len({tuple(order(seed)) for seed in range(20)}) > 5


def test_no_turn_no_answer(turns: ManualDispatcher) -> None:
    """A reply that will never come is a CallTimeout at once."""
    Echo.start(dispatcher=turns)
    with pytest.raises(CallTimeout):
        Reply().get()
    assert not turns.step()


def test_busy_for_ever(turns: ManualDispatcher) -> None:
    """Actors that keep one another busy are noticed."""
    ref = Echo.start(dispatcher=turns)
    ref.tell("again")
    with pytest.raises(RuntimeError, match="still busy after 50 steps"):
        turns.run_until_idle(50)


def test_waits_are_real_again(turns: ManualDispatcher) -> None:
    """When the last actor has ended this thread's waits go their usual way."""
    one, two = Echo.start(dispatcher=turns), Echo.start(dispatcher=turns)
    assert current.host is turns
    one.stop()
    assert current.host is turns
    two.stop()
    assert current.host is None


def test_wait_for_somebody_else(turns: ManualDispatcher) -> None:
    """With none of its actors alive, it waits like any thread."""
    waited: list[float | None] = []

    class Waiting(Reply):
        def block(self, timeout: float | None) -> None:
            waited.append(timeout)
            self.settle(None)

    current.host = turns
    Waiting().get(timeout=3)
    assert waited == [3]


def test_clock() -> None:
    """Time goes forward as told, never back."""
    clock = ManualClock(5.0)
    clock.advance(0.0)
    clock.advance(1.5)
    assert clock.now() == 6.5
    with pytest.raises(ValueError, match="time does not go back"):
        clock.advance(-1)

"""The circuit: when it opens, when it lets a trial through, and whose word counts."""

from __future__ import annotations

import pytest

from supervisors import Backoff
from supervisors._machines.circuit import CircuitMachine, CircuitState, Permit, Refusal

CLOSED, OPEN, HALF_OPEN = CircuitState


def circuit(threshold: int = 2) -> CircuitMachine:
    """A circuit whose pauses are 1, 2, 4, 4 … seconds."""
    return CircuitMachine(threshold, Backoff(initial=1.0, maximum=4.0, jitter=0.0), lambda: 0.5)


def permit(machine: CircuitMachine, now: float = 0.0) -> Permit:
    answer = machine.begin(now)
    assert isinstance(answer, Permit)
    return answer


def opened(threshold: int = 2) -> CircuitMachine:
    """A circuit that has just opened, at 0.0."""
    machine = circuit(threshold)
    for _ in range(threshold):
        machine.failed(permit(machine), 0.0)
    assert machine.state is OPEN
    return machine


def test_failures_in_a_row_open_it() -> None:
    """A success between them begins the count anew."""
    machine = circuit()
    machine.failed(permit(machine), 0.0)
    machine.succeeded(permit(machine))
    machine.failed(permit(machine), 0.0)
    assert machine.state is CLOSED
    machine.failed(permit(machine), 0.0)
    assert machine.state is OPEN


def test_open_refuses_until_the_pause_is_over() -> None:
    """The refusal says how long; exactly at its end a trial goes through."""
    machine = opened()
    assert machine.begin(0.25) == Refusal(0.75)
    assert isinstance(machine.begin(1.0), Permit)
    assert machine.state is HALF_OPEN


def test_one_trial_at_a_time() -> None:
    """While the trial runs the others are refused."""
    machine = opened()
    permit(machine, 1.0)
    assert machine.begin(1.5) == Refusal(0.5)


def test_successful_trial_closes() -> None:
    """And the pauses begin anew."""
    machine = opened()
    machine.succeeded(permit(machine, 1.0))
    assert (machine.state, machine.failures) == (CLOSED, 0)
    machine.failed(permit(machine), 5.0)
    machine.failed(permit(machine), 5.0)
    assert machine.begin(5.0) == Refusal(1.0)


def test_failed_trials_lengthen_the_pause() -> None:
    """Up to the maximum."""
    machine, now, pauses = opened(), 1.0, []
    for _ in range(3):
        machine.failed(permit(machine, now), now)
        answer = machine.begin(now)
        assert isinstance(answer, Refusal)
        pauses.append(answer.retry_after)
        now += answer.retry_after
    assert pauses == [2.0, 4.0, 4.0]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_late_outcomes_say_nothing(outcome: str) -> None:
    """A call from before the opening neither closes nor prolongs it."""
    machine = circuit()
    late = permit(machine)
    machine.failed(permit(machine), 0.0)
    machine.failed(permit(machine), 0.0)
    trial = permit(machine, 1.0)
    if outcome == "succeeded":
        machine.succeeded(late)
    else:
        machine.failed(late, 1.0)
    assert machine.state is HALF_OPEN
    machine.succeeded(trial)
    assert machine.state is CLOSED


def test_lost_trial() -> None:
    """One that is not heard of for a whole pause makes place for another, and counts no more."""
    machine = opened()
    lost = permit(machine, 1.0)
    second = permit(machine, 2.0)
    machine.failed(lost, 2.0)
    assert machine.state is HALF_OPEN
    machine.succeeded(second)
    assert machine.state is CLOSED


def test_abandoned_trial() -> None:
    """One that ends in a way that says nothing lets another one through at once."""
    machine = opened()
    machine.abandoned(permit(machine, 1.0), 1.25)
    assert machine.state is OPEN
    assert isinstance(machine.begin(1.25), Permit)


def test_abandoned_call_of_a_closed_circuit() -> None:
    """It counts as nothing."""
    machine = circuit(1)
    machine.abandoned(permit(machine), 0.0)
    assert (machine.state, machine.failures) == (CLOSED, 0)


def test_reset() -> None:
    """It closes, and what runs since before says nothing."""
    machine = opened(1)
    trial = permit(machine, 1.0)
    machine.reset()
    machine.failed(trial, 1.0)
    assert (machine.state, machine.failures) == (CLOSED, 0)

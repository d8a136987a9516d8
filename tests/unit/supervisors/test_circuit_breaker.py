"""The breaker around the machine: exceptions, clock, errors, telemetry."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import ActorError, Backoff, CircuitBreaker, CircuitOpenError, CircuitState
from supervisors.testing import ManualClock
from tests.unit.supervisors.stepped import Seen


def boom(error: BaseException) -> None:
    raise error


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_open_and_close(clock: ManualClock, seen: Seen) -> None:
    """At the threshold it refuses without calling; after the pause a success closes it."""
    seen.of(("supervisors", "circuit", "changed"))
    breaker = CircuitBreaker("db", failure_threshold=2, reset_timeout=3.0, clock=clock)
    for _ in range(2):
        with pytest.raises(ValueError, match="down"):
            breaker.call(boom, ValueError("down"))
    calls: list[Any] = []
    clock.advance(1.0)
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(calls.append, 1)
    assert (caught.value.name, caught.value.retry_after, calls) == ("db", 2.0, [])
    assert isinstance(caught.value, ActorError)
    clock.advance(2.0)
    assert breaker.call(int, "7", base=8) == 7
    assert [metadata["after"] for _, _, metadata in seen.events] == ["open", "half_open", "closed"]
    assert "down" not in repr(seen.events)


def test_what_counts(clock: ManualClock) -> None:
    """Other exceptions are answers and end a row of failures; a BaseException is nothing."""
    breaker = CircuitBreaker(failure_threshold=2, failures=(OSError,), clock=clock)

    def outcome(error: BaseException) -> CircuitState:
        with pytest.raises(type(error)), breaker.guard():
            boom(error)
        return breaker.state

    states = [outcome(e) for e in (OSError(), KeyError(), OSError(), SystemExit())]
    assert states == [CircuitState.CLOSED] * 4
    assert outcome(OSError()) is CircuitState.OPEN
    breaker.reset()
    assert repr(breaker) == "<CircuitBreaker 'circuit' closed>"


def test_backoff(clock: ManualClock) -> None:
    """Pauses grow with each opening in a row, with the jitter that chance gives."""
    pauses = Backoff(initial=1.0, maximum=8.0, jitter=0.5)
    breaker = CircuitBreaker(
        failure_threshold=1, reset_timeout=pauses, clock=clock, chance=lambda: 1.0
    )
    waits = []
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            breaker.call(boom, OSError("down"))
        with pytest.raises(CircuitOpenError) as caught:
            breaker.call(int)
        waits.append(caught.value.retry_after)
        clock.advance(caught.value.retry_after)
    assert waits == [1.5, 3.0, 6.0]


@pytest.mark.parametrize(
    "options",
    [
        {"failure_threshold": 0},
        {"failure_threshold": True},
        {"failure_threshold": 1.5},
        {"reset_timeout": None},
        {"reset_timeout": -1},
    ],
    ids=repr,
)
def test_bad_options(options: dict[str, Any]) -> None:
    """Numbers that make no sense are refused."""
    with pytest.raises(ValueError, match=r"failure_threshold|reset_timeout"):
        CircuitBreaker(**options)

"""Pauses between restarts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors import Backoff


def test_growth_and_ceiling() -> None:
    """Each pause is factor times the one before, up to the maximum."""
    steps = Backoff(initial=0.5, maximum=3.0, factor=2.0)
    assert [steps.delay(n, 0.5) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(("sample", "part"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_jitter(sample: float, part: float) -> None:
    """Chance moves the pause by at most the jitter's part of it."""
    assert Backoff(initial=2.0, jitter=0.25).delay(1, sample) == pytest.approx(2.0 * part)


def test_many_attempts() -> None:
    """A number of attempts that no float can hold the power of gives the maximum."""
    assert Backoff(maximum=7.0, jitter=0.0).delay(10**6, 0.5) == 7.0


@given(attempt=st.integers(1, 10**4), sample=st.floats(0, 1), jitter=st.floats(0, 1))
def test_bounds(attempt: int, sample: float, jitter: float) -> None:
    """A pause is never negative, nor longer than the maximum with its jitter."""
    steps = Backoff(jitter=jitter)
    assert 0 <= steps.delay(attempt, sample) <= steps.maximum * (1 + jitter) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"initial": -1}, "initial must be 0 or more"),
        ({"initial": 2, "maximum": 1}, "maximum must be at least initial"),
        ({"factor": 0.5}, "factor must be 1.0 or more"),
        ({"jitter": 1.5}, "jitter must be from 0.0 to 1.0"),
        ({"reset_after": -1}, "reset_after must be 0 or more"),
        ({"initial": float("nan")}, "initial must be 0 or more"),
        ({"maximum": "1"}, "maximum must be at least initial"),
        ({"jitter": None}, "jitter must be from 0.0 to 1.0"),
        ({"jitter": True}, "jitter must be from 0.0 to 1.0"),
        ({"initial": timedelta(-1)}, "initial must be 0 or more seconds, not -86400.0"),
    ],
    ids=repr,
)
def test_refusals(keys: dict[str, Any], said: str) -> None:
    """Numbers that make no sense are refused with what was expected."""
    with pytest.raises(ValueError, match=said):
        Backoff(**keys)


def test_reset_after() -> None:
    """It is twice the maximum unless given."""
    assert Backoff(maximum=4.0).forgets_after() == 8.0
    assert Backoff(reset_after=0.0).forgets_after() == 0.0


def test_timedeltas() -> None:
    """What is given as a timedelta is kept in seconds."""
    minute = timedelta(minutes=1)
    steps = Backoff(initial=timedelta(milliseconds=500), maximum=minute, reset_after=minute)
    assert (steps.initial, steps.maximum, steps.reset_after) == (0.5, 60.0, 60.0)
    assert steps == Backoff(initial=0.5, maximum=60.0, reset_after=60.0)

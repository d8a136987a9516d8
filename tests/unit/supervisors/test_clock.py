"""Durations and deadlines."""

from __future__ import annotations

import math
import sys
from datetime import timedelta
from typing import Any

import pytest

from supervisors.clock import Deadline, as_seconds
from supervisors.testing import ManualClock


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (timedelta(milliseconds=20), 0.02),
        (None, None),
        (math.inf, math.inf),
        (10**400, sys.float_info.max),
    ],
    ids=repr,
)
def test_as_seconds(given: Any, taken: Any) -> None:
    """Numbers, timedeltas and None are durations."""
    assert as_seconds(given, "timeout") == taken


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ("1", TypeError),
        (True, TypeError),
        ([], TypeError),
        (-1, ValueError),
        (math.nan, ValueError),
    ],
    ids=repr,
)
def test_no_duration(bad: Any, kind: type[Exception]) -> None:
    """Anything else is refused by name and value."""
    with pytest.raises(kind, match="timeout must be"):
        as_seconds(bad, "timeout")


def test_deadline() -> None:
    """One deadline for all steps of a wait, never less than nothing left."""
    clock = ManualClock(100.0)
    deadline = Deadline(3.0, clock)
    clock.advance(1.0)
    assert deadline.remaining() == 2.0
    clock.advance(9.0)
    assert deadline.remaining() == 0.0
    assert Deadline(None, clock).remaining() is None

"""A mailbox gives back its lane while it is empty and nobody is about to put into it."""

from __future__ import annotations

import sys
from collections import deque

import pytest

from supervisors._runtime.mailbox import NOTHING, Mailbox

with_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="lanes are kept without the GIL"
)


@with_gil
def test_a_lane_that_nobody_holds() -> None:
    """It goes, and comes anew with the next message."""
    mailbox = Mailbox(None)
    assert mailbox.give_back_lane() == 0
    mailbox.put(1)
    assert mailbox.give_back_lane() == 0
    mailbox.user.popleft()
    assert mailbox.give_back_lane() == sys.getsizeof(deque())
    assert mailbox.user is NOTHING
    mailbox.put(2)
    assert list(mailbox.user) == [2]


@with_gil
def test_a_lane_that_somebody_holds() -> None:
    """Whoever has read it may be about to put a message into it."""
    mailbox = Mailbox(None)
    mailbox.put(1)
    lane = mailbox.user
    lane.popleft()
    assert mailbox.give_back_lane() == 0
    assert mailbox.user is lane
    del lane
    assert mailbox.give_back_lane() > 0

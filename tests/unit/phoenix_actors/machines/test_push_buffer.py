"""Pushes that wait for the join."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import PushTimeout
from phoenix_actors.machines.channel_events import ChannelTimer, FailPush, PushRequested
from phoenix_actors.machines.push_buffer import PushBuffer
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, Timers

TIMER = ChannelTimer.BUFFERED_PUSH


def push(name: str, timeout: float | None) -> PushRequested:
    """Return a push."""
    return PushRequested("shout", {}, name, timeout)


@pytest.mark.contract("C69")
def test_the_timer_is_that_of_the_next_deadline() -> None:
    """An earlier one arms it anew, a later one does not, and none needs none."""
    buffer = PushBuffer("t", 9, Timers())
    assert buffer.add(push("ever", None), now=0.0) == []
    assert buffer.add(push("a", 5.0), now=0.0) == [ArmTimer(TIMER, 1, 5.0)]
    assert buffer.add(push("b", 9.0), now=0.0) == []
    assert buffer.add(push("c", 1.0), now=2.0) == [ArmTimer(TIMER, 2, 1.0)]
    failed, armed = buffer.expire(now=3.0)
    assert isinstance(failed, FailPush)
    assert (failed.token, type(failed.error)) == ("c", PushTimeout)
    assert armed == ArmTimer(TIMER, 3, 2.0)
    assert len(buffer) == 3


def test_taking_empties_the_buffer_and_cancels_the_timer() -> None:
    """What is in time comes back in order, what is not fails."""
    buffer = PushBuffer("t", 9, Timers())
    for name, timeout in (("a", 9.0), ("b", 1.0), ("c", None)):
        buffer.add(push(name, timeout), now=0.0)
    taken, ended = buffer.take(now=1.0)
    assert [kept.request.token for kept in taken] == ["a", "c"]
    assert ended[0] == CancelTimer(TIMER)
    assert [fail.token for fail in ended if isinstance(fail, FailPush)] == ["b"]
    assert len(buffer) == 0
    assert buffer.take(now=1.0) == ([], [])


def test_it_is_full_at_its_limit() -> None:
    """One push less leaves room."""
    buffer = PushBuffer("t", 2, Timers())
    buffer.add(push("a", None), now=0.0)
    assert not buffer.full
    buffer.add(push("b", None), now=0.0)
    assert buffer.full

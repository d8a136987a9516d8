"""Pushes that wait for the join."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors.errors import PushTimeout
from phoenix_actors.machines.channel_events import ChannelTimer, DropPush, FailPush, PushRequested
from phoenix_actors.machines.push_buffer import PushBuffer
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, Timers
from phoenix_actors.options import Overflow

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
    assert "was not sent within 1.0 seconds" in str(failed.error)
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


@pytest.mark.contract("C81")
@pytest.mark.parametrize(
    ("policy", "out", "kept"),
    [
        (Overflow.ERROR, [(FailPush, "c", False)], ["a", "b"]),
        (Overflow.BLOCK, [(FailPush, "c", False)], ["a", "b"]),
        (Overflow.DROP_NEWEST, [(DropPush, "c", True)], ["a", "b"]),
        (Overflow.DROP_OLDEST, [(DropPush, "a", True)], ["b", "c"]),
    ],
)
@pytest.mark.parametrize(("limit", "size"), [(2, None), (99, 20)])
def test_one_too_many(
    policy: Overflow, out: list[Any], kept: list[str], limit: int, size: int | None
) -> None:
    """It, or the oldest, is refused or dropped, with the bound in messages as in bytes."""
    buffer = PushBuffer("t", limit, Timers(), size, policy)
    for name in "ab":
        assert buffer.add(PushRequested("shout", {}, name, None, 10), now=0.0) == []
    assert buffer.full
    commands: list[Any] = buffer.add(PushRequested("shout", {}, "c", None, 10), now=0.0)
    assert [(type(told), told.token, told.error.dropped) for told in commands] == out
    assert [push.request.token for push in buffer.take(now=0.0)[0]] == kept
    assert not buffer.full


@pytest.mark.contract("C81")
def test_bytes_of_what_timed_out() -> None:
    """They count no more."""
    buffer = PushBuffer("t", 99, Timers(), 10)
    buffer.add(PushRequested("shout", {}, "a", 1.0, 10), now=0.0)
    assert buffer.full
    buffer.expire(now=1.0)
    assert not buffer.full

"""Pushes made while the channel is not joined: kept in order until it is, or their time is up.

A push's timeout runs from the call (C69). The buffer is bounded: with one push too many, it or the
oldest is refused or dropped, and told so (C81).
"""

from __future__ import annotations

import msgspec

from phoenix_actors.errors import PushTimeout, QueueFull
from phoenix_actors.machines.channel_events import (
    ChannelTimer,
    DropPush,
    FailPush,
    PushRequested,
)
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, Timers
from phoenix_actors.options import Overflow

__all__ = ["BufferedPush", "PushBuffer"]


class BufferedPush(msgspec.Struct, frozen=True):
    """One push and the moment its time is up."""

    request: PushRequested
    deadline: float | None


class PushBuffer:
    """The pushes of one channel that wait for its join.

    Args:
        topic: for errors.
        limit: how many are kept; a push is also kept only while fewer than `size` bytes are.
        timers: the channel's.
        size: the bound in bytes, None for none.
        overflow: what becomes of a push too many; "block" refuses it, and its caller tries again.

    Example:
        >>> buffer = PushBuffer("room:lobby", limit=1, timers=Timers())
        >>> buffer.add(PushRequested("shout", {}, token="future", timeout=5.0), now=100.0)
        [ArmTimer(timer=<ChannelTimer.BUFFERED_PUSH: 'buffered_push'>, serial=1, delay=5.0)]
        >>> buffer.full
        True
    """

    __slots__ = (
        "_earliest",
        "_kept",
        "_limit",
        "_overflow",
        "_pushes",
        "_size",
        "_timers",
        "_topic",
    )

    def __init__(
        self,
        topic: str,
        limit: int,
        timers: Timers,
        size: int | None = None,
        overflow: Overflow = Overflow.ERROR,
    ) -> None:
        self._topic = topic
        self._limit = limit
        self._timers = timers
        self._size = size
        self._overflow = overflow
        self._pushes: list[BufferedPush] = []
        self._kept = 0  # bytes
        self._earliest: float | None = None

    @property
    def full(self) -> bool:
        """Whether one more push is one too many."""
        return len(self._pushes) >= self._limit or (
            self._size is not None and self._kept >= self._size
        )

    def add(self, request: PushRequested, now: float) -> list[ArmTimer | FailPush | DropPush]:
        """Keep a push; return the timer for it, if its deadline is the next.

        When it is one too many, return what becomes of it, or of the oldest.
        """
        commands: list[ArmTimer | FailPush | DropPush] = []
        while self.full:
            if self._overflow is Overflow.DROP_NEWEST:
                return [DropPush(request.token, self._too_many(request))]
            if self._overflow is not Overflow.DROP_OLDEST:
                return [FailPush(request.token, self._too_many(request))]
            oldest = self._pushes.pop(0).request
            self._kept -= oldest.size
            commands.append(DropPush(oldest.token, self._too_many(oldest)))
        deadline = None if request.timeout is None else now + request.timeout
        self._pushes.append(BufferedPush(request, deadline))
        self._kept += request.size
        if deadline is not None and (self._earliest is None or self._earliest > deadline):
            commands.append(self._arm(deadline, now))
        return commands

    def _too_many(self, request: PushRequested) -> QueueFull:
        dropped = self._overflow in (Overflow.DROP_OLDEST, Overflow.DROP_NEWEST)
        return QueueFull(self._limit, self._topic, request.event, dropped=dropped)

    def take(self, now: float) -> tuple[list[BufferedPush], list[FailPush | CancelTimer]]:
        """Empty the buffer; return the pushes still in time, and what ends the others."""
        ended: list[FailPush | CancelTimer] = [*self._timers.cancel(ChannelTimer.BUFFERED_PUSH)]
        self._earliest = None
        pushes, self._pushes, self._kept = self._pushes, [], 0
        ended += [self._expired(push) for push in pushes if _is_over(push, now)]
        return [push for push in pushes if not _is_over(push, now)], ended

    def expire(self, now: float) -> list[FailPush | ArmTimer]:
        """End the pushes whose time is up, and arm the timer for the next."""
        ended: list[FailPush | ArmTimer] = [
            self._expired(push) for push in self._pushes if _is_over(push, now)
        ]
        self._pushes = [push for push in self._pushes if not _is_over(push, now)]
        self._kept = sum(push.request.size for push in self._pushes)
        deadlines = [push.deadline for push in self._pushes if push.deadline is not None]
        self._earliest = None
        if deadlines:
            ended.append(self._arm(min(deadlines), now))
        return ended

    def _arm(self, deadline: float, now: float) -> ArmTimer:
        """Return the timer for the next deadline."""
        self._earliest = deadline
        return self._timers.arm(ChannelTimer.BUFFERED_PUSH, deadline - now)

    def _expired(self, push: BufferedPush) -> FailPush:
        """Return what tells the caller that the time is up."""
        request = push.request
        return FailPush(request.token, PushTimeout(self._topic, request.event, request.timeout))

    def __len__(self) -> int:
        return len(self._pushes)


def _is_over(push: BufferedPush, now: float) -> bool:
    """Tell whether the time of a push is up."""
    return push.deadline is not None and push.deadline <= now

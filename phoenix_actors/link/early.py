"""Pushes made between two lives of a channel actor, kept for the next one."""

from __future__ import annotations

from typing import Any

from phoenix_actors.errors import PushTimeout, QueueFull
from phoenix_actors.link.overflow import octets
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.options import Overflow, SocketOptions
from supervisors import Reply
from supervisors._runtime.timers import Timer, timers

__all__ = ["EarlyPush", "EarlyPushes"]


class EarlyPush:
    """One push; its timeout runs from now."""

    __slots__ = ("_deadline", "_timer", "event", "prepared", "reply")

    def __init__(
        self, topic: str, event: str, prepared: Any, reply: Reply, timeout: float | None
    ) -> None:
        """Made by `EarlyPushes.add`."""
        self.event = event
        self.prepared = prepared
        self.reply = reply
        self._deadline: float | None = None
        self._timer: Timer | None = None
        if timeout is not None:
            self._deadline = timers.clock.now() + timeout
            self._timer = timers.after(timeout, lambda: self._expire(topic, timeout))

    def _expire(self, topic: str, timeout: float) -> None:
        with no_waiting_here():
            self.reply.fail(PushTimeout(topic, self.event, timeout))

    def left(self) -> float | None:
        """Return the seconds that are left, and stop counting here."""
        if self._timer is not None:
            self._timer.cancel()
        if self._deadline is None:
            return None
        return max(0.0, self._deadline - timers.clock.now())


class EarlyPushes:
    """The pushes of one topic. Not thread-safe: its topic holds a lock around every call."""

    def __init__(self, topic: str, options: SocketOptions) -> None:
        """Keep as many as the options allow."""
        self._topic = topic
        self._options = options
        self._pushes: list[EarlyPush] = []

    def add(
        self, event: str, prepared: Any, reply: Reply, timeout: float | None
    ) -> list[EarlyPush]:
        """Keep a push; return those that are dropped for it.

        Raises:
            QueueFull: there are as many as may be; or this push is to be dropped (`.dropped`).
        """
        self._pushes = [push for push in self._pushes if not push.reply.done()]
        dropped: list[EarlyPush] = []
        while self._full():
            overflow, limit = self._options.overflow, self._options.max_pending_messages
            if overflow is not Overflow.DROP_OLDEST:
                newest = overflow is Overflow.DROP_NEWEST
                raise QueueFull(limit, self._topic, event, dropped=newest)
            dropped.append(self._pushes.pop(0))
        self._pushes.append(EarlyPush(self._topic, event, prepared, reply, timeout))
        return dropped

    def _full(self) -> bool:
        size = self._options.max_pending_bytes
        if len(self._pushes) >= self._options.max_pending_messages:
            return True
        return size is not None and sum(octets(push.prepared) for push in self._pushes) >= size

    def take(self) -> list[EarlyPush]:
        """Take out and return those that have not timed out, in order."""
        pushes, self._pushes = self._pushes, []
        return [push for push in pushes if not push.reply.done()]

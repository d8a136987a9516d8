"""Pushes made between two lives of a channel actor, kept for the next one."""

from __future__ import annotations

from typing import Any

from phoenix_actors.errors import PushTimeout, QueueFull
from phoenix_actors.link.scheduling import no_waiting_here
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

    def __init__(self, topic: str, limit: int) -> None:
        """Keep at most `limit`."""
        self._topic = topic
        self._limit = limit
        self._pushes: list[EarlyPush] = []

    def add(self, event: str, prepared: Any, reply: Reply, timeout: float | None) -> None:
        """Keep a push.

        Raises:
            QueueFull: there are as many as may be.
        """
        self._pushes = [push for push in self._pushes if not push.reply.done()]
        if len(self._pushes) >= self._limit:
            raise QueueFull(self._limit, self._topic, event)
        self._pushes.append(EarlyPush(self._topic, event, prepared, reply, timeout))

    def take(self) -> list[EarlyPush]:
        """Take out and return those that have not timed out, in order."""
        pushes, self._pushes = self._pushes, []
        return [push for push in pushes if not push.reply.done()]

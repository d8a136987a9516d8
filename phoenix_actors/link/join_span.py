"""The events of one join: each start has its stop or its error (C187)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Final

from phoenix_actors.telemetry import (
    CHANNEL_JOIN_DURATION,
    CHANNEL_JOIN_ERROR,
    CHANNEL_JOIN_START,
    CHANNEL_JOIN_STOP,
    Span,
)
from supervisors.telemetry import unheard

__all__ = ["JoinSpan"]

Emission = Callable[[], None]
_EVENTS: Final = (
    CHANNEL_JOIN_START,
    CHANNEL_JOIN_STOP,
    CHANNEL_JOIN_ERROR,
    CHANNEL_JOIN_DURATION,
)
_unheard: Final = unheard(*_EVENTS)


class JoinSpan:
    """The join of a channel that is under way, if one is. Its core holds a lock around every call.

    Each function returns what to emit once no lock is held.

    Example:
        >>> span = JoinSpan("room:lobby")
        >>> len(span.start("3", now=0.0)), len(span.stop(now=0.5)), len(span.error("Left", now=0.6))
        (1, 2, 0)
    """

    __slots__ = ("_began", "_join_ref", "_span", "_topic")

    def __init__(self, topic: str) -> None:
        """Begin with none."""
        self._topic = topic
        self._join_ref = ""
        self._began: float | None = None
        self._span: Span | None = None

    @staticmethod
    def wanted() -> bool:
        """Tell whether anybody hears of joins; else none needs to be made."""
        return not _unheard()

    def start(self, join_ref: str, now: float, joiner: Context | None = None) -> list[Emission]:
        """A join was sent; one before it that was never answered ends.

        Args:
            join_ref: its ref.
            now: the moment.
            joiner: the context variables of whoever asked for it, in which its start is told; None
                for none, for the thread may be anybody's.
        """
        emissions = self.error("superseded", now)
        self._began, self._join_ref = now, join_ref
        self._span = span = Span(CHANNEL_JOIN_START, CHANNEL_JOIN_STOP, CHANNEL_JOIN_ERROR)
        told = {"topic": self._topic, "join_ref": join_ref}
        begin = partial(span.emit, CHANNEL_JOIN_START, **told)
        emissions.append(partial((joiner or Context()).run, begin))
        return emissions

    def stop(self, now: float) -> list[Emission]:
        """The server said ok."""
        began, span = self._began, self._span
        emissions = self._end(CHANNEL_JOIN_STOP, now, "ok")
        if began is not None and span is not None:
            took = {"duration_seconds": now - began}
            emissions.append(partial(span.emit, CHANNEL_JOIN_DURATION, took, topic=self._topic))
        return emissions

    def error(self, reason: str, now: float) -> list[Emission]:
        """The join failed, whatever the reason; nothing if none is under way."""
        return self._end(CHANNEL_JOIN_ERROR, now, reason)

    def _end(self, name: tuple[str, ...], now: float, status: str) -> list[Emission]:
        began, self._began = self._began, None
        if began is None or self._span is None:
            return []
        measurements = {"duration_seconds": now - began}
        metadata = {"topic": self._topic, "join_ref": self._join_ref, "status": status}
        return [partial(self._span.emit, name, measurements, **metadata)]

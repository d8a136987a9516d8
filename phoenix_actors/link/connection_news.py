"""What one Socket actor's attempts and connections tell: their events, and the numbers of one.

Each attempt is a span from `connection.start` to `connection.stop` or `connection.exception`, each
connection one from `connection.established.start` to `.stop` (C186).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.link.fallback import FallbackTransport
from phoenix_actors.telemetry import (
    CONNECTION_ERROR,
    CONNECTION_EXCEPTION,
    CONNECTION_START,
    CONNECTION_STOP,
    ESTABLISHED_START,
    ESTABLISHED_STOP,
    TRANSPORT_CONNECTED,
    TRANSPORT_DISCONNECTED,
    TRANSPORT_STATS,
    Span,
    emit,
)

if TYPE_CHECKING:
    from phoenix_actors.link.counters import Counters

__all__ = ["ConnectionNews"]

# What is counted per connection, and the client's count of the same.
_COUNTS: Final = {
    "messages_sent": "frames_sent",
    "messages_received": "frames_received",
    "bytes_sent": "bytes_sent",
    "bytes_received": "bytes_received",
}


class ConnectionNews:
    """The attempt and the connection of the moment. Fed by the Socket actor, and by its end.

    Args:
        url: what events show of the URL.
        transport: what opens connections. Its class is named; of one that chooses between others,
            what it chose, where something is open.
        counters: the client's.
    """

    def __init__(self, url: str, transport: object, counters: Counters) -> None:
        self._transport = transport
        self._shown = {"url": url, "transport": type(transport).__name__}
        self._shown_open = self._shown
        self._counters = counters
        self._attempt: tuple[Span, int, float] | None = None
        self._connection: tuple[Span, int, float] | None = None
        self._before: dict[str, int] = {}
        self._wall = self._connect_time = 0.0

    def attempted(self, generation: int, now: float) -> None:
        """An attempt begins."""
        span = Span(CONNECTION_START, CONNECTION_STOP, CONNECTION_EXCEPTION)
        self._attempt = span, generation, now
        span.emit(CONNECTION_START, generation=generation, **self._shown)

    def failed(self, error: str, now: float) -> None:
        """The attempt failed, or was given up; nothing if none is under way."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        span, generation, began = attempt
        told: dict[str, Any] = {"generation": generation, "error": error, **self._shown}
        span.emit(CONNECTION_EXCEPTION, {"duration_seconds": now - began}, **told)
        emit(CONNECTION_ERROR, **told)

    def opened(self, generation: int, now: float) -> None:
        """The attempt came to a connection."""
        attempt, self._attempt = self._attempt, None
        self._before = self._counters.snapshot()
        self._wall, self._connect_time = time.time(), 0.0
        transport = self._transport
        carrier = transport.carrier if isinstance(transport, FallbackTransport) else transport
        self._shown_open = {**self._shown, "transport": type(carrier).__name__}
        told: dict[str, Any] = {"generation": generation, **self._shown_open}
        if attempt is not None:
            span, _, began = attempt
            self._connect_time = now - began
            span.emit(CONNECTION_STOP, {"duration_seconds": now - began}, **told)
        emit(TRANSPORT_CONNECTED, {"duration_seconds": self._connect_time}, **told)
        span = Span(ESTABLISHED_START, ESTABLISHED_STOP)
        self._connection = span, generation, now
        span.emit(ESTABLISHED_START, **told)

    def lost(self, reason: str, now: float) -> None:
        """The connection ended."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        span, generation, since = connection
        shown = self._shown_open
        told: dict[str, Any] = {"generation": generation, "reason": reason, **shown}
        emit(TRANSPORT_DISCONNECTED, **told)
        duration = {"session_duration_seconds": now - since}
        emit(TRANSPORT_STATS, {**self._counted(), **duration}, generation=generation, **shown)
        span.emit(ESTABLISHED_STOP, {"duration_seconds": now - since}, **told)

    def stats(self, last_active: float) -> dict[str, Any]:
        """Return the numbers of the open connection, None and 0 when there is none (C177).

        `connect_time` is in seconds, `connected_at` and `last_activity` are Unix times.
        """
        connection = self._connection
        if connection is None:
            none = dict.fromkeys(("connect_time", "connected_at", "last_activity"))
            return {**none, **dict.fromkeys(_COUNTS, 0)}
        since = connection[2]
        return {
            "connect_time": self._connect_time,
            "connected_at": self._wall,
            "last_activity": self._wall + max(0.0, last_active - since),
            **self._counted(),
        }

    def _counted(self) -> dict[str, int]:
        """Return what was counted since the connection opened."""
        return {
            name: self._counters[count] - self._before.get(count, 0)
            for name, count in _COUNTS.items()
        }

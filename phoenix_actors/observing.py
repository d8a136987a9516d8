"""What of the clients is seen where `supervisors.observer` looks: two tables, and events.

Read from counters and records, without asking an actor. Neither params, headers nor payloads are
shown, nor a URL's query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors import logs
from supervisors import NoProcError
from supervisors._runtime import plugged
from supervisors._runtime.actor_list import living

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session

__all__ = ["channels", "install", "sockets"]

_SOCKETS: Final = {
    "client": "key",
    "url": "key",
    "status": "text",
    "rtt": "seconds",
    "sent": "total",
    "received": "total",
    "out": "bytes total",
    "in": "bytes total",
    "queued": "count",
    "unanswered": "count",
    "last error": "text",
}
_CHANNELS: Final = {
    "topic": "key",
    "client": "key",
    "state": "text",
    "joins": "count",
    "received": "total",
    "pushed": "total",
    "rtt": "seconds",
    "waiting": "count",
    "actor": "text",
}


def install() -> None:
    """Add them; done when the package is imported."""
    plugged.add_section("Sockets", _SOCKETS, sockets)
    plugged.add_section("Channels", _CHANNELS, channels)
    plugged.add_events(logs._LEVELS)


def sockets() -> Iterator[tuple[Any, ...]]:
    """Return a row for each living client."""
    for name, session in _sessions():
        counts, wire, error = session.counters, session.wire, session.last_error
        yield (
            name,
            session.options.shown_url(),
            str(session.status),
            session.heartbeat_rtt,
            counts["frames_sent"],
            counts["frames_received"],
            counts["bytes_sent"],
            counts["bytes_received"],
            0 if wire is None else len(wire.outbox),
            0 if wire is None else wire.pending(),
            None if error is None else type(error).__name__,
        )


def channels() -> Iterator[tuple[Any, ...]]:
    """Return a row for each topic that a client wants; from the first look on they are counted."""
    for name, session in _sessions():
        traffic, topics = session.traffic or session.count_traffic(), session.topics()
        counts = traffic.of(topic.name for topic in topics)
        for topic, count in zip(topics, counts, strict=True):
            channel = topic.facade
            ref = None if channel is None else channel.ref
            yield (
                topic.name,
                name,
                str(topic.state),
                topic.join_count,
                count.received,
                count.pushed,
                count.round_trip,
                len(topic.inbound),
                "–" if ref is None else ref.actor_class.__name__,
            )


def _sessions() -> Iterator[tuple[str, Session]]:
    from phoenix_actors.client import SocketClient

    for ref in living():
        if isinstance(ref, SocketClient):
            with suppress(NoProcError):
                yield str(ref.name or "SocketClient"), ref.session

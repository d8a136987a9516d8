"""The names of this package's events, how they are emitted, and how many of them.

Payloads, params, headers and URLs with their query are never in an event (C188). Every event costs
a look-up when nobody listens. `configure` samples, limits and excludes events, for the whole
process; by default all are told.

>>> configure(sampler_rate=0.5, max_events_per_second=1000, exclude=[HEARTBEAT_SENT])
>>> get_config()["sampler_rate"], stats()["dropped"]
(0.5, 0)
>>> reset()
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from phoenix_actors.errors import InvalidOption
from supervisors._locks import new_lock
from supervisors.clock import chance
from supervisors.telemetry import execute, wanted

__all__ = [
    "CHANNEL_CLOSED",
    "CHANNEL_GAVE_UP",
    "CHANNEL_JOINED",
    "CHANNEL_JOIN_DURATION",
    "CHANNEL_JOIN_ERROR",
    "CHANNEL_JOIN_START",
    "CHANNEL_JOIN_STOP",
    "CHANNEL_LEAVE",
    "CHANNEL_LEAVE_DURATION",
    "CHANNEL_LEFT",
    "CHANNEL_STATUS",
    "CLIENT_STRAY",
    "CONNECTION_ERROR",
    "CONNECTION_EXCEPTION",
    "CONNECTION_START",
    "CONNECTION_STOP",
    "ESTABLISHED_START",
    "ESTABLISHED_STOP",
    "FAULT",
    "FRAME_DROPPED",
    "FRAME_UNREADABLE",
    "HEARTBEAT_REPLY",
    "HEARTBEAT_SENT",
    "HEARTBEAT_TIMEOUT",
    "HIBERNATION_BATCH",
    "HIBERNATION_STARTED",
    "HIBERNATION_TERMINATING",
    "HOOK_FAILED",
    "MESSAGE_RECEIVED",
    "MESSAGE_SENT",
    "MONITOR_ALERTS",
    "MONITOR_CLEANUP",
    "MONITOR_STARTED",
    "MONITOR_TERMINATING",
    "POOL_CLEANUP",
    "POOL_TERMINATING",
    "PRESENCE_UNREADABLE",
    "PROCESSOR_STARTED",
    "PUSH_DROPPED",
    "PUSH_FAILED",
    "PUSH_START",
    "PUSH_STOP",
    "RECONNECTION_ATTEMPT",
    "ROUTES_CLEANUP",
    "ROUTES_EVICTION",
    "ROUTES_STARTED",
    "ROUTES_TERMINATING",
    "SOCKET_BACKPRESSURE",
    "SOCKET_CONNECTED",
    "SOCKET_CONNECT_FAILED",
    "SOCKET_DISCONNECTED",
    "SOCKET_STATUS",
    "TRANSPORT_CLOSE",
    "TRANSPORT_CONNECTED",
    "TRANSPORT_DISCONNECTED",
    "TRANSPORT_FALLBACK",
    "TRANSPORT_STATS",
    "Span",
    "configure",
    "emit",
    "get_config",
    "reset",
    "stats",
]

_PREFIX: Final = "phoenix_socket_client"

SOCKET_CONNECTED: Final = (_PREFIX, "socket", "connected")
SOCKET_DISCONNECTED: Final = (_PREFIX, "socket", "disconnected")
SOCKET_CONNECT_FAILED: Final = (_PREFIX, "socket", "connect_failed")
SOCKET_BACKPRESSURE: Final = (_PREFIX, "socket", "backpressure")
SOCKET_STATUS: Final = (_PREFIX, "socket", "status_change")
TRANSPORT_FALLBACK: Final = (_PREFIX, "transport", "fallback")
RECONNECTION_ATTEMPT: Final = (_PREFIX, "reconnection", "attempt")
HEARTBEAT_SENT: Final = (_PREFIX, "heartbeat", "sent")
HEARTBEAT_REPLY: Final = (_PREFIX, "heartbeat", "reply")
HEARTBEAT_TIMEOUT: Final = (_PREFIX, "heartbeat", "timeout")
CHANNEL_JOIN_START: Final = (_PREFIX, "channel", "join", "start")
CHANNEL_JOIN_STOP: Final = (_PREFIX, "channel", "join", "stop")
CHANNEL_JOIN_ERROR: Final = (_PREFIX, "channel", "join", "error")
CHANNEL_JOINED: Final = (_PREFIX, "channel", "joined")
CHANNEL_LEFT: Final = (_PREFIX, "channel", "left")
CHANNEL_CLOSED: Final = (_PREFIX, "channel", "closed")
CHANNEL_GAVE_UP: Final = (_PREFIX, "channel", "gave_up")
MESSAGE_SENT: Final = (_PREFIX, "message", "sent")
MESSAGE_RECEIVED: Final = (_PREFIX, "message", "received")
PRESENCE_UNREADABLE: Final = (_PREFIX, "presence", "unreadable")
PUSH_DROPPED: Final = (_PREFIX, "push", "dropped")
PUSH_FAILED: Final = (_PREFIX, "push", "failed")
PUSH_START: Final = (_PREFIX, "push", "start")
PUSH_STOP: Final = (_PREFIX, "push", "stop")
FRAME_DROPPED: Final = (_PREFIX, "message", "dropped")
FRAME_UNREADABLE: Final = (_PREFIX, "message", "unreadable")
MONITOR_STARTED: Final = (_PREFIX, "optimization", "performance_monitor_started")
MONITOR_CLEANUP: Final = (_PREFIX, "optimization", "performance_monitor_cleanup")
MONITOR_ALERTS: Final = (_PREFIX, "optimization", "performance_monitor_alerts_triggered")
MONITOR_TERMINATING: Final = (_PREFIX, "optimization", "performance_monitor_terminating")
POOL_CLEANUP: Final = (_PREFIX, "optimization", "binary_pool_cleanup")
CHANNEL_STATUS: Final = (_PREFIX, "channel", "status_changed")
CHANNEL_LEAVE: Final = (_PREFIX, "channel", "leave")
CHANNEL_JOIN_DURATION: Final = (_PREFIX, "channel", "join_duration")
CHANNEL_LEAVE_DURATION: Final = (_PREFIX, "channel", "leave_duration")
CLIENT_STRAY: Final = (_PREFIX, "client", "stray")
CONNECTION_START: Final = (_PREFIX, "connection", "start")
CONNECTION_STOP: Final = (_PREFIX, "connection", "stop")
CONNECTION_EXCEPTION: Final = (_PREFIX, "connection", "exception")
CONNECTION_ERROR: Final = (_PREFIX, "connection", "error")
ESTABLISHED_START: Final = (_PREFIX, "connection", "established", "start")
ESTABLISHED_STOP: Final = (_PREFIX, "connection", "established", "stop")
TRANSPORT_CONNECTED: Final = (_PREFIX, "transport", "connected")
TRANSPORT_DISCONNECTED: Final = (_PREFIX, "transport", "disconnected")
TRANSPORT_STATS: Final = (_PREFIX, "transport", "session_stats")
TRANSPORT_CLOSE: Final = (_PREFIX, "transport", "close")
FAULT: Final = (_PREFIX, "error")
PROCESSOR_STARTED: Final = (_PREFIX, "message_processor", "started")
POOL_TERMINATING: Final = (_PREFIX, "optimization", "binary_pool_terminating")
ROUTES_STARTED: Final = (_PREFIX, "optimization", "route_cache_started")
ROUTES_CLEANUP: Final = (_PREFIX, "optimization", "route_cache_cleanup")
ROUTES_EVICTION: Final = (_PREFIX, "optimization", "route_cache_lr_eviction")
ROUTES_TERMINATING: Final = (_PREFIX, "optimization", "route_cache_terminating")
HIBERNATION_STARTED: Final = (_PREFIX, "optimization", "hibernation_manager_started")
HIBERNATION_BATCH: Final = (_PREFIX, "optimization", "hibernation_batch_completed")
HIBERNATION_TERMINATING: Final = (_PREFIX, "optimization", "hibernation_manager_terminating")
HOOK_FAILED: Final = (_PREFIX, "hook", "failed")


# Faults: told however little else is.
_ALWAYS: Final = frozenset({FAULT, HOOK_FAILED, CHANNEL_GAVE_UP, MONITOR_ALERTS})


class _Policy:
    """Which events are told. Safe from any thread."""

    def __init__(
        self,
        config: dict[str, Any],
        now: Callable[[], float] = time.monotonic,
        sample: Callable[[], float] = chance,
    ) -> None:
        self.config = config
        self._rate: float = config["sampler_rate"]
        self._limit: int | None = config["max_events_per_second"]
        self.excluded = frozenset(config["exclude"])
        self._now, self._sample = now, sample
        self._lock = new_lock()
        self._room, self._since = float(self._limit or 0), now()
        self.sampled_out = self.dropped = 0

    def admits(self, name: tuple[str, ...], *following: tuple[str, ...]) -> bool:
        """Tell whether an event, or with it those that follow, is told; count it if not."""
        if name in _ALWAYS or not any(map(wanted, (name, *following))):
            return True
        if not self.config["enabled"] or name in self.excluded:
            return False
        if self._rate < 1.0 and self._sample() >= self._rate:
            with self._lock:
                self.sampled_out += 1
            return False
        return self._limit is None or self._has_room(self._limit)

    def _has_room(self, limit: int) -> bool:
        """Take one event of a second's worth, which fills again as time goes by."""
        with self._lock:
            now = self._now()
            self._room = min(float(limit), self._room + (now - self._since) * limit)
            self._since = now
            if self._room < 1.0:
                self.dropped += 1
                return False
            self._room -= 1.0
            return True


_DEFAULTS: Final[dict[str, Any]] = {
    "enabled": True,
    "sampler_rate": 1.0,
    "max_events_per_second": None,
    "exclude": (),
}
# None: all events are told. Replaced as a whole, so that emit() reads it without a lock.
_policy: _Policy | None = None


def configure(
    *,
    enabled: bool = True,
    sampler_rate: float = 1.0,
    max_events_per_second: int | None = None,
    exclude: Iterable[tuple[str, ...]] = (),
) -> None:
    """Say which events of this package are told from now on, in the whole process.

    Events of faults are always told. Counts of `stats()` begin anew. Safe from any thread.

    Args:
        enabled: False tells none.
        sampler_rate: the share of events that is told, from 0 to 1; a span, such as a join, is told
            from its start to its end or not at all.
        max_events_per_second: how many are told at most; what is beyond is dropped and counted. The
            end of a span counts with its start. None for no limit.
        exclude: events that are not told; without its first event a span is not told at all.

    Raises:
        InvalidOption: a value makes no sense.
    """
    global _policy  # noqa: PLW0603  the one policy of the process
    if not isinstance(sampler_rate, int | float) or not 0 <= sampler_rate <= 1:
        raise InvalidOption("sampler_rate", "must be a number from 0 to 1")
    limit = max_events_per_second
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise InvalidOption("max_events_per_second", "must be a whole number above 0, or None")
    config = {
        "enabled": bool(enabled),
        "sampler_rate": float(sampler_rate),
        "max_events_per_second": limit,
        "exclude": tuple(map(tuple, exclude)),
    }
    _policy = None if config == _DEFAULTS else _Policy(config)


def get_config() -> dict[str, Any]:
    """Return what `configure` was told. Safe from any thread."""
    policy = _policy
    return dict(_DEFAULTS if policy is None else policy.config)


def reset() -> None:
    """Tell all events again. Safe from any thread."""
    configure()


def stats() -> dict[str, int]:
    """Return how many events, spans as one, were left out since `configure`: by which rule."""
    policy = _policy
    if policy is None:
        return {"sampled_out": 0, "dropped": 0}
    return {"sampled_out": policy.sampled_out, "dropped": policy.dropped}


# One step in C, so no two threads get the same number.
_numbers = itertools.count(1)


class Span:
    """Events that belong together: with the first it is decided for all whether they are told.

    Each has `telemetry_span_context` in its metadata, a number that no other span of the process
    has, as `:telemetry.span` gives it. The first event may be told after the last, by another
    thread.

    Example:
        >>> span = Span(CHANNEL_JOIN_START, CHANNEL_JOIN_STOP)
        >>> span.emit(CHANNEL_JOIN_START, topic="room:lobby")
        >>> span.emit(CHANNEL_JOIN_STOP, {"duration_seconds": 0.1}, topic="room:lobby")
    """

    __slots__ = ("_excluded", "_told", "number")

    def __init__(self, first: tuple[str, ...], *following: tuple[str, ...]) -> None:
        """Decide for all of them; the first counts."""
        self.number = next(_numbers)
        policy = _policy
        self._told = policy is None or policy.admits(first, *following)
        self._excluded = frozenset() if policy is None else policy.excluded

    def emit(
        self,
        name: tuple[str, ...],
        measurements: dict[str, Any] | None = None,
        /,
        **metadata: Any,
    ) -> None:
        """Tell one event of the span, if the span is told and this event is not excluded."""
        if self._told and name not in self._excluded:
            metadata["telemetry_span_context"] = self.number
            execute(name, {"count": 1} if measurements is None else measurements, metadata)


def emit(
    name: tuple[str, ...], measurements: dict[str, Any] | None = None, /, **metadata: Any
) -> None:
    """Tell whoever listens to the event of this name.

    Example:
        >>> emit(CHANNEL_JOINED, topic="room:lobby")
    """
    policy = _policy
    if policy is None or policy.admits(name):
        execute(name, {"count": 1} if measurements is None else measurements, metadata)

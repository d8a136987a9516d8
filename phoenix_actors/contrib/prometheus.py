"""Metrics of clients for Prometheus, by `prometheus_client` (extra `prometheus`).

>>> from prometheus_client import CollectorRegistry
>>> registry = CollectorRegistry()
>>> with ClientMetrics(registry, topics=["room:*"]):
...     registry.get_sample_value("phoenix_client_connections")
0.0

A topic is never a label, nor is anything else that a server or a user may make up: the label
`topic` is the pattern of `topics` that fits, else "other". Errors and reasons are class names.

| metric | labels | counts |
|---|---|---|
| `phoenix_client_connects_total` | `outcome` | attempts: "ok", or the error's class |
| `phoenix_client_connect_seconds` | | histogram of the attempts that came to a connection |
| `phoenix_client_connections` | | open connections, a gauge |
| `phoenix_client_disconnects_total` | `reason` | connections that ended |
| `phoenix_client_reconnects_total` | | attempts after a loss or a failure that were planned |
| `phoenix_client_joins_total` | `topic`, `outcome` | joins: "ok", "refused", or a reason's class |
| `phoenix_client_join_seconds` | `topic` | histogram of the joins that the server answered ok |
| `phoenix_client_channels` | `topic` | joined channels, a gauge |
| `phoenix_client_channels_gave_up_total` | `topic` | channels past their restart intensity |
| `phoenix_client_pushes_total` | `topic`, `outcome` | pushes that ended: see below |
| `phoenix_client_push_seconds` | `topic` | histogram from a push to its reply |
| `phoenix_client_heartbeat_seconds` | | histogram from a heartbeat to its reply |
| `phoenix_client_heartbeat_timeouts_total` | | heartbeats without one |
| `phoenix_client_messages_sent_total`, `…_received_total` | | frames |
| `phoenix_client_sent_bytes_total`, `phoenix_client_received_bytes_total` | | their size |
| `phoenix_client_messages_dropped_total` | `cause` | frames that no handler gets |

A push ends in exactly one outcome: "ok" and "error" are replies with that status, "other" is a
reply with another one; "refused", "dropped", "timeouts" and "lost" had no reply.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "prometheus_client":
        raise
    raise ImportError(
        "phoenix_actors.contrib.prometheus needs prometheus-client: "
        "pip install 'phoenix-actors[prometheus]'"
    ) from error

from phoenix_actors import telemetry as names
from phoenix_actors.machines.topic_map import TopicMap
from supervisors.contrib.prometheus import EventMetrics, Facts, Tell
from supervisors.telemetry import Event

__all__ = ["ClientMetrics"]

M = TypeVar("M", Counter, Gauge)

# Seconds: a round trip on one machine takes less than a millisecond, a time-out ten seconds.
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ClientMetrics(EventMetrics):
    """The metrics of all clients of the process; see the module. Safe from any thread.

    Args:
        registry: where they are registered; the default one if left out.
        topics: topics and patterns such as "room:*" that are labels; all others are "other".
        messages: whether frames are counted, which has a handler run for each of them.

    Raises:
        InvalidOption: `topics` has something that is no topic and no pattern.
        ValueError: the registry has metrics of these names already.
    """

    def __init__(
        self,
        registry: CollectorRegistry = REGISTRY,
        *,
        topics: Iterable[str] = (),
        messages: bool = True,
    ) -> None:
        self._patterns = TopicMap({pattern: pattern for pattern in topics}, default="other")
        self._made: list[Counter | Gauge | Histogram] = []
        events = {
            **self._of_connections(),
            **self._of_channels(),
            **self._of_pushes(),
            **(self._of_messages() if messages else {}),
        }
        super().__init__(registry, self._made, events)

    def _topic(self, told: Facts) -> str:
        return self._patterns.resolve(told["topic"])

    def _make(self, kind: type[M], name: str, what: str, *labels: str) -> M:
        metric = kind(f"phoenix_client_{name}", what, labels, registry=None)
        self._made.append(metric)
        return metric

    def _times(self, name: str, what: str, *labels: str) -> Histogram:
        full = f"phoenix_client_{name}_seconds"
        metric = Histogram(full, what, labels, registry=None, buckets=_BUCKETS)
        self._made.append(metric)
        return metric

    def _of_connections(self) -> dict[Event, Tell]:
        connects = self._make(Counter, "connects", "Attempts to connect.", "outcome")
        took = self._times("connect", "From an attempt to its connection.")
        open_now = self._make(Gauge, "connections", "Open connections.")
        lost = self._make(Counter, "disconnects", "Connections that ended.", "reason")
        again = self._make(Counter, "reconnects", "Attempts planned after a loss or failure.")
        rtt = self._times("heartbeat", "From a heartbeat to its reply.")
        missing = self._make(Counter, "heartbeat_timeouts", "Heartbeats without a reply.")

        def connected(measured: Facts, _: Facts) -> None:
            connects.labels("ok").inc()
            took.observe(measured["duration_seconds"])

        return {
            names.CONNECTION_STOP: connected,
            names.CONNECTION_EXCEPTION: lambda _, told: connects.labels(told["error"]).inc(),
            names.ESTABLISHED_START: lambda _, __: open_now.inc(),
            names.ESTABLISHED_STOP: lambda _, __: open_now.dec(),
            names.SOCKET_DISCONNECTED: lambda _, told: lost.labels(told["reason"]).inc(),
            names.RECONNECTION_ATTEMPT: lambda _, __: again.inc(),
            names.HEARTBEAT_REPLY: lambda measured, _: rtt.observe(measured["round_trip_seconds"]),
            names.HEARTBEAT_TIMEOUT: lambda _, __: missing.inc(),
        }

    def _of_channels(self) -> dict[Event, Tell]:
        joins = self._make(Counter, "joins", "Joins that ended.", "topic", "outcome")
        took = self._times("join", "From a join to its answer.", "topic")
        joined = self._make(Gauge, "channels", "Joined channels.", "topic")
        gave_up = self._make(
            Counter, "channels_gave_up", "Channels past their restart intensity.", "topic"
        )

        def answered(measured: Facts, told: Facts) -> None:
            topic = self._topic(told)
            joins.labels(topic, "ok").inc()
            took.labels(topic).observe(measured["duration_seconds"])

        return {
            names.CHANNEL_JOIN_STOP: answered,
            names.CHANNEL_JOIN_ERROR: lambda _, told: joins.labels(
                self._topic(told), told["status"]
            ).inc(),
            names.CHANNEL_JOINED: lambda _, told: joined.labels(self._topic(told)).inc(),
            names.CHANNEL_LEFT: lambda _, told: joined.labels(self._topic(told)).dec(),
            names.CHANNEL_GAVE_UP: lambda _, told: gave_up.labels(self._topic(told)).inc(),
        }

    def _of_pushes(self) -> dict[Event, Tell]:
        pushes = self._make(Counter, "pushes", "Pushes that ended.", "topic", "outcome")
        took = self._times("push", "From a push to its reply.", "topic")

        def ended(measured: Facts, told: Facts) -> None:
            topic, outcome = self._topic(told), told["end"]
            if outcome == "replied":
                status = told["status"]
                outcome = status if status in {"ok", "error"} else "other"
                took.labels(topic).observe(measured["duration_seconds"])
            pushes.labels(topic, outcome).inc()

        return {names.PUSH_STOP: ended}

    def _of_messages(self) -> dict[Event, Tell]:
        sent = self._make(Counter, "messages_sent", "Frames sent.")
        sent_bytes = self._make(Counter, "sent_bytes", "Their size.")
        received = self._make(Counter, "messages_received", "Frames received.")
        received_bytes = self._make(Counter, "received_bytes", "Their size.")
        dropped = self._make(Counter, "messages_dropped", "Frames that no handler gets.", "cause")

        def went(measured: Facts, _: Facts) -> None:
            sent.inc()
            sent_bytes.inc(measured["payload_bytes"])

        def came(measured: Facts, _: Facts) -> None:
            received.inc()
            received_bytes.inc(measured["payload_bytes"])

        return {
            names.MESSAGE_SENT: went,
            names.MESSAGE_RECEIVED: came,
            names.FRAME_DROPPED: lambda _, told: dropped.labels(told["cause"]).inc(),
        }

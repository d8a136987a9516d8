"""`performance_monitor`: the client's numbers, as they are when asked, and alerts on them.

Metrics, summary and reports are read from the real counters at the moment of the call, so they work
from the first second. Every `collection_interval` a data point is kept for `retention_period`, and
`alert_thresholds` are checked; see `machines.alerts` for when an alert is triggered and over. With
`performance_monitor=False` nothing is collected or checked, and the numbers can still be asked for.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from phoenix_actors.actors.part import Part
from phoenix_actors.errors import InvalidOption
from phoenix_actors.link.future import push_books
from phoenix_actors.link.pool import EncodedPool
from phoenix_actors.link.routes import Routes
from phoenix_actors.link.session import Session
from phoenix_actors.machines.alerts import Alerts
from phoenix_actors.telemetry import (
    MONITOR_ALERTS,
    MONITOR_CLEANUP,
    MONITOR_STARTED,
    MONITOR_TERMINATING,
    emit,
)
from supervisors import ExitReason
from supervisors._runtime.timers import timers

__all__ = ["PerformanceMonitor"]

_COLLECT: Final = "collect"
_MEGABYTE: Final = 1024 * 1024
# Data points that are kept at most, however short the interval is.
_MOST_POINTS: Final = 10_000
# Look-ups in one interval below which a hit rate says nothing.
_ENOUGH_LOOKUPS: Final = 100
# What is not looked at for the first data point.
_UNKNOWN: Final[Mapping[str, Any]] = {"message_queue_depth": 0, "memory_usage_mb": None}
_NO_TIMES: Final[Mapping[str, Any]] = {"count": 0, "p99_seconds": None}


class DataPoint(msgspec.Struct, frozen=True):
    """The numbers of one moment; frames, bytes and CPU seconds are those so far."""

    at: float
    timestamp: float
    message_queue_depth: int
    memory_usage_mb: float | None
    messages_sent: int
    messages_received: int
    bytes_sent: int
    bytes_received: int
    cpu_seconds: float
    pushes_answered: int
    push_p99_seconds: float | None


class PerformanceMonitor(Part):
    """Reads the counters when asked, and now and then by itself; made by the client's tree."""

    def init(self, session: Session, pool: EncodedPool, routes: Routes) -> None:
        """Note the start, and arm the first collection unless it is switched off."""
        self.session, self.pool, self.routes = session, pool, routes
        self.started_at = timers.clock.now()
        self.collections = 0
        self.points: deque[DataPoint] = deque(maxlen=_MOST_POINTS)
        self.first = self.beginning(self.started_at)
        options = session.options
        self.alerts = Alerts(options.alert_thresholds)
        self.lookups = (0, 0)
        if options.performance_monitor:
            self.send_after(options.collection_interval, _COLLECT)
            interval, retention = options.collection_interval, options.retention_period
            emit(MONITOR_STARTED, collection_interval=interval, retention_period=retention)

    def handle_info(self, message: Any) -> None:
        """Collect, and arm the next collection."""
        if message != _COLLECT:
            super().handle_info(message)
            return
        self.collect(timers.clock.now())
        self.send_after(self.session.options.collection_interval, _COLLECT)

    def collect(self, now: float) -> None:
        """Keep a data point, forget old ones, check the thresholds."""
        system = self.system()
        depth = system["message_queue_depth"]
        self.points.append(self.point(now, system))
        self.collections += 1
        oldest, removed = now - self.session.options.retention_period, 0
        while self.points[0].at < oldest:
            self.points.popleft()
            removed += 1
        if removed:
            retention = self.session.options.retention_period
            emit(MONITOR_CLEANUP, {"entries_removed": removed}, retention_period=retention)
        slow = self.session.response_times.recent_max()
        values = {
            "memory_usage_mb": system["memory_usage_mb"],
            "message_queue_depth": float(depth),
            "response_time_ms": None if slow is None else slow * 1000,
            "cache_hit_rate": self.hit_rate(),
        }
        new = self.alerts.check(values, time.time())
        if new:
            alerts = [msgspec.structs.asdict(alert) for alert in new]
            emit(MONITOR_ALERTS, {"alerts_count": len(new)}, alerts=alerts)

    def point(self, now: float, system: dict[str, Any]) -> DataPoint:
        """Return the numbers of this moment."""
        return self._point(now, system, self.session.response_times.snapshot())

    def beginning(self, now: float) -> DataPoint:
        """Return what rates need of the first moment; to know more takes system calls."""
        system = {**_UNKNOWN, "cpu_seconds": time.process_time()}
        return self._point(now, system, _NO_TIMES)

    def _point(self, now: float, system: dict[str, Any], times: Mapping[str, Any]) -> DataPoint:
        counters = self.session.counters.snapshot()
        return DataPoint(
            at=now,
            timestamp=time.time(),
            message_queue_depth=system["message_queue_depth"],
            memory_usage_mb=system["memory_usage_mb"],
            messages_sent=counters.get("frames_sent", 0),
            messages_received=counters.get("frames_received", 0),
            bytes_sent=counters.get("bytes_sent", 0),
            bytes_received=counters.get("bytes_received", 0),
            cpu_seconds=system["cpu_seconds"],
            pushes_answered=int(times["count"] or 0),
            push_p99_seconds=times["p99_seconds"],
        )

    def throughput(self, system: dict[str, Any]) -> dict[str, float | None]:
        """Return what went over the wire per second since the last data point, or the start."""
        last = self.points[-1] if self.points else self.first
        now = self.point(timers.clock.now(), system)
        seconds = now.at - last.at
        names = ("messages_sent", "messages_received", "bytes_sent", "bytes_received")
        rates: dict[str, float | None] = {
            f"{name}_per_second": (getattr(now, name) - getattr(last, name)) / seconds
            if seconds > 0
            else None
            for name in names
        }
        used = now.cpu_seconds - last.cpu_seconds
        return {**rates, "cpu_utilization": used / seconds if seconds > 0 else None}

    def hit_rate(self) -> float | None:
        """Return the route cache's hit rate since the last time, if that says anything."""
        stats = self.routes.stats()
        before, self.lookups = self.lookups, (stats["template_hits"], stats["template_misses"])
        hits, misses = self.lookups[0] - before[0], self.lookups[1] - before[1]
        enough = stats["template_enabled"] and hits + misses >= _ENOUGH_LOOKUPS
        return hits / (hits + misses) if enough else None

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`, `"metrics"`, `"summary"` and `("report", format)`."""
        match request:
            case "stats" | "metrics":
                return self.metrics()
            case "history":
                return [msgspec.structs.asdict(point) for point in self.points]
            case "summary":
                return self.summary()
            case ("report", form):
                return self.report(form)
            case _:
                return super().handle_call(request, sender)

    # ---- the numbers --------------------------------------------------------------------------

    def metrics(self) -> dict[str, Any]:
        """Return the counts; those of the wire are of the present Socket actor."""
        session = self.session
        wire, system = session.wire, self.system()
        counters = session.counters.snapshot()
        pool, routes = self.pool.stats(), self.routes.stats()
        return {
            "enabled": session.options.performance_monitor,
            "status": str(session.status),
            "uptime_seconds": timers.clock.now() - self.started_at,
            "heartbeat_rtt_seconds": session.heartbeat_rtt,
            "topics": len(session.topics()),
            "pending_replies": 0 if wire is None else wire.pending(),
            "queued_frames": 0 if wire is None else len(wire.outbox),
            "response_times": session.response_times.snapshot(),
            "heartbeat_times": session.heartbeat_times.snapshot(),
            "throughput": self.throughput(system),
            "hit_rates": {
                "route_cache": _rate(routes["hits"], routes["misses"]),
                "topic_channel_map": _rate(routes["template_hits"], routes["template_misses"]),
                "binary_pool": _rate(pool["hits"], pool["misses"]),
            },
            "binary_pool": pool,
            "route_cache": routes,
            "hibernation": session.hibernation_stats(),
            "transport": {
                "messages_sent": counters.get("frames_sent", 0),
                "messages_received": counters.get("frames_received", 0),
                "bytes_sent": counters.get("bytes_sent", 0),
                "bytes_received": counters.get("bytes_received", 0),
            },
            "system": system,
            "pushes": push_books(counters),
            "alerts": [msgspec.structs.asdict(alert) for alert in self.alerts.present],
            "counters": counters,
        }

    def system(self) -> dict[str, Any]:
        """Return what the whole Python process uses, and what waits in this client."""
        session = self.session
        wire = session.wire
        waiting = sum(len(topic.inbound) for topic in session.topics())
        return {
            "memory_usage_mb": _memory_usage(),
            "message_queue_depth": waiting + (0 if wire is None else len(wire.outbox)),
            "thread_count": threading.active_count(),
            "cpu_seconds": time.process_time(),
        }

    def summary(self) -> dict[str, Any]:
        """Return the few numbers that tell most."""
        metrics = self.metrics()
        uptime = metrics["uptime_seconds"]
        return {
            "uptime_seconds": uptime,
            "uptime_ms": int(uptime * 1000),
            "uptime_hours": uptime / 3600,
            "status": metrics["status"],
            "topics": metrics["topics"],
            "frames_sent": metrics["transport"]["messages_sent"],
            "frames_received": metrics["transport"]["messages_received"],
            "heartbeat_rtt_seconds": metrics["heartbeat_rtt_seconds"],
            "collections": self.collections,
            "alerts_triggered": self.alerts.triggered,
            "collection_interval": self.session.options.collection_interval,
            "retention_period": self.session.options.retention_period,
            "alert_thresholds": dict(self.session.options.alert_thresholds),
            "data_points_retained": len(self.points),
            "current_metrics": metrics,
        }

    def report(self, form: str) -> str:
        """Return the metrics as "text", "json" or "json_pretty"."""
        import json

        metrics = self.metrics()
        match form:
            case "text":
                counters = metrics.pop("counters")
                return "\n".join([*_lines("", metrics), *_lines("", counters)])
            case "json":
                return json.dumps(metrics)
            case "json_pretty":
                return json.dumps(metrics, indent=2)
            case _:
                raise InvalidOption("format", "must be 'text', 'json' or 'json_pretty'")

    reply_exceptions = (InvalidOption,)

    def terminate(self, reason: ExitReason) -> None:
        """Tell what there was."""
        if self.session.options.performance_monitor:
            measurements = {
                "total_collections": self.collections,
                "alerts_triggered": self.alerts.triggered,
            }
            emit(MONITOR_TERMINATING, measurements)


def _rate(hits: int, misses: int) -> float | None:
    """Return the part of hits, or None where there was nothing to hit."""
    return hits / (hits + misses) if hits + misses else None


def _lines(prefix: str, values: dict[str, Any]) -> list[str]:
    """Return `name: value` lines, nested names joined by dots."""
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += _lines(f"{prefix}{name}.", value)
        elif isinstance(value, list):
            lines += [
                f"{prefix}{name}: {len(value)}",
                *(f"  {entry['message']}" for entry in value),
            ]
        else:
            lines.append(f"{prefix}{name}: {value}")
    return lines


def _memory_usage() -> float | None:
    """Return the resident memory of the process in megabytes, or None where nobody says."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  pathlib takes 5 ms
            pages = int(file.read().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE
    except (OSError, ValueError, IndexError, AttributeError):
        return None

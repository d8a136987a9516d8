"""`performance_monitor`: the client's counts, as numbers and as text, right from the start."""

from __future__ import annotations

import json
from typing import Any

from phoenix_actors.errors import InvalidOption
from phoenix_actors.link.session import Session
from supervisors import GenServer
from supervisors._runtime.timers import timers

__all__ = ["PerformanceMonitor"]


class PerformanceMonitor(GenServer):
    """Reads the counters when asked; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Note the start."""
        self.session = session
        self.started_at = timers.clock.now()

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`, `"metrics"`, `"summary"` and `("report", format)`."""
        match request:
            case "stats" | "metrics":
                return self.metrics()
            case "summary":
                return self.summary()
            case ("report", form):
                return self.report(form)
            case _:
                return super().handle_call(request, sender)

    def metrics(self) -> dict[str, Any]:
        """Return the counts; those of the wire are of the present Socket actor."""
        session = self.session
        wire = session.wire
        return {
            "status": str(session.status),
            "uptime_seconds": timers.clock.now() - self.started_at,
            "heartbeat_rtt_seconds": session.heartbeat_rtt,
            "topics": len(session.topics()),
            "pending_replies": 0 if wire is None else wire.pending(),
            "queued_frames": 0 if wire is None else len(wire.outbox),
            "counters": session.counters.snapshot(),
        }

    def summary(self) -> dict[str, Any]:
        """Return the few numbers that tell most."""
        metrics = self.metrics()
        counters = self.session.counters
        return {
            "uptime_seconds": metrics["uptime_seconds"],
            "status": metrics["status"],
            "topics": metrics["topics"],
            "frames_sent": counters["frames_sent"],
            "frames_received": counters["frames_received"],
            "heartbeat_rtt_seconds": metrics["heartbeat_rtt_seconds"],
        }

    def report(self, form: str) -> str:
        """Return the metrics as "text", "json" or "json_pretty"."""
        metrics = self.metrics()
        match form:
            case "text":
                flat = {**metrics, **metrics["counters"]}
                del flat["counters"]
                return "\n".join(f"{name}: {value}" for name, value in flat.items())
            case "json":
                return json.dumps(metrics)
            case "json_pretty":
                return json.dumps(metrics, indent=2)
            case _:
                raise InvalidOption("format", "must be 'text', 'json' or 'json_pretty'")

    reply_exceptions = (InvalidOption,)

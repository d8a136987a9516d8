"""What users hold of a client's components: it follows the component through its restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phoenix_actors.link.pool import EncodedPayload, EncodedPool
from phoenix_actors.link.session import Session
from supervisors import ActorRef, NoProcError

__all__ = ["BinaryPoolClient", "Component", "PerformanceMonitorClient"]


class Component:
    """One component of a client. Safe from any thread."""

    def __init__(self, name: str, find: Callable[[str], Any]) -> None:
        """Made by the client; `find` gives the actor of the moment."""
        self._name = name
        self._find = find

    def __repr__(self) -> str:
        """Tell which one it is."""
        return f"<{type(self).__name__} {self._name}>"

    @property
    def ref(self) -> ActorRef:
        """The actor of the moment.

        Raises:
            NoProcError: it is just being restarted, or the client is dead.
        """
        ref: ActorRef | None = self._find(self._name)
        if ref is None:
            raise NoProcError(f"component {self._name!r}")
        return ref

    def stats(self) -> dict[str, Any]:
        """Return its numbers; see the component's module for what they mean."""
        stats: dict[str, Any] = self.ref.call("stats")
        return stats


class PerformanceMonitorClient(Component):
    """The performance monitor."""

    def get_metrics(self) -> dict[str, Any]:
        """Return all counts; sizes are bytes, durations seconds."""
        metrics: dict[str, Any] = self.ref.call("metrics")
        return metrics

    def get_summary(self) -> dict[str, Any]:
        """Return the few numbers that tell most."""
        summary: dict[str, Any] = self.ref.call("summary")
        return summary

    def generate_report(self, form: str = "text") -> str:
        """Return the metrics as "text", "json" or "json_pretty".

        Raises:
            InvalidOption: for another word.
        """
        report: str = self.ref.call(("report", form))
        return report


class BinaryPoolClient(Component):
    """The pool of encoded payloads."""

    def __init__(
        self, name: str, find: Callable[[str], Any], session: Session, pool: EncodedPool
    ) -> None:
        """Made by the client."""
        super().__init__(name, find)
        self._session = session
        self._pool = pool

    def encode(self, payload: Any) -> EncodedPayload:
        """Encode a payload once, to push it many times, on any topic.

        Raises:
            EncodeError: it cannot be sent as JSON.
        """
        return self._pool.encode(payload, self._session.codec.payload_text)

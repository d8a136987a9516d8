"""What users hold of a client's components: it follows the component through its restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phoenix_actors.link.pool import EncodedPayload, EncodedPool
from phoenix_actors.link.session import Session
from supervisors import (
    ActorRef,
    NoProcError,
    RegistryRef,
    SupervisorRef,
    via,
    whereis,
)

__all__ = ["BinaryPoolClient", "ClientParts", "Component", "PerformanceMonitorClient"]


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


class ClientParts(SupervisorRef):
    """The part of a client's reference that leads to its table and its components."""

    @property
    def session(self) -> Session:
        """The client's shared table.

        Raises:
            NoProcError: the client is dead.
        """
        session: Session = self._top("session")
        return session

    def _top(self, attribute: str) -> Any:
        """Return an attribute of the supervisor at the top of the client's tree."""
        process = self.process
        if process is None:
            raise NoProcError(self)
        return getattr(process.actor, attribute)

    def _component(self, name: str) -> Any:
        """Return a component's reference, or None between two of its lives."""
        return whereis(via(self.session.registry_name, name))

    @property
    def registry(self) -> RegistryRef:
        """The client's registry: its components by their ids, and its channels by topic.

        Raises:
            NoProcError: it is just being restarted, or the client is dead.
        """
        ref: RegistryRef | None = whereis(self.session.registry_name)
        if ref is None:
            raise NoProcError("component 'registry'")
        return ref

    @property
    def performance_monitor(self) -> PerformanceMonitorClient:
        """Counts and reports of this client."""
        return PerformanceMonitorClient("performance_monitor", self._component)

    @property
    def binary_pool(self) -> BinaryPoolClient:
        """Payloads encoded once and pushed many times."""
        return BinaryPoolClient("binary_pool", self._component, self.session, self._top("pool"))

    @property
    def route_cache(self) -> Component:
        """Which channel class a topic gets."""
        return Component("route_cache", self._component)

    @property
    def hibernation_manager(self) -> Component:
        """Idle channels."""
        return Component("hibernation_manager", self._component)

    @property
    def message_processor(self) -> Component:
        """Encoding and decoding."""
        return Component("message_processor", self._component)

    @property
    def socket(self) -> Component:
        """The connection."""
        return Component("socket", self._component)

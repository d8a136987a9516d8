"""What users hold of a client's components: it follows the component through its restarts."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from phoenix_actors.errors import InvalidOption
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

# Keys of get_state() that put_state() does not take, and options that it replaces (C15).
READ_ONLY: Final = frozenset({"joined_channels", "name", "status", "url", "vsn"})
REPLACEABLE: Final = frozenset({"auth_token", "headers", "params", "topic_channel_map"})


class Component:
    """One component of a client. Safe from any thread."""

    def __init__(
        self,
        name: str,
        find: Callable[[str], Any],
        read: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """Made by the client.

        Args:
            name: the component's id.
            find: gives the actor of the moment.
            read: gives the numbers, where they can be read without asking the actor.
        """
        self._name = name
        self._find = find
        self._read = read

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
        """Return its numbers; see the component's module for what they mean.

        Those of the pool, the routes and hibernation stand in tables that outlive the component;
        they are read there and cost it nothing.
        """
        if self._read is not None:
            return self._read()
        stats: dict[str, Any] = self.ref.call("stats")
        return stats


class PerformanceMonitorClient(Component):
    """The performance monitor."""

    def get_metrics(self) -> dict[str, Any]:
        """Return all counts; sizes are bytes, durations seconds."""
        metrics: dict[str, Any] = self.ref.call("metrics")
        return metrics

    def get_history(self) -> list[dict[str, Any]]:
        """Return the data points that are kept, oldest first.

        One is kept every `collection_interval`, for `retention_period`. `at` is a moment of the
        monotonic clock, `timestamp` the same in seconds since 1970; counts are those so far.
        """
        points: list[dict[str, Any]] = self.ref.call("history")
        return points

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
        super().__init__(name, find, pool.stats)
        self._session = session
        self._pool = pool

    def encode(self, payload: Any, *, key: Hashable = None) -> EncodedPayload:
        """Encode a payload once, to push it many times, on any topic.

        Args:
            payload: what `push` takes; with a key also a function that gives it.
            key: with one, the payload is remembered, and given for the same key without looking at
                `payload` again until it is `binary_max_age` old or `binary_pool_size` others were
                used since.

        Raises:
            EncodeError: it cannot be sent as JSON.
        """
        return self._pool.encode(payload, self._session.codec.payload_text, key)


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

    # ---- state --------------------------------------------------------------------------------

    def get_state(self, key: str | None = None) -> Any:
        """Return everything known as a dict, or one value: a known one, else one of put_state().

        Known are status, url (without its query), joined_channels, vsn and name; asked for by their
        key, also params and headers, which may be secret and are in no snapshot. None for a key
        that is unknown.
        """
        session = self.session
        options = session.options
        if key in REPLACEABLE:
            return getattr(options, key, None)
        state = {
            "status": session.status,
            "url": options.shown_url(),
            "joined_channels": self.joined_channels(),
            "vsn": options.vsn,
            "name": options.name,
        }
        if key is None:
            return {**session.custom(), **state}
        return state[key] if key in state else session.get(key)

    def put_state(self, key: str, value: Any) -> None:
        """Keep a value of the application's with the client, or replace params or headers.

        Those take what the options of that name take, and count from the next attempt to connect;
        a new topic_channel_map counts from the next join.

        Raises:
            InvalidOption: such a value makes no sense, or the key is another one of the client's
                own, which are read only.
        """
        if key in READ_ONLY:
            raise InvalidOption(key, "is the client's own state and read only")
        if key in REPLACEABLE:
            self.session.replace_option(key, value)
            if key == "topic_channel_map":
                self._top("routes").replace(self.session.options.topic_channel_map)
        else:
            self.session.put(key, value)

    def joined_channels(self) -> dict[str, dict[str, Any]]:
        """Return topic → {"status", "params"} of all wanted topics."""
        return {
            record.name: {"status": str(record.state), "params": record.params}
            for record in self.session.topics()
        }

    # ---- components ---------------------------------------------------------------------------

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
        return Component("route_cache", self._component, self._top("routes").stats)

    @property
    def hibernation_manager(self) -> Component:
        """Idle channels."""
        return Component("hibernation_manager", self._component, self.session.hibernation_stats)

    @property
    def message_processor(self) -> Component:
        """Encoding and decoding."""
        return Component("message_processor", self._component)

    @property
    def socket(self) -> Component:
        """The connection."""
        return Component("socket", self._component)

    @property
    def intents(self) -> Component:
        """Subscribers, and the topics that are wanted."""
        return Component("intents", self._component)

    @property
    def channel_manager(self) -> Component:
        """The supervisor of the channel actors."""
        return Component("channel_manager", self._component)

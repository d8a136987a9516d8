"""What one client knows, read by everybody and outliving every component of its tree.

Like a public ETS table that belongs to the supervisor: it is made with the client, handed to each
component when that starts, and not touched by their crashes. Topics that the user wants stand here,
so that they are joined again after anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from phoenix_actors.errors import NotConnected, PhoenixError
from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.hooks import Hooks
from phoenix_actors.message import ConnectionStatus
from supervisors import Reply

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.options import SocketOptions

__all__ = ["Session"]


class Session:
    """The shared table of one client. Safe from any thread."""

    def __init__(self, options: SocketOptions) -> None:
        """Begin disconnected, wanting nothing."""
        self.options = options
        self.counters = Counters()
        self.hooks = Hooks()
        self.codec = Codec(options.vsn, self.counters)
        self.client: Any = None
        self.registry_name: Any = options.registry_name
        self.wire: Wire | None = None
        self.stopping = False
        # Survives the Socket actor, so that a restarted one is as connected as the user wanted.
        self.wants_connection = options.auto_connect
        self.heartbeat_rtt: float | None = None
        self.last_error: PhoenixError | None = None
        self._lock = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self._custom: dict[str, Any] = {}
        self._status = ConnectionStatus.DISCONNECTED
        self._gave_up: PhoenixError | None = None
        self._watchers: list[tuple[Callable[[], bool], Reply]] = []

    def __repr__(self) -> str:
        """Tell status and topics."""
        return f"<Session {self._status} topics={len(self._topics)}>"

    # ---- topics -------------------------------------------------------------------------------

    def want(self, topic: Topic) -> Topic | None:
        """Want this topic: None when that is new, else the record that is there already."""
        with self._lock:
            present = self._topics.get(topic.name)
            if present is None:
                self._topics[topic.name] = topic
            return present

    def forget(self, topic: Topic) -> None:
        """Want the topic no more, unless it was wanted anew meanwhile."""
        with self._lock:
            if self._topics.get(topic.name) is topic:
                del self._topics[topic.name]

    def topic(self, name: str) -> Topic | None:
        """Return the record of a wanted topic."""
        return self._topics.get(name)

    def topics(self) -> list[Topic]:
        """Return all wanted topics in the order in which they were first wanted."""
        with self._lock:
            return list(self._topics.values())

    # ---- the connection's status ---------------------------------------------------------------

    @property
    def status(self) -> ConnectionStatus:
        """The connection's status."""
        return self._status

    @property
    def gave_up(self) -> PhoenixError | None:
        """Why the client does not try to connect any more, or None."""
        return self._gave_up

    def set_status(self, status: ConnectionStatus) -> None:
        """Note a new status and wake who waits for it."""
        with self._lock:
            self._status = status
            if status is ConnectionStatus.CONNECTING:
                self._gave_up = None
        self._wake()

    def set_gave_up(self, error: PhoenixError) -> None:
        """Note that the client has given up and wake who waits to be connected."""
        with self._lock:
            self._gave_up = error
        self._wake()

    def when(self, condition: Callable[[], bool]) -> Reply:
        """Return a future that settles when the condition, looked at on each change, holds."""
        reply = Reply()
        with self._lock:
            self._watchers.append((condition, reply))
        self._wake()
        return reply

    def unwatch(self, reply: Reply) -> None:
        """Forget a future of `when` that nobody waits for any more."""
        with self._lock:
            self._watchers = [entry for entry in self._watchers if entry[1] is not reply]

    def _wake(self) -> None:
        with self._lock:
            ready = [reply for condition, reply in self._watchers if condition()]
            self._watchers = [entry for entry in self._watchers if entry[1] not in ready]
        for reply in ready:
            reply.settle(value=True)

    def live_wire(self) -> Wire:
        """Return the wire of the present Socket actor.

        Raises:
            NotConnected: while there is none, between two lives of that actor.
        """
        wire = self.wire
        if wire is None:
            raise NotConnected
        return wire

    # ---- what the user keeps here --------------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:
        """Return what `put` kept under the key."""
        return self._custom.get(key, default)

    def put(self, key: str, value: Any) -> None:
        """Keep a value."""
        with self._lock:
            self._custom[key] = value

    def custom(self) -> dict[str, Any]:
        """Return all that `put` kept."""
        with self._lock:
            return dict(self._custom)

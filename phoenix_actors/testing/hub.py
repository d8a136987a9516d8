"""What all connections of one server share. Only from the server's loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoenix_actors.testing.ledger import Ledger
from phoenix_actors.testing.presence import PresenceTracker
from phoenix_actors.testing.pubsub import PubSub

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hub"]


class Hub:
    """Broadcasting, presence, the counters' ledger, and who has which socket id."""

    def __init__(self) -> None:
        self.pubsub = PubSub()
        self.presence = PresenceTracker(self.pubsub)
        self.ledger = Ledger()
        self._disconnecters: dict[str, list[Callable[[], None]]] = {}

    @property
    def ids(self) -> list[str]:
        """The ids of the connected sockets, each once."""
        return list(self._disconnecters)

    def add_socket(self, socket_id: str, disconnect: Callable[[], None]) -> None:
        """Notes what `disconnect()` of that id has to call."""
        self._disconnecters.setdefault(socket_id, []).append(disconnect)

    def remove_socket(self, socket_id: str, disconnect: Callable[[], None]) -> None:
        """Forgets a socket; one that is not there is no error."""
        present = self._disconnecters.get(socket_id, [])
        if disconnect in present:
            present.remove(disconnect)
        if not present:
            self._disconnecters.pop(socket_id, None)

    def disconnect(self, socket_id: str) -> None:
        """Closes every socket with that id, as `Endpoint.broadcast(id, "disconnect")` does."""
        for disconnect in list(self._disconnecters.get(socket_id, [])):
            disconnect()

"""Who listens to which topic, and broadcasting to them. Only from the server's loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from phoenix_actors.testing.wire import Serializer

__all__ = ["PubSub", "Subscriber"]


class Subscriber(Protocol):
    """A joined channel, as broadcasting sees it."""

    @property
    def serializer(self) -> Serializer:
        """The serialiser of its connection."""
        ...

    def deliver(self, data: str | bytes) -> None:
        """Sends what the serialiser wrote."""
        ...


class PubSub:
    """Topics and their subscribers, in the order they subscribed."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[Subscriber, None]] = {}

    def subscribe(self, topic: str, subscriber: Subscriber) -> None:
        """Adds a subscriber."""
        self._topics.setdefault(topic, {})[subscriber] = None

    def unsubscribe(self, topic: str, subscriber: Subscriber) -> None:
        """Removes a subscriber; one that is not there is no error."""
        subscribers = self._topics.get(topic, {})
        subscribers.pop(subscriber, None)
        if not subscribers:
            self._topics.pop(topic, None)

    def broadcast(
        self, topic: str, event: str, payload: Any, *, exclude: Subscriber | None = None
    ) -> None:
        """Sends a message to every subscriber but `exclude`, encoded once for each serialiser.

        Raises:
            Unencodable: when a subscriber's serialiser cannot write the payload. As in Phoenix, the
                sender gets it.
        """
        written: dict[str, str | bytes] = {}
        for subscriber in list(self._topics.get(topic, {})):
            if subscriber is not exclude:
                serializer = subscriber.serializer
                if serializer.vsn not in written:
                    written[serializer.vsn] = serializer.broadcast(topic, event, payload)
                subscriber.deliver(written[serializer.vsn])

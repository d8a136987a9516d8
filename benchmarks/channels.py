"""Clients whose server is a function in the same process: what is measured is the client alone."""

from __future__ import annotations

import json
from typing import Any

from phoenix_actors import ChannelActor, SocketClient
from phoenix_actors.transport.memory import MemoryPeer, MemoryTransport

__all__ = ["Client", "Ours", "Threaded"]


def respond(peer: MemoryPeer, data: str | bytes) -> None:
    """Say ok to everything, and keep nothing."""
    peer.received.clear()
    join_ref, ref, topic, _, _ = json.loads(data)
    answer = {"status": "ok", "response": {}}
    peer.send_text(json.dumps([join_ref, ref, topic, "phx_reply", answer]))


class Ours(ChannelActor):
    """Does nothing with its messages."""


class Threaded(ChannelActor):
    """Has a thread of its own."""

    dispatcher = "thread"


class Client:
    """A client and its server's end."""

    def __init__(self, **options: Any) -> None:
        """Connect."""
        self.transport = MemoryTransport(respond)
        options = {"heartbeat_interval": None, "performance_monitor": False, **options}
        self.client = SocketClient.start_link(
            url="ws://h/socket", transport=self.transport, **options
        )
        self.client.wait_connected()

    def join(self, count: int, channel: Any = Ours, name: str = "room") -> list[Any]:
        """Join so many topics."""
        return [self.client.join(f"{name}:{number}", channel=channel) for number in range(count)]

    def send(self, topic: str, event: str = "tick", payload: Any = None) -> None:
        """Have the server send a message; it is in the actor's mailbox when this returns."""
        self.transport.peers[-1].send_text(json.dumps([None, None, topic, event, payload or {}]))

    def close(self) -> None:
        """Stop the client."""
        self.client.stop()

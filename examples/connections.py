"""Several sockets: one client for each environment, and a manager that speaks to all of them.

    python examples/connections.py --demo     three servers; one of them drops its connection

PHOENIX_URL=ws://…/socket stands for all three environments.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from phoenix_actors import Message, PhoenixError, SocketClient
from phoenix_actors.testing import ControlClient, PhoenixServer
from supervisors import ActorRef, GenServer, Sender, Supervisor, whereis

ENVIRONMENTS = ("dev", "staging", "prod")
ROOM = "room:announcements"
# Seconds that anything may take.
PATIENCE = 10.0


class ConnectionManager(GenServer):
    """Sends one message over every socket and tells what each server said."""

    def init(self, environments: tuple[str, ...]) -> None:
        """Keep the names and not the clients: a name leads to the client of the moment."""
        self.environments = environments

    def handle_call(self, request: Any, sender: Sender) -> Any:
        """Answer ("broadcast", topic, event, payload) and "status"."""
        match request:
            case ("broadcast", topic, event, payload):
                return self.broadcast(Message.push(topic, event, payload))
            case "status":
                return {name: str(client.status) for name, client in self.clients()}
            case _:
                return super().handle_call(request, sender)

    def broadcast(self, message: Message) -> dict[str, str]:
        """Push to all first, and only then wait for the answers."""
        futures, said = {}, {}
        for name, client in self.clients():
            channel = client.channel(message.topic)
            if channel is None:
                said[name] = "not joined"
            else:
                futures[name] = channel.push(message.event, message.payload, timeout=PATIENCE)
        for name, future in futures.items():
            try:
                said[name] = future.get().status
            except PhoenixError as error:
                said[name] = type(error).__name__
        return {name: said[name] for name in self.environments}

    def clients(self) -> list[tuple[str, SocketClient]]:
        """Return the environments with their clients."""
        return [(name, whereis(("socket", name))) for name in self.environments]


def start(urls: Mapping[str, str]) -> Any:
    """Start a client for each environment, each with a registry of its own, and the manager."""
    clients = [
        SocketClient.child_spec(
            name=("socket", name),
            registry_name=("registry", name),
            url=url,
            params={"environment": name},
            # Wanted from the start and not waited for, so that one server may be down.
            join_channels=[ROOM],
        )
        for name, url in urls.items()
    ]
    manager = ConnectionManager.child_spec(tuple(urls), id="manager", name="manager")
    return Supervisor.start_link([*clients, manager], strategy="one_for_one")


def broadcast_to_all(manager: ActorRef, topic: str, event: str, payload: Any) -> dict[str, str]:
    """Return what each environment's server answered, from any thread."""
    answers: dict[str, str] = manager.call(("broadcast", topic, event, payload), 2 * PATIENCE)
    return answers


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """The URL for each environment: PHOENIX_URL, or a server on loopback for each."""
    given = os.environ.get("PHOENIX_URL")
    with ExitStack() as stack:
        yield {name: given or stack.enter_context(PhoenixServer()).url for name in ENVIRONMENTS}


def demo(urls: Mapping[str, str]) -> None:
    """Speak to all, before and after one server dropped its connections."""
    with start(urls):
        manager = whereis("manager")
        print(broadcast_to_all(manager, ROOM, "echo", {"release": "1.0"}))
        print("joined there:", ControlClient(urls["dev"]).stats()["by_topic"])
        ControlClient(urls["staging"]).kill_sockets()
        while broadcast_to_all(manager, ROOM, "echo", {})["staging"] != "ok":
            pass  # what was on the lost connection fails at once; what follows waits for the next
        print(broadcast_to_all(manager, ROOM, "echo", {"release": "1.1"}), manager.call("status"))


def main() -> None:
    """Run the demo."""
    with servers() as urls:
        demo(urls)


if __name__ == "__main__":
    main()

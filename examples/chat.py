"""A chat: people in one room, each a client and an actor of the application under one supervisor.

    python examples/chat.py --demo         alice and bob talk, then the server drops them
    python examples/chat.py alice          what you type is said; what others say is shown

Both start a server of their own on loopback; PHOENIX_URL=ws://…/socket names another one.
"""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from phoenix_actors import Channel, ConnectionLost, Message, SocketClient
from phoenix_actors.testing import ControlClient, PhoenixServer
from supervisors import ChildSpec, GenServer, Sender, Supervisor, whereis

ROOM = "room:general"
# Seconds that the demo waits for a line.
PATIENCE = 10.0


class Chat(GenServer):
    """One person: joins the room, says what it is told, shows what it hears."""

    def init(self, username: str, show: Callable[[str], object]) -> None:
        """Join from inside the actor: so it is this actor that gets the room's messages."""
        self.username, self.show = username, show
        self.room = whereis(("socket", username)).join(ROOM, {"username": username})

    def handle_call(self, request: Any, sender: Sender) -> Any:
        """Say something; the room's future is not waited for, as "shout" has no reply."""
        match request:
            case ("say", body):
                timestamp = datetime.now(UTC).isoformat()
                line = {"body": body, "username": self.username, "timestamp": timestamp}
                self.room.push("shout", line)
                return "said"
            case _:
                return super().handle_call(request, sender)

    def handle_info(self, message: Any) -> None:
        """Show what is said in the room, one's own lines too."""
        if isinstance(message, Message) and message.event == "shout":
            self.show(f"{message.payload['username']}: {message.payload['body']}")


def person(url: str, username: str, show: Callable[[str], object]) -> ChildSpec:
    """A person as a child: when the client is started anew, so is the chat above it."""
    children = [
        SocketClient.child_spec(name=("socket", username), url=url, params={"user": username}),
        Chat.child_spec(username, show, id="chat", name=("chat", username)),
    ]
    start, how = Supervisor.start_link, {"strategy": "rest_for_one"}
    return ChildSpec(username, start=start, args=(children,), kwargs=how, type="supervisor")


def say(username: str, body: str) -> None:
    """Let a person say something, from any thread."""
    whereis(("chat", username)).call(("say", body), timeout=PATIENCE)


@contextmanager
def server() -> Iterator[str]:
    """The URL of the server that PHOENIX_URL names, else of one on loopback."""
    given = os.environ.get("PHOENIX_URL")
    if given:
        yield given
        return
    with PhoenixServer() as loopback:
        yield loopback.url


def back(channel: Channel) -> None:
    """Wait until a room is joined again: what was pushed on the lost connection is pushed anew."""
    while True:
        with suppress(ConnectionLost):
            channel.push("echo").get(timeout=PATIENCE)
            return


def demo(url: str) -> None:
    """Alice and Bob talk; after the server dropped both connections they still do."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    alice = person(url, "alice", lambda line: heard.put(f"alice hears {line}"))
    bob = person(url, "bob", lambda line: heard.put(f"bob hears {line}"))
    with Supervisor.start_link([alice, bob], strategy="one_for_one"):
        for speaker, body in (("alice", "Hello, everyone!"), ("bob", "Hi, alice")):
            say(speaker, body)
            print(*sorted(heard.get(timeout=PATIENCE) for _ in range(2)), sep="\n")
        ControlClient(url).kill_sockets()
        print("(the server drops both)")
        for name in ("alice", "bob"):
            back(whereis(("socket", name)).channel(ROOM))
        say("alice", "Still here?")
        print(*sorted(heard.get(timeout=PATIENCE) for _ in range(2)), sep="\n")


def main(arguments: list[str]) -> None:
    """Run the demo, or chat under the name that was given."""
    with server() as url:
        if arguments == ["--demo"]:
            demo(url)
            return
        username = arguments[0] if arguments else "guest"
        with Supervisor.start_link([person(url, username, print)], strategy="one_for_one"):
            for line in sys.stdin:
                say(username, line.rstrip("\n"))


if __name__ == "__main__":
    main(sys.argv[1:])

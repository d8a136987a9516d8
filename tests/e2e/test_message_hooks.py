"""Message hooks against a server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from phoenix_actors import DROP, Message, PushTimeout, SocketClient, WouldDeadlock
from tests.e2e.rig import DEADLINE, LONG_POLL, WEBSOCKET, Log, listening

TRANSPORTS = [WEBSOCKET, LONG_POLL]


@pytest.mark.contract("C150")
def test_a_hook_changes_and_drops(client: SocketClient) -> None:
    """Handlers and replies get what it passes on; a dropped reply lets its push time out."""
    log = Log()
    channel = client.join("room:a", on={"pushed": lambda payload: log.add("got", payload)})

    def double(message: Message) -> Any:
        if message.event == "pushed":
            log.add("channel", message.channel)
            if message.payload["n"] == 0:
                return DROP
            return msgspec.structs.replace(message, payload={"n": 2 * message.payload["n"]})
        return DROP if dropping and message.event == "phx_reply" else message

    dropping: list[bool] = []
    subscription = client.register_message_hook(double)
    for number in range(3):
        channel.push("push_me", {"n": number})
    log.wait("got", {"n": 4})
    assert log.named("got") == [({"n": 2},), ({"n": 4},)]
    assert log.wait("channel")[1] is channel
    channel.push("echo", {}).get()
    dropping.append(True)
    with pytest.raises(PushTimeout):
        channel.push("echo", {}, timeout=0.05).get()
    subscription.off()
    channel.push("push_me", {"n": 0})
    log.wait("got", {"n": 0})


@pytest.mark.contract("C150", "C155")
def test_a_hook_that_raises_or_waits(client: SocketClient) -> None:
    """A wait raises at once; what it raises is reported, and the message comes through."""
    log = Log()
    channel = client.join("room:a", on={"pushed": lambda payload: log.add("got", payload)})

    class Waiting:
        def handle_message(self, message: Message, client: SocketClient) -> Message:
            try:
                client.ping(DEADLINE)
            except WouldDeadlock:
                log.add("refused")
                raise
            return message

    client.register_message_hook(Waiting())
    with listening(("hook", "failed")) as failures:
        channel.push("push_me", {"n": 1})
        log.wait("got", {"n": 1})
        log.wait("refused")
    assert failures.items[0][2]["error"] == "WouldDeadlock"

"""A peer that reads nothing while it writes, as Phoenix does, and a client that has too much."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from phoenix_actors import ChannelActor
from tests.e2e.rig import DEADLINE, Connect, Log
from tests.integration.websocket_peers import serving

# Of these, loopback takes a few for a peer that does not read.
MUCH = "x" * 3_000_000
FLOOD = 20
PUSHES = 10


def flood(connection: ServerConnection) -> None:
    """Answer what comes, one after another; behind the first push send more than goes at once."""
    flooded = False
    for message in connection:
        join_ref, ref, topic, event, _ = json.loads(message)
        reply = {"status": "ok", "response": {}}
        connection.send(json.dumps([join_ref, ref, topic, "phx_reply", reply]))
        if event == "go" and not flooded:
            flooded = True
            for number in range(FLOOD):
                pushed = {"i": number, "pad": MUCH}
                connection.send(json.dumps([join_ref, None, topic, "pushed", pushed]))


class Answering(ChannelActor):
    """Pushes much at its first message, which takes long, and tells of each that was taken."""

    def init(self, log: Log) -> None:
        self.log = log

    def handle_message(self, event: str, payload: Any) -> None:
        if payload["i"] == 0:
            for _ in range(PUSHES):
                self.push("much", {"pad": MUCH}, timeout=DEADLINE)
                self.log.add("taken")
        self.log.add("message", payload["i"])


@pytest.mark.contract("C81", "C82", "C155")
@pytest.mark.parametrize("overflow", ["error", "block"])
def test_a_handler_that_waits_for_room(connect: Connect, overflow: str) -> None:
    """The reader reads on, or the peer would never read again, and there would be no room."""
    log = Log()
    with serving(flood, max_queue=1) as (_, url):
        client = connect(
            url=url.removesuffix("/websocket"),
            max_pending_messages=2,
            max_inbound_messages=2,
            overflow=overflow,
        )
        channel = client.join("room:a", channel=(Answering, log))
        channel.push("go", {})
        log.wait("message", FLOOD - 1)
        assert len(log.named("taken")) == PUSHES
        assert [number for (number,) in log.named("message")] == list(range(FLOOD))
        client.stop()


def answer_behind(connection: ServerConnection) -> None:
    """Answer each join; the second one behind messages of the first one's topic."""
    first: list[str] = []
    for message in connection:
        join_ref, ref, topic, event, _ = json.loads(message)
        if event == "phx_join":
            for number in range(FLOOD) if first else ():
                connection.send(json.dumps([*first[:1], None, *first[1:], "pushed", {"i": number}]))
            first = [join_ref, topic]
        reply = {"status": "ok", "response": {}}
        connection.send(json.dumps([join_ref, ref, topic, "phx_reply", reply]))


class PushingOn(ChannelActor):
    """Pushes more to another channel, which is not joined yet, than may wait for that."""

    def init(self, log: Log) -> None:
        self.log = log

    def handle_message(self, event: str, payload: Any) -> None:
        other = self.client.channel("room:b")
        if payload["i"] == 0 and other is not None:
            for _ in range(2):
                other.push("kept", {}, timeout=None)
            other.push("waits", {}, timeout=DEADLINE)
        self.log.add("message", payload["i"])


@pytest.mark.contract("C81", "C82", "C155")
def test_a_handler_that_waits_for_the_join_of_another_channel(connect: Connect) -> None:
    """Room comes with the answer to that join, which stands behind messages of the handler's."""
    log = Log()
    with serving(answer_behind) as (_, url):
        client = connect(
            url=url.removesuffix("/websocket"),
            max_pending_messages=2,
            max_inbound_messages=2,
            overflow="block",
        )
        client.join("room:a", channel=(PushingOn, log))
        client.join("room:b")
        log.wait("message", FLOOD - 1)
        assert [number for (number,) in log.named("message")] == list(range(FLOOD))
        client.stop()

"""A channel that is put to sleep at every moment loses nothing."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from phoenix_actors import ChannelActor, ConnectionLost, SocketClient
from phoenix_actors.actors.hibernation_manager import _CHECK
from phoenix_actors.transport.memory import MemoryPeer, MemoryTransport

DEADLINE = 30.0
COUNT = 300


class Keeping(ChannelActor):
    """Keeps the numbers that the server sends."""

    def init(self) -> None:
        self.seen: list[int] = []

    def handle_message(self, event: str, payload: Any) -> None:
        """Keeps it."""
        self.seen.append(payload["n"])

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Gives all."""
        return self.seen


class Threaded(Keeping):
    """Has a thread of its own."""

    dispatcher = "thread"


def respond(peer: MemoryPeer, data: str | bytes) -> None:
    """Says ok to everything."""
    join_ref, ref, topic, _, _ = json.loads(data)
    answer = {"status": "ok", "response": {}}
    peer.send_text(json.dumps([join_ref, ref, topic, "phx_reply", answer]))


@pytest.mark.contract("C184")
@pytest.mark.parametrize("kind", [Keeping, Threaded])
def test_nothing_is_lost(kind: type[ChannelActor]) -> None:
    """What comes and what is pushed arrives once and in order, over a lost connection too."""
    transport = MemoryTransport(respond)
    client = SocketClient.start_link(
        url="ws://h/socket",
        transport=transport,
        heartbeat_interval=None,
        hibernation_idle_timeout=0.000_1,
        hibernation_check_interval=3_600.0,
    )
    over, pause = threading.Event(), threading.Event()

    def put_to_sleep() -> None:
        while not over.is_set():
            client.hibernation_manager.ref.send_info(_CHECK)
            client.hibernation_manager.ref.call("stats", DEADLINE)

    sleeper = threading.Thread(target=put_to_sleep)
    try:
        client.wait_connected(DEADLINE)
        channel = client.join("room:a", channel=kind)
        sleeper.start()
        pushes = []
        for number in range(COUNT):
            frame = [None, None, "room:a", "tick", {"n": number}]
            transport.peers[-1].send_text(json.dumps(frame))
            pushes.append(channel.push("push", {"n": number}))
            if number % 10 == 0:
                pause.wait(0.001)
            if number == COUNT // 2:
                transport.peers[-1].close(1001)
                until = time.monotonic() + DEADLINE
                while channel.join_count < 2 and time.monotonic() < until:
                    pause.wait(0.001)
        assert channel.call(None, DEADLINE) == list(range(COUNT))
        for push in pushes:
            with suppress(ConnectionLost):
                assert push.get(timeout=DEADLINE).status == "ok"
        assert client.hibernation_manager.stats()["total_hibernations"] > 0
    finally:
        over.set()
        if sleeper.ident is not None:
            sleeper.join(DEADLINE)
        client.stop()

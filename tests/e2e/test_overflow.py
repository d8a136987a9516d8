"""Floods against a server: slow handlers, full buffers, and what goes on meanwhile."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from phoenix_actors import Channel, ChannelActor, QueueFull, SocketClient
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, eventually, listening

# Messages of the great flood, and how many of them are waited for; `make chaos` waits for all.
FLOOD = 200_000
AWAITED = int(os.environ.get("CHAOS_FLOOD") or FLOOD // 10)


class Gated(ChannelActor):
    """Handles its messages once the gate is open."""

    def init(self, gate: threading.Event, log: Log) -> None:
        """Begins."""
        self.gate, self.log = gate, log

    def handle_message(self, event: str, payload: Any) -> None:
        """Waits, and tells."""
        self.gate.wait(DEADLINE)
        self.log.add(event, payload["i"])


def flooded(client: SocketClient, gate: threading.Event, number: int) -> tuple[Channel, Log]:
    """A channel whose handler stands still, while the server sends it this many messages."""
    log = Log()
    channel = client.join("room:a", channel=(Gated, gate, log))
    channel.push("flood", {"n": number, "size": 200}, timeout=None)
    return channel, log


class Ordered(ChannelActor):
    """Handles its messages once the gate is open, and sees to their order."""

    def init(self, gate: threading.Event, log: Log, most: int) -> None:
        """Begins."""
        self.gate, self.log, self.most, self.last = gate, log, most, 0

    def handle_message(self, event: str, payload: Any) -> None:
        """Waits, and tells of the last message, and of one out of order."""
        self.gate.wait(6 * DEADLINE)
        before, self.last = self.last, payload["i"]
        if self.last != before + 1:
            self.log.add("disorder", before, self.last)
        if self.last == self.most:
            self.log.add("last")


@pytest.mark.websocket_only("there are no heartbeats")
@pytest.mark.contract("C82", "C101", "C153")
def test_a_sleeping_handler_under_a_flood(phoenix: Phoenix, connect: Connect) -> None:
    """What waits is bounded, heartbeats go out, the connection stays, and nothing is lost."""
    client = connect(max_inbound_messages=50, heartbeat_interval=0.05, heartbeat_timeout=0.5)
    gate, messages = threading.Event(), Log()
    with listening(("heartbeat", "sent"), ("socket", "disconnected")) as log:
        channel = client.join("room:a", channel=(Ordered, gate, messages, AWAITED))
        channel.push("flood", {"n": FLOOD, "size": 200}, timeout=None)
        counters = client.session.counters
        eventually(lambda: counters["reading_paused"])
        already = len(log.named("heartbeat.sent"))
        # Several times the heartbeat's timeout.
        log.wait("heartbeat.sent", count=already + 30)
        # The handler may have taken one after the reader paused.
        assert len(channel._topic.inbound) in (49, 50)
        assert counters["frames_received"] < 100 + already + 30
        gate.set()
        deadline = time.monotonic() + 12 * DEADLINE
        while not messages.items and time.monotonic() < deadline:
            # The flood goes on under heartbeats, and other verbs are served.
            assert client.ping(6 * DEADLINE) > 0
            assert len(channel._topic.inbound) <= 50
        assert messages.items == [("last",)]
        assert log.named("socket.disconnected") == []
    assert counters["reading_paused"] > 1


@pytest.mark.contract("C82", "C99")
@pytest.mark.parametrize("end", ["leave", "disconnect", "stop"])
def test_an_end_while_the_reader_pauses(connect: Connect, end: str) -> None:
    """It does not wait for the handler that stands still."""
    client = connect(max_inbound_messages=10)
    gate = threading.Event()
    channel, _ = flooded(client, gate, 1000)
    eventually(lambda: client.session.counters["reading_paused"])
    began = time.monotonic()
    if end == "leave":
        channel.leave()
        assert client.ping(DEADLINE) > 0
    elif end == "disconnect":
        with listening(("socket", "disconnected")) as log:
            client.disconnect()
        assert client.status == "disconnected"
        # The peer's answer to the close was read, behind all that waited.
        assert log.wait("socket.disconnected")[2]["clean"]
    else:
        # The handler is given up after its 5 seconds, unless it ends: that is not the reader's.
        threading.Timer(0.2, gate.set).start()
        client.stop()
    assert time.monotonic() - began < 4.0
    gate.set()


@pytest.mark.contract("C82", "C155")
def test_a_handler_that_waits_for_the_server_under_a_flood(connect: Connect) -> None:
    """Its answer comes behind the flood, so the reader reads on for it."""

    class Asking(ChannelActor):
        def init(self, log: Log) -> None:
            self.log = log

        def handle_message(self, event: str, payload: Any) -> None:
            if payload["i"] % 100 == 1:
                reply = self.push("echo", payload, timeout=DEADLINE).get()
                self.log.add("asked", reply.response["i"])

    client = connect(max_inbound_messages=5)
    log = Log()
    channel = client.join("room:a", channel=(Asking, log))
    channel.push("flood", {"n": 1000, "size": 200})
    log.wait("asked", 901)
    assert [number for (number,) in log.named("asked")] == list(range(1, 1000, 100))


@pytest.mark.contract("C82", "C101")
@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "error"])
def test_floods_that_drop(connect: Connect, policy: str) -> None:
    """What waits is bounded, each drop is counted, and the reader goes on."""
    client = connect(max_inbound_messages=50, inbound_overflow=policy)
    gate, errors = threading.Event(), Log()
    client.on_error(errors.add)
    channel, messages = flooded(client, gate, 1000)
    counters = client.session.counters
    dropped = f"frames_dropped_inbound_{policy}"
    # One message is with the handler; at most one more was taken before it stood still.
    eventually(lambda: counters[dropped] >= 949)
    assert client.ping(DEADLINE) > 0
    assert len(channel._topic.inbound) in (49, 50)
    gate.set()
    eventually(lambda: len(messages.items) + counters[dropped] == 1000)
    numbers = [number for _, number in messages.items]
    assert numbers == sorted(numbers)
    if policy == "drop_oldest":
        assert numbers[-50:] == list(range(951, 1001))
    else:
        assert numbers[:50] == list(range(1, 51))
    kinds = [type(error) for (error,) in errors.items]
    assert kinds == ([QueueFull] if policy == "error" else [])
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C81", "C181")
@pytest.mark.parametrize("policy", ["error", "drop_oldest", "drop_newest"])
def test_pushes_while_disconnected(phoenix: Phoenix, connect: Connect, policy: str) -> None:
    """Sent, refused and dropped are what was offered, and the kept ones arrive in order."""
    topic = f"counter:{policy}"
    client = connect(
        join_channels=[topic], auto_connect=False, max_pending_messages=10, overflow=policy
    )
    channel = client.channel(topic)
    assert channel is not None
    refused, futures = 0, []
    for number in range(30):
        try:
            futures.append(channel.push("seq", {"n": number}))
        except QueueFull:
            refused += 1
    client.connect()
    failed = [future for future in futures if future.exception() is not None]
    assert all(isinstance(future.exception(), QueueFull) for future in failed)
    kept = list(range(20, 30)) if policy == "drop_oldest" else list(range(10))
    assert [item["n"] for item in phoenix.control.dump(topic)] == kept
    counters = client.session.counters
    assert (refused, len(failed)) == ((20, 0) if policy == "error" else (0, 20))
    assert counters["pushes"] == 30
    assert counters["pushes_sent"] + counters["push_refused"] + counters["push_dropped"] == 30
    assert [future.exception() for future in futures if future not in failed] == [None] * 10
    assert client.performance_monitor.get_metrics()["pushes"] == {
        "offered": 30,
        "replied": 10,
        "refused": refused,
        "dropped": len(failed),
        "timeouts": 0,
        "lost": 0,
        "waiting": 0,
    }
    stats = client.message_processor.stats()
    assert (stats["pending_replies"], stats["encode_queue_size"]) == (0, 0)


@pytest.mark.contract("C81")
def test_block_waits_for_the_join(phoenix: Phoenix, connect: Connect) -> None:
    """A push beyond the bound waits until the client is joined, and goes out in its turn."""
    options: dict[str, Any] = {"max_pending_messages": 3, "overflow": "block"}
    client = connect(join_channels=["counter:block"], auto_connect=False, **options)
    channel = client.channel("counter:block")
    assert channel is not None
    log = Log()

    def push() -> None:
        for number in range(20):
            log.add("pushed", channel.push("seq", {"n": number}).get)

    thread = threading.Thread(target=push)
    thread.start()
    eventually(lambda: channel._topic.room.awaited)
    assert len(log.items) == 3
    client.connect()
    thread.join(DEADLINE)
    assert [get().response["count"] for _, get in log.items] == list(range(1, 21))

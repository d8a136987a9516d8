"""A peer that reads slowly or not at all: what waits, what is refused, and what goes on."""

from __future__ import annotations

import threading
import time

import pytest

from phoenix_actors import (
    Channel,
    ChannelClosed,
    ConnectionLost,
    PushFuture,
    QueueFull,
)
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import DEADLINE, Connect, Log, eventually, listening

# Of these, loopback takes at most one for a peer that does not read.
MUCH = "x" * 9_000_000


def block(channel: Channel) -> list[PushFuture]:
    """Pushes so much to a peer that does not read that the writer waits for it.

    Two or three of the frames stay: loopback keeps one at most.
    """
    return [channel.push("no_reply", {"pad": MUCH}, timeout=60.0) for _ in range(3)]


@pytest.mark.contract("C81", "C181")
def test_a_full_queue_refuses(server: PhoenixServer, connect: Connect) -> None:
    """Beyond max_pending_messages a push waits its timeout for room, then raises QueueFull."""
    client = connect(max_pending_messages=10)
    channel, room = client.join("counter:a"), client.join("room:a")
    server.stall()
    stuck = block(room)
    # No push waits for the peer, as long as there is room.
    began = time.monotonic()
    futures = [channel.push("seq", {"n": number}) for number in range(7)]
    assert time.monotonic() - began < 1.0
    with pytest.raises(QueueFull) as full:
        while True:
            futures.append(channel.push("seq", {"n": len(futures)}, timeout=0.1))
    assert client.socket.stats()["queued_frames"] == 10
    assert (full.value.limit, full.value.topic, full.value.event) == (10, "counter:a", "seq")
    server.resume()
    # What was accepted arrives, in order, and nothing is pending.
    assert [future.get().status for future in futures] == ["ok"] * len(futures)
    assert [item["n"] for item in server.dump("counter:a")] == list(range(len(futures)))
    room.leave()
    assert all(future.done() for future in stuck)
    stats = client.message_processor.stats()
    assert (stats["pending_replies"], stats["encode_queue_size"]) == (0, 0)


def test_a_full_queue_takes_more_when_there_is_room(
    server: PhoenixServer, connect: Connect
) -> None:
    """Who waits for room gets it as soon as the peer reads on."""
    client = connect(max_pending_messages=3)
    channel, room = client.join("counter:a"), client.join("room:a")
    server.stall()
    block(room)
    log = Log()

    def push(number: int) -> None:
        log.add(channel.push("seq", {"n": number}).get().status)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    server.resume()
    for thread in threads:
        thread.join(DEADLINE)
    assert log.items == [("ok",)] * 5


def test_the_reader_goes_on(server: PhoenixServer, connect: Connect) -> None:
    """A push on the reader thread neither waits for a peer nor for room; it is refused."""
    client = connect(max_pending_messages=5)
    other = connect()
    channel = client.join("room:a")
    log = Log()

    def flood(message: object) -> None:
        try:
            for _ in range(100):
                channel.push("no_reply", {"pad": "x" * 100_000})
        except QueueFull:
            log.add("refused")

    # The reader of this client would have to write 10 MB before it reads on.
    subscription = client.on_message(flood)
    other.join("room:a").push("shout", {})
    log.wait("refused")
    subscription.off()
    assert client.ping(DEADLINE) > 0


@pytest.mark.contract("C99", "C101")
def test_a_stalled_peer_is_noticed(server: PhoenixServer, connect: Connect) -> None:
    """With a full send buffer the heartbeat times out all the same, and everything heals."""
    # Long enough to make the pushes: what is pushed behind the loss waits for the next connection.
    client = connect(heartbeat_interval=1.0, heartbeat_timeout=1.0, max_pending_messages=5)
    channel = client.join("room:a")
    with listening(("heartbeat", "timeout"), ("socket", "disconnected")) as log:
        server.stall()
        futures = block(channel)
        assert client.connected
        began = time.monotonic()
        log.wait("socket.disconnected")
        assert time.monotonic() - began < 4.0
        for future in futures:
            with pytest.raises(ConnectionLost):
                future.get(timeout=DEADLINE)
    server.resume()
    client.wait_connected(DEADLINE)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C157", "C118")
def test_stopping_with_a_stalled_peer(server: PhoenixServer, connect: Connect) -> None:
    """disconnect() and stop() are bounded, and leave nothing, whatever the peer does."""
    for end in ("disconnect", "stop"):
        client = connect()
        channel = client.join("room:a")
        server.stall()
        futures = block(channel)
        began = time.monotonic()
        getattr(client, end)()
        assert time.monotonic() - began < 5.0
        for future in futures:
            with pytest.raises((ConnectionLost, ChannelClosed)):
                future.get(timeout=DEADLINE)
        names = [thread.name for thread in threading.enumerate()]
        assert [name for name in names if name.startswith("phoenix-")] == []
        client.stop()
        server.resume()


@pytest.mark.contract("C118")
def test_disconnect_writes_what_waits(server: PhoenixServer, connect: Connect) -> None:
    """Pushes made before disconnect() arrive, though nobody waits for them."""
    client = connect()
    channel = client.join("counter:a")
    for number in range(300):
        channel.push("seq_noreply", {"n": number})
    client.disconnect()

    def arrived() -> list[int]:
        frames = [record.frame for record in server.frames()]
        return [frame.payload["n"] for frame in frames if frame.event == "seq_noreply"]

    eventually(arrived, lambda numbers: numbers == list(range(300)))


@pytest.mark.contract("C101")
def test_a_long_handler_does_not_stop_heartbeats(server: PhoenixServer, connect: Connect) -> None:
    """While a channel's handler is busy, heartbeats go out and other channels are served."""
    client = connect(heartbeat_interval=0.02, heartbeat_timeout=0.5)
    busy, idle = client.join("room:busy"), client.join("room:idle")
    release, began = threading.Event(), threading.Event()

    def work(_: object) -> None:
        began.set()
        release.wait(DEADLINE)

    busy.on("pushed", work)
    busy.push("push_me", {})
    assert began.wait(DEADLINE)
    with listening(("heartbeat", "sent")) as sent:
        sent.wait("heartbeat.sent", count=5)
    assert idle.push("echo", {"n": 1}).get().response == {"n": 1}
    assert busy.push("echo", {"n": 2}).get().response == {"n": 2}
    release.set()
    assert server.connections_total == 1


@pytest.mark.contract("C100")
def test_a_slow_join_answers_no_heartbeat(server: PhoenixServer, connect: Connect) -> None:
    """A heartbeat_timeout longer than the slowest join lets the join come through."""
    client = connect(heartbeat_interval=0.3, heartbeat_timeout=5.0)
    channel = client.join("room:slow")
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert server.connections_total == 1

"""What users of such clients ask for, most wanted first: each wish in one test.

Wishes that need a proxy, TLS or long poll have their tests in `tests/integration`.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phoenix_actors import (
    ChannelActor,
    ConnectionStatus,
    HandshakeRefused,
    HeartbeatTimeout,
    JoinRejected,
    JoinTimeout,
    PhoenixError,
    PushTimeout,
    QueueFull,
)
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, Telling, eventually, listening


def test_1_it_comes_back_by_itself_and_tells(phoenix: Phoenix, connect: Connect) -> None:
    """After a loss everything is joined again, and the user is told of both."""
    log = Log()
    client = connect()
    client.on_close(lambda *_: log.add("closed"))
    channels = [client.join(f"room:{number}", channel=(Telling, log)) for number in range(5)]
    phoenix.control.kill_sockets()
    log.wait("closed")
    log.wait("join", 2, count=5)
    assert [channel.push("echo", 1).get().status for channel in channels] == ["ok"] * 5


def test_2_no_storms(connect: Connect) -> None:
    """Refusals are not tried again in a tight loop, whatever the steps of reconnecting are."""
    with listening(("reconnection", "attempt")) as log:
        client = connect(params={"token": "bad"}, auto_connect=False, backoff=None)
        client.connect()
        log.wait("reconnection.attempt")
    (attempt,) = log.named("reconnection.attempt")
    assert attempt[0]["delay_seconds"] >= 0.5


def test_3_fresh_tokens(phoenix: Phoenix, connect: Connect) -> None:
    """The functions for params and join params are asked each time."""
    words = iter("abcdef")
    client = connect(params=lambda: {"word": next(words)})
    channel = client.join("room:a", lambda: {"word": next(words)})
    phoenix.control.kill_sockets()
    eventually(lambda: channel.join_count == 2)
    assert channel.response["params"] == {"word": "d"}
    assert channel.push("whoami", {}).get().response["params"]["word"] == "c"


def test_4_heartbeats_detect_a_dead_peer(phoenix: Phoenix, connect: Connect) -> None:
    """Within a time-out of their own."""
    log = Log()
    client = connect(heartbeat_interval=0.1, heartbeat_timeout=0.2)
    client.join("room:a", channel=(Telling, log))
    phoenix.control.freeze(1.5)
    assert isinstance(log.wait("close")[1], HeartbeatTimeout)
    log.wait("join", 2)


def test_5_early_pushes_are_kept_and_end_honestly(phoenix: Phoenix, connect: Connect) -> None:
    """They are sent once joined, time out if that takes too long, and are bounded."""
    client = connect(max_pending_messages=3)
    channel = client.join("counter:a")
    client.disconnect()
    kept = [channel.push("seq", {"n": number}) for number in range(2)]
    late = channel.push("seq", {"n": "late"}, timeout=0.01)
    with pytest.raises(QueueFull):
        channel.push("seq", {"n": "one too many"})
    with pytest.raises(PushTimeout):
        late.get()
    client.connect()
    assert [push.get().status for push in kept] == ["ok", "ok"]
    assert phoenix.control.dump("counter:a") == [{"n": 0}, {"n": 1}]


def test_6_join_ref_on_every_frame(phoenix: Phoenix, connect: Connect) -> None:
    """The server, which drops frames of another join, takes pushes and the leave of each."""
    client = connect()
    for _ in range(3):
        channel = client.join("room:a")
        assert channel.push("whoami", {}).get().response["topic"] == "room:a"
        channel.leave()
    eventually(phoenix.channels, lambda topics: topics == {})


def test_7_many_threads_and_no_deadlock(phoenix: Phoenix, connect: Connect) -> None:
    """Pushes of 8 threads, each waited for; and one made inside a handler."""
    log = Log()

    class Asking(ChannelActor):
        def handle_message(self, event: str, payload: Any) -> None:
            log.add("answered", self.push("echo", payload).get(timeout=DEADLINE).response)

    channel = connect().join("counter:a")

    def push() -> None:
        for number in range(50):
            channel.push("seq", {"n": number}).get()

    threads = [threading.Thread(target=push) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(phoenix.control.dump("counter:a")) == 400
    connect().join("room:a", channel=Asking).push("push_me", {"n": 1})
    log.wait("answered", {"n": 1})


def test_8_a_synchronous_api(connect: Connect) -> None:
    """No event loop, no callback."""
    with connect() as client:
        assert client.join("room:a").push("echo", [1]).get(timeout=DEADLINE).response == [1]


def test_9_vsn_2_and_binary(connect: Connect) -> None:
    """Bytes go and come as they are."""
    channel = connect().join("room:a")
    messages = channel.messages(timeout=DEADLINE)
    assert channel.push("binary_echo", b"\x00\xff").get().response == b"\x00\xff"
    channel.push("binary_broadcast", {"size": 1000})
    assert next(messages).payload == b"\xab" * 1000


def test_10_disconnect_means_disconnect(phoenix: Phoenix, connect: Connect) -> None:
    """Nothing reconnects, even when an attempt was due; the fixture looks for what is left."""
    client = connect(backoff=[0.05])
    client.join("room:a")
    phoenix.control.kill_sockets()
    client.disconnect()
    with listening(("connection", "start")) as log:
        threading.Event().wait(0.3)
    assert (log.items, client.status) == ([], ConnectionStatus.DISCONNECTED)
    assert phoenix.transports() == 0


def test_11_refusals_are_visible(connect: Connect) -> None:
    """With status, headers and body."""
    client = connect(params={"token": "bad"}, auto_connect=False, reconnect=False)
    client.connect()
    with pytest.raises(HandshakeRefused) as refused:
        client.wait_connected(DEADLINE)
    assert refused.value.status == 403
    assert refused.value.headers
    assert refused.value.body == b""


def test_12_no_origin_unless_asked(phoenix: Phoenix, connect: Connect) -> None:
    """So a server that checks it lets the client in; the client can send one."""
    assert connect(headers={"origin": "http://localhost"}).connected
    assert connect().connected


def test_14_presence_without_races(connect: Connect) -> None:
    """Two clients see each other come, change and go."""
    one, other = connect(), connect()
    one.join("presence:a", {"name": "one"})
    present = one.presence("presence:a")
    channel = other.join("presence:a", {"name": "other"})
    eventually(lambda: sorted(present.list(lambda key, _: key)) == ["one", "other"])
    channel.push("update", {"status": "away"}).get()
    eventually(lambda: "away" in str(present.list()))
    channel.leave()
    eventually(lambda: len(present.list()) == 1)


def test_16_observable_state(phoenix: Phoenix, connect: Connect) -> None:
    """Of the connection and of each channel."""
    client = connect()
    client.join("room:a")
    assert client.joined_channels() == {"room:a": {"status": "joined", "params": {}}}
    assert (client.status, client.channel("room:a").state) == ("connected", "joined")  # type: ignore[union-attr]
    with listening(("channel", "status_changed")) as log:
        phoenix.control.kill_channels()
        log.wait("channel.status_changed", count=3)
    changes = [item[1]["new_status"] for item in log.named("channel.status_changed")]
    assert changes == ["errored", "joining", "joined"]


def test_17_a_shared_topic(phoenix: Phoenix, connect: Connect) -> None:
    """A second join names the live channel; clients share a topic without noticing each other."""
    one, other = connect(), connect()
    channel = one.join("room:a")
    other.join("room:a").leave()
    with pytest.raises(PhoenixError) as taken:
        one.join("room:a")
    assert getattr(taken.value, "channel", None) is channel
    assert channel.push("echo", 1).get().status == "ok"


def test_18_clear_errors(connect: Connect) -> None:
    """Each names its topic, is also the built-in error that fits, and says what to do."""
    client = connect()
    with pytest.raises(JoinRejected, match="room:private"):
        client.join("room:private")
    with pytest.raises(JoinTimeout, match="room:slow") as late:
        client.join("room:slow", timeout=0.05)
    assert isinstance(late.value, TimeoutError)

"""Connections that are lost, frozen or dropped by the server, and how everything comes back."""

from __future__ import annotations

import threading

import pytest

from phoenix_actors import ConnectionLost, HeartbeatTimeout, SocketClient
from tests.e2e.rig import (
    DEADLINE,
    GONE,
    LONG_POLL,
    WEBSOCKET,
    Connect,
    Log,
    Phoenix,
    Telling,
    eventually,
    listening,
)

TRANSPORTS = [WEBSOCKET, LONG_POLL]


@pytest.mark.contract("C110")
def test_a_dropped_connection_heals(phoenix: Phoenix, connect: Connect, transport: str) -> None:
    """A stream that ends without a close frame is reconnected, and the topic joined again."""
    client = connect()
    closed = Log()
    client.on_close(closed.add)
    channel = client.join("room:a")
    phoenix.control.kill_sockets()
    eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert closed.wait(GONE[transport])[2] is False
    eventually(phoenix.transports, lambda count: count == 1)


@pytest.mark.contract("C110")
def test_a_disconnect_of_the_server_heals(
    phoenix: Phoenix, connect: Connect, transport: str
) -> None:
    """Endpoint.broadcast(id, "disconnect") closes with 1001; the client comes back."""
    code = GONE[transport] if transport == LONG_POLL else 1001
    client = connect(params={"user_id": "al"})
    closed = Log()
    client.on_close(closed.add)
    channel = client.join("room:a")
    phoenix.control.disconnect("al")
    assert closed.wait(code)[2] is (transport == WEBSOCKET)
    eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})
    channel.push("disconnect_me", {})
    # Over long poll the POST that ended the session may be the first that finds it gone.
    closed.wait(*(() if transport == LONG_POLL else (code,)), count=2)
    eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C80")
def test_pushes_in_flight_fail_at_once(phoenix: Phoenix, client: SocketClient) -> None:
    """Long before their time-outs they raise ConnectionLost, and are not sent again."""
    channel = client.join("counter:flight")
    blocked = client.join("room:blocked").push("slow_echo", {"ms": 60_000}, timeout=3600.0)
    channel.push("seq", {"n": 1}).get()
    phoenix.control.kill_sockets()
    with pytest.raises(ConnectionLost) as lost:
        blocked.get(timeout=DEADLINE)
    assert isinstance(lost.value, ConnectionError)
    assert channel.push("seq", {"n": 2}).get().response == {"count": 2}
    assert phoenix.control.dump("counter:flight") == [{"n": 1}, {"n": 2}]


@pytest.mark.contract("C124", "C61")
def test_a_hundred_channels_come_back(phoenix: Phoenix, connect: Connect) -> None:
    """Each is joined again, each once, and pushes work, without any code of the user's."""
    topics = [f"room:{number}" for number in range(100)]
    with listening(("channel", "joined")) as log:
        client = connect(join_channels=topics)
        log.wait("channel.joined", count=100)
        phoenix.control.kill_sockets()
        log.wait("channel.joined", count=200)
    assert phoenix.count() == 100
    channels = [client.channel(topic) for topic in topics]
    futures = [channel.push("echo", {"n": 1}) for channel in channels if channel is not None]
    assert [future.get().status for future in futures] == ["ok"] * 100
    joins = [(item[2]["topic"], item[2]["join_count"]) for item in log.items]
    assert sorted(joins) == sorted((topic, count) for topic in topics for count in (1, 2))
    eventually(phoenix.transports, lambda count: count == 1)


@pytest.mark.websocket_only("there are no heartbeats")
@pytest.mark.contract("C98", "C94", "C187")
def test_a_frozen_server_is_noticed(phoenix: Phoenix, connect: Connect) -> None:
    """No answer to a heartbeat drops the connection; channels are told, and come back."""
    client = connect(heartbeat_interval=0.05, heartbeat_timeout=0.1)
    log = Log()
    channel = client.join("room:a", channel=(Telling, log))
    with listening(("heartbeat", "timeout")) as timeouts:
        phoenix.control.freeze(DEADLINE)
        assert log.wait("close") == ("close", HeartbeatTimeout())
        log.wait("join", 2)
    assert timeouts.items[0][1] == {"timeout_seconds": 0.1}
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.websocket_only("there are no heartbeats")
@pytest.mark.contract("C103")
def test_no_heartbeat_after_disconnect(phoenix: Phoenix, connect: Connect) -> None:
    """Heartbeats stop with the connection and go on with the next one."""
    client = connect(heartbeat_interval=0.02)
    with listening(("heartbeat", "sent")) as sent:
        sent.wait("heartbeat.sent", count=3)
        client.disconnect()
        before = len(sent.items)
        with pytest.raises(TimeoutError):
            client.wait_connected(0.2)
        assert len(sent.items) == before
        client.connect()
        sent.wait("heartbeat.sent", count=before + 1)


def test_pushes_between_two_connections(phoenix: Phoenix, connect: Connect) -> None:
    """What is pushed while there is no connection goes out, in order, behind the rejoin."""
    client = connect()
    channel = client.join("counter:between")
    client.disconnect()
    futures = [channel.push("seq", {"n": number}) for number in range(10)]
    client.connect()
    assert [future.get().response["count"] for future in futures] == list(range(1, 11))
    assert [item["n"] for item in phoenix.control.dump("counter:between")] == list(range(10))


@pytest.mark.usefixtures("fast_switching")
def test_pushes_under_fire(phoenix: Phoenix, client: SocketClient, transport: str) -> None:
    """With the connection dropped again and again every push ends, and nothing comes twice."""
    # Over long poll a real server takes 2 s to tell that a session has ended.
    interval = 0.03 if transport == WEBSOCKET else 0.2
    channel = client.join("counter:fire")
    outcomes, over = Log(), threading.Event()

    def push(thread: int) -> None:
        for number in range(100):
            try:
                channel.push("seq", {"key": [thread, number]}).get()
                outcomes.add("ok", [thread, number])
            except ConnectionLost:
                outcomes.add("lost", [thread, number])

    def fire() -> None:
        while not over.wait(interval):
            if phoenix.count():
                phoenix.control.kill_sockets()

    threads = [threading.Thread(target=push, args=(number,)) for number in range(4)]
    gun = threading.Thread(target=fire)
    for thread in (*threads, gun):
        thread.start()
    for thread in threads:
        thread.join(4 * DEADLINE)
    over.set()
    gun.join(DEADLINE)
    assert len(outcomes.items) == 400
    arrived = [item["key"] for item in phoenix.control.dump("counter:fire")]
    assert len({tuple(key) for key in arrived}) == len(arrived)
    assert all([key] in [[item] for item in arrived] for (key,) in outcomes.named("ok"))
    eventually(phoenix.channels, lambda topics: topics == {"counter:fire": 1})
    assert channel.push("seq", {"key": "last"}).get().status == "ok"

"""The client's components at work: what they count, and the names of their options."""

from __future__ import annotations

import time
from typing import Any

import pytest

from phoenix_actors import Channel, InvalidOption, Message
from supervisors import GenServer
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, eventually, listening


@pytest.mark.contract("C180")
def test_routes_and_templates_are_used(connect: Connect) -> None:
    """200 messages on 3 topics find their channels; 200 pushes of one event encode it once."""
    client = connect(push_timeout=DEADLINE)
    channels = [client.join(f"room:{number}") for number in range(3)]
    for number in range(200):
        channels[number % 3].push("echo", {"n": number})
        channels[number % 3].push("push_me", {"n": number})
    for channel in channels:
        channel.push("echo", "last").get()
    routes = client.route_cache.stats()
    assert routes["hits"] >= 200
    assert routes["hits"] / (routes["hits"] + routes["misses"]) > 0.9
    before = client.binary_pool.stats()
    for number in range(200):
        channels[0].push("no_reply", {"n": number})
    after = client.binary_pool.stats()
    assert after["template_hits"] - before["template_hits"] >= 199
    assert after["template_misses"] - before["template_misses"] <= 1
    assert (after["templates"], after["template_bytes"] > 0) == (before["templates"] + 1, True)
    processor = client.message_processor.stats()
    assert processor["encoded"] >= 600
    assert client.hibernation_manager.stats()["current_tracked"] == 3


@pytest.mark.contract("C182")
@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
def test_templates_change_no_frame(connect: Connect, vsn: str) -> None:
    """With a pool of any size every payload arrives as it is."""
    for size in (0, 1, 1000):
        client = connect(binary_pool_size=size, vsn=vsn)
        channel = client.join("room:é")
        for payload in ({"é": '"\\'}, [1, [2]], "text", 7, True, {}):
            assert channel.push("echo", payload).get().response == payload
        assert (client.binary_pool.stats()["templates"] > 0) is (size > 0)
        client.stop()


@pytest.mark.contract("C179")
def test_options_by_the_names_of_the_components(connect: Connect) -> None:
    """The names that a component reads its options by mean the documented ones."""
    client = connect(
        pool_size=7,
        max_age=8,
        cleanup_interval=9,
        cache_size=10,
        ttl=11,
        idle_timeout=12,
        check_interval=13,
        hibernation_enabled=False,
    )
    pool, routes = client.binary_pool.stats(), client.route_cache.stats()
    assert (pool["max_pool_size"], pool["max_age"], pool["cleanup_interval"]) == (7, 8.0, 9.0)
    assert (routes["cache_size"], routes["ttl"], routes["cleanup_interval"]) == (10, 11.0, 9.0)
    hibernation = client.hibernation_manager.stats()
    assert (hibernation["idle_timeout"], hibernation["check_interval"]) == (12.0, 13.0)
    assert hibernation["enabled"] is False
    with pytest.raises(InvalidOption, match="another name of route_cache_size"):
        connect(cache_size=1, route_cache_size=2)


@pytest.mark.contract("C177")
def test_the_numbers_of_one_connection(phoenix: Phoenix, connect: Connect) -> None:
    """They begin with the connection, grow with its frames, and there are none without one."""
    client = connect(heartbeat_interval=None)
    channel = client.join("room:a")
    for _ in range(10):
        channel.push("echo", {"data": "x" * 100}).get()
    stats = client.socket.stats()
    assert 0 < stats["connect_time"] < DEADLINE
    assert stats["connected_at"] <= stats["last_activity"] <= time.time() + 1
    assert time.time() - DEADLINE < stats["connected_at"]
    assert (stats["messages_sent"], stats["messages_received"]) == (11, 11)
    assert 1000 < stats["bytes_sent"] < 3000
    assert 1000 < stats["bytes_received"] < 3000
    channel.push("no_reply", {})
    eventually(lambda: client.socket.stats()["last_activity"] > stats["last_activity"])
    stats = client.socket.stats()
    phoenix.control.broadcast("room:a", "news", {})
    eventually(lambda: client.socket.stats()["last_activity"] > stats["last_activity"])
    phoenix.control.kill_sockets()
    eventually(lambda: channel.join_count == 2)
    again = client.socket.stats()
    assert again["connected_at"] > stats["connected_at"]
    assert (again["messages_sent"], again["messages_received"]) == (1, 1)
    client.disconnect()
    none = client.socket.stats()
    assert [none[name] for name in ("connected_at", "last_activity", "bytes_sent")] == [
        None,
        None,
        0,
    ]


@pytest.mark.contract("C183")
def test_waiting_or_not_the_order_is_the_same(phoenix: Phoenix, connect: Connect) -> None:
    """10,000 pushes of one thread, some waited for and some not, arrive in the order made."""
    channel = connect(max_pending_messages=20_000).join("counter:order")
    for number in range(10_000):
        if number % 4 == 0:
            Channel.push(channel, "seq", {"n": number})
        else:
            Channel.push_async(channel, "seq_noreply", {"n": number})
    Channel.push(channel, "seq", {"n": 10_000})
    arrived = [item["n"] for item in phoenix.control.dump("counter:order")]
    assert arrived == list(range(10_001))


@pytest.mark.contract("C102")
def test_traffic_spares_heartbeats(connect: Connect) -> None:
    """While pushes are answered none is sent; without traffic each interval has one."""
    with listening(("heartbeat", "sent")) as log:
        client = connect(heartbeat_interval=0.3, heartbeat_when_idle=True)
        channel = client.join("room:a")
        log.wait("heartbeat.sent")
        until = time.monotonic() + 1.5
        busy = len(log.items)
        while time.monotonic() < until:
            channel.push("echo", {}).get()
        # One may have been due just before the first answer.
        assert len(log.items) - busy <= 1
        log.wait("heartbeat.sent", count=len(log.items) + 1)


@pytest.mark.contract("C166")
def test_what_the_default_module_hands_on(connect: Connect) -> None:
    """An actor that joins without a class of its own gets whole messages."""
    log = Log()

    class Listener(GenServer):
        def init(self) -> None:
            self.channel = client.join("room:a")
            self.channel.push("push_me", {"n": 1})

        def handle_info(self, message: Any) -> None:
            log.add("got", message, self.channel)

    client = connect()
    listener = Listener.start()
    try:
        _, message, channel = log.wait("got")
    finally:
        listener.stop()
    assert type(message) is Message
    assert (message.topic, message.event, message.payload) == ("room:a", "pushed", {"n": 1})
    assert (message.ref, message.join_ref) == (None, "1")
    assert message.channel is channel

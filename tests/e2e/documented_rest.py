"""Cases 34 to 58 of `test_documented.py`: performance, monitoring, errors, options, examples."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from phoenix_actors import (
    Channel,
    ConnectError,
    ConnectTimeout,
    JoinRejected,
    JoinTimeout,
    Message,
    NotConnected,
    NotJoined,
    SocketClient,
)
from phoenix_actors.transport.websocket import WebSocketTransport
from supervisors import GenServer, NoProcError
from tests.e2e.documented import NOWHERE, case
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, eventually, listening

# -- performance


@case(34)
def binary_options(phoenix: Phoenix, connect: Connect) -> None:
    """Repeated patterns are encoded once, as many as binary_pool_size says."""
    client = connect(binary_pool_size=2, binary_max_age=600, binary_cleanup_interval=30)
    channel = client.join("room:a")
    for number in range(10):
        channel.push("echo", {"n": number}).get()
    stats = client.binary_pool.stats()
    assert (stats["template_hits"] >= 9, stats["templates"]) == (True, 2)
    assert (stats["max_pool_size"], stats["max_age"], stats["cleanup_interval"]) == (2, 600, 30)


@case(35)
def route_options(phoenix: Phoenix, connect: Connect) -> None:
    """They are those of the running cache, whose hits grow with the messages."""
    client = connect(route_cache_size=2, route_cache_ttl=600, route_cleanup_interval=60)
    channel = client.join("room:a")
    for _ in range(10):
        channel.push("push_me", {})
    channel.push("echo", {}).get()
    stats = client.route_cache.stats()
    assert stats["hits"] >= 10
    assert (stats["cache_size"], stats["ttl"], stats["cleanup_interval"]) == (2, 600, 60)


@case(36)
def hibernation_options(phoenix: Phoenix, connect: Connect) -> None:
    """An idle channel is put to rest, and wakes with the next message."""
    client = connect(
        hibernation_enabled=True, hibernation_idle_timeout=0.02, hibernation_check_interval=0.02
    )
    channel = client.join("room:a")
    eventually(lambda: client.hibernation_manager.stats()["total_hibernations"] >= 1)
    assert channel.push("echo", 7).get().response == 7


@case(37)
def tcp_opts(phoenix: Phoenix, connect: Connect) -> None:
    """All eight are applied; the system is asked."""
    opts = {"nodelay": True, "keepalive": True, "buffer": 128 * 1024}
    opts |= {"send_buffer": 64 * 1024, "recv_buffer": 64 * 1024}
    opts |= {"keepalive_idle": 7200, "keepalive_interval": 75, "keepalive_count": 9}
    client = connect(transport_opts={"tcp_opts": opts})
    handle: Any = client.session.attempts()[0].handle
    sock: socket.socket = handle._stream._sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    # Linux doubles what is asked for.
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in (64 * 1024, 128 * 1024)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) in (64 * 1024, 128 * 1024)
    for option, number in (("TCP_KEEPIDLE", 7200), ("TCP_KEEPINTVL", 75), ("TCP_KEEPCNT", 9)):
        if hasattr(socket, option):
            assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) == number


@case(38)
def connect_timeout(phoenix: Phoenix, connect: Connect) -> None:
    """An attempt takes no longer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(
            url=f"ws://127.0.0.1:{silent.getsockname()[1]}/socket",
            auto_connect=False,
            reconnect=False,
            transport_opts={"connect_timeout": 0.1},
        )
        client.connect()
        with pytest.raises(ConnectTimeout):
            client.wait_connected(DEADLINE)


@case(39)
def compression(phoenix: Phoenix, connect: Connect) -> None:
    """It is negotiated, and the server reads what comes: fewer bytes than there are characters."""
    client = connect(transport_opts={"compression": True})
    channel = client.join("room:a")
    text = "again and again " * 1000
    assert channel.push("echo", text).get().response == text


@case(40)
def get_metrics(phoenix: Phoenix, connect: Connect) -> None:
    """They are there at once and grow."""
    client = connect()
    client.join("room:a").push("echo", {}).get()
    metrics = client.performance_monitor.get_metrics()
    assert metrics["transport"]["messages_sent"] == 2
    assert {"binary_pool", "route_cache", "hibernation", "system", "alerts"} <= set(metrics)


@case(41)
def get_summary(phoenix: Phoenix, connect: Connect) -> None:
    """The few numbers that tell most."""
    summary = connect().performance_monitor.get_summary()
    assert 0 <= summary["uptime_seconds"] < DEADLINE
    assert summary["collections"] == summary["alerts_triggered"] == 0


@case(42)
def generate_report(phoenix: Phoenix, connect: Connect) -> None:
    """As text and as JSON, from the first second on."""
    monitor = connect().performance_monitor
    assert "transport.messages_sent" in monitor.generate_report("text")
    for form in ("json", "json_pretty"):
        assert json.loads(monitor.generate_report(form))["status"] == "connected"


@case(43)
def binary_pool_stats(phoenix: Phoenix, connect: Connect) -> None:
    """Those of a pool."""
    fields = {"pool_size", "max_pool_size", "total_count", "total_memory_bytes", "total_memory_mb"}
    fields |= {"average_pattern_size", "oldest_pattern_age", "newest_pattern_age"}
    assert fields <= set(connect().binary_pool.stats())


@case(44)
def route_cache_stats(phoenix: Phoenix, connect: Connect) -> None:
    """Those of a cache."""
    fields = {"hits", "misses", "evictions", "insertions", "current_size"}
    assert fields <= set(connect().route_cache.stats())


@case(45)
def hibernation_stats(phoenix: Phoenix, connect: Connect) -> None:
    """Who is tracked and who is at rest."""
    fields = {"total_hibernations", "current_tracked", "current_hibernated", "idle_timeout"}
    assert fields | {"check_interval"} <= set(connect().hibernation_manager.stats())


@case(46)
def message_processor_stats(phoenix: Phoenix, connect: Connect) -> None:
    """What waits."""
    stats = connect().message_processor.stats()
    assert stats["sync_mode"] is True
    waiting = ("encode_queue_size", "decode_queue_size", "pending_replies")
    assert [stats[name] for name in waiting] == [0, 0, 0]


@case(47)
def telemetry_events(phoenix: Phoenix, connect: Connect) -> None:
    """The six are emitted."""
    six = [("socket", "connected"), ("socket", "disconnected"), ("channel", "joined")]
    six += [("channel", "left"), ("message", "sent"), ("message", "received")]
    with listening(*six) as log:
        client = connect()
        client.join("room:a").leave()
        client.disconnect()
        log.wait("socket.disconnected")
    assert {item[0] for item in log.items} == {".".join(event) for event in six}


# -- errors


@case(48)
def connection_errors(phoenix: Phoenix, connect: Connect) -> None:
    """Whoever waits for a server that is not there gets an error with its cause."""
    client = connect(url=NOWHERE, auto_connect=False, reconnect=False)
    client.connect()
    with pytest.raises(ConnectError) as failed:
        client.wait_connected(DEADLINE)
    assert isinstance(failed.value, ConnectionError)


@case(49)
def join_errors(phoenix: Phoenix, connect: Connect) -> None:
    """A refusal has the server's reason."""
    with pytest.raises(JoinRejected) as rejected:
        Channel.join(connect(), "room:private", {"token": "invalid"})
    assert rejected.value.response == {"reason": "unauthorized"}


@case(50)
def message_errors(phoenix: Phoenix, connect: Connect) -> None:
    """A topic that is not joined, and a client that is not there, are errors."""
    client = connect()
    with pytest.raises(NotJoined):
        client.push(Message.push("room:a", "shout", {}))
    with pytest.raises(NotConnected):
        connect(auto_connect=False).ping()
    client.stop()
    with pytest.raises(NoProcError):
        client.push(Message.push("room:a", "shout", {}))


@case(51)
def timeouts(phoenix: Phoenix, connect: Connect) -> None:
    """Every wait takes its own."""
    client = connect()
    with pytest.raises(JoinTimeout):
        client.join("room:slow", timeout=0.05)
    with pytest.raises(TimeoutError):
        connect().join("room:a").push("no_reply", {}, timeout=0.05).get()


# -- advanced


@case(54)
def json_library(phoenix: Phoenix, connect: Connect) -> None:
    """Another library is used for what goes and for what comes."""
    used: set[str] = set()

    class Library:
        def dumps(self, value: Any) -> str:
            used.add("dumps")
            return json.dumps(value)

        def loads(self, text: str | bytes) -> Any:
            used.add("loads")
            return json.loads(text)

    channel = connect(json_library=Library()).join("room:a")
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert used == {"dumps", "loads"}


@case(55)
def custom_transport(phoenix: Phoenix, connect: Connect) -> None:
    """An object with open(url, options, events) replaces the built-in one."""
    log = Log()

    class Counting:
        def open(self, url: str, options: Any, events: Any) -> Any:
            log.add("open", url.partition("?")[0])
            return WebSocketTransport().open(url, options, events)

    client = connect(transport=Counting())
    assert client.join("room:a").push("echo", 7).get().response == 7
    assert log.items == [("open", phoenix.url.removesuffix("/websocket") + "/websocket")]


# -- examples


@case(56)
def chat(phoenix: Phoenix, connect: Connect) -> None:
    """An actor that joins in its init, at once after the start, and pushes when it is asked to."""

    class Chat(GenServer):
        def init(self) -> None:
            self.client = SocketClient.start_link(url=phoenix.url)
            _, self.channel = Channel.join(self.client, "room:general", {"username": "al"})

        def handle_call(self, body: Any, sender: Any) -> Any:
            return Channel.push(self.channel, "echo", {"body": body}).response

    talk = Chat.start()
    assert talk.ask("Hello, everyone!") == {"body": "Hello, everyone!"}
    talk.stop()
    eventually(phoenix.transports, lambda count: count == 0)


@case(57)
def streaming(phoenix: Phoenix, connect: Connect) -> None:
    """An actor that joins gets whole messages in handle_info."""
    log = Log()
    client = connect()

    class Streamer(GenServer):
        def init(self) -> None:
            Channel.join(client, "room:stocks", {"symbol": "ACME"})

        def handle_info(self, message: Any) -> None:
            log.add(message.event, message.payload["price"])

    stream = Streamer.start()
    for price in range(5):
        phoenix.control.broadcast("room:stocks", "price_update", {"price": price})
    log.wait("price_update", count=5)
    stream.stop()
    assert log.named("price_update") == [(price,) for price in range(5)]


@case(58)
def several_sockets(phoenix: Phoenix, connect: Connect) -> None:
    """A message pushed on the sockets of all environments arrives from each."""
    clients: list[SocketClient] = []
    for environment in ("dev", "staging", "prod"):
        registry = f"registry-{environment}"
        clients.append(connect(name=f"socket-{environment}", registry_name=registry))
        clients[-1].join("counter:all")
    for number, client in enumerate(clients):
        client.push(Message.push("counter:all", "seq", {"n": number}))
    items = eventually(lambda: phoenix.control.dump("counter:all"), lambda found: len(found) == 3)
    assert sorted(item["n"] for item in items) == [0, 1, 2]

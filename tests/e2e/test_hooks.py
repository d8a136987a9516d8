"""Hooks, telemetry, state, components, and calls on threads that must not wait."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from phoenix_actors import (
    ChannelActor,
    HandshakeRefused,
    InvalidOption,
    Message,
    SocketClient,
    WouldDeadlock,
)
from supervisors import telemetry
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, Telling, eventually, listening

COMPONENTS = [
    "registry",
    "intents",
    "performance_monitor",
    "binary_pool",
    "route_cache",
    "hibernation_manager",
    "message_processor",
    "socket",
    "channel_manager",
]


# -- hooks


@pytest.mark.websocket_only("a lost session has a code of its own")
@pytest.mark.contract("C151")
def test_hooks_of_the_connection(phoenix: Phoenix, connect: Connect) -> None:
    """on_open, on_close, on_error and on_message are called, and removable."""
    log = Log()
    refused = ["bad"]
    client = connect(
        params=lambda: {"token": refused.pop() if refused else "good"},
        refusal_backoff=[0.02],
        auto_connect=False,
    )
    subscriptions = [
        client.on_open(lambda: log.add("open")),
        client.on_close(lambda *ending: log.add("close", *ending)),
        client.on_error(lambda error: log.add("error", type(error).__name__)),
        client.on_message(lambda message: log.add("message", message)),
    ]
    client.connect()
    log.wait("error", "HandshakeRefused")
    log.wait("open")
    client.join("room:a").push("push_me", {"n": 1})
    eventually(lambda: any(m.event == "pushed" for (m,) in log.named("message")))
    assert all(isinstance(message, Message) for (message,) in log.named("message"))
    phoenix.control.kill_sockets()
    log.wait("close", 1006)
    log.wait("open", count=2)
    for subscription in subscriptions:
        subscription.off()
    before = log.items
    client.disconnect()
    client.connect()
    client.wait_connected(DEADLINE)
    assert log.items == before
    opened = [item[0] for item in before if item[0] in ("open", "close", "error")]
    assert opened == ["error", "open", "close", "open"]


@pytest.mark.websocket_only("a server is not told of the end of a session")
@pytest.mark.contract("C155")
def test_everything_may_be_called_in_a_hook(phoenix: Phoenix, connect: Connect) -> None:
    """on_open may join, push, wait, disconnect; on_close may connect; stop() works too."""
    client = connect(auto_connect=False)
    log = Log()

    def opened() -> None:
        channel = client.channel("room:a") or client.join("room:a")
        log.add("echo", channel.push("echo", {"n": 1}).get(timeout=DEADLINE).response)
        client.wait_connected()
        if len(log.named("echo")) == 1:
            client.disconnect()

    def closed(*_: Any) -> None:
        log.add("closed")
        client.connect()

    client.on_open(opened)
    client.on_close(closed)
    client.connect()
    log.wait("closed")
    log.wait("echo", count=2)
    assert phoenix.channels() == {"room:a": 1}
    assert client.channel("room:a") is not None
    client.on_error(lambda _: None)
    stopping = connect(auto_connect=False)
    stopping.on_open(lambda: log.add("stopped", stopping.stop()))
    stopping.connect()
    assert log.wait("stopped") == ("stopped", True)


@pytest.mark.contract("C149")
def test_a_handler_that_raises(client: SocketClient) -> None:
    """It is reported by its kind of error, and stops neither others nor the connection."""
    log = Log()
    channel = client.join("room:a")

    def broken(_: Any) -> None:
        raise ValueError("secret")

    channel.on("pushed", broken)
    channel.on("pushed", lambda payload: log.add("second", payload))
    client.on_message(broken)
    with listening(("hook", "failed")) as failures:
        channel.push("push_me", {"n": 1})
        log.wait("second", {"n": 1})
        hooks = {failures.wait("hook.failed", count=n)[2]["hook"] for n in (1, 2)}
    assert hooks == {"on_message", "on pushed of room:a"}
    assert "secret" not in str(failures.items)
    assert client.ping(DEADLINE) > 0


@pytest.mark.contract("C147", "C148")
def test_a_handler_that_is_removed(client: SocketClient) -> None:
    """off() removes one; the others, and the dispatch under way, are not changed."""
    log = Log()
    channel = client.join("room:a")

    def once(payload: Any) -> None:
        log.add("once")
        first.off()
        second.off()

    first = channel.on("pushed", once)
    second = channel.on("pushed", lambda _: log.add("second"))
    channel.on("pushed", lambda _: log.add("third"))
    for _ in range(2):
        channel.push("push_me", {})
    log.wait("third", count=2)
    assert [item[0] for item in log.items] == ["once", "second", "third", "third"]
    first.off()


# -- threads that must not wait


@pytest.mark.contract("C155")
@pytest.mark.parametrize("place", ["on_message", "callback"])
def test_waiting_on_the_reader_thread(client: SocketClient, place: str) -> None:
    """Each call that would wait raises WouldDeadlock at once; those that do not wait work."""
    channel = client.join("room:a")
    calls: dict[str, Any] = {
        "join": lambda: client.join("room:b"),
        "leave": channel.leave,
        "get": lambda: channel.push("echo", {}).get(),
        "wait_connected": client.wait_connected,
        "disconnect": client.disconnect,
        "stop": client.stop,
        "ping": client.ping,
        "messages": lambda: next(channel.messages()),
        "ask": lambda: channel.ask("x"),
    }
    log = Log()

    def try_all(_: Any) -> None:
        for name, call in calls.items():
            try:
                call()
            except WouldDeadlock as refused:
                log.add(name, str(refused))
        channel.push("echo", {"n": "from here"}).add_done_callback(
            lambda reply: log.add("reply", reply.get().response)
        )
        client.connect()
        log.add("done", client.connected)

    if place == "on_message":
        subscription = client.on_message(try_all)
        channel.push("push_me", {})
        log.wait("done")
        subscription.off()
    else:
        # Answered before that is added, it would be called in this thread.
        channel.push("slow_echo", {"ms": 300}).add_done_callback(try_all)
        log.wait("done")
    log.wait("reply", {"n": "from here"})
    assert {item[0] for item in log.items} >= set(calls)
    assert log.named("done")[0] == (True,)
    assert client.ping(DEADLINE) > 0
    assert client.channel("room:b") is None


@pytest.mark.contract("C155")
def test_waiting_in_callbacks_of_time_outs_and_losses(
    phoenix: Phoenix, client: SocketClient
) -> None:
    """These run where a wait would stop timers or the connection, so they are refused as well."""
    channel = client.join("room:a")
    log = Log()

    def wait(_: Any) -> None:
        try:
            client.join("room:b")
        except WouldDeadlock:
            log.add("refused", threading.current_thread().name)

    channel.push("no_reply", {}, timeout=0.01).add_done_callback(wait)
    log.wait("refused")
    channel.push("no_reply", {}).add_done_callback(wait)
    phoenix.control.kill_sockets()
    log.wait("refused", count=2)
    eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})


# -- telemetry


@pytest.mark.websocket_only("a server is not told of the end of a session")
@pytest.mark.contract("C186", "C188")
def test_the_six_events(phoenix: Phoenix, connect: Connect) -> None:
    """Each fires once per connect, loss, join, leave, frame out and frame in; no payload in it."""
    names = [
        ("socket", "connected"),
        ("socket", "disconnected"),
        ("channel", "joined"),
        ("channel", "left"),
        ("message", "sent"),
        ("message", "received"),
    ]
    with listening(*names) as log:
        client = connect(params={"password": "SECRET"}, headers={"authorization": "SECRET"})
        channel = client.join("room:a", {"password": "SECRET"})
        assert channel.push("echo", {"password": "SECRET"}).get().status == "ok"
        channel.leave()
        log.wait("channel.left")
        client.stop()
        log.wait("socket.disconnected")
    counts = {".".join(name): len(log.named(".".join(name))) for name in names}
    # Out: join, push, leave. In: their three replies, and phx_close where it is not too late.
    received = counts.pop("message.received")
    assert received in (3, 4)
    assert counts == {
        "socket.connected": 1,
        "socket.disconnected": 1,
        "channel.joined": 1,
        "channel.left": 1,
        "message.sent": 3,
    }
    assert "SECRET" not in str(log.items)
    assert phoenix.transports() == 0


@pytest.mark.contract("C186")
def test_events_of_a_loss(phoenix: Phoenix, client: SocketClient) -> None:
    """A loss is one disconnect and one left, and what comes back is one connect and one join."""
    client.join("room:a")
    names = [("socket", "connected"), ("socket", "disconnected")]
    names += [("channel", "joined"), ("channel", "left")]
    with listening(*names) as log:
        phoenix.control.kill_sockets()
        log.wait("channel.joined")
    assert [item[0] for item in log.items] == [
        "socket.disconnected",
        "channel.left",
        "socket.connected",
        "channel.joined",
    ]


@pytest.mark.contract("C186")
def test_a_crash_of_a_channel_is_a_left_too(phoenix: Phoenix, client: SocketClient) -> None:
    """Every joined has its left, whatever ended the channel."""

    class Crashing(ChannelActor):
        def handle_message(self, event: str, payload: Any) -> None:
            raise SystemExit

    channel = client.join("room:a", channel=Crashing)
    with listening(("channel", "joined"), ("channel", "left")) as log:
        channel.push("push_me", {})
        log.wait("channel.joined")
    assert [item[0] for item in log.items] == ["channel.left", "channel.joined"]
    assert log.items[0][2]["reason"] == "Crashed"


@pytest.mark.websocket_only("there are no heartbeats")
@pytest.mark.contract("C187")
def test_events_of_reconnecting(phoenix: Phoenix, connect: Connect) -> None:
    """An attempt has its number and its delay; a heartbeat is told, and its round trip kept."""
    names = [("reconnection", "attempt"), ("heartbeat", "sent")]
    with listening(*names) as log:
        client = connect(heartbeat_interval=0.02, backoff=[0.03])
        log.wait("heartbeat.sent", count=2)
        phoenix.control.kill_sockets()
        attempt = log.wait("reconnection.attempt")
    assert attempt[1:] == ({"delay_seconds": 0.03}, {"attempt": 1})
    client.wait_connected(DEADLINE)
    metrics = client.performance_monitor.get_metrics()
    assert 0 < metrics["heartbeat_rtt_seconds"] < DEADLINE


@pytest.mark.contract("C189")
def test_a_telemetry_handler_that_raises(client: SocketClient) -> None:
    """It is detached and reported; what it listened to goes on."""
    calls = Log()

    def broken(*_: Any) -> None:
        calls.add("called")
        raise ValueError

    telemetry.attach("broken", ("phoenix_socket_client", "message", "received"), broken)
    channel = client.join("room:a")
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert calls.items == [("called",)]
    assert not telemetry.detach("broken")


# -- state and components


@pytest.mark.contract("C156")
def test_state(connect: Connect) -> None:
    """A snapshot, known keys, keys of the application's; the client's own are read only."""
    client = connect(name="stateful", params={"token": "SECRET"})
    client.put_state("visits", 3)
    state = client.get_state()
    assert state["status"] == "connected"
    assert state["visits"] == client.get_state("visits") == 3
    assert client.get_state("name") == "stateful"
    assert client.get_state("unknown") is None
    assert "SECRET" not in str(state)
    with pytest.raises(InvalidOption):
        client.put_state("status", "mine")


@pytest.mark.contract("C180")
def test_components_are_actors(client: SocketClient) -> None:
    """Each is in which_children() and in the registry under its name, and its numbers move."""
    assert [info.id for info in reversed(client.which_children())] == COMPONENTS
    for name in COMPONENTS[1:]:
        assert len(client.registry.lookup(name)) == 1, name
    channel = client.join("room:a")
    for _ in range(10):
        channel.push("echo", {}).get()
    assert client.socket.stats()["frames_sent"] >= 11
    assert client.message_processor.stats()["decoded"] >= 11
    assert client.hibernation_manager.stats()["current_tracked"] == 1
    assert client.route_cache.stats()["template_misses"] >= 1
    assert client.intents.stats() == {"topics": 1, "subscribers": 0}
    assert client.channel_manager.stats() == {"topics": 1, "joined": 1, "actors": 1}
    client.disconnect()
    assert client.channel_manager.stats() == {"topics": 1, "joined": 0, "actors": 1}


@pytest.mark.contract("C185")
def test_the_performance_monitor(connect: Connect) -> None:
    """Metrics, summary and every report work at once, before anything has happened."""
    client = connect(auto_connect=False)
    monitor = client.performance_monitor
    assert monitor.get_metrics()["status"] == "disconnected"
    assert monitor.get_summary()["frames_sent"] == 0
    assert "topics: 0" in monitor.generate_report("text")
    for form in ("json", "json_pretty"):
        assert json.loads(monitor.generate_report(form))["topics"] == 0
    with pytest.raises(InvalidOption):
        monitor.generate_report("xml")
    assert monitor.get_summary()["topics"] == 0


@pytest.mark.contract("C184")
def test_an_idle_channel_hibernates(connect: Connect) -> None:
    """It is told to sleep while connected, the next frame wakes it, and none is lost."""

    class Sleeper(Telling):
        def on_hibernate(self) -> None:
            self.log.add("asleep")

        def on_wake(self) -> None:
            self.log.add("awake")

    client = connect(hibernation_idle_timeout=0.05, hibernation_check_interval=0.02)
    log = Log()
    channel = client.join("room:a", channel=(Sleeper, log))
    log.wait("asleep")
    channel.push("push_me", {"n": 1})
    log.wait("message", "pushed", {"n": 1})
    names = [item[0] for item in log.items if item[0] in ("asleep", "awake", "message")]
    assert names[:3] == ["asleep", "awake", "message"]
    assert client.hibernation_manager.stats()["total_hibernations"] >= 1


@pytest.mark.contract("C15", "C156")
def test_params_that_are_replaced(phoenix: Phoenix, connect: Connect) -> None:
    """They count from the next connect, are checked like options, and are in no snapshot."""
    client = connect(params={"token": "bad"}, auto_connect=False, reconnect=False)
    client.connect()
    with pytest.raises(HandshakeRefused):
        client.wait_connected(DEADLINE)
    client.put_state("params", {"token": "good"})
    client.put_state("headers", {"x-client": "7"})
    assert client.get_state("params") == {"token": "good"}
    assert client.get_state("headers") == (("x-client", "7"),)
    assert "params" not in client.get_state()
    client.connect()
    client.wait_connected(DEADLINE)
    for key, wrong in {"params": 7, "headers": [("upgrade", "x")]}.items():
        with pytest.raises(InvalidOption):
            client.put_state(key, wrong)
    assert client.get_state("params") == {"token": "good"}


@pytest.mark.contract("C147")
def test_all_handlers_of_an_event(client: SocketClient) -> None:
    """off(event, subscription) removes one, off(event) all, and none of another event."""
    log = Log()
    channel = client.join("room:a", on={"pushed": lambda _: log.add("first")})
    second = channel.on("pushed", lambda _: log.add("second"))
    channel.on("tick", lambda _: log.add("tick"))
    channel.off("pushed", second)
    channel.push("push_me", {})
    log.wait("first")
    channel.push("flood", {"n": 1, "size": 1})
    log.wait("tick")
    assert log.items == [("first",), ("tick",)]
    channel.off("pushed")
    channel.off("unknown")
    channel.push("push_me", {})
    channel.push("flood", {"n": 1, "size": 1})
    log.wait("tick", count=2)
    assert log.items == [("first",), ("tick",), ("tick",)]

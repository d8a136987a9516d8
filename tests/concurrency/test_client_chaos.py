"""Everything at once: threads and actors join, push and leave while parts of it are shot at."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from phoenix_actors import (
    AlreadyJoined,
    Channel,
    ChannelClosed,
    ConnectionLost,
    ConnectTimeout,
    JoinCancelled,
    JoinTimeout,
    PushTimeout,
    QueueFull,
    SocketClient,
)
from phoenix_actors.testing import PhoenixServer
from supervisors import ActorRef, Killed
from tests.e2e.gate import Gate
from tests.e2e.rig import DEADLINE, QUICK, Log, Telling, eventually

pytestmark = pytest.mark.usefixtures("no_leaks", "fast_switching")

# What a fault may do to a call; everything else is a mistake.
EXPECTED = (
    AlreadyJoined,
    ChannelClosed,
    ConnectionLost,
    ConnectTimeout,
    JoinCancelled,
    JoinTimeout,
    PushTimeout,
    QueueFull,
)
TOPICS = [f"room:{number}" for number in range(8)]
ROUNDS = 25


class Crew:
    """Threads that run until their work is done, and note what they did not expect."""

    def __init__(self) -> None:
        self.mistakes = Log()
        self._threads: list[threading.Thread] = []

    def add(self, work: Callable[[random.Random], None], seed: int) -> None:
        """Adds a thread."""

        def run() -> None:
            try:
                work(random.Random(seed))
            except Exception as error:  # noqa: BLE001  shown by the test
                self.mistakes.add(type(error).__name__, str(error))

        self._threads.append(threading.Thread(target=run))

    def run(self) -> None:
        """Runs all to the end."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(6 * DEADLINE)
        assert not any(thread.is_alive() for thread in self._threads)
        assert self.mistakes.items == []


def attempt(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Calls, and takes what a fault may do for an answer."""
    try:
        return call(*args, **options)
    except EXPECTED:
        return None


def echo(channel: Channel) -> Any:
    """Pushes and waits; None is what a fault did to that."""
    future = attempt(channel.push, "echo", {"n": 1})
    return None if future is None else attempt(future.get, timeout=DEADLINE)


def settled(server: PhoenixServer, client: SocketClient) -> None:
    """The server has exactly the channels that the client wants, on one connection."""

    def looks() -> tuple[dict[str, int], dict[str, int], int]:
        wanted = dict.fromkeys(client.joined_channels(), 1)
        stats = server.stats()
        return wanted, stats["by_topic"], stats["transports"]

    client.wait_connected(DEADLINE)
    eventually(looks, lambda seen: seen[0] == seen[1] and seen[2] == 1)


@pytest.mark.contract("C155", "C125")
@pytest.mark.parametrize("seed", range(3))
def test_a_client_under_fire(seed: int) -> None:
    """Afterwards the server has what the client wants and nothing else, and all of it works."""
    with PhoenixServer() as server, Gate(server.url) as gate:
        options = {**QUICK, "url": gate.url, "join_timeout": 2.0, "push_timeout": 2.0}
        with SocketClient.start_link(**options, channel_max_restarts=1000) as client:
            client.wait_connected(DEADLINE)
            crew, over = Crew(), threading.Event()

            def use(chance: random.Random) -> None:
                telling = (Telling, Log())
                for _ in range(ROUNDS):
                    topic = chance.choice(TOPICS)
                    channel = client.channel(topic)
                    if channel is None:
                        channel = attempt(client.join, topic, channel=telling)
                    if channel is not None:
                        for _ in range(3):
                            echo(channel)
                        if chance.random() < 0.3:
                            channel.leave()

            def shoot(chance: random.Random) -> None:
                while not over.wait(chance.uniform(0.02, 0.08)):
                    match chance.randrange(5):
                        case 0:
                            server.kill_sockets()
                        case 1:
                            server.kill_channels(chance.choice(TOPICS))
                        case 2:
                            server.broadcast(chance.choice(TOPICS), "poison", {})
                        case 3:
                            client.connect()
                        case 4:
                            client.disconnect()
                            client.connect()

            for number in range(6):
                crew.add(use, seed * 100 + number)
            gun = threading.Thread(target=shoot, args=(random.Random(seed),))
            gun.start()
            crew.run()
            over.set()
            gun.join(DEADLINE)
            client.connect()
            settled(server, client)
            for topic in TOPICS:
                channel = client.channel(topic) or client.join(topic)
                assert channel.push("echo", {"n": 2}).get().response == {"n": 2}
            settled(server, client)
        assert gate.most == 1
        eventually(lambda: server.stats()["transports"], lambda count: count == 0)


@pytest.mark.contract("C168")
def test_components_under_fire() -> None:
    """The Socket actor and the manager are killed as often as the budget allows, under load."""
    with PhoenixServer() as server, SocketClient.start_link(url=server.url, **QUICK) as client:
        client.wait_connected(DEADLINE)
        channels = [client.join(topic) for topic in TOPICS]
        crew, over = Crew(), threading.Event()

        def push(chance: random.Random) -> None:
            while not over.is_set():
                echo(chance.choice(channels))

        def kill(_: random.Random) -> None:
            for name in ("socket", "channel_manager", "message_processor"):
                before = _component(client, name)
                before.exit(Killed())
                eventually(partial(_component, client, name), lambda ref: ref is not before)  # noqa: B023
                for channel in channels:
                    echo(channel)
            over.set()

        for number in range(4):
            crew.add(push, number)
        crew.add(kill, 0)
        crew.run()
        settled(server, client)
        assert [channel.push("echo", {}).get().status for channel in channels] == ["ok"] * 8


def _component(client: SocketClient, name: str) -> Any:
    refs = {info.id: info.ref for info in client.which_children()}
    return refs[name] if isinstance(refs[name], ActorRef) else None


def test_clients_that_come_and_go() -> None:
    """Many at once are started, used and stopped, in the middle of whatever they do."""
    with PhoenixServer() as server:
        crew = Crew()

        def live(chance: random.Random) -> None:
            for _ in range(8):
                client = SocketClient.start_link(**{**QUICK, "url": server.url})
                joins = [threading.Thread(target=_join, args=(client, t)) for t in TOPICS[:3]]
                for thread in joins:
                    thread.start()
                if chance.random() < 0.7:
                    attempt(client.wait_connected, 0.02)
                client.stop()
                for thread in joins:
                    thread.join(DEADLINE)
                    assert not thread.is_alive()

        for number in range(5):
            crew.add(live, number)
        crew.run()
        eventually(lambda: server.stats()["transports"], lambda count: count == 0)


def _join(client: SocketClient, topic: str) -> None:
    try:
        client.join(topic).push("echo", {}).get()
    except (*EXPECTED, LookupError, ConnectionError):
        return


def test_join_and_leave_of_one_topic() -> None:
    """From many threads: each gets the channel or AlreadyJoined, and the last word counts."""
    with PhoenixServer() as server, SocketClient.start_link(url=server.url, **QUICK) as client:
        client.wait_connected(DEADLINE)
        crew = Crew()

        def use(chance: random.Random) -> None:
            for _ in range(chance.randrange(20, 40)):
                channel = attempt(client.join, "room:one")
                if channel is not None:
                    echo(channel)
                    channel.leave()

        for number in range(5):
            crew.add(use, number)
        crew.run()
        settled(server, client)
        assert client.joined_channels() == {}
        assert client.join("room:one").push("echo", {"n": 1}).get().response == {"n": 1}

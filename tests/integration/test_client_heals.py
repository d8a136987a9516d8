"""Every component of a client is killed in turn; the server tells whether all is back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phoenix_actors import Channel, ChannelState, ConnectionLost, SocketClient
from phoenix_actors.testing import PhoenixServer
from supervisors import ActorRef, Killed, via, whereis
from tests.e2e.gate import Gate
from tests.e2e.rig import DEADLINE, QUICK, Connect, Log, Telling, eventually, listening

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
TOPICS = [f"room:{number}" for number in range(5)]
# Those whose end takes the connection with them: what stands before it in the tree, and itself.
BEFORE_SOCKET = COMPONENTS[: COMPONENTS.index("socket") + 1]


def component(client: SocketClient, name: str) -> ActorRef:
    """Returns the actor of a component."""
    refs = {info.id: info.ref for info in client.which_children()}
    ref: ActorRef = refs[name]
    return ref


def listen(channel: Channel, log: Log) -> None:
    """Logs the news of a channel."""
    channel.on("news", lambda payload: log.add(channel.topic, payload))


def ended(ref: ActorRef) -> None:
    """Waits until an actor is dead."""
    ref.monitor().wait(DEADLINE)


@pytest.mark.contract("C168", "C125")
@pytest.mark.parametrize(
    ("name", "how"),
    [(name, "killed") for name in COMPONENTS]
    # A supervisor refuses what it does not know; nothing makes it crash.
    + [(name, "crashed") for name in COMPONENTS if name != "channel_manager"],
)
def test_a_component_dies(server: PhoenixServer, name: str, how: str) -> None:
    """Topics, pushes, handlers and exactly one connection are back without any user code."""
    heard = Log()
    with Gate(server.url) as gate, SocketClient.start_link(url=gate.url, **QUICK) as client:
        client.wait_connected(DEADLINE)
        channels = [client.join(topic, {"topic": topic}) for topic in TOPICS]
        for channel in channels:
            listen(channel, heard)
        ref = component(client, name)
        with listening(("channel", "joined")) as joined:
            if how == "killed":
                ref.exit(Killed())
            else:
                ref.tell("a message that it does not know")
            ended(ref)
            joined.wait("channel.joined", count=len(TOPICS))
        for channel in channels:
            assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
            assert channel.response["params"] == {"topic": channel.topic}
        expected = dict.fromkeys(TOPICS, 1)
        eventually(lambda: server.stats()["by_topic"], lambda topics: topics == expected)
        for topic in TOPICS:
            server.broadcast(topic, "news", {"after": name})
            heard.wait(topic, {"after": name})
        assert len(heard.items) == len(TOPICS)
        assert server.stats()["transports"] == 1
        assert gate.most == 1
        assert gate.total == (2 if name in BEFORE_SOCKET else 1)
        for other in COMPONENTS[1:]:
            assert whereis(via(client.session.registry_name, other)) is not None, other


def test_a_kill_while_joining(server: PhoenixServer, connect: Connect) -> None:
    """Who waits in join() goes on waiting through the restart, and gets the channel."""
    client = connect()
    joined = Log()
    thread = threading.Thread(target=lambda: joined.add("joined", client.join("room:slow")))
    thread.start()
    eventually(lambda: len(server.frames()))
    component(client, "socket").exit(Killed())
    thread.join(DEADLINE)
    assert joined.wait("joined")[1].state is ChannelState.JOINED
    eventually(lambda: server.stats()["by_topic"], lambda topics: topics == {"room:slow": 1})


def test_a_manager_that_dies_while_an_actor_starts(server: PhoenixServer, connect: Connect) -> None:
    """The join goes on: the next manager starts the topic's actor anew."""
    release, inits = threading.Event(), Log()

    class Slow(Telling):
        def init(self, log: Log) -> None:
            super().init(log)
            inits.add("init")
            if len(inits.items) == 1:
                release.wait(DEADLINE)

    client, joined = connect(), Log()
    thread = threading.Thread(
        target=lambda: joined.add("joined", client.join("room:a", channel=(Slow, Log())))
    )
    thread.start()
    inits.wait("init")
    component(client, "channel_manager").exit(Killed())
    inits.wait("init", count=2)
    release.set()
    channel = joined.wait("joined")[1]
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    thread.join(DEADLINE)
    eventually(lambda: server.stats()["by_topic"], lambda topics: topics == {"room:a": 1})


def test_pushes_over_a_kill(server: PhoenixServer, connect: Connect) -> None:
    """In flight they fail at once; those made while nobody lives go out in order afterwards."""
    client = connect()
    channel = client.join("counter:a")
    blocked = client.join("room:blocked").push("slow_echo", {"ms": 60_000}, timeout=None)
    component(client, "socket").exit(Killed())
    futures = [channel.push("seq", {"n": number}) for number in range(50)]
    with pytest.raises(ConnectionLost, match="Killed"):
        blocked.get(timeout=DEADLINE)
    outcomes = [future.exception(DEADLINE) for future in futures]
    # A first few may have met the dying connection; what was accepted later is answered.
    lost = [number for number, error in enumerate(outcomes) if error is not None]
    assert lost == list(range(len(lost)))
    arrived = [item["n"] for item in server.dump("counter:a")]
    assert arrived == sorted(arrived)
    assert set(arrived) >= set(range(len(lost), 50))


def test_a_kill_while_disconnected(server: PhoenixServer, connect: Connect) -> None:
    """A restarted Socket is as disconnected as the user wanted."""
    client = connect()
    client.join("room:a")
    client.disconnect()
    ref = component(client, "socket")
    ref.exit(Killed())
    ended(ref)
    eventually(lambda: component(client, "socket") not in (None, ref))
    with pytest.raises(TimeoutError):
        client.wait_connected(0.1)
    assert server.connections_total == 1
    client.connect()
    eventually(lambda: server.stats()["by_topic"], lambda topics: topics == {"room:a": 1})


@pytest.mark.contract("C157")
def test_a_client_that_is_killed(server: PhoenixServer, connect: Connect) -> None:
    """Its children, connection and threads do not outlive it, and who waits is told."""
    client = connect(join_channels=["room:a"])
    log = Log()

    def join() -> None:
        try:
            client.join("room:slow", timeout=None)
        except Exception as error:  # noqa: BLE001  looked at below
            log.add(type(error).__name__)

    thread = threading.Thread(target=join)
    thread.start()
    eventually(lambda: client.channel("room:slow") is not None)
    client.exit(Killed())
    thread.join(DEADLINE)
    assert log.items == [("JoinCancelled",)]
    eventually(lambda: server.stats()["transports"], lambda count: count == 0)
    with pytest.raises(LookupError):
        client.join("room:b")
    assert client.stop() is False


def test_a_client_past_its_restarts(server: PhoenixServer, connect: Connect) -> None:
    """It ends in order: channels are told ClientStopped, nothing is left."""
    client, log = connect(), Log()
    client.join("room:a", channel=(Telling, log))
    gone = client.monitor()
    killed: set[Any] = set()
    while client.is_alive():
        refs = {info.id: info.ref for info in _children(client)}
        socket = refs.get("socket")
        if isinstance(socket, ActorRef) and socket not in killed:
            killed.add(socket)
            socket.exit(Killed())
    assert type(gone.wait(DEADLINE).reason).__name__ == "GaveUp"
    assert len(killed) == 4
    eventually(lambda: server.stats()["transports"], lambda count: count == 0)
    with pytest.raises(LookupError):
        client.wait_connected()


def _children(client: SocketClient) -> list[Any]:
    try:
        return client.which_children()
    except LookupError:
        return []


def test_the_connection_closes_with_its_actor(server: PhoenixServer) -> None:
    """However often the Socket actor is killed, no two connections are ever open at once."""
    with Gate(server.url) as gate:
        for _ in range(10):
            with SocketClient.start_link(url=gate.url, **QUICK) as client:
                client.wait_connected(DEADLINE)
                client.join("room:a")
                for _ in range(3):
                    ref = component(client, "socket")
                    ref.exit(Killed())
                    eventually(lambda ref=ref: component(client, "socket") not in (None, ref))  # type: ignore[misc]
                client.wait_connected(DEADLINE)
            assert gate.most == 1
        assert gate.total >= 10

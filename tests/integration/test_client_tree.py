"""What stands in a client's tree and registry, and which threads a connection has."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pykka import ActorRegistry

from phoenix_actors import ChannelState, JoinRejected, SocketClient
from phoenix_actors.telemetry import MONITOR_STARTED
from phoenix_actors.testing import PhoenixServer
from supervisors import (
    AlreadyStartedError,
    ChildSpec,
    GenServer,
    StartError,
    telemetry,
    via,
    whereis,
)
from tests.e2e.rig import Connect, eventually

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


class Given(GenServer):
    """Tells what it was given."""

    def init(self, *given: Any) -> None:
        """Keeps it."""
        self.given = given

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Tells."""
        return self.given


def test_components_are_found_by_their_ids(connect: Connect) -> None:
    """In the tree in start order, and in the registry; each knows its name."""
    client = connect(auto_connect=False)
    children = list(reversed(client.which_children()))
    assert [child.id for child in children] == COMPONENTS
    registry = client.session.registry_name
    assert children[0].ref.name == registry
    for child in children[1:]:
        assert child.ref.name == child.id
        assert whereis(via(registry, child.id)) is child.ref


def test_a_child_of_the_users_gets_what_its_specification_says(connect: Connect) -> None:
    """It is given no part of the client, and no name in the registry."""
    client = connect(auto_connect=False)
    spec = ChildSpec("mine", start=Given, args=(1, 2))
    ref = client.start_child(spec)
    assert ref.call("given") == (1, 2)
    assert ref.name is None
    assert client.registry.lookup("mine") == []
    client.intents.ref.exit(AssertionError())
    eventually(
        lambda: {child.id: child.ref for child in client.which_children()}["mine"],
        lambda now: now not in (None, ref) and getattr(now, "process", None) is not None,
    )
    again = {child.id: child.ref for child in client.which_children()}["mine"]
    assert again.call("given") == (1, 2)


@pytest.mark.parametrize("heard", [False, True])
def test_a_registry_name_that_is_held(connect: Connect, heard: bool) -> None:
    """The second client does not start, and says who has the name; the first goes on."""
    client = connect(auto_connect=False, registry_name="one of two")
    holder, before = client.registry, set(ActorRegistry.get_all())
    if heard:
        # Then components are not started in their supervisor's turn.
        telemetry.attach("heard", MONITOR_STARTED, lambda *_: None)
    try:
        with pytest.raises(StartError) as error:
            SocketClient.start_link(url="ws://127.0.0.1:1/", registry_name="one of two")
    finally:
        telemetry.detach("heard")
    assert set(ActorRegistry.get_all()) <= before
    cause = error.value.__cause__
    assert isinstance(cause, AlreadyStartedError)
    assert cause.ref is holder
    assert client.registry is holder
    assert len(client.which_children()) == len(COMPONENTS)


def test_a_topic_that_is_called_as_a_component(connect: Connect) -> None:
    """It is asked for, and the component is still found under its name."""
    client = connect()
    socket = client.socket.ref
    # The server knows no such topic; its refusal shows that an actor came up and asked it.
    with pytest.raises(JoinRejected):
        client.join("socket")
    assert client.socket.ref is socket
    assert client.socket.stats()["status"] == "connected"


@pytest.mark.contract("C168")
def test_a_registry_that_is_stopped_costs_no_topic(connect: Connect) -> None:
    """All topics stay wanted, and are joined again."""
    client = connect()
    channels = [client.join(f"room:{number}") for number in range(10)]
    registry = client.registry
    registry.stop()
    for channel in channels:
        eventually(lambda: channel.join_count, lambda count: count == 2)  # noqa: B023  at once
        eventually(lambda: channel.state, lambda state: state is ChannelState.JOINED)  # noqa: B023
    assert client.registry is not registry


@pytest.mark.contract("C157")
def test_a_connection_has_one_thread(
    server: PhoenixServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opened it reads it; joins, a push and a heartbeat need no thread that writes."""
    started: list[str] = []
    start = threading.Thread.start

    def starting(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    with SocketClient.start_link(url=server.url, auto_connect=False) as client:
        monkeypatch.setattr(threading.Thread, "start", starting)
        client.connect()
        channel = client.join("room:lobby")
        channel.push("echo", {}).get()
        client.ping()
        monkeypatch.undo()
        assert [name for name in started if name.startswith("phoenix-")] == ["phoenix-connect-1"]
        reader = f"phoenix-reader-127.0.0.1:{server.url.split(':')[2].split('/')[0]}"
        assert reader in [thread.name for thread in threading.enumerate()]

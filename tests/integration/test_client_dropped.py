"""A client that nobody holds any more: a warning, and no connection for ever."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import pytest

from phoenix_actors import Channel, ChannelActor, InvalidOption, SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import DEADLINE, Log, eventually, listening

pytestmark = pytest.mark.usefixtures("no_leaks")


class Quiet(ChannelActor):
    """A class of the user's, with code that may do anything."""


def dropped(**options: Any) -> list[str]:
    """Starts a connected client, drops it, and returns the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        client = SocketClient.start_link(**options)
        client.wait_connected(DEADLINE)
        client.join("room:a")
        del client
        gc.collect()
        return [str(warning.message) for warning in caught if warning.category is ResourceWarning]


@pytest.mark.contract("C158")
def test_a_client_that_is_dropped_ends() -> None:
    """It warns, and ends when its next heartbeat is due, its channels left with it."""
    with PhoenixServer() as server, listening(("client", "stray")) as log:
        (text,) = dropped(url=server.url, params={"word": "SECRET"}, heartbeat_interval=0.05)
        assert "dropped and not stopped" in text
        assert "SECRET" not in text
        log.wait("client.stray")
        eventually(lambda: server.stats()["transports"], lambda count: count == 0)


@pytest.mark.contract("C158")
def test_a_client_that_is_dropped_does_not_reconnect_for_ever() -> None:
    """It ends when the next attempt is due."""
    server = PhoenixServer()
    with listening(("client", "stray")) as log, server:
        assert dropped(url=server.url, heartbeat_interval=None, backoff=[0.01])
        server.kill_sockets()
        log.wait("client.stray")
        eventually(lambda: server.stats()["transports"], lambda count: count == 0)


@pytest.mark.contract("C158")
def test_what_keeps_a_client() -> None:
    """A name, a channel that is held, a hook, a handler or a class of the user's do."""
    log = Log()
    with PhoenixServer() as server, listening(("client", "stray")) as strays:
        quick = {"url": server.url, "heartbeat_interval": 0.01}
        channels: list[Channel] = []

        # What the client's own actors hold, which says nothing about its users.
        inner: list[SocketClient] = []

        def start(**options: Any) -> SocketClient:
            client = SocketClient.start_link(**{**quick, **options})
            inner.append(client.session.client)
            return client

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            start(name="dropped").join("room:named")
            channels.append(start().join("room:held"))
            start().on_open(lambda: None)
            start().join("room:handled", on={"pushed": lambda payload: log.add("got", payload)})
            start(topic_channel_map={"room:*": Quiet}).join("room:served")
            gc.collect()
        eventually(lambda: server.stats()["transports"], lambda count: count == 5)
        heard = len([frame for frame in server.frames() if frame[1].event == "heartbeat"])
        eventually(lambda: len(server.frames()), lambda count: count > heard + 200)
        server.broadcast("room:handled", "pushed", {"n": 1})
        log.wait("got", {"n": 1})
        assert channels[0].push("echo", 7).get().response == 7
        assert strays.items == []
        for client in inner:
            client.stop()


def test_references_of_one_client_are_equal() -> None:
    """What start_link() gave and what its actors see are the same."""
    with SocketClient.start_link(url="ws://127.0.0.1:1/socket", auto_connect=False) as client:
        inner = client.session.client
        assert (inner == client, hash(inner) == hash(client), inner is client) == (
            True,
            True,
            False,
        )
        assert str(client).startswith("SocketClient (urn:")
    assert not client.is_alive()
    assert not inner.is_alive()


@pytest.mark.parametrize("option", ["name", "registry_name"])
def test_a_name_that_nothing_can_be_found_by(option: str) -> None:
    """It is refused with what to do."""
    with pytest.raises(InvalidOption, match="must be hashable, such as a string, not list"):
        SocketClient.start_link(url="ws://127.0.0.1:1/socket", **{option: ["x"]})

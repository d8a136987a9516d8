"""permessage-deflate between a client and a server that takes it, or does not."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors import SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, Telling

DEFLATED: dict[str, Any] = {"transport_opts": {"compression": True}}


def exchange(client: SocketClient, log: Log) -> None:
    """Sends and takes what is short, what is long, and what does not deflate, as text and bytes."""
    channel = client.join("room:thin", channel=(Telling, log))
    noise = bytes(number * 7919 % 251 for number in range(5000))
    for payload in ({"s": 1}, {"pad": "phoenix" * 5000}, {"é": "ü" * 300}, {}):
        assert channel.push("echo", payload).get(timeout=DEADLINE).unwrap() == payload
    for data in (b"", b"\x00" * 100_000, noise):
        assert channel.push("binary_echo", data).get(timeout=DEADLINE).unwrap() == data
    futures = [channel.push("echo", {"n": n, "pad": "x" * n}) for n in range(200)]
    assert [future.get(timeout=DEADLINE).unwrap()["n"] for future in futures] == [*range(200)]
    channel.push("flood", {"n": 50, "size": 200}).get(timeout=DEADLINE)
    log.wait("message", "tick", {"i": 49, "data": "x" * 200})
    assert client.ping(DEADLINE) > 0


@pytest.mark.websocket_only("HTTP has no permessage-deflate")
@pytest.mark.contract("C173")
def test_everything_comes_through_deflated(phoenix: Phoenix, connect: Connect) -> None:
    """On the first connection and on the next."""
    log = Log()
    client = connect(**DEFLATED)
    wire = client.session.live_wire()
    assert wire.generation is not None
    attempt: Any = wire.attempt(wire.generation)
    assert attempt.handle._deflate is not None
    exchange(client, log)
    phoenix.control.kill_sockets()
    log.wait("join", 2)
    channel = client.channel("room:thin")
    assert channel is not None
    long = {"pad": "again" * 1000}
    assert channel.push("echo", long).get(timeout=DEADLINE).unwrap() == long


@pytest.mark.contract("C171", "C173")
@pytest.mark.parametrize("compression", [False, True])
def test_frames_by_websocket_client(connect: Connect, compression: bool) -> None:
    """The same comes through when websocket-client reads and writes the frames."""
    options = {"transport_opts": {"compression": compression}}
    client = connect(transport="websocket-client", **options)
    generation = client.session.live_wire().generation
    assert generation is not None
    attempt: Any = client.session.live_wire().attempt(generation)
    assert type(attempt.handle._reading._frames).__name__ == "LibraryFrames"
    exchange(client, Log())


@pytest.mark.contract("C173")
@pytest.mark.usefixtures("no_leaks")
def test_a_server_that_does_not_deflate_is_spoken_to_plainly() -> None:
    """The offer was made, and nothing came of it."""
    with (
        PhoenixServer(compress=False) as server,
        SocketClient.start_link(url=server.url, **DEFLATED) as client,
    ):
        client.wait_connected(DEADLINE)
        exchange(client, Log())
        offered = dict(server.connect_params()[0].headers)["sec-websocket-extensions"]
        assert offered.startswith("permessage-deflate")


@pytest.mark.contract("C173")
@pytest.mark.usefixtures("no_leaks")
def test_nothing_is_offered_unless_asked_for() -> None:
    """Deflating is off by default."""
    with PhoenixServer() as server, SocketClient.start_link(url=server.url) as client:
        client.wait_connected(DEADLINE)
        assert "sec-websocket-extensions" not in dict(server.connect_params()[0].headers)

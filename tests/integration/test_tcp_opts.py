"""What `tcp_opts` says is what the socket does, read back from the system."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from phoenix_actors.options import TransportOptions
from tests.integration.websocket_peers import connect, echo, serving

pytestmark = pytest.mark.usefixtures("no_leaks")

LEVELS = {
    "nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "send_buffer": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    "recv_buffer": (socket.SOL_SOCKET, socket.SO_RCVBUF),
}
if hasattr(socket, "TCP_KEEPIDLE"):
    LEVELS["keepalive_idle"] = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    LEVELS["keepalive_interval"] = (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
    LEVELS["keepalive_count"] = (socket.IPPROTO_TCP, socket.TCP_KEEPCNT)


def told(tcp_opts: dict[str, Any]) -> dict[str, int]:
    """Return what the socket of a connection with these options says, and how much it reads."""
    with serving(echo) as (_, url):
        handle, events = connect(url, TransportOptions.of({"tcp_opts": tcp_opts}))
        stream = handle._stream
        assert stream is not None
        found = {name: stream._sock.getsockopt(*where) for name, where in LEVELS.items()}
        found["buffer"] = stream._read_size
        handle.send_text("x" * 100_000)
        assert events.next() == ("text", b"x" * 100_000)
        handle.close()
        events.end()
    return found


def fresh() -> dict[str, int]:
    """Return what a socket says that was told nothing."""
    with socket.socket() as untold:
        return {name: untold.getsockopt(*where) for name, where in LEVELS.items()}


@pytest.mark.contract("C172")
def test_each_option_is_applied() -> None:
    """Eight of them; Linux doubles the sizes of its buffers."""
    given = {
        "nodelay": True,
        "keepalive": True,
        "buffer": 1024,
        "send_buffer": 20_000,
        "recv_buffer": 24_000,
        "keepalive_idle": 41,
        "keepalive_interval": 42,
        "keepalive_count": 7,
    }
    found = told(given)
    for name in ("buffer", "keepalive_idle", "keepalive_interval", "keepalive_count"):
        assert found.get(name, given[name]) == given[name]
    assert found["nodelay"] != 0
    assert found["keepalive"] != 0
    assert found["send_buffer"] in {20_000, 40_000}
    assert found["recv_buffer"] in {24_000, 48_000}


@pytest.mark.contract("C172")
def test_false_switches_each_off() -> None:
    """Then the socket says what one says that was told nothing."""
    found = told(dict.fromkeys([*LEVELS, "buffer"], False))
    untold = fresh()
    assert (found["nodelay"], found["keepalive"]) == (0, 0)
    for name in LEVELS:
        if name.startswith("keepalive"):
            assert found[name] == untold[name]
    # These grow by themselves, which those that are set do not.
    assert found["send_buffer"] >= untold["send_buffer"]
    assert found["recv_buffer"] >= untold["recv_buffer"]
    assert found["buffer"] == 65536


@pytest.mark.contract("C172")
def test_the_defaults() -> None:
    """Small frames go at once, dead peers are noticed, the buffers are the system's."""
    found = told({})
    assert found["nodelay"] != 0
    assert found["keepalive"] != 0
    assert found["buffer"] == 65536
    expected = {"keepalive_idle": 7200, "keepalive_interval": 75, "keepalive_count": 9}
    assert {name: found.get(name, value) for name, value in expected.items()} == expected
    assert found["recv_buffer"] >= fresh()["recv_buffer"]

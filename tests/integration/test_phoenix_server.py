"""`PhoenixServer` as a thing to run: its life, what it records, and its options."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.testing import PhoenixServer
from tests.conformance.raw_client import HANDSHAKE, RawClient
from tests.conformance.v2_client import V2Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def server() -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer() as running:
        yield running


# -- life


def test_stop_ends_the_thread_and_closes_with_1012() -> None:
    """After a stop no thread of the server lives, and each client was told 1012."""
    server = PhoenixServer().start()
    names = {thread.name for thread in threading.enumerate()}
    assert f"PhoenixServer-{server.port}" in names
    with V2Client(server.url) as client:
        client.join("room:a")
        client.cast("room:a", "slow_echo", {"ms": 60_000})
        client.heartbeat()
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert client.ending() == 1012
    stopper.join(10)
    assert f"PhoenixServer-{server.port}" not in {thread.name for thread in threading.enumerate()}


def test_stop_leaves_nothing_whatever_clients_do() -> None:
    """A stop ends half-made requests, idle HTTP, slow joins, and clients that never close."""
    server = PhoenixServer(drain_timeout=0.2).start()
    with contextlib.ExitStack() as stack:
        half = RawClient(server.url)
        stack.callback(half.close)
        half.request(["GET /control/stats HTTP/1.1"])
        half.response()
        half._socket.sendall(b"GET /half")
        joining = stack.enter_context(V2Client(server.url))
        joining.cast("room:slow", "phx_join")
        idle = stack.enter_context(V2Client(server.url))
        idle.join("presence:p", {"name": "al"})
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 2.0


def test_clients_that_close_do_not_hold_up_a_stop() -> None:
    """The drain is over as soon as the last client has closed its end."""
    server = PhoenixServer(drain_timeout=30.0).start()
    client = V2Client(server.url)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    assert client.ending() == 1012
    client.raw.close()
    stopper.join(10)
    assert not stopper.is_alive()


def test_misuse_is_named() -> None:
    """Starting twice, or asking before a start, raises at once; stopping twice is harmless."""
    server = PhoenixServer()
    with pytest.raises(RuntimeError, match="start"):
        _ = server.url
    with pytest.raises(RuntimeError, match="not running"):
        server.stats()
    server.start()
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    port = server.port
    server.stop()
    server.stop()
    assert server.url == f"ws://127.0.0.1:{port}/socket/websocket"
    assert repr(server) == f"<PhoenixServer 127.0.0.1:{port} stopped>"


def test_a_taken_port_is_an_error_of_start() -> None:
    """Nothing is left running when the address cannot be listened on."""
    with PhoenixServer() as server, pytest.raises(OSError, match="in use"):
        PhoenixServer(port=server.port).start()


@pytest.mark.parametrize(
    "options",
    [
        {"host": ""},
        {"port": -1},
        {"port": 65536},
        {"port": True},
        {"idle_timeout": 0},
        {"idle_timeout": -1.0},
        {"idle_timeout": float("nan")},
        {"idle_timeout": "60"},
        {"compress": 1},
        {"max_frame_size": 0},
        {"max_channels": 1.5},
        {"drain_timeout": -0.1},
        {"channels": {"a*b": object}},
        {"channels": {"room:*": object}},
    ],
    ids=str,
)
def test_bad_options_are_value_errors(options: dict[str, Any]) -> None:
    """A value out of range is refused by the constructor."""
    with pytest.raises(ValueError, match=next(iter(options))):
        PhoenixServer(**options)


def test_durations_may_be_timedeltas() -> None:
    """`timedelta` is taken wherever seconds are."""
    with (
        PhoenixServer(idle_timeout=timedelta(milliseconds=200)) as server,
        V2Client(server.url) as client,
    ):
        assert client.ending() == 1002


def test_ipv6_loopback() -> None:
    """A host with colons gets brackets in its URLs."""
    try:
        server = PhoenixServer("::1").start()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with contextlib.closing(socket.create_connection(("::1", server.port), 10)):
        assert server.url == f"ws://[::1]:{server.port}/socket/websocket"
    server.stop()


def test_restart_keeps_the_port_and_forgets_the_application() -> None:
    """Clients come back to the same URL; payloads are gone, the count of connections goes on."""
    with PhoenixServer() as server:
        url = server.url
        with V2Client(url) as client:
            client.join("counter:a")
            client.ask("counter:a", "seq", {"i": 1})
            assert server.dump("counter:a") == [{"i": 1}]
            restarter = threading.Thread(target=server.restart)
            restarter.start()
            assert client.ending() == 1012
        restarter.join(10)
        assert server.url == url
        with V2Client(url) as client:
            client.join("counter:a")
        assert server.dump("counter:a") == []
        assert server.connections_total == 2


def test_restarts_in_a_row_with_lingering_clients() -> None:
    """The port is had again at once though old connections are still closing."""
    with PhoenixServer(drain_timeout=0.0) as server, contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(V2Client(server.url)).join("room:a")
            server.restart()
        assert server.connections_total == 10


# -- what it records


def test_frames_tell_what_the_client_sent(server: PhoenixServer) -> None:
    """Every inbound frame is recorded with the number of its connection, answered or not."""
    with V2Client(server.url) as first, V2Client(server.url) as second:
        first.join("room:a", {"a": 1})
        first.send(["99", "5", "room:a", "echo", {}])
        first.heartbeat()
        second.heartbeat()
    sent = [(number, frame.join_ref, frame.topic, frame.event) for number, frame in server.frames()]
    assert sent == [
        (1, "1", "room:a", "phx_join"),
        (1, "99", "room:a", "echo"),
        (1, None, "phoenix", "heartbeat"),
        (2, None, "phoenix", "heartbeat"),
    ]
    assert server.frames()[0].frame.payload == {"a": 1}
    server.clear_records()
    assert (server.frames(), server.connections_total) == ([], 2)


def test_binary_frames_are_recorded_decoded(server: PhoenixServer) -> None:
    """A binary push is recorded with its bytes."""
    with V2Client(server.url) as client:
        client.raw.send("binary", b"\x00\x00\x01\x01\x01" + b"7te" + b"\xff")
        client.read()
    (frame,) = [frame for _, frame in server.frames()]
    assert (frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload) == (
        "",
        "7",
        "t",
        "e",
        b"\xff",
    )


def test_only_the_newest_frames_are_kept(server: PhoenixServer) -> None:
    """Beyond 10,000 frames the oldest go."""
    with V2Client(server.url) as client:
        refs = [client.cast("phoenix", "heartbeat") for _ in range(10_050)]
        client.reply(refs[-1])
    frames = server.frames()
    assert (len(frames), frames[0].frame.ref) == (10_000, "51")


def test_connect_params_and_headers_are_kept_and_not_shown(server: PhoenixServer) -> None:
    """Query and headers of each accepted upgrade can be read, decoded, but are in no repr."""
    client = RawClient(server.url)
    target = (
        "/socket/websocket?vsn=2.0.0&token=s%20e%2Bc+r&user[name]=al&tags[]=x&tags[]=%C3%A9&no="
    )
    client.request([f"GET {target} HTTP/1.1", *HANDSHAKE, "Authorization: Bearer hidden"])
    assert client.response().status_line.startswith("HTTP/1.1 101")
    client.close()
    (connect,) = server.connect_params()
    assert connect.params == {
        "vsn": "2.0.0",
        "token": "s e+c r",
        "user": {"name": "al"},
        "tags": ["x", "é"],
        "no": "",
    }
    assert ("authorization", "Bearer hidden") in connect.headers
    assert repr(connect) == "<Handshake connection=1 status=101>"


def test_stats_count_what_is_there(server: PhoenixServer) -> None:
    """Transports, channels, topics and ids follow joins, leaves and lost connections."""
    with V2Client(server.url, "&user_id=7") as client, V2Client(server.url) as other:
        client.join("room:a")
        client.join("room:b")
        other.join("room:a")
        stats = server.stats()
        assert stats["by_topic"] == {"room:a": 2, "room:b": 1}
        assert (stats["transports"], stats["channels"]) == (2, 3)
        assert (stats["by_transport"], stats["ids"]) == ({"websocket": 2}, ["user:7"])
        assert set(stats) == {
            "transports",
            "channels",
            "by_transport",
            "by_topic",
            "ids",
            "os_pid",
            "processes",
            "memory_total",
        }
        client.ask("room:b", "phx_leave")
        client.heartbeat()
        assert server.stats()["by_topic"] == {"room:a": 2}
        assert server.kill_sockets() == 2
        stats = server.stats()
        assert (stats["transports"], stats["channels"], stats["ids"]) == (0, 0, [])


def test_many_channels_are_counted_but_not_listed(server: PhoenixServer) -> None:
    """Beyond 50 channels the statistics leave the topics out."""
    with V2Client(server.url) as client:
        for number in range(51):
            client.join(f"room:{number}")
        stats = server.stats()
        assert (stats["channels"], stats["by_topic"]) == (51, {})


# -- options


def test_idle_connections_are_closed_though_the_server_talks() -> None:
    """Only what the client sends counts as activity."""
    with PhoenixServer(idle_timeout=0.4) as server, V2Client(server.url) as client:
        client.join("room:a")
        begin = time.monotonic()
        for _ in range(3):
            server.broadcast("room:a", "hello", {})
            client.event()
            time.sleep(0.1)
        assert client.ending() == 1002
        assert time.monotonic() - begin < 2.0


def test_channels_are_limited_per_connection() -> None:
    """A join beyond max_channels is refused, a second join of a joined topic is not."""
    with PhoenixServer(max_channels=2) as server, V2Client(server.url) as client:
        client.join("room:a")
        client.join("room:b")
        reason = {"reason": "too many channels joined"}
        assert client.ask("room:c", "phx_join") == ("error", reason)
        client.join("room:b")
        client.ask("room:a", "phx_leave")
        client.heartbeat()
        client.join("room:c")


def test_a_small_frame_limit_closes_with_1009() -> None:
    """max_frame_size is a limit in bytes."""
    with PhoenixServer(max_frame_size=100) as server, V2Client(server.url) as client:
        client.cast("room:a", "phx_join", {"a": "x" * 100})
        assert client.ending() == 1009


def test_compression_can_be_off() -> None:
    """Without it the extension is not negotiated, offered or not; subprotocols never are."""
    with PhoenixServer(compress=False) as server:
        client = RawClient(server.url)
        client.request(
            [
                "GET /socket/websocket?vsn=2.0.0 HTTP/1.1",
                *HANDSHAKE,
                "Sec-WebSocket-Extensions: permessage-deflate",
                "Sec-WebSocket-Protocol: phoenix",
            ]
        )
        answer = client.response()
        client.close()
    assert answer.status_line.startswith("HTTP/1.1 101")
    names = {name for name, _ in answer.headers}
    assert not names & {"sec-websocket-extensions", "sec-websocket-protocol"}


def test_small_frames_are_not_held_back(server: PhoenixServer) -> None:
    """Two frames in a row are sent at once, not after the client's delayed acknowledgement."""
    with V2Client(server.url) as client:
        begin = time.monotonic()
        for _ in range(50):
            client.join("room:a")
            client.cast("room:a", "stop_reply")
            while client.event()[3] != "phx_close":
                pass
            client.events.clear()
        assert time.monotonic() - begin < 50 * 0.02


def test_a_client_that_does_not_read_slows_a_flood_down(server: PhoenixServer) -> None:
    """A paced flood waits for its client, and others are served meanwhile."""
    with V2Client(server.url) as slow, V2Client(server.url) as other:
        slow.join("room:a")
        ref = slow.cast("room:a", "flood", {"n": 20_000, "size": 2000})
        other.join("room:b")
        for _ in range(20):
            other.heartbeat()
        assert slow.reply(ref) == ("ok", {"sent": 20_000})
        assert len(slow.events) == 20_000

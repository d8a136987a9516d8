"""The faults that `PhoenixServer` injects, and clients that misbehave by themselves."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.testing import PhoenixServer, ServerChannel, connection
from tests.conformance.raw_client import HANDSHAKE, RawClient
from tests.conformance.v2_client import FIN, V2Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_leaks")

# Seconds that count as silence.
QUIET = 0.15


@pytest.fixture
def server() -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer() as running:
        yield running


def until_transports(server: PhoenixServer, count: int) -> None:
    """Waits until the server has so many connections."""
    end = time.monotonic() + 10.0
    while server.stats()["transports"] != count:
        assert time.monotonic() < end, server.stats()
        time.sleep(0.01)


def test_refused_upgrades_get_the_given_answer(server: PhoenixServer) -> None:
    """Upgrades are answered with status, headers and body until accepted again; others go on."""
    with V2Client(server.url) as present:
        server.refuse_connections(429, {"retry-after": "7"}, b"slow down")
        client = RawClient(server.url)
        for _ in range(2):
            client.request(["GET /socket/websocket?vsn=2.0.0&attempt=1 HTTP/1.1", *HANDSHAKE])
            answer = client.response()
            assert answer.status_line == "HTTP/1.1 429 Too Many Requests"
            assert dict(answer.headers)["retry-after"] == "7"
            assert answer.body == b"slow down"
        client.close()
        present.heartbeat()
        server.accept_connections()
        V2Client(server.url).raw.close()
        assert [handshake.status for handshake in server.handshakes()] == [101, 429, 429, 101]
        assert [connect.connection for connect in server.connect_params()] == [1, 2]
        assert server.handshakes()[1].params["attempt"] == "1"


@pytest.mark.parametrize(("status", "headers"), [(101, {}), (600, {}), (503, {"a": "b\r\nc: d"})])
def test_impossible_refusals_are_value_errors(
    server: PhoenixServer, status: int, headers: dict[str, str]
) -> None:
    """A status that is no refusal, or a header with a line break, is an error of the call."""
    with pytest.raises(ValueError, match=r"status|header"):
        server.refuse_connections(status, headers)


def test_stall_leaves_everything_unanswered_until_resume(server: PhoenixServer) -> None:
    """During a stall TCP connects but upgrades and heartbeats wait; after it both are answered."""
    with V2Client(server.url) as present:
        server.stall()
        present.cast("phoenix", "heartbeat")
        waiting = RawClient(server.url)
        waiting.request(["GET /socket/websocket?vsn=2.0.0 HTTP/1.1", *HANDSHAKE])
        gone = RawClient(server.url)
        gone.request(["GET /socket/websocket?vsn=2.0.0 HTTP/1.1", *HANDSHAKE])
        gone.close()
        assert present.silent(QUIET)
        assert waiting.receive(QUIET) is None
        assert not waiting.ended
        assert server.stats()["transports"] == 1
        server.resume()
        assert present.read()[1] == "1"
        assert waiting.response().status_line.startswith("HTTP/1.1 101")
        waiting.close()
        present.heartbeat()
    assert server.connections_total == 2


def test_a_stop_ends_a_stall_at_once() -> None:
    """Upgrades that wait for an answer do not hold up a stop."""
    server = PhoenixServer(drain_timeout=30.0).start()
    server.stall()
    waiting = RawClient(server.url)
    waiting.request(["GET /socket/websocket?vsn=2.0.0 HTTP/1.1", *HANDSHAKE])
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 5.0
    waiting.close()


def test_freeze_suspends_present_connections_only(server: PhoenixServer) -> None:
    """A frozen connection answers after the thaw; one that is made meanwhile is served."""
    with V2Client(server.url) as frozen:
        frozen.join("room:a")
        begin = time.monotonic()
        assert server.freeze(0.4) == 1
        ref = frozen.cast("room:a", "echo", {"x": 1})
        with V2Client(server.url) as other:
            other.join("room:a")
            other.ask("room:a", "shout_from", {"hi": 1})
        assert frozen.silent(QUIET)
        assert frozen.reply(ref) == ("ok", {"x": 1})
        assert time.monotonic() - begin >= 0.4
        assert list(frozen.events) == [[None, None, "room:a", "shout", {"hi": 1}]]


def test_a_frozen_connection_can_be_killed_and_drained(server: PhoenixServer) -> None:
    """kill_sockets and a stop do not wait for a thaw."""
    with V2Client(server.url) as client:
        server.freeze(60)
        assert server.kill_sockets() == 1
        assert client.ending() == FIN
    with V2Client(server.url) as client:
        server.freeze(60)
        threading.Thread(target=server.stop).start()
        assert client.ending() == 1012


def test_killed_sockets_end_without_a_close_frame(server: PhoenixServer) -> None:
    """kill_sockets is a TCP FIN, and the channels end with their presences."""
    with V2Client(server.url) as killed:
        killed.join("presence:p", {"name": "al"})
        assert server.kill_sockets() == 1
        assert killed.ending() == FIN
    with V2Client(server.url) as client:
        client.join("presence:p", {"name": "bo"})
        assert client.event()[3:] == ["presence_state", {}]


def test_killed_channels_get_phx_error(server: PhoenixServer) -> None:
    """kill_channels ends those of its topic, in the middle of a handler too; the socket stays."""
    with V2Client(server.url) as client:
        client.join("room:a")
        client.join("room:b")
        client.cast("room:a", "slow_echo", {"ms": 60_000})
        client.heartbeat()
        assert server.kill_channels("room:a") == 1
        assert client.event() == ["1", "1", "room:a", "phx_error", {"reason": "channel_crash"}]
        assert client.ask("room:b", "echo", {"x": 1}) == ("ok", {"x": 1})
        assert server.kill_channels() == 1
        assert client.event()[2:4] == ["room:b", "phx_error"]


def test_disconnect_closes_the_sockets_of_one_user(server: PhoenixServer) -> None:
    """Every socket of that user is closed with 1001, the others stay."""
    with (
        V2Client(server.url, "&user_id=7") as one,
        V2Client(server.url, "&user_id=7") as two,
        V2Client(server.url, "&user_id=8") as other,
    ):
        server.disconnect("7")
        assert (one.ending(), two.ending()) == (1001, 1001)
        other.heartbeat()


def test_broadcasts_reach_every_client_of_the_topic(server: PhoenixServer) -> None:
    """JSON objects and bytes can be broadcast; anything else is a ValueError."""
    with V2Client(server.url) as client, V2Client(server.url) as other:
        client.join("room:a")
        other.join("room:b")
        server.broadcast("room:a", "hello", {"k": "v"})
        assert client.event() == [None, None, "room:a", "hello", {"k": "v"}]
        server.broadcast("room:a", "hello", b"\x01")
        received = client.raw.receive()
        assert received is not None
        assert received.data == b"\x02\x06\x05room:ahello\x01"
        with pytest.raises(ValueError, match="object or bytes"):
            server.broadcast("room:a", "hello", [1])
        other.heartbeat()
        assert not other.events


def test_close_codes_and_garbage_on_demand(server: PhoenixServer) -> None:
    """Any close code that a server may send, and any message, can be sent to every client."""
    with V2Client(server.url) as client:
        assert server.send_raw("not json") == 1
        received = client.raw.receive()
        assert received is not None
        assert received.data == b"not json"
        assert server.close_sockets(4242) == 1
        assert client.ending() == 4242
    with pytest.raises(ValueError, match="1006"):
        server.close_sockets(1006)


def test_recorded_payloads_can_be_dumped_and_reset(server: PhoenixServer) -> None:
    """What seq recorded outlives its socket until a reset."""
    with V2Client(server.url) as client:
        client.join("counter:a")
        client.cast("counter:a", "seq_noreply", {"i": 1})
        client.ask("counter:a", "seq", [2])
    assert server.dump("counter:a") == [{"i": 1}, [2]]
    server.reset()
    assert server.dump("counter:a") == []


def test_a_disconnect_of_a_frozen_connection_waits_for_the_thaw(server: PhoenixServer) -> None:
    """A suspended transport handles nothing, the order to disconnect included."""
    with V2Client(server.url, "&user_id=7") as client:
        client.join("room:a")
        server.freeze(0.3)
        server.broadcast("room:a", "last", {})
        server.disconnect("7")
        server.broadcast("room:a", "never", {})
        assert client.silent(QUIET)
        assert client.read()[3] == "last"
        assert client.ending() == 1001
        assert not client.events


def test_a_reset_by_the_client_ends_its_channels(server: PhoenixServer) -> None:
    """A TCP reset is noticed while the server waits and while it sends."""
    with V2Client(server.url) as other:
        other.join("room:a")
        for event in ("echo", "flood"):
            client = V2Client(server.url)
            client.join("room:a")
            client.cast("room:a", event, {"n": 2000, "size": 2000})
            # Closing drops what was not read and answers with a reset.
            client.raw._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            client.raw.close()
            until_transports(server, 1)
        assert server.stats()["by_topic"] == {"room:a": 1}
        other.heartbeat()


def test_a_client_that_never_closes_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its close frame the server waits a while for the client's end, then drops TCP."""
    monkeypatch.setattr(connection, "LINGER", 0.1)
    with PhoenixServer(drain_timeout=30.0) as server, V2Client(server.url) as client:
        server.kill_sockets()
        assert client.ending() == FIN
        begin = time.monotonic()
        # With nobody on the other end the stop has nothing to drain.
        time.sleep(0.2)
        server.stop()
        assert time.monotonic() - begin < 5.0


def test_a_join_response_that_cannot_be_written_closes_with_1011() -> None:
    """The transport itself fails then, as in Phoenix."""

    class Unwritable(ServerChannel):
        async def join(self, params: Any) -> Any:
            return {"a": {1, 2}}

    with PhoenixServer(channels={"u": Unwritable}) as server, V2Client(server.url) as client:
        client.cast("u", "phx_join")
        assert client.ending() == 1011


def test_faults_can_be_injected_by_a_channel(server: PhoenixServer) -> None:
    """The server's methods may be called from its own loop."""

    class Saboteur(ServerChannel):
        async def handle_in(self, event: str, payload: Any) -> None:
            own.kill_sockets()

    with PhoenixServer(channels={"s": Saboteur}) as own, V2Client(own.url) as client:
        client.join("s")
        client.cast("s", "now")
        assert client.ending() == FIN


def test_presence_channels_crash_and_list(server: PhoenixServer) -> None:
    """A crashed presence channel is gone from the list, and an unknown event crashes one too."""
    with V2Client(server.url) as client, V2Client(server.url) as other:
        other.join("presence:p", {"name": "bo"})
        for event in ("crash", "no_such_event", "update"):
            client.join("presence:p", {"name": "al", "meta": {"a": 1}})
            assert set(client.ask("presence:p", "list")[1]) == {"al", "bo"}
            if event == "update":
                client.ask("presence:p", "untrack")
            client.cast("presence:p", event)
            while client.event()[3] != "phx_error":
                pass
            assert set(other.ask("presence:p", "list")[1]) == {"bo"}

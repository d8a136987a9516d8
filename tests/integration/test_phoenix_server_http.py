"""HTTP on the server's port: the control routes, and requests that go wrong."""

from __future__ import annotations

import json
import urllib.error
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.testing import ControlClient, PhoenixServer
from tests.conformance.raw_client import HANDSHAKE, HttpAnswer, RawClient
from tests.conformance.v2_client import FIN, V2Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def server() -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer() as running:
        yield running


def ask(server: PhoenixServer, *lines: str, body: bytes = b"") -> HttpAnswer:
    """Returns the answer to a request made of these lines."""
    client = RawClient(server.url)
    try:
        client.request(list(lines))
        client._socket.sendall(body)
        return client.response()
    finally:
        client.close()


def post(
    server: PhoenixServer, path: str, value: Any, kind: str = "application/json"
) -> HttpAnswer:
    """Returns the answer to a POST with a body."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    lines = [f"POST {path} HTTP/1.1", f"content-type: {kind}", f"content-length: {len(body)}"]
    return ask(server, *lines, body=body)


def test_control_routes_do_what_the_methods_do(server: PhoenixServer) -> None:
    """Each route acts on the server's connections, from outside its process."""
    control = ControlClient(server.url)
    with V2Client(server.url, "&user_id=7") as client:
        client.join("room:a")
        client.join("counter:c")
        client.ask("counter:c", "seq", {"i": 1})
        assert control.stats()["by_topic"] == {"room:a": 1, "counter:c": 1}
        assert control.dump("counter:c") == [{"i": 1}]
        control.reset()
        assert control.dump("counter:c") == []
        control.broadcast("room:a", "hello", {"k": "é"})
        assert client.event() == [None, None, "room:a", "hello", {"k": "é"}]
        assert control.kill_channels("room:a") == 1
        assert client.event()[3] == "phx_error"
        control.freeze(0.3)
        client.cast("phoenix", "heartbeat")
        assert client.silent(0.1)
        assert client.event()[2] == "phoenix"
        control.disconnect("7")
        assert client.ending() == 1001
    with V2Client(server.url) as client:
        assert control.kill_sockets() == 1
        assert client.ending() == FIN
    assert control.stats()["transports"] == 0


def test_requests_share_a_connection(server: PhoenixServer) -> None:
    """HTTP/1.1 connections are kept open, up to an upgrade, unless the client asks to close."""
    client = RawClient(server.url)
    for _ in range(2):
        client.request(["GET /control/stats HTTP/1.1", "Host: h"])
        assert client.response().status_line == "HTTP/1.1 200 OK"
    client.request(["GET /socket/websocket?token=bad HTTP/1.1", *HANDSHAKE])
    assert client.response().status_line == "HTTP/1.1 403 Forbidden"
    client.request(["GET /socket/websocket HTTP/1.1", *HANDSHAKE])
    assert client.response().status_line == "HTTP/1.1 101 Switching Protocols"
    client.close()
    client = RawClient(server.url)
    client.request(["GET /control/stats HTTP/1.1", "Connection: close"])
    client.response()
    assert client.receive() is None
    assert client.ended
    client.close()


@pytest.mark.parametrize(
    ("path", "value", "kind", "says"),
    [
        ("/control/broadcast", {"event": "e"}, "application/json", "topic"),
        ("/control/broadcast", {"topic": "t", "event": 5}, "application/json", "event"),
        ("/control/freeze", {}, "application/json", "ms"),
        ("/control/freeze", {"ms": -1}, "application/json", "ms"),
        ("/control/disconnect", {}, "application/json", "user_id"),
        ("/control/kill_channels", {"topic": 5}, "application/json", "topic"),
        ("/control/kill_channels", [1], "application/json", "object"),
        ("/control/kill_channels", b"{", "application/json", ""),
        ("/control/kill_channels", {}, "text/plain", "application/json"),
    ],
)
def test_wrong_control_requests_are_answered_with_400(
    server: PhoenixServer, path: str, value: Any, kind: str, says: str
) -> None:
    """The answer says what is wrong."""
    answer = post(server, path, value, kind)
    assert answer.status_line == "HTTP/1.1 400 Bad Request"
    assert says in json.loads(answer.body)["error"]


def test_a_broadcast_that_cannot_be_written_is_answered_with_400(server: PhoenixServer) -> None:
    """A payload that is no object reaches nobody."""
    with V2Client(server.url) as client:
        client.join("room:a")
        body = {"topic": "room:a", "event": "e", "payload": [1]}
        assert "object" in json.loads(post(server, "/control/broadcast", body).body)["error"]
        client.heartbeat()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET / HTTP/1.1", 404),
        ("GET /control/nope HTTP/1.1", 404),
        ("POST /control/nope HTTP/1.1", 404),
        ("DELETE /control/stats HTTP/1.1", 404),
        ("GET /control/dump HTTP/1.1", 400),
        ("GET /control/dump?topic=%ff HTTP/1.1", 400),
        ("POST /socket/websocket HTTP/1.1", 400),
        ("GET /socket/websocket?vsn=2.0.0 HTTP/1.1", 400),
        ("GET /socket/websocket?vsn=2.0.0&a=%zz HTTP/1.1", 400),
        ("GET /socket/longpoll?vsn=9.0.0&a=%ff HTTP/1.1", 400),
        ("DELETE /socket/longpoll?vsn=2.0.0 HTTP/1.1", 400),
        ("GET /socket/longpoll?vsn=9.0.0&a=%zz HTTP/1.1", 200),
        ("nonsense", 400),
        ("GET / HTTP/2", 400),
    ],
)
def test_other_requests_get_their_status(server: PhoenixServer, line: str, status: int) -> None:
    """Wrong paths, methods, queries and request lines are told apart."""
    answer = ask(server, line)
    assert answer.status_line.startswith(f"HTTP/1.1 {status}")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Transfer-Encoding: chunked", 501),
        ("Content-Length: many", 400),
        ("Content-Length: 999999999", 413),
        ("no colon", 400),
        ("X: " + "x" * 200_000, 431),
    ],
    ids=["chunked", "no number", "too long", "no colon", "large head"],
)
def test_requests_that_cannot_be_read_are_refused(
    server: PhoenixServer, header: str, status: int
) -> None:
    """The connection is closed after the answer."""
    client = RawClient(server.url)
    client.request(["POST /control/reset HTTP/1.1", header])
    assert client.response().status_line.startswith(f"HTTP/1.1 {status}")
    client.close()


@pytest.mark.parametrize(
    "lines",
    [
        [line for line in HANDSHAKE if "Version" not in line],
        [line.replace("MDEyMzQ1Njc4OWFiY2RlZg==", "short") for line in HANDSHAKE],
        [*HANDSHAKE, "Sec-WebSocket-Extensions: ;;"],
    ],
    ids=["no version", "bad key", "bad extensions"],
)
def test_wrong_handshakes_are_refused(server: PhoenixServer, lines: list[str]) -> None:
    """An upgrade with wrong headers is answered with 400 and counted as refused."""
    answer = ask(server, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1", *lines)
    assert answer.status_line == "HTTP/1.1 400 Bad Request"
    assert [handshake.status for handshake in server.handshakes()] == [400]
    assert server.connections_total == 0


def test_the_control_client_names_what_is_wrong(server: PhoenixServer) -> None:
    """A URL that leads nowhere is a ValueError, an error status an OSError."""
    with pytest.raises(ValueError, match="http://"):
        ControlClient("localhost:4000")
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        ControlClient(server.http_url).disconnect(5)  # type: ignore[arg-type]
    caught.value.close()
    assert ControlClient(server.url).http_url == server.http_url

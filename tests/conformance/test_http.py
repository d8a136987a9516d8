"""What a server makes of requests that are not quite those of a client.

With `PHOENIX_URL` the same runs against that server.
"""

from __future__ import annotations

import pytest

from tests.conformance.raw_client import HANDSHAKE, RawClient

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/socket/websocket?vsn=2.0.0", 101),
        ("/socket/websocket/?vsn=2.0.0", 101),
        ("//socket//websocket", 101),
        ("/socket/websocket?a=%zz&b=%", 101),
        ("/socket/websocket?a=%ff", 400),
        ("/socket/websocket?a[b]=1&a=2", 101),
        ("/socket/websocket?vsn=2", 403),
        ("/socket/websocket?vsn=3.0.0", 403),
        ("/socket/websocket?token=bad", 403),
        ("/socket/websocket/x", 404),
        ("/SOCKET/websocket", 404),
        ("/socket", 404),
    ],
)
def test_targets_of_an_upgrade(url: str, target: str, status: int) -> None:
    """Paths are compared by their segments; of a query anything is taken but what is no UTF-8."""
    client = RawClient(url)
    client.request([f"GET {target} HTTP/1.1", *HANDSHAKE])
    assert client.response().status_line.split()[1] == str(status)
    client.close()


@pytest.mark.parametrize(
    "lines",
    [
        ["GET /socket/websocket HTTP/1.1", *HANDSHAKE[1:]],
        ["GET /socket/websocket HTTP/1.0", *HANDSHAKE],
        ["GET /socket/websocket HTTP/1.1", *HANDSHAKE[:4]],
        ["GET /socket/websocket HTTP/1.1", *HANDSHAKE[:4], "Sec-WebSocket-Version: 8"],
        ["POST /socket/websocket HTTP/1.1", *HANDSHAKE, "Content-Length: 0"],
    ],
    ids=["no host", "HTTP 1.0", "no version", "version 8", "POST"],
)
def test_requests_that_are_no_upgrade(url: str, lines: list[str]) -> None:
    """All are answered with 400."""
    client = RawClient(url)
    client.request(lines)
    assert client.response().status_line.split()[1] == "400"
    client.close()


def test_headers_of_a_poll(url: str) -> None:
    """They come in the order of Phoenix."""
    client = RawClient(url)
    client.request(["GET /socket/longpoll?vsn=9.0.0 HTTP/1.1", "Host: x"])
    names = [name for name, _ in client.response().headers]
    client.close()
    assert names == [
        "date",
        "content-length",
        "vary",
        "cache-control",
        "access-control-allow-origin",
        "content-type",
    ]

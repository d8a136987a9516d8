"""A redirect is not followed, so nothing that was meant for one server gets to another."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from phoenix_actors import HandshakeRefused, SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import DEADLINE, Connect

SECRETS: dict[str, Any] = {
    "headers": {"authorization": "Bearer s3cr3t", "cookie": "s3cr3t"},
    "auth_token": "s3cr3t",
}


@pytest.mark.contract("C178")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal(server: PhoenixServer, status: int) -> None:
    """The other host is never spoken to; the caller sees where it was to go."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.05)
        elsewhere = f"ws://127.0.0.1:{other.getsockname()[1]}/socket/websocket"
        server.refuse_connections(status, {"location": elsewhere})
        with SocketClient.start_link(url=server.url, reconnect=False, **SECRETS) as client:
            with pytest.raises(HandshakeRefused) as refused:
                client.wait_connected(DEADLINE)
            assert refused.value.status == status
            assert refused.value.headers["location"] == elsewhere
            assert "s3cr3t" not in str(refused.value)
        with pytest.raises(TimeoutError):
            other.accept()


@pytest.mark.contract("C160")
def test_a_cookie_of_the_server_is_sent_by_nobody(server: PhoenixServer, connect: Connect) -> None:
    """Neither by the client that it was set for, nor by another of the process."""
    server.refuse_connections(503, {"set-cookie": "id=s3cr3t; Domain=127.0.0.1; Path=/"})
    first = connect(auto_connect=False, refusal_backoff=[0.01])
    refused: list[Any] = []

    def accept(error: Any) -> None:
        refused.append(error)
        server.accept_connections()

    first.on_error(accept)
    first.connect()
    first.wait_connected(DEADLINE)
    assert refused[0].headers["set-cookie"].startswith("id=s3cr3t")
    connect()
    asked = [dict(handshake.headers) for handshake in server.handshakes()]
    assert len(asked) >= 3
    assert [headers for headers in asked if "cookie" in headers] == []

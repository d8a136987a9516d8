"""The official JavaScript client and this one offer a token in the same words."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from phoenix_actors import SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.conformance import javascript

# In base64 it has a "+", and padding. With a "/" Node's WebSocket refuses what phoenix.js asks.
TOKEN = "SWORDFISH>>>abcd"  # noqa: S105  what is compared
SCRIPT = """
import { Socket } from "phoenix"
import WebSocket from "ws"
const socket = new Socket(process.argv[1], { transport: WebSocket, authToken: process.argv[2] })
socket.onOpen(() => socket.disconnect(() => process.exit(0)))
socket.onError(() => process.exit(1))
socket.connect()
"""


@pytest.mark.contract("C10")
@pytest.mark.usefixtures("no_leaks")
def test_both_clients_offer_the_same_subprotocols() -> None:
    """So what Phoenix reads of the one it reads of the other."""
    problem = javascript.unavailable()
    if problem is not None:
        pytest.skip(problem)
    with PhoenixServer(auth_token=True) as server:
        endpoint = server.url.removesuffix("/websocket")
        subprocess.run(
            ["node", "--input-type=module", "-e", SCRIPT, endpoint, TOKEN],
            cwd=javascript.FOLDER,
            capture_output=True,
            timeout=javascript.DEADLINE,
            check=True,
        )
        with SocketClient.start_link(url=server.url, auth_token=TOKEN) as client:
            client.wait_connected(10.0)
        offered: list[Any] = [
            [word.strip() for word in dict(shake.headers)["sec-websocket-protocol"].split(",")]
            for shake in server.connect_params()
        ]
    assert len(offered) == 2
    assert offered[0] == offered[1]
    assert "+" in offered[0][1]

"""The official JavaScript client gets along with the server's long poll, and with the fallback.

With `PHOENIX_URL` the same checks run against that server.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors import LongPollTransport, SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.conformance import javascript
from tests.conformance.test_js_client import CHECKS, NO_OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterator

# There are no heartbeats over long poll, and phoenix.js reads no binary frame.
NOT_OVER_LONG_POLL = (
    "binary echo",
    "binary push",
    "binary broadcast",
    "large binary echo",
    "heartbeat answered",
    "frozen server: heartbeat timeout, reconnect and rejoin",
)
# Seconds; longer than the slow join of the reference application.
WINDOW = 4.0

TOKEN = "SWORDFISH>>>abcd"  # noqa: S105  what is compared
SCRIPT = """
import { LongPoll, Socket } from "phoenix"
const socket = new Socket(process.argv[1], { transport: LongPoll, authToken: process.argv[2] })
socket.onOpen(() => setTimeout(() => socket.disconnect(() => process.exit(0)), 100))
socket.onError(() => process.exit(1))
socket.connect()
"""


class Results:
    """What the checks said, and what the server saw of them, if it is ours."""

    def __init__(self, url: str, server: PhoenixServer | None = None) -> None:
        self.by_name, self.errors = javascript.run_checks(url, "longpoll")
        self.binary = [] if server is None else [
            frame.payload for _, frame in server.frames() if isinstance(frame.payload, bytes)
        ]  # fmt: skip


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """The results of the checks."""
    reason = javascript.unavailable()
    if reason is not None:
        pytest.skip(reason)
    url = os.environ.get("PHOENIX_URL")
    if url is not None:
        yield Results(url)
    else:
        with PhoenixServer(longpoll_window=WINDOW) as server:
            yield Results(server.url, server)


OVER_LONG_POLL = [check for check in CHECKS if check not in NOT_OVER_LONG_POLL]


@pytest.mark.parametrize("check", [*OVER_LONG_POLL, NO_OTHERS])
def test_official_client_over_long_poll(check: str, results: Results) -> None:
    """The check of that name was run and held."""
    if check == NO_OTHERS:
        assert set(results.by_name) <= set(OVER_LONG_POLL)
    else:
        assert check in results.by_name, f"the check did not run: {results.errors}"
        assert results.by_name[check]["ok"], results.by_name[check].get("error")


def test_binary_frames_of_the_official_client(results: Results) -> None:
    """They arrive byte by byte, as base64 lines."""
    if os.environ.get("PHOENIX_URL") is not None:
        pytest.skip("needs a server that tells what it got")
    assert results.binary == [bytes([0, 1, 254, 255])]


@pytest.mark.contract("C142")
@pytest.mark.usefixtures("no_leaks")
def test_both_clients_send_the_auth_token_in_the_same_header() -> None:
    """So what Phoenix reads of the one it reads of the other."""
    problem = javascript.unavailable()
    if problem is not None:
        pytest.skip(problem)
    with PhoenixServer(auth_token=True, longpoll_window=1.5) as server:
        endpoint = server.url.removesuffix("/websocket")
        subprocess.run(
            ["node", "--input-type=module", "-e", SCRIPT, endpoint, TOKEN],
            cwd=javascript.FOLDER,
            capture_output=True,
            timeout=javascript.DEADLINE,
            check=True,
        )
        carrier = LongPollTransport()
        with SocketClient.start_link(url=server.url, auth_token=TOKEN, transport=carrier) as client:
            client.wait_connected(10.0)
        sent: list[Any] = [
            dict(shake.headers)["x-phoenix-authtoken"] for shake in server.connect_params()
        ]
    assert sent == [TOKEN, TOKEN]

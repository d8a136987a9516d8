"""The server that the end-to-end tests speak to, and clients that are stopped behind them.

`phoenix` is the loopback server of this package, or the deployment of the reference application
that PHOENIX_URL names. A test sees nothing of it but its URL and its control routes.

Tests of a module with `TRANSPORTS` run over each of these; `websocket_only` says why one does not.
With PHOENIX_TRANSPORT=longpoll all others run over long poll too, as far as that makes sense.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import LongPollTransport, SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import LONG_POLL, WEBSOCKET, WINDOW, Connect, Phoenix, eventually, started

# Seconds after which a real server has forgotten a session: 1.5 to 3 windows of 10 s.
SESSION_LIFE = 40.0


def pytest_configure(config: pytest.Config) -> None:
    """Tells of the mark of this folder."""
    mark = "websocket_only(why): not over long poll, which has nothing of the kind"
    config.addinivalue_line("markers", mark)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of a module over the transports that it names."""
    transports = getattr(metafunc.module, "TRANSPORTS", None)
    if transports is not None and "transport" in metafunc.fixturenames:
        if metafunc.definition.get_closest_marker("websocket_only") is not None:
            transports = [WEBSOCKET]
        metafunc.parametrize("transport", transports, indirect=True)


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    """What carries the frames of the clients that `connect` starts."""
    chosen = str(getattr(request, "param", os.environ.get("PHOENIX_TRANSPORT", WEBSOCKET)))
    if chosen == LONG_POLL and request.node.get_closest_marker("websocket_only") is not None:
        pytest.skip("long poll has nothing of the kind")
    return chosen


@pytest.fixture
def phoenix(no_leaks: None) -> Iterator[Phoenix]:
    """A server that nobody is connected to."""
    url = os.environ.get("PHOENIX_URL")
    if url is None:
        with PhoenixServer(longpoll_window=WINDOW) as server:
            yield Phoenix(server.url)
        return
    remote = Phoenix(url)
    # What a former test left busy, in a slow join or a slow handler, ends by itself much later; and
    # so do sessions of long poll that were left.
    remote.control.kill_sockets()
    remote.control.kill_channels()
    eventually(
        lambda: (remote.transports(), remote.count()), lambda counts: counts == (0, 0), SESSION_LIFE
    )
    remote.control.reset()
    yield remote


@pytest.fixture
def connect(phoenix: Phoenix, transport: str) -> Iterator[Connect]:
    """Starts clients: `connect(**options)` waits until it is connected."""
    clients: list[SocketClient] = []
    carrier = LongPollTransport() if transport == LONG_POLL else None

    def connect(**options: Any) -> SocketClient:
        client = started(clients, **{"url": phoenix.url, "transport": carrier, **options})
        if options.get("auto_connect", True):
            client.wait_connected()
        return client

    yield connect
    for client in reversed(clients):
        client.stop()


@pytest.fixture
def client(connect: Connect) -> SocketClient:
    """A connected client."""
    return connect()

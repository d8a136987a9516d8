"""The server that the end-to-end tests speak to, and clients that are stopped behind them.

`phoenix` is the loopback server of this package, or the deployment of the reference application
that PHOENIX_URL names. A test sees nothing of it but its URL and its control routes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import Connect, Phoenix, eventually, started


@pytest.fixture
def phoenix(no_leaks: None) -> Iterator[Phoenix]:
    """A server that nobody is connected to."""
    url = os.environ.get("PHOENIX_URL")
    if url is None:
        with PhoenixServer() as server:
            yield Phoenix(server.url)
        return
    remote = Phoenix(url)
    # What a former test left busy, in a slow join or a slow handler, ends by itself much later.
    remote.control.kill_sockets()
    remote.control.kill_channels()
    eventually(lambda: (remote.transports(), remote.count()), lambda counts: counts == (0, 0))
    remote.control.reset()
    yield remote


@pytest.fixture
def connect(phoenix: Phoenix) -> Iterator[Connect]:
    """Starts clients: `connect(**options)` waits until it is connected."""
    clients: list[SocketClient] = []

    def connect(**options: Any) -> SocketClient:
        client = started(clients, **{"url": phoenix.url, **options})
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

"""A loopback server for each test, and clients that are stopped behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import Connect, started


@pytest.fixture
def server(no_leaks: None) -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer() as running:
        yield running


@pytest.fixture
def connect(server: PhoenixServer) -> Iterator[Connect]:
    """Starts clients: `connect(**options)` waits until it is connected."""
    clients: list[SocketClient] = []

    def connect(**options: Any) -> SocketClient:
        client = started(clients, **{"url": server.url, **options})
        if options.get("auto_connect", True):
            client.wait_connected()
        return client

    yield connect
    for client in clients:
        client.stop()

"""The server that raw frames and requests are tried on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from phoenix_actors.testing import PhoenixServer


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of the server that `PHOENIX_URL` names, or of one of this test's own."""
    given = os.environ.get("PHOENIX_URL")
    if given is not None:
        yield given
        return
    with PhoenixServer() as server:
        yield server.url

"""The official JavaScript client gets along with the server, crashes and drops included.

With `PHOENIX_URL` the same checks run against that server.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.testing import PhoenixServer
from tests.conformance import javascript

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS = [
    "connect",
    "connect params arrive unchanged",
    "params function",
    "join with params",
    "join refused",
    "join crashed",
    "unmatched topic",
    "duplicate join",
    "push ok",
    "push error reply",
    "reply of any JSON type",
    "no_reply push times out",
    "pushes are answered in order",
    "broadcast to two clients",
    "broadcast to the others only",
    "server push",
    "flood",
    "binary echo",
    "binary push",
    "binary broadcast",
    "binary frames arrive",
    "150 pushes at once arrive in order",
    "large binary echo",
    "non-ASCII topic",
    "leave",
    "server stops the channel",
    "server stops the channel with a reply",
    "channel crash and rejoin",
    "unknown event crashes the channel",
    "kill_sockets, reconnect and rejoin",
    "kill_channels and rejoin",
    "disconnect_me and reconnect",
    "control broadcast",
    "heartbeat answered",
    "frozen server: heartbeat timeout, reconnect and rejoin",
    "ping",
    "token=bad refused",
    "slow_echo holds up its channel only",
    "slow join holds up the whole socket",
    "presence: two clients see each other",
    "presence: an update is seen, with its refs",
    "presence: one name twice has two metas",
    "presence: leaving and untracking are seen",
    "presence: a lost connection leaves",
    "counter: add",
    "counter: what seq recorded survives the channel",
    "client disconnects with 1000",
]

NO_OTHERS = "no check is missing in this list"


@pytest.fixture(scope="module")
def results() -> Iterator[tuple[dict[str, dict[str, Any]], str]]:
    """The results of the checks by name, and what Node wrote to its standard error."""
    reason = javascript.unavailable()
    if reason is not None:
        pytest.skip(reason)
    url = os.environ.get("PHOENIX_URL")
    if url is not None:
        yield javascript.run_checks(url)
    else:
        with PhoenixServer() as server:
            yield javascript.run_checks(server.url)


# One test function, so that a missing Node.js is one line in the summary.
@pytest.mark.parametrize("check", [*CHECKS, NO_OTHERS])
def test_official_client(check: str, results: tuple[dict[str, dict[str, Any]], str]) -> None:
    """The check of that name was run and held; no check of the script is missing here."""
    by_name, errors = results
    if check == NO_OTHERS:
        assert set(by_name) <= set(CHECKS)
    else:
        assert check in by_name, f"the check did not run: {errors}"
        assert by_name[check]["ok"], by_name[check].get("error")

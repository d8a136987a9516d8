"""What a user's code may do while a connection opens, and with classes that change later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from phoenix_actors import ChannelActor, SocketClient
from supervisors import telemetry
from tests.e2e.rig import DEADLINE, Connect, Log

CONNECTED = ("phoenix_socket_client", "socket", "connected")
STATUS = ("phoenix_socket_client", "socket", "status_change")


@pytest.mark.parametrize("event", [CONNECTED, STATUS])
@pytest.mark.parametrize(
    "wait",
    [
        lambda client: client.join("room:a", timeout=DEADLINE / 2).response,
        lambda client: client.ping(DEADLINE / 2) > 0,
    ],
    ids=["join", "ping"],
)
def test_a_listener_may_wait_for_the_server(
    connect: Connect, event: tuple[str, ...], wait: Callable[[SocketClient], Any]
) -> None:
    """The connection is read while a telemetry handler of its opening waits for an answer."""
    client, log = connect(auto_connect=False), Log()

    def listen(_: Any, __: Any, metadata: Mapping[str, Any], ___: Any) -> None:
        if metadata.get("new_status", "connected") == "connected":
            log.add("answer", wait(client))

    telemetry.attach("listener", event, listen)
    try:
        client.connect()
        client.wait_connected(DEADLINE)
        log.wait("answer")
    finally:
        telemetry.detach("listener")


def test_handlers_may_be_set_later(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a class gets after it was made, as mocks are, is called."""

    class Late(ChannelActor):
        """Has nothing of its own."""

    client, log = connect(), Log()
    client.join("room:before", channel=Late)
    monkeypatch.setattr(Late, "init", lambda _: log.add("init"))
    monkeypatch.setattr(Late, "handle_join", lambda *_: log.add("joined"))
    client.join("room:a", channel=Late)
    log.wait("init")
    log.wait("joined")

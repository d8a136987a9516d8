"""What the observer shows of `phoenix_actors`."""

from __future__ import annotations

from typing import Any

import msgspec

from phoenix_actors.testing import PhoenixServer
from supervisors.observer import Look
from supervisors.observer.facts import LookRequest
from supervisors.observer.service import Service
from tests.e2e.rig import Connect

SECRET = "s3cret"  # noqa: S105  made up


def table(look: Look, title: str) -> list[dict[str, Any]]:
    """Returns a table's rows by heading."""
    [section] = [section for section in look.sections if section.title == title]
    assert section.error is None
    names = [column.name for column in section.columns]
    return [dict(zip(names, row, strict=True)) for row in section.rows]


def look_here() -> Look:
    """Returns a look at this process."""
    service = Service(show_state=False, control=False, count_messages=False)
    answer = service.handle(LookRequest(rows=500))
    service.close()
    assert isinstance(answer, Look)
    return answer


def test_sockets_and_channels(server: PhoenixServer, connect: Connect) -> None:
    """State, counts and round trips of each client and topic; neither params nor a query."""
    client = connect(name="seen", params={"token": SECRET})
    channel = client.join("room:lobby", {"password": SECRET})
    for number in range(3):
        channel.push("echo", {"n": number}).get(timeout=60)
    client.ping(60)
    look = look_here()
    [socket] = [row for row in table(look, "Sockets") if row["client"] == "seen"]
    assert (socket["status"], socket["last error"]) == ("connected", None)
    assert socket["url"].startswith("ws://127.0.0.1")
    assert socket["sent"] >= 5
    assert socket["received"] >= 5
    assert socket["out"] > socket["sent"]
    [topic] = [row for row in table(look, "Channels") if row["client"] == "seen"]
    assert topic == {
        "topic": "room:lobby",
        "client": "seen",
        "state": "joined",
        "joins": 1,
        "waiting": 0,
        "actor": "ChannelActor",
    }
    assert SECRET.encode() not in msgspec.json.encode(look)


def test_lost_connections_are_told(server: PhoenixServer, connect: Connect) -> None:
    """Status and the kind of the last error, and the events in the log."""
    client = connect(name="lost", reconnect_interval=60.0)
    service = Service(show_state=False, control=False, count_messages=False)
    server.stop()
    try:
        client.session.when(lambda: not client.connected).get(timeout=60)
        answer = service.handle(LookRequest())
    finally:
        service.close()
    assert isinstance(answer, Look)
    [socket] = [row for row in table(answer, "Sockets") if row["client"] == "lost"]
    assert socket["status"] in ("disconnected", "connecting")
    assert "phoenix_socket_client.socket.disconnected" in [entry.event for entry in answer.log]

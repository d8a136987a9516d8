"""What the observer shows of `phoenix_actors`."""

from __future__ import annotations

import queue
from typing import Any

import msgspec

from phoenix_actors.testing import PhoenixServer
from supervisors.observer import Look
from supervisors.observer.facts import LookRequest
from supervisors.observer.service import Service
from supervisors.observer.viewing import section_rates
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
        "received": 0,
        "pushed": 0,
        "rtt": None,
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


def test_each_topic_is_counted_from_the_first_look(server: PhoenixServer, connect: Connect) -> None:
    """Messages, replies and pushes, and how long the last reply took; a topic that is left goes."""
    client = connect(name="counted")
    names = ("room:a", "room:b")
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    channels = {name: client.join(name, on={"shout": heard.put}) for name in names}
    channels["room:a"].push("echo", {}).get(timeout=60)

    def counts() -> dict[str, tuple[int, int, bool]]:
        rows = [row for row in table(look_here(), "Channels") if row["client"] == "counted"]
        return {
            row["topic"]: (row["received"], row["pushed"], row["rtt"] is not None) for row in rows
        }

    assert counts() == dict.fromkeys(names, (0, 0, False))
    for number in range(3):
        channels["room:a"].push("echo", {"n": number}).get(timeout=60)
    for number in range(40):
        server.broadcast("room:b", "shout", {"n": number})
    for _ in range(40):
        heard.get(timeout=60)
    assert counts() == {"room:a": (3, 3, True), "room:b": (40, 0, False)}
    channels["room:a"].leave()
    assert list(counts()) == ["room:b"]
    traffic = client.session.traffic
    assert traffic is not None
    assert [entry.received for entry in traffic.of(names)] == [0, 40]


def test_counts_of_topics_that_were_left_are_not_kept(
    server: PhoenixServer, connect: Connect
) -> None:
    """After a look, a client that goes from topic to topic does not grow."""
    client = connect(name="wanders")
    look_here()
    for number in range(5):
        channel = client.join(f"room:{number}", {})
        channel.push("echo", {}).get(timeout=60)
        channel.leave()
    traffic = client.session.traffic
    assert traffic is not None
    assert len(traffic._topics) == 0


def test_rates_of_a_topic(server: PhoenixServer, connect: Connect) -> None:
    """Between two looks the viewers know how many a second there were."""
    client = connect(name="rated")
    channel = client.join("room:rated")
    looks = []
    for _ in range(2):
        looks.append(look_here())
        for number in range(5):
            channel.push("echo", {"n": number}).get(timeout=60)
    before, now = looks
    [section] = [section for section in now.sections if section.title == "Channels"]
    place = [column.name for column in section.columns].index("received")
    [rates] = [
        rates
        for row, rates in zip(section.rows, section_rates(section, now, before), strict=True)
        if row[0] == "room:rated"
    ]
    assert rates[place] == 5 / (now.clock - before.clock)

"""Telemetry of joins and heartbeats."""

from __future__ import annotations

import pytest

from phoenix_actors import JoinRejected, JoinTimeout
from tests.e2e.rig import Connect, Phoenix, listening

SPANS = [("channel", "join", "start"), ("channel", "join", "stop"), ("channel", "join", "error")]


@pytest.mark.contract("C187", "C188")
def test_each_join_has_its_end(phoenix: Phoenix, connect: Connect) -> None:
    """A start pairs with a stop, or an error that says why; no params are in it."""
    with listening(*SPANS) as log:
        client = connect()
        channel = client.join("room:a", {"password": "SECRET"})
        with pytest.raises(JoinRejected):
            client.join("room:private", {"password": "SECRET"})
        with pytest.raises(JoinTimeout):
            client.join("room:slow", timeout=0.05)
        log.wait("channel.join.error", count=2)
        phoenix.control.kill_sockets()
        log.wait("channel.join.stop", count=2)
        channel.leave()
        client.stop()
    starts: list[tuple[str, str]] = []
    ended: list[tuple[str, str]] = []
    ends = []
    for name, measurements, metadata in log.items:
        key = (metadata["topic"], metadata["join_ref"])
        if name == "channel.join.start":
            starts.append(key)
        else:
            # Told by the thread that brings it about, so it may be told before its start is.
            ended.append(key)
            assert 0 <= measurements["duration_seconds"] < 10
            ends.append((name.split(".")[-1], metadata["topic"], metadata["status"]))
    assert len(set(starts)) == len(starts)
    assert sorted(starts) == sorted(ended)
    assert ends[:2] == [("stop", "room:a", "ok"), ("error", "room:private", "refused")]
    assert ("error", "room:slow", "JoinTimedOut") in ends
    assert ends.count(("stop", "room:a", "ok")) == 2
    assert "SECRET" not in str(log.items)


@pytest.mark.contract("C187")
def test_a_heartbeat_and_its_round_trip(connect: Connect) -> None:
    """Each reply is told with the seconds it took."""
    with listening(("heartbeat", "sent"), ("heartbeat", "reply")) as log:
        connect(heartbeat_interval=0.02)
        replies = [log.wait("heartbeat.reply", count=number) for number in (1, 2)]
    assert all(0 < reply[1]["round_trip_seconds"] < 10 for reply in replies)
    assert [item[0] for item in log.items[:2]] == ["heartbeat.sent", "heartbeat.reply"]

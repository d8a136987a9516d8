"""Telemetry of joins and heartbeats."""

from __future__ import annotations

from collections import Counter

import pytest

from phoenix_actors import JoinRejected, JoinTimeout, telemetry
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


@pytest.mark.websocket_only("there are no heartbeats")
@pytest.mark.contract("C187")
def test_a_heartbeat_and_its_round_trip(connect: Connect) -> None:
    """Each reply is told with the seconds it took."""
    with listening(("heartbeat", "sent"), ("heartbeat", "reply")) as log:
        connect(heartbeat_interval=0.02)
        replies = [log.wait("heartbeat.reply", count=number) for number in (1, 2)]
    assert all(0 < reply[1]["round_trip_seconds"] < 10 for reply in replies)
    assert [item[0] for item in log.items[:2]] == ["heartbeat.sent", "heartbeat.reply"]


DOCUMENTED = [
    ("socket", "connected"),
    ("socket", "disconnected"),
    ("channel", "joined"),
    ("channel", "left"),
    ("message", "sent"),
    ("message", "received"),
]
NAMES = [
    *DOCUMENTED,
    ("connection", "start"),
    ("connection", "stop"),
    ("connection", "exception"),
    ("connection", "error"),
    ("connection", "established", "start"),
    ("connection", "established", "stop"),
    ("reconnection", "attempt"),
    ("socket", "status_change"),
    ("transport", "connected"),
    ("transport", "disconnected"),
    ("transport", "session_stats"),
    ("transport", "close"),
    ("channel", "join", "stop"),
    ("channel", "status_changed"),
    ("channel", "join_duration"),
    ("channel", "leave_duration"),
    ("channel", "leave"),
    ("message_processor", "started"),
    ("optimization", "route_cache_started"),
    ("optimization", "route_cache_terminating"),
    ("optimization", "binary_pool_terminating"),
    ("optimization", "performance_monitor_started"),
    ("optimization", "performance_monitor_terminating"),
]


@pytest.mark.contract("C186", "C188")
def test_a_session_tells_each_thing_once(phoenix: Phoenix, connect: Connect) -> None:
    """A connect, a join, a frame out and in, a loss, a leave, a disconnect: one event each."""
    with listening(*NAMES) as log:
        client = connect(heartbeat_interval=None, params={"password": "SECRET"})
        channel = client.join("room:a", {"password": "SECRET"})
        channel.push("echo", {"password": "SECRET"}).get()
        # Told by the threads that did it, of which one may be slower than the answers.
        for name in ("message.sent", "message.received", "channel.status_changed"):
            log.wait(name, count=2)
        first = Counter(name for name, _, _ in log.items)
        phoenix.control.kill_sockets()
        log.wait("channel.joined", count=2)
        second = Counter(name for name, _, _ in log.items)
        channel.leave()
        log.wait("channel.leave_duration")
        # The server closes what was left.
        log.wait("message.received", count=5)
        client.stop()
        log.wait("connection.established.stop", count=2)
        whole = Counter(name for name, _, _ in log.items)
    assert "SECRET" not in str(log.items)
    once = ["socket.connected", "connection.start", "connection.stop", "transport.connected"]
    once += ["connection.established.start", "channel.joined", "channel.join.stop"]
    once += ["channel.join_duration", "message_processor.started"]
    once += ["optimization.route_cache_started", "optimization.performance_monitor_started"]
    changes = {"socket.status_change": 2, "channel.status_changed": 2}
    frames = {"message.sent": 2, "message.received": 2}
    assert first == {**dict.fromkeys(once, 1), **changes, **frames}
    lost = ["socket.disconnected", "transport.disconnected", "transport.session_stats"]
    lost += ["connection.established.stop", "reconnection.attempt", "channel.left"]
    assert {name: second[name] for name in lost} == dict.fromkeys(lost, 1)
    assert {name: second[name] for name in once[:8]} == dict.fromkeys(once[:8], 2)
    assert (second["connection.exception"], second["connection.error"]) == (0, 0)
    rest = ["channel.leave", "channel.leave_duration", "transport.close"]
    rest += [f"optimization.{part}_terminating" for part in ("route_cache", "binary_pool")]
    assert {name: whole[name] for name in rest} == dict.fromkeys(rest, 1)
    assert {name: whole[name] for name in lost[:4]} == dict.fromkeys(lost[:4], 2)
    assert (whole["channel.left"], whole["reconnection.attempt"]) == (2, 1)
    # Sent in all: two joins, a push, a leave.
    assert (whole["message.sent"], whole["message.received"]) == (4, 5)


@pytest.mark.contract("C186")
def test_the_events_of_attempts_that_fail(connect: Connect) -> None:
    """Each attempt has its start, and an exception that says why; nothing is established."""
    with listening(*NAMES) as log:
        client = connect(url="ws://127.0.0.1:1/socket", auto_connect=False, backoff=[60.0])
        client.connect()
        log.wait("connection.exception")
        client.stop()
    (start,), (end,) = log.named("connection.start"), log.named("connection.exception")
    assert start[1]["generation"] == end[1]["generation"] == 1
    assert (end[1]["error"], end[1]["url"]) == ("ConnectError", "ws://127.0.0.1:1/socket")
    assert 0 <= end[0]["duration_seconds"] < 10
    assert len(log.named("connection.error")) == 1
    assert log.named("connection.stop") == log.named("connection.established.start") == []


@pytest.mark.contract("C189")
def test_the_spans_of_a_sample_are_whole(phoenix: Phoenix, connect: Connect) -> None:
    """Every join that is told of is told from its start to its end."""
    telemetry.configure(sampler_rate=0.5)
    try:
        with listening(*SPANS) as log:
            client = connect()
            for number in range(60):
                client.join(f"room:{number}").leave()
    finally:
        telemetry.reset()
    starts = [item[1]["topic"] for item in log.named("channel.join.start")]
    assert 10 < len(starts) < 50
    assert sorted(starts) == sorted(item[1]["topic"] for item in log.named("channel.join.stop"))

"""What a client puts on the wire, and what it makes of frames that are not for it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from phoenix_actors import ChannelState, HandshakeRefused, JoinCancelled
from phoenix_actors.testing import PhoenixServer
from phoenix_actors.testing.wire import WireFrame
from tests.e2e.rig import DEADLINE, Connect, Log, Telling, eventually, listening


def frames(server: PhoenixServer, topic: str) -> list[WireFrame]:
    """Returns the frames that clients sent on a topic."""
    return [record.frame for record in server.frames() if record.frame.topic == topic]


def send(server: PhoenixServer, *frame: Any) -> None:
    """Sends a frame, whether it makes sense or not, to every connection."""
    server.send_raw(json.dumps(frame))


# -- outbound


@pytest.mark.contract("C17", "C42", "C43", "C41", "C44")
def test_refs_of_a_channel(server: PhoenixServer, connect: Connect) -> None:
    """The join's refs are equal, every later frame carries its join_ref, a rejoin takes anew."""
    channel = connect().join("room:a")
    channel.push("echo", {"n": 1}).get()
    channel.push("binary_echo", b"data").get()
    server.kill_sockets()
    eventually(lambda: channel.join_count, lambda count: count == 2)
    channel.push("echo", {"n": 2}).get()
    channel.leave()
    sent = frames(server, "room:a")
    assert [frame.event for frame in sent] == [
        "phx_join",
        "echo",
        "binary_echo",
        "phx_join",
        "echo",
        "phx_leave",
    ]
    first, second = sent[0].join_ref, sent[3].join_ref
    assert first != second
    assert [frame.join_ref for frame in sent] == [first] * 3 + [second] * 3
    assert (sent[0].ref, sent[3].ref) == (first, second)
    refs = [int(frame.ref) for frame in sent]
    assert refs == sorted(set(refs))
    assert all(isinstance(frame.ref, str) for frame in sent)


@pytest.mark.contract("C88", "C85")
def test_one_leave_on_the_wire(server: PhoenixServer, connect: Connect) -> None:
    """However often a channel is left, the server is told once."""
    channel = connect().join("room:a")
    channel.leave()
    channel.leave()
    assert [frame.event for frame in frames(server, "room:a")] == ["phx_join", "phx_leave"]


@pytest.mark.contract("C87")
def test_leave_before_the_join_is_sent(server: PhoenixServer, connect: Connect) -> None:
    """A params function that is still running does not send a join behind the leave."""
    asked, answer, log = threading.Event(), threading.Event(), Log()

    def params() -> dict[str, int]:
        asked.set()
        answer.wait(DEADLINE)
        return {}

    def join() -> None:
        try:
            client.join("room:a", params)
        except JoinCancelled:
            log.add("cancelled")

    client = connect()
    thread = threading.Thread(target=join)
    thread.start()
    assert asked.wait(DEADLINE)
    channel = client.channel("room:a")
    assert channel is not None
    channel.leave()
    answer.set()
    thread.join(DEADLINE)
    assert log.items == [("cancelled",)]
    assert client.ping(DEADLINE) > 0
    assert [frame.event for frame in frames(server, "room:a")] == ["phx_leave"]
    assert server.stats()["channels"] == 0


@pytest.mark.contract("C95", "C47")
def test_heartbeats_on_the_wire(server: PhoenixServer, connect: Connect) -> None:
    """`[null, ref, "phoenix", "heartbeat", {}]` comes every interval, each with a new ref."""
    client = connect(heartbeat_interval=0.02)
    eventually(lambda: len(frames(server, "phoenix")), lambda count: count >= 3)
    beats = frames(server, "phoenix")
    assert {(beat.join_ref, beat.event, str(beat.payload)) for beat in beats} == {
        (None, "heartbeat", "{}")
    }
    assert len({beat.ref for beat in beats}) == len(beats)
    assert client.connected
    assert server.connections_total == 1


@pytest.mark.contract("C95")
def test_heartbeats_can_be_switched_off(server: PhoenixServer, connect: Connect) -> None:
    """With an interval of 0 none is sent."""
    client = connect(heartbeat_interval=0)
    with listening(("heartbeat", "sent")) as sent:
        assert client.ping(DEADLINE) > 0
        assert client.socket.stats()["status"] == "connected"
    assert sent.items == []
    assert len(frames(server, "phoenix")) == 1


@pytest.mark.contract("C96")
def test_an_idle_connection_stays_up(connect: Connect) -> None:
    """Heartbeats keep a connection open that a server would close for its silence."""
    with PhoenixServer(idle_timeout=0.15) as strict:
        client = connect(url=strict.url, heartbeat_interval=0.05)
        eventually(lambda: len(frames(strict, "phoenix")), lambda count: count >= 9)
        assert client.connected
        assert strict.connections_total == 1
        client.stop()


@pytest.mark.contract("C13", "C14")
def test_headers(server: PhoenixServer, connect: Connect) -> None:
    """Headers reach the server, from a function anew for each attempt; no Origin is sent."""
    attempts: list[int] = []

    def headers() -> dict[str, str]:
        attempts.append(1)
        return {"x-attempt": str(len(attempts))}

    connect(headers=headers)
    server.kill_sockets()
    eventually(lambda: server.connections_total, lambda count: count == 2)
    seen = [dict(handshake.headers) for handshake in server.connect_params()]
    assert [headers["x-attempt"] for headers in seen] == ["1", "2"]
    assert all("origin" not in headers for headers in seen)


# -- inbound


@pytest.mark.contract("C45", "C92", "C64")
def test_stale_frames_change_nothing(server: PhoenixServer, connect: Connect) -> None:
    """With a join_ref that is not the present one, messages, errors and closes are dropped."""
    log = Log()
    client = connect()
    channel = client.join("room:a", channel=(Telling, log))
    with listening(("message", "dropped")) as dropped:
        for event, payload in (
            ("stale", {}),
            ("phx_error", {}),
            ("phx_close", {}),
            ("phx_reply", {"status": "ok", "response": {}}),
        ):
            send(server, "9999", None, "room:a", event, payload)
        for number in range(1, 5):
            dropped.wait("message.dropped", count=number)
    assert {item[2]["cause"] for item in dropped.items} == {"stale"}
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert channel.state is ChannelState.JOINED
    assert [item[0] for item in log.items] == ["init", "join"]


@pytest.mark.contract("C46")
def test_broadcasts_are_delivered(server: PhoenixServer, connect: Connect) -> None:
    """A null join_ref is every broadcast's, and no reason to drop it."""
    log = Log()
    connect().join("room:a", channel=(Telling, log))
    server.broadcast("room:a", "news", {"n": 1})
    log.wait("message", "news", {"n": 1})


@pytest.mark.contract("C48")
def test_replies_nobody_waits_for(server: PhoenixServer, connect: Connect) -> None:
    """Unknown, repeated and malformed ones are ignored and counted."""
    client = connect()
    channel = client.join("room:a")
    channel.push("echo", {}).get()
    present, last = (
        frames(server, "room:a")[-1].join_ref,
        frames(server, "room:a")[-1].ref,
    )
    with listening(("message", "dropped")) as dropped:
        for ref in ("777", last, None):
            send(
                server,
                present,
                ref,
                "room:a",
                "phx_reply",
                {"status": "ok", "response": {}},
            )
        dropped.wait("message.dropped", count=3)
    assert {item[2]["cause"] for item in dropped.items} == {"unmatched"}
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C27", "C18", "C37")
def test_garbage(server: PhoenixServer, connect: Connect) -> None:
    """What is no frame is counted and told; connection and channels are as before."""
    client = connect()
    channel = client.join("room:a")
    garbage: list[str | bytes] = [
        "no json",
        "{}",
        "[1]",
        '["1","2","t"]',
        b"",
        b"\x07",
        b"\x00\xff",
    ]
    with listening(("message", "unreadable")) as unreadable:
        for data in garbage:
            server.send_raw(data)
        unreadable.wait("message.unreadable", count=len(garbage))
    assert client.message_processor.stats()["decode_errors"] == len(garbage)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert server.connections_total == 1


@pytest.mark.contract("C18")
def test_longer_arrays(server: PhoenixServer, connect: Connect) -> None:
    """What a later version appends is accepted."""
    log = Log()
    connect().join("room:a", channel=(Telling, log))
    send(server, None, None, "room:a", "future", {"n": 1}, "sixth", {"seventh": 7})
    log.wait("message", "future", {"n": 1})


@pytest.mark.contract("C28")
def test_topics_we_do_not_have(server: PhoenixServer, connect: Connect) -> None:
    """Their frames are ignored and counted."""
    client = connect()
    channel = client.join("room:a")
    send(server, None, None, "room:unknown", "news", {})
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert client.performance_monitor.get_metrics()["counters"]["unknown_topic"] == 1


@pytest.mark.contract("C24")
def test_keys_in_any_order(server: PhoenixServer, connect: Connect) -> None:
    """A reply whose response comes before its status is as good."""
    future = connect().join("room:a").push("no_reply", {})
    eventually(lambda: len(frames(server, "room:a")), lambda count: count == 2)
    push = frames(server, "room:a")[-1]
    server.send_raw(
        f'["{push.join_ref}","{push.ref}","room:a","phx_reply",'
        '{"response":{"n":1},"status":"ok"}]'
    )
    assert future.get().response == {"n": 1}


@pytest.mark.contract("C84")
def test_a_channel_that_the_server_lost(server: PhoenixServer, connect: Connect) -> None:
    """An "unmatched topic" reply ends that push with its error, and the channel joins again."""
    log = Log()
    channel = connect().join("room:a", channel=(Telling, log))
    future = channel.push("no_reply", {})
    eventually(lambda: len(frames(server, "room:a")), lambda count: count == 2)
    reply = {"status": "error", "response": {"reason": "unmatched topic"}}
    send(server, None, frames(server, "room:a")[-1].ref, "room:a", "phx_reply", reply)
    assert future.get().response == {"reason": "unmatched topic"}
    log.wait("join", 2)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


# -- refusals and closes


@pytest.mark.contract("C113")
def test_retry_after_is_obeyed(server: PhoenixServer, connect: Connect) -> None:
    """A refusal's Retry-After is the least delay; its body and headers are in the error."""
    server.refuse_connections(429, {"retry-after": "3600"}, b"slow down")
    client = connect(auto_connect=False, refusal_backoff=[0.01])
    log = Log()
    client.on_error(lambda error: log.add("error", error))
    with listening(("reconnection", "attempt")) as attempts:
        client.connect()
        assert attempts.wait("reconnection.attempt")[1] == {"delay_seconds": 3600.0}
    error = log.wait("error")[1]
    assert isinstance(error, HandshakeRefused)
    assert (error.status, error.body, error.headers["retry-after"]) == (429, b"slow down", "3600")


@pytest.mark.contract("C110", "C111")
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1011, 1012, 1013, 4000])
def test_every_close_code_heals(server: PhoenixServer, connect: Connect, code: int) -> None:
    """Whatever the server closes with, the client is told and comes back."""
    log = Log()
    client = connect()
    client.on_close(log.add)
    channel = client.join("room:a")
    server.close_sockets(code)
    assert log.wait(code)[2] is True
    eventually(lambda: server.stats()["by_topic"], lambda topics: topics == {"room:a": 1})
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C111")
def test_a_normal_close_may_be_the_end(server: PhoenixServer, connect: Connect) -> None:
    """With reconnect_on_normal_close=False a 1000 of the server is obeyed."""
    client = connect(reconnect_on_normal_close=False)
    server.close_sockets(1000)
    eventually(lambda: client.connected, lambda connected: not connected)
    with pytest.raises(ConnectionError):
        client.wait_connected(DEADLINE)
    assert server.stats()["transports"] == 0


@pytest.mark.contract("C115", "C116")
def test_giving_up(server: PhoenixServer, connect: Connect) -> None:
    """After max_reconnect_attempts failures in a row wait_connected raises the last one's error."""
    client = connect(max_reconnect_attempts=2, refusal_backoff=[0.01])
    channel = client.join("room:a")
    server.refuse_connections(503)
    waiting = channel.push("slow_echo", {"ms": 60_000})
    server.kill_sockets()
    with pytest.raises(ConnectionError):
        waiting.get()
    with pytest.raises(HandshakeRefused) as refused:
        client.wait_connected(DEADLINE)
    assert refused.value.status == 503
    assert [handshake.status for handshake in server.handshakes()] == [101, 503, 503]
    # connect() begins anew, and the topic is still wanted.
    server.accept_connections()
    client.connect()
    client.wait_connected(DEADLINE)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C124", "C110")
def test_a_restarted_server(server: PhoenixServer, connect: Connect) -> None:
    """After a restart all hundred channels are joined again, each once, without user code."""
    topics = [f"room:{number}" for number in range(100)]
    with listening(("channel", "joined")) as log:
        client = connect(join_channels=topics)
        log.wait("channel.joined", count=100)
        server.clear_records()
        server.restart()
        log.wait("channel.joined", count=200)
    joins = [record.frame for record in server.frames() if record.frame.event == "phx_join"]
    assert [frame.topic for frame in joins] == topics
    assert server.stats()["channels"] == 100
    futures = [client.channel(topic).push("echo", {"n": 1}) for topic in topics]  # type: ignore[union-attr]
    assert [future.get().status for future in futures] == ["ok"] * 100

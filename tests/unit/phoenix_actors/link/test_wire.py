"""Refs, pending pushes and frames of one wire, and the client's table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors.errors import ConnectionLost, NotConnected, WouldDeadlock
from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.pool import EncodedPool
from phoenix_actors.link.scheduling import calling_actor, may_wait, no_waiting_here, refuse_waiting
from phoenix_actors.message import ConnectionStatus, HeartbeatTimeout, PushReply
from supervisors import Reply
from tests.e2e.rig import listening
from tests.unit.phoenix_actors.link.link_bench import LinkBench


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client with nothing open."""
    bench = LinkBench()
    yield bench
    bench.close()


# -- pushes


@pytest.mark.contract("C43", "C41")
def test_a_push_and_its_reply(bench: LinkBench) -> None:
    """The frame has join_ref and a ref of its own; the reply settles the future."""
    handle = bench.open()
    topic, _, _ = bench.joined("t")
    future = topic.push("e", {"x": 1}, None)
    assert handle.sent[-1] == ["1", "2", "t", "e", {"x": 1}]
    assert bench.wire.pending() == 1
    bench.receive("1", "2", "t", "phx_reply", {"status": "ok", "response": [1]})
    assert future.get() == PushReply("ok", [1])
    assert bench.wire.pending() == 0


@pytest.mark.contract("C80", "C49")
@pytest.mark.parametrize("reason", [ConnectionLost(1006, "x"), HeartbeatTimeout()])
def test_a_loss_fails_what_is_in_flight(bench: LinkBench, reason: Any) -> None:
    """Pushes and pings, at once, each by an error of its own."""
    bench.open()
    topic, _, _ = bench.joined("t")
    futures = [topic.push("e", {}, None), topic.push("e", {}, None), bench.wire.ping(None)]
    bench.lose(reason)
    errors = [future.exception() for future in futures]
    assert all(isinstance(error, ConnectionLost) for error in errors)
    assert len({id(error) for error in errors}) == 3
    assert bench.wire.pending() == 0
    assert bench.wire.generation is None


def test_the_loss_of_another_connection(bench: LinkBench) -> None:
    """One that is not the open one changes nothing."""
    bench.open()
    bench.open()
    topic, _, _ = bench.joined("t")
    future = topic.push("e", {}, None)
    bench.wire.lost(1, ConnectionLost(1006), clean=False)
    assert not future.done()
    assert topic.state == "joined"


@pytest.mark.contract("C125", "C45")
def test_frames_of_a_former_connection(bench: LinkBench) -> None:
    """Its reader may still bring some; they change nothing and are counted."""
    bench.open()
    former = bench.reader
    topic, actor, _ = bench.joined("t")
    bench.lose(ConnectionLost(1006))
    bench.open()
    bench.accept(topic)
    before = actor.named()
    for join_ref in ("1", None):
        former.text(json.dumps([join_ref, None, "t", "news", {}]))
    assert actor.named() == before
    assert bench.session.counters["frames_dropped_stale"] == 2


def test_a_shut_wire(bench: LinkBench) -> None:
    """Its connection is dropped, everything fails, and no attempt begins any more."""
    handle = bench.open()
    topic, _, _ = bench.joined("t")
    future = topic.push("e", {}, None)
    assert bench.wire.shut(ConnectionLost(None, "gone")) is True
    assert handle.aborted
    assert isinstance(future.exception(), ConnectionLost)
    assert bench.wire.shut(ConnectionLost(None, "gone")) is False
    bench.wire.begin(7, lambda news: None)
    assert bench.wire.attempt(7) is None
    assert bench.session.attempts() == []


# -- heartbeats and pings


@pytest.mark.contract("C97", "C152")
def test_replies_on_the_topic_phoenix(bench: LinkBench) -> None:
    """A ping's is its own; every other is shown to the Socket actor, which knows its ref."""
    handle = bench.open()
    ping = bench.wire.ping(None)
    assert handle.sent == [[None, "1", "phoenix", "heartbeat", {}]]
    ok = {"status": "ok", "response": {}}
    bench.receive(None, "7", "phoenix", "phx_reply", ok)
    assert (ping.done(), bench.heartbeats) == (False, ["7"])
    bench.receive(None, "1", "phoenix", "phx_reply", ok)
    assert ping.done()
    bench.receive(None, "1", "phoenix", "phx_reply", ok)
    assert bench.heartbeats == ["7", "1"]


def test_a_ping_without_a_connection(bench: LinkBench) -> None:
    """It is refused."""
    with pytest.raises(NotConnected):
        bench.wire.ping(None)
    bench.session.close_wire(bench.wire)
    with pytest.raises(NotConnected):
        bench.session.live_wire()


# -- the reader


def test_hooks_and_callbacks_run_where_nobody_may_wait(bench: LinkBench) -> None:
    """on_message and done-callbacks find the refusal; afterwards the thread may wait again."""
    bench.open()
    topic, _, _ = bench.joined("t")
    found: list[bool] = []
    bench.session.hooks.message.add(lambda _: found.append(may_wait()))
    topic.push("e", {}, None).add_done_callback(lambda _: found.append(may_wait()))
    bench.receive("1", "2", "t", "phx_reply", {"status": "ok", "response": {}})
    assert (found, may_wait()) == ([False, False], True)


@pytest.mark.contract("C27", "C37", "C28")
def test_frames_that_are_none(bench: LinkBench) -> None:
    """They are counted and told; one for no topic of ours is counted."""
    bench.open()
    with listening(("message", "unreadable")) as log:
        bench.reader.text("{")
        bench.reader.binary(b"\x09")
    assert len(log.items) == 2
    bench.receive(None, None, "unknown", "e", {})
    counters = bench.session.counters
    assert (counters["decode_errors"], counters["unknown_topic"]) == (2, 1)


def test_refusing_to_wait() -> None:
    """The name of the call is in the error; a future's wait is refused as well."""
    assert calling_actor() is None
    with no_waiting_here():
        with pytest.raises(WouldDeadlock, match="leave"):
            refuse_waiting("leave()")
        with pytest.raises(WouldDeadlock):
            Reply().get()
        settled = Reply()
        settled.settle(1)
        assert settled.get() == 1
    refuse_waiting("leave()")


# -- the table


@pytest.mark.contract("C154")
def test_the_status(bench: LinkBench) -> None:
    """Who waits is woken by a change; a former Socket actor's word counts no more."""
    session, former = bench.session, bench.wire
    connected = session.when(lambda: session.status is ConnectionStatus.CONNECTED)
    session.set_status(ConnectionStatus.CONNECTING, former)
    assert not connected.done()
    session.set_status(ConnectionStatus.CONNECTED, former)
    assert connected.done()
    bench.new_wire()
    session.set_status(ConnectionStatus.CONNECTING, former)
    session.close_wire(former)
    assert repr(session).startswith("<Session connected")
    session.close_wire(bench.wire)
    assert repr(session).startswith("<Session disconnected")
    assert not session.wire


def test_a_watcher_that_is_forgotten(bench: LinkBench) -> None:
    """It is not settled any more."""
    waiting = bench.session.when(lambda: bench.session.status is ConnectionStatus.CONNECTED)
    bench.session.unwatch(waiting)
    bench.session.set_status(ConnectionStatus.CONNECTED, bench.wire)
    assert not waiting.done()


def test_topics_are_wanted_once(bench: LinkBench) -> None:
    """A second record is answered with the first; forgetting an old one changes nothing."""
    topic = bench.topic("t")
    other = LinkBench().topic("t")
    assert bench.session.want(other) is topic
    bench.session.forget(other)
    assert bench.session.topic("t") is topic
    bench.session.forget(topic)
    assert bench.session.want(other) is None
    assert bench.session.topics() == [other]


def test_what_the_application_keeps(bench: LinkBench) -> None:
    """Values by key."""
    bench.session.put("a", 1)
    assert (bench.session.get("a"), bench.session.get("b", 2)) == (1, 2)
    assert bench.session.custom() == {"a": 1}
    assert "topics=0" in repr(bench.session)


# -- counters, codec and pool


@pytest.mark.contract("C26")
def test_encoding_in_two_steps() -> None:
    """What cannot be sent is known before a ref is taken; each encoding is counted."""
    counters = Counters()
    codec = Codec("2.0.0", counters)
    prepared = codec.prepare("t", "e", {"x": 1})
    frame = codec.complete(prepared, "1", "2")
    assert json.loads(frame) == ["1", "2", "t", "e", {"x": 1}]
    with pytest.raises(ValueError, match="payload"):
        codec.prepare("t", "e", {1, 2})
    decoded = codec.decode_text(frame)
    assert (decoded.topic, decoded.payload) == ("t", {"x": 1})
    # What could not be encoded is not counted, and who takes a frame in counts that.
    assert counters.snapshot() == {"encoded": 1}


@pytest.mark.contract("C180")
def test_payloads_encoded_once() -> None:
    """They are used again without encoding, and the pool counts both."""
    counters, pool = Counters(), EncodedPool()
    codec = Codec("2.0.0", counters)
    encoded = pool.encode({"x": "é"}, codec.payload_text)
    for topic in ("a", "b"):
        frame = codec.complete(codec.prepare(topic, "e", encoded), "1", "2")
        assert json.loads(frame)[4] == {"x": "é"}
    assert counters["encoded"] == 1
    stats = pool.stats()
    assert (stats["misses"], stats["hits"]) == (1, 2)
    assert "é" not in repr(encoded)

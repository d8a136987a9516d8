"""Frames that arrive in one piece are handled one after the other, as a Phoenix transport does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.testing import PhoenixServer
from tests.conformance.raw_client import encode
from tests.conformance.v2_client import V2Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def client() -> Iterator[V2Client]:
    """A client of a server of its own."""
    with PhoenixServer() as server, V2Client(server.url) as connected:
        yield connected


def text(*frame: Any) -> bytes:
    """Returns a frame of vsn 2.0.0, encoded."""
    return encode("text", json.dumps(frame).encode())


@pytest.mark.contract("C79")
def test_pushes_behind_a_join_are_answered_behind_it(client: V2Client) -> None:
    """A join and pushes to it need no wait in between."""
    client.raw.send_together(
        text("1", "1", "room:a", "phx_join", {}),
        *(text("1", str(ref), "room:a", "echo", {"n": ref}) for ref in range(2, 50)),
    )
    assert [client.read()[1] for _ in range(49)] == [str(ref) for ref in range(1, 50)]


def test_a_leave_is_over_before_the_next_frame_of_its_topic(client: V2Client) -> None:
    """Behind a leave a push is unmatched, and a join is a new one: its reply comes last."""
    client.raw.send_together(
        text("1", "1", "room:a", "phx_join", {}),
        text("1", "2", "room:a", "phx_leave", {}),
        text("1", "3", "room:a", "echo", {}),
        text("4", "4", "room:a", "phx_join", {}),
        text("4", "5", "room:a", "phx_leave", {}),
        text("6", "6", "room:a", "phx_join", {}),
    )
    seen = [(frame[0], frame[1], frame[3]) for frame in (client.read() for _ in range(8))]
    assert seen == [
        ("1", "1", "phx_reply"),
        ("1", "2", "phx_reply"),
        ("1", "1", "phx_close"),
        (None, "3", "phx_reply"),
        ("4", "4", "phx_reply"),
        ("4", "5", "phx_reply"),
        ("4", "4", "phx_close"),
        ("6", "6", "phx_reply"),
    ]


def test_a_close_behind_frames_comes_after_their_answers(client: V2Client) -> None:
    """Joins, heartbeats and pings in front of a close frame are answered before it is."""
    client.raw.send_together(
        text("1", "1", "room:a", "phx_join", {}),
        encode("ping", b"p"),
        text(None, "2", "phoenix", "heartbeat", {}),
        encode("close", (1000).to_bytes(2, "big")),
        text(None, "3", "phoenix", "heartbeat", {}),
    )
    kinds = []
    while (received := client.raw.receive()) is not None:
        kinds.append(received.kind)
    assert kinds == ["text", "pong", "text", "close"]


def test_a_violation_behind_frames_comes_after_their_answers(client: V2Client) -> None:
    """What was right is answered before the connection is closed with 1002."""
    client.raw.send_together(
        text("1", "1", "room:a", "phx_join", {}),
        encode("text", b"x", rsv1=True),
        text(None, "2", "phoenix", "heartbeat", {}),
    )
    assert client.read()[1] == "1"
    assert client.ending() == 1002
    assert not client.events


def test_pings_and_heartbeats_wait_for_a_slow_join(client: V2Client) -> None:
    """While a join takes its time nothing else of the connection is answered."""
    client.join("room:a")
    client.cast("room:slow", "phx_join")
    client.raw.send("ping", b"p")
    client.cast("phoenix", "heartbeat")
    client.cast("room:a", "echo")
    assert client.silent(0.5)
    kinds = []
    for _ in range(4):
        received = client.raw.receive()
        assert received is not None
        kinds.append(received.kind if received.kind == "pong" else json.loads(received.data)[2])
    assert kinds == ["room:slow", "pong", "phoenix", "room:a"]


def test_broadcasts_wait_for_a_slow_join_too(client: V2Client) -> None:
    """What other channels of the connection send during a join comes behind its reply."""
    client.join("room:a")
    client.cast("room:a", "slow_echo", {"ms": 300})
    client.cast("room:slow", "phx_join")
    assert [client.read()[2] for _ in range(2)] == ["room:slow", "room:a"]


def test_a_refused_second_join_still_closes_the_first(client: V2Client) -> None:
    """The old channel is gone whatever the new join comes to."""
    client.join("presence:p", {"name": "al"})
    while client.event()[3] != "presence_diff":
        pass
    status, response = client.ask("presence:p", "phx_join", [])
    assert (status, response) == ("error", {"reason": "join crashed"})
    assert client.event() == ["1", "1", "presence:p", "phx_close", {}]
    assert client.ask("presence:p", "list") == ("error", {"reason": "unmatched topic"})


def test_refs_of_different_types_do_not_match(client: V2Client) -> None:
    """true, 1 and 1.0 are three different join_refs."""
    client.send([1, 1, "room:a", "phx_join", {}])
    assert client.read()[0] == 1
    for join_ref in (True, 1.0, "1"):
        client.send([join_ref, 2, "room:a", "echo", {}])
    client.send([1, 3, "room:a", "echo", {}])
    assert client.read()[1] == 3


def test_a_join_without_join_ref_takes_only_null_ones(client: V2Client) -> None:
    """Its own frames carry the ref of the join, but phx_error and the check go by the null."""
    client.send([None, "1", "room:a", "phx_join", {}])
    assert client.read()[:2] == [None, "1"]
    client.send(["1", "2", "room:a", "echo", {}])
    client.send([None, "3", "room:a", "push_me", {}])
    assert client.read() == ["1", None, "room:a", "pushed", {}]
    client.send([None, "4", "room:a", "crash", {}])
    assert client.read() == [None, None, "room:a", "phx_error", {"reason": "channel_crash"}]


def test_topics_and_events_of_any_type_are_survived(client: V2Client) -> None:
    """A topic that is no string is unmatched, an event that is none crashes its channel."""
    for topic in (5, None, ["room:a"], {"room": "a"}):
        client.send(["1", "1", topic, "phx_join", {}])
        assert client.read() == [
            None,
            "1",
            topic,
            "phx_reply",
            {"response": {"reason": "unmatched topic"}, "status": "error"},
        ]
    client.join("room:a")
    client.send(["1", "2", "room:a", ["echo"], {}])
    assert client.read()[3] == "phx_error"


def test_arrays_may_be_longer_than_five(client: V2Client) -> None:
    """What follows the payload is left."""
    client.send([None, "1", "phoenix", "heartbeat", {}, "more", 7])
    assert client.read()[1] == "1"


@pytest.mark.parametrize(
    "data",
    [
        b'[null,"1","phoenix","heartbeat",NaN]',
        rb'[null,"1","phoenix","heartbeat","\ud800"]',
        b"[" * 100_000,
        b"5",
        b"",
    ],
    ids=["NaN", "lone surrogate", "deep", "number", "empty"],
)
def test_text_that_is_no_frame_closes_with_1011(client: V2Client, data: bytes) -> None:
    """What a strict JSON reader refuses, and what is no array, ends the connection."""
    client.raw.send("text", data)
    assert client.ending() == 1011


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x01\x00\x00\x00\x00",
        b"\x00\x05\x00\x00\x00abc",
        b"\x00\x01\x00\x00\x00\xff",
    ],
    ids=["empty", "cut head", "reply", "cut words", "no UTF-8"],
)
def test_binary_that_is_no_push_closes_with_1011(client: V2Client, data: bytes) -> None:
    """Cut short, of another kind, or with words that are no UTF-8."""
    client.raw.send("binary", data)
    assert client.ending() == 1011

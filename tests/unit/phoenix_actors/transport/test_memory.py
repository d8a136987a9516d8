"""The transport in memory: the order of events, and faults."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import ConnectError, HandshakeRefused, NotConnected
from phoenix_actors.options import TransportOptions
from phoenix_actors.transport import Transport, TransportHandle
from phoenix_actors.transport.memory import MemoryPeer, MemoryTransport


class Recorder:
    """Events that remember what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def connected(self) -> None:
        self.told.append(("connected",))

    def text(self, data: str | bytes) -> None:
        self.told.append(("text", data))

    def binary(self, data: bytes) -> None:
        self.told.append(("binary", data))

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        self.told.append(("closed", code, reason, clean))


def open_one(
    transport: MemoryTransport, options: TransportOptions | None = None
) -> tuple[TransportHandle, MemoryPeer, Recorder]:
    """Open a connection; return both ends and what is told."""
    events = Recorder()
    shaped: Transport = transport
    handle = shaped.open("ws://h/websocket", options or TransportOptions(), events)
    return handle, transport.peers[-1], events


@pytest.mark.contract("C171")
def test_messages_go_both_ways() -> None:
    """In order, text as text and bytes as bytes, and `connected` before everything."""
    handle, peer, events = open_one(MemoryTransport())
    handle.send_text("a")
    handle.send_binary(b"b")
    peer.send_text("c")
    peer.send_binary(b"d")
    assert peer.received == ["a", b"b"]
    assert events.told == [("connected",), ("text", "c"), ("binary", b"d")]


@pytest.mark.contract("C171")
@pytest.mark.parametrize("end", ["client close", "abort", "server close", "drop"])
def test_closed_is_told_once_whoever_ends_it(end: str) -> None:
    """After it nothing is told and nothing can be sent."""
    handle, peer, events = open_one(MemoryTransport())
    expected = {
        "client close": ("closed", 1000, "", True),
        "abort": ("closed", 1006, "aborted", False),
        "server close": ("closed", 1012, "restart", True),
        "drop": ("closed", 1006, "", False),
    }[end]
    match end:
        case "client close":
            handle.close()
        case "abort":
            handle.abort()
        case "server close":
            peer.close(1012, "restart")
        case _:
            peer.drop()
    handle.close()
    handle.abort()
    peer.drop()
    peer.send_text("late")
    peer.send_binary(b"late")
    assert events.told == [("connected",), expected]
    with pytest.raises(NotConnected):
        handle.send_text("late")


def test_a_silent_peer_does_not_answer_a_close() -> None:
    """Nothing can be sent after a close, and abort ends it."""
    handle, peer, events = open_one(MemoryTransport())
    peer.silent = True
    handle.close(1000, "bye")
    handle.close(1000, "again")
    assert peer.client_close == (1000, "bye")
    with pytest.raises(NotConnected):
        handle.send_text("late")
    assert events.told == [("connected",)]
    handle.abort()
    assert events.told[-1] == ("closed", 1006, "aborted", False)


def test_attempts_fail_as_often_as_they_are_told_to() -> None:
    """The error is the given one, and no event comes."""
    transport = MemoryTransport()
    error = HandshakeRefused(403)
    transport.refuse(error, times=2)
    for _ in range(2):
        events = Recorder()
        with pytest.raises(ConnectError) as caught:
            transport.open("ws://h/websocket", TransportOptions(), events)
        assert caught.value is error
        assert events.told == []
    open_one(transport)
    assert len(transport.peers) == 1


def test_a_peer_can_answer_by_itself() -> None:
    """`respond` gets each message of the client, and sees what was opened."""

    def echo(peer: MemoryPeer, data: str | bytes) -> None:
        peer.send_text(data)

    announced: list[TransportHandle] = []
    options = TransportOptions(headers=(("x-a", "1"),), announce=announced.append)
    handle, peer, events = open_one(MemoryTransport(echo), options)
    handle.send_text("hello")
    assert events.told == [("connected",), ("text", "hello")]
    assert announced == [handle]
    assert (peer.url, peer.options.headers) == ("ws://h/websocket", (("x-a", "1"),))

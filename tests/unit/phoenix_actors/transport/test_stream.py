"""A byte stream over a socket, on both ends of a pair."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from phoenix_actors.transport.stream import EndOfStream, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[Stream, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield a stream and the socket at its other end."""
    near, far = socket.socketpair()
    stream = Stream(near)
    yield stream, far
    stream.close()
    far.close()


def soon() -> float:
    """Return a deadline that comes at once."""
    return time.monotonic() + 0.01


def test_bytes_come_in_pieces_of_the_size_asked_for(pair: Pair) -> None:
    """What one read of the socket brought is given out bit by bit."""
    stream, far = pair
    far.sendall(b"abcdef")
    assert [stream.receive(1), stream.receive(2), stream.receive(9)] == [b"a", b"bc", b"def"]


def test_a_read_keeps_its_deadline(pair: Pair) -> None:
    """Nothing came: a TimeoutError, and the stream goes on."""
    stream, far = pair
    with pytest.raises(TimeoutError):
        stream.receive(1, soon())
    far.sendall(b"x")
    assert stream.receive(1, soon()) == b"x"


@pytest.mark.contract("C99")
def test_a_write_to_a_peer_that_does_not_read_keeps_its_deadline(pair: Pair) -> None:
    """The buffers fill, the deadline comes, and the stream is of no use any more."""
    stream, far = pair
    with pytest.raises(TimeoutError):
        stream.send_all(b"x" * 50_000_000, soon())
    with pytest.raises(EndOfStream):
        stream.send_all(b"more", soon())
    with pytest.raises(EndOfStream):
        stream.receive(1, soon())
    assert far.recv(1) == b"x"


def test_what_was_sent_arrives_whole(pair: Pair) -> None:
    """A write within the buffers is one piece."""
    stream, far = pair
    stream.send_all(b"hello")
    assert far.recv(100) == b"hello"


def test_nothing_follows_the_last(pair: Pair) -> None:
    """After a close frame no frame goes out."""
    stream, far = pair
    stream.send_all(b"bye", last=True)
    with pytest.raises(EndOfStream):
        stream.send_all(b"more")
    assert far.recv(100) == b"bye"
    far.sendall(b"ok")
    assert stream.receive(2) == b"ok"


def test_the_end_of_the_peer_is_the_end(pair: Pair) -> None:
    """After what was sent before it."""
    stream, far = pair
    far.sendall(b"x")
    far.close()
    assert stream.receive(1) == b"x"
    with pytest.raises(EndOfStream):
        stream.receive(1)


def test_shutdown_and_close_end_it_any_number_of_times(pair: Pair) -> None:
    """Both directions, and no error for doing so twice."""
    stream, far = pair
    stream.shutdown()
    stream.shutdown()
    with pytest.raises(EndOfStream):
        stream.send_all(b"x")
    assert far.recv(1) == b""
    stream.close()
    stream.close()
    with pytest.raises(EndOfStream):
        stream.receive(1)


def test_what_could_not_be_sent_at_once_goes_out_first(pair: Pair) -> None:
    """Without waiting as much as fits; the rest with the next that may wait, in one order."""
    stream, far = pair
    data = bytes(range(256)) * 40_000
    assert stream.send_now(b"first")
    assert stream.send_now(data) is False
    assert stream.send_now(b"refused") is None
    sender = threading.Thread(target=stream.send_all, args=(b"last",))
    sender.start()
    got = b""
    while len(got) < len(data) + 9:
        got += far.recv(1 << 20)
    sender.join(10)
    assert got == b"first" + data + b"last"
    with stream._write_lock:
        assert stream.send_now(b"refused") is None
    stream.shutdown()
    with pytest.raises(EndOfStream):
        stream.send_now(b"x")


def test_large_pieces(pair: Pair) -> None:
    """What the handshake left comes first; nothing there is None, and the end an error."""
    stream, far = pair
    assert stream.piece_now() is None
    assert not stream.more
    far.sendall(b"abcdef")
    assert stream.receive(2) == b"ab"
    assert stream.piece() == b"cdef"
    far.sendall(b"gh")
    assert stream.piece() == b"gh"
    far.sendall(b"ijk")
    assert stream.receive(1) == b"i"
    assert stream.piece_now() == b"jk"
    # The socket was not asked for that.
    assert stream.more
    far.sendall(b"l")
    assert stream.piece_now() == b"l"
    assert not stream.more
    far.close()
    with pytest.raises(EndOfStream):
        stream.piece_now()
    with pytest.raises(EndOfStream):
        stream.piece()

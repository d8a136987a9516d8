"""Frames put together, without a socket; the rest is in tests/integration."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from phoenix_actors.errors import ConnectError, NotConnected
from phoenix_actors.options import TransportOptions
from phoenix_actors.transport.deflate import Deflate
from phoenix_actors.transport.frames import BrokenFrameError, FrameReader, Frames, TooBigError
from phoenix_actors.transport.handshake import target_of
from phoenix_actors.transport.library_frames import LibraryFrames
from phoenix_actors.transport.memory import MemoryTransport
from phoenix_actors.transport.websocket import WebSocketHandle, WebSocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phoenix_actors.transport import Transport, TransportEvents

TEXT, BINARY, CONTINUATION, PING = 1, 2, 0, 9


def frame(opcode: int, data: bytes, *, fin: bool = True, rsv: int = 0, mask: bool = False) -> bytes:
    """Return a frame as a server sends it."""
    first = (0x80 if fin else 0) | rsv | opcode
    marked = 0x80 if mask else 0
    if len(data) < 126:
        head = struct.pack("!BB", first, marked | len(data))
    elif len(data) < 65536:
        head = struct.pack("!BBH", first, marked | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, marked | 127, len(data))
    return head + (b"\0\0\0\0" if mask else b"") + data


@pytest.fixture(params=[FrameReader, LibraryFrames], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds for both readers."""
    monkeypatch.setitem(READER, "class", request.param)


READER: dict[str, Callable[..., Frames]] = {}


def messages(
    data: bytes, limit: int = 1 << 20, deflate: Deflate | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield the messages of a stream of frames, control frames left out; raise its error."""
    frames = READER["class"](limit, deflate)
    for opcode, run in frames.feed(data):
        if opcode < 8:
            yield from ((opcode, message) for message in run)
    if frames.error is not None:
        raise frames.error


def test_messages_come_whole_whatever_their_frames() -> None:
    """One frame, several, empty ones, with a ping between them, of every size of header."""
    long, longer = b"x" * 126, b"y" * 65536
    data = (
        frame(TEXT, b"one")
        + frame(TEXT, b"t", fin=False)
        + frame(CONTINUATION, b"", fin=False)
        + frame(PING, b"?")
        + frame(CONTINUATION, b"wo")
        + frame(BINARY, b"")
        + frame(BINARY, long)
        + frame(TEXT, longer)
    )
    expected = [(TEXT, b"one"), (TEXT, b"two"), (BINARY, b""), (BINARY, long), (TEXT, longer)]
    assert list(messages(data)) == expected


def test_bytes_that_are_not_utf8_are_not_looked_at() -> None:
    """Whether a text is UTF-8 is the decoder's to say."""
    assert list(messages(frame(TEXT, b"\xff"))) == [(TEXT, b"\xff")]


@pytest.mark.contract("C176")
@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x" * 11),
        frame(TEXT, b"x" * 6, fin=False) + frame(CONTINUATION, b"x" * 5),
        struct.pack("!BBQ", 0x81, 127, 1 << 62),
    ],
    ids=["frame", "fragments", "header alone"],
)
def test_a_message_over_the_limit_is_refused_by_its_header(data: bytes) -> None:
    """Its data is not read; a message of the limit is taken."""
    assert list(messages(frame(TEXT, b"x" * 10), limit=10)) == [(TEXT, b"x" * 10)]
    with pytest.raises(TooBigError):
        list(messages(data, limit=10))


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", rsv=0x40),
        frame(TEXT, b"x", mask=True),
        frame(3, b"x"),
        frame(CONTINUATION, b"x"),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
        frame(PING, b"x" * 126),
        frame(PING, b"x", fin=False),
        frame(8, b"x"),
        frame(8, struct.pack("!H", 1005)),
        frame(8, struct.pack("!H", 999)),
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes) -> None:
    """Reserved bits and opcodes, masked frames, fragments out of order, bad control frames."""
    with pytest.raises(BrokenFrameError):
        list(messages(data))


def deflated(deflater: zlib._Compress, data: bytes) -> bytes:
    """Return a message as a server deflates it that refers back to former ones."""
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.contract("C173")
def test_deflated_messages_are_inflated_and_others_are_not() -> None:
    """Short ones too, in fragments, referring back, with plain ones and a ping between them."""
    deflater = zlib.compressobj(wbits=-15)
    first, second = deflated(deflater, b"phoenix" * 9), deflated(deflater, b"phoenix" * 9)
    assert len(second) < len(first)
    data = (
        frame(TEXT, first, rsv=0x40)
        + frame(TEXT, b"plain")
        + frame(BINARY, second[:3], rsv=0x40, fin=False)
        + frame(PING, b"?")
        + frame(CONTINUATION, second[3:])
    )
    expected = [(TEXT, b"phoenix" * 9), (TEXT, b"plain"), (BINARY, b"phoenix" * 9)]
    assert list(messages(data, deflate=Deflate())) == expected
    # One that starts anew each time takes no message that refers back.
    with pytest.raises(BrokenFrameError):
        list(messages(data, deflate=Deflate(server_no_context_takeover=True)))


@pytest.mark.contract("C173", "C176")
def test_what_is_deflated_has_bounds_too() -> None:
    """The limit is that of the inflated message, met before more of it is made."""
    data = frame(BINARY, deflated(zlib.compressobj(wbits=-15), b"\0" * 1_000_000), rsv=0x40)
    assert list(messages(data, 1_000_000, Deflate())) == [(BINARY, b"\0" * 1_000_000)]
    with pytest.raises(TooBigError):
        list(messages(data, 999_999, Deflate()))
    deflate = Deflate()
    with pytest.raises(TooBigError):
        list(messages(data, 1000, deflate))
    assert deflate._inflater.unconsumed_tail != b""


@pytest.mark.contract("C173")
@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"\xff\xff\xff", rsv=0x40),
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"y", rsv=0x40),
        frame(PING, b"x", rsv=0x40),
        frame(TEXT, b"x", rsv=0x20),
    ],
)
def test_deflating_does_not_make_a_violation_right(data: bytes) -> None:
    """What does not inflate, and the bit where it may not be."""
    with pytest.raises(BrokenFrameError):
        list(messages(data, deflate=Deflate()))


@pytest.mark.parametrize("code", [0, 999, 1002, 1005, 1006, 2999, 5000])
def test_codes_that_may_not_be_sent_are_refused(code: int) -> None:
    """A client closes with 1000, 1001 or 3000 to 4999."""
    handle = unopened()
    with pytest.raises(ValueError, match="3000 to 4999"):
        handle.close(code)
    with pytest.raises(ValueError, match="123 bytes"):
        handle.close(1000, "é" * 62)


def test_a_handle_that_is_not_open_sends_nothing() -> None:
    """Before it is open, and after an abort that came first."""
    handle = unopened()
    with pytest.raises(NotConnected):
        handle.send_text("x")
    with pytest.raises(NotConnected):
        handle.send_binary(b"x")
    handle.close()
    handle.abort()
    assert repr(handle) == "<WebSocketHandle ws://h/s closing>"


def unopened() -> WebSocketHandle:
    """Return a handle that was never opened."""
    events: TransportEvents = None  # type: ignore[assignment]
    return WebSocketHandle(target_of("ws://h/s?token=x"), TransportOptions(), events)


def test_a_reader_thread_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an error of the attempt."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    with pytest.raises(ConnectError) as error:
        unopened().read_by_itself(lambda: None)
    assert isinstance(error.value.__cause__, RuntimeError)


def test_both_transports_have_the_shape() -> None:
    """A type checker agrees that either can take the other's place."""
    transports: list[Transport] = [WebSocketTransport(), MemoryTransport()]
    assert all(callable(transport.open) for transport in transports)


@pytest.mark.contract("C176")
def test_small_pieces_take_little_memory() -> None:
    """A long message that comes in fragments, or pieces, of two bytes takes little more memory."""
    size = 100_000
    whole = b"\x82\x7f" + size.to_bytes(8, "big") + b"x" * size
    fragments = b"\x02\x02xx" + b"\x00\x02xx" * (size // 2)
    readers: list[tuple[Frames, bytes, int]] = [
        (FrameReader(2 * size), whole, 2),
        (FrameReader(2 * size), fragments, 4),
        (LibraryFrames(2 * size), fragments, 4),
    ]
    for frames, data, step in readers:
        tracemalloc.start()
        for at in range(0, len(data), step):
            frames.feed(data[at : at + step])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5 * size

"""Our reader of frames against websocket-client's, and against the protocol of websockets.

The same bytes, cut anywhere, give the same messages and the same error.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.protocol import Protocol, Side, State

from phoenix_actors.transport.deflate import Deflate
from phoenix_actors.transport.frames import FrameReader, Frames, TooBigError, frame_of
from phoenix_actors.transport.library_frames import LibraryFrames, library_frame_of

LIMIT = 300
Outcome = tuple[list[tuple[int, bytes]], str | None]


def frame(opcode: int, data: bytes, *, fin: bool = True, rsv: int = 0, mask: bool = False) -> bytes:
    """A frame, right or wrong."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    marked = 0x80 if mask else 0
    if len(data) < 126:
        head = struct.pack("!BB", first, marked | len(data))
    else:
        head = struct.pack("!BBH", first, marked | 126, len(data))
    return head + (b"abcd" if mask else b"") + data


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes, cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def outcome(frames: Frames, parts: list[bytes]) -> Outcome:
    """All messages and control frames, and the kind of the error."""
    got = []
    for part in parts:
        for opcode, run in frames.feed(part):
            got += [(opcode, message) for message in run]
    return got, None if frames.error is None else type(frames.error).__name__


def deflated(deflater: Any, data: bytes) -> bytes:
    """A message as a server deflates it."""
    return bytes((deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4])


sizes = st.one_of(st.binary(max_size=20), st.sampled_from([125, 126, 299, 300, 301]).map(bytes))
right = st.one_of(
    st.builds(frame, st.sampled_from([1, 2]), sizes),
    st.builds(
        lambda opcode, parts, ping: (
            frame(opcode, parts[0], fin=False)
            + b"".join(frame(0, part, fin=False) + (ping or b"") for part in parts[1:])
            + frame(0, b"")
        ),
        st.sampled_from([1, 2]),
        st.lists(st.binary(max_size=40), min_size=1, max_size=4),
        st.sampled_from([None, frame(9, b"?"), frame(10, b"")]),
    ),
    st.builds(frame, st.sampled_from([9, 10]), st.binary(max_size=125)),
)
anything = st.one_of(
    right,
    st.builds(
        frame,
        st.integers(0, 15),
        sizes,
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 1, 2, 4]),
        mask=st.sampled_from([False, False, True]),
    ),
    st.builds(lambda code: frame(8, struct.pack("!H", code)), st.integers(990, 5010)),
    st.binary(max_size=6),
)
streams = st.one_of(st.lists(right, max_size=8), st.lists(anything, max_size=8)).map(b"".join)
cuts = st.lists(st.integers(0, 1 << 12), max_size=12)


@pytest.mark.contract("C176")
@settings(max_examples=300, deadline=None)
@given(streams, cuts, st.booleans())
def test_both_readers_agree(data: bytes, where: list[int], deflate: bool) -> None:
    """On right frames and on wrong ones, whatever pieces each of them gets."""
    makers: list[Callable[..., Frames]] = [FrameReader, LibraryFrames]
    ours, theirs = (make(LIMIT, Deflate() if deflate else None) for make in makers)
    got, error = outcome(ours, pieces(data, where))
    expected, oracle = outcome(theirs, [data])
    assert got == expected
    # Ours tells a bad header at once, where websocket-client looks at the whole frame first.
    assert error == oracle or (oracle is None and error == "BrokenFrameError")
    if oracle is None and error is not None:
        padded, told = outcome(
            LibraryFrames(LIMIT, Deflate() if deflate else None), [data + b"\0" * 70_000]
        )
        assert (padded[: len(got)], told) == (got, error)


@pytest.mark.contract("C173", "C176")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.text("ab", max_size=400), st.booleans())),
    cuts,
)
def test_deflated_messages_are_the_same_from_both(
    messages: list[tuple[int, str, bool]], where: list[int]
) -> None:
    """Those over the limit too, and plain ones between them."""
    deflater = zlib.compressobj(wbits=-15)
    data = b"".join(
        frame(opcode, deflated(deflater, text.encode()), rsv=4)
        if deflate
        else frame(opcode, text.encode())
        for opcode, text, deflate in messages
    )
    ours, theirs = FrameReader(LIMIT, Deflate()), LibraryFrames(LIMIT, Deflate())
    assert outcome(ours, pieces(data, where)) == outcome(theirs, pieces(data, where[::2]))


def read_by_websockets(data: bytes) -> tuple[list[tuple[int, bytes]], int | None]:
    """What its sans-I/O protocol makes of the bytes, and the code that it closes with."""
    client = Protocol(Side.CLIENT, state=State.OPEN, max_size=LIMIT)
    client.receive_data(data)
    got: list[tuple[int, bytes]] = []
    kind, before = 0, b""
    for event in client.events_received():
        assert isinstance(event, Frame)
        opcode, part = int(event.opcode), bytes(event.data)
        if opcode >= 8:
            got.append((opcode, part))
            continue
        if opcode:
            kind, before = opcode, b""
        before += part
        if event.fin:
            got.append((kind, before))
    failed = client.close_sent if client.parser_exc is not None else None
    return got, None if failed is None else failed.code


@settings(max_examples=300, deadline=None)
@given(streams, cuts)
def test_websockets_agrees(data: bytes, where: list[int]) -> None:
    """Messages and control frames are the same, and what ends the reading is."""
    got, error = outcome(FrameReader(LIMIT), pieces(data, where))
    expected, code = read_by_websockets(data)
    codes = {None: None, "BrokenFrameError": 1002, "TooBigError": 1009}
    # A reason that is not UTF-8 is of no use, but no reason to close otherwise.
    if code != 1007:
        assert got == expected
        if code is None and error is not None:
            # Ours tells a bad header at once, where others wait for the whole frame.
            code = read_by_websockets(data + bytes(70_000))[1]
        # One header may be wrong in two ways.
        assert codes[error] == code or (None not in (error, code) and {code} <= {1002, 1009})


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2, 8, 9, 10]), st.binary(max_size=125), st.booleans())
def test_frames_of_both_writers_are_read_alike(opcode: int, data: bytes, rsv: bool) -> None:
    """They differ in the key alone."""
    ours = frame_of(data, opcode, deflated=rsv)
    if opcode == 8:
        # websocket-client looks at what a close frame says before it sends it.
        data = b"\x03\xe8" + data[:100]
        ours = frame_of(data, opcode, deflated=rsv)
    theirs = library_frame_of(data, opcode, deflated=rsv)
    assert unmasked(ours) == unmasked(theirs)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 32767, 32768, 100_003])
def test_frames_of_every_length(size: int) -> None:
    """Short and long heads, and both ways to mask."""
    data = bytes(range(256)) * (size // 256 + 1)
    assert unmasked(frame_of(data[:size], 2)) == unmasked(library_frame_of(data[:size], 2))
    assert frame_of(b"x" * 64, 2) != frame_of(b"x" * 64, 2)


def unmasked(framed: bytes) -> tuple[bytes, bytes]:
    """Head and data of a masked frame."""
    length = framed[1] & 127
    start = {126: 4, 127: 10}.get(length, 2)
    key, masked = framed[start : start + 4], framed[start + 4 :]
    keys = (key * (len(masked) // 4 + 1))[: len(masked)]
    number = int.from_bytes(masked, "big") ^ int.from_bytes(keys, "big")
    return framed[:start], number.to_bytes(len(masked), "big")


def test_a_long_message_in_many_pieces_takes_linear_time() -> None:
    """Its pieces are joined once, whether it is one frame or many."""
    data = frame_head(2, 1 << 22) + bytes(1 << 22)
    frames = FrameReader(1 << 22)
    joined = sum(
        len(run)
        for part in pieces(data, [*range(0, len(data), 1024)])
        for run in [*frames.feed(part)]
    )
    assert joined == 2
    assert frames._held == 0
    assert isinstance(outcome_error(FrameReader(10), frame(1, b"x" * 11)), TooBigError)


def frame_head(opcode: int, length: int) -> bytes:
    """The head of a frame of eight bytes of length."""
    return struct.pack("!BBQ", 0x80 | opcode, 127, length)


def outcome_error(frames: Frames, data: bytes) -> Any:
    """What ended the reading."""
    frames.feed(data)
    return frames.error

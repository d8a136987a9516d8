"""Frames of a WebSocket (RFC 6455, section 5), read out of large pieces and written, without I/O.

What comes is cut into messages by a few steps of Python for each, whatever pieces it came in;
fragments, deflated messages and control frames take the slower way. `library_frames` does the same
by websocket-client and is what this is compared with: the same bytes, cut anywhere, give the same
messages and the same errors from both.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from phoenix_actors.transport.deflate import Deflate

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "BrokenFrameError",
    "FrameReader",
    "Frames",
    "Run",
    "TooBigError",
    "frame_of",
    "put_to",
    "valid_close",
]

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_FIN: Final = 0x80
_RSV1: Final = 0x40
_WHOLE_TEXT: Final = _FIN | TEXT
_WHOLE: Final = (_FIN | TEXT, _FIN | BINARY)
_KNOWN: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
# A piece of fewer bytes is put to the one before it.
_SMALL: Final = 1024
# From here on masking byte by byte, in C, is faster than as one number.
_LONG: Final = 32_768
# The first two bytes of a short, masked frame, by its first and its length.
_HEADS: Final = {
    (first, length): bytes((first, 0x80 | length))
    for first in {_FIN | opcode | rsv for opcode in _KNOWN for rsv in (0, _RSV1)}
    for length in range(126)
}
_number: Final = int.from_bytes
_FOUR: Final = struct.Struct("4s")
_first: Final[Callable[[tuple[bytes]], bytes]] = itemgetter(0)
_XOR: Final = tuple(bytes(byte ^ key for byte in range(256)) for key in range(256))

# Keys that are drawn and not used yet; a forked process draws its own.
_KEYS: Final[deque[bytes]] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_KEYS.clear)

# Whole messages of one kind that came one behind the other, or one control frame.
Run: TypeAlias = tuple[int, list[bytes]]


class BrokenFrameError(Exception):
    """The peer broke the protocol; the text says how."""


class TooBigError(Exception):
    """A message is longer than this side takes in."""


class Frames(Protocol):
    """Cuts what comes into messages."""

    error: BrokenFrameError | TooBigError | None
    """What ended the reading, behind all that `feed` has returned."""

    def lone(self, data: bytes) -> bytes | None:
        """Return the one text that these bytes are, if that is told in few steps; else None.

        Then nothing is done, and they are to be given to `feed`.
        """
        ...

    def feed(self, data: bytes) -> list[Run]:
        """Return the messages and control frames that are complete with these bytes, in order.

        Behind a close frame or an error nothing more is read.
        """
        ...


class FrameReader:
    r"""Reads frames and puts messages together, in linear time and bounded (C176).

    Example:
        >>> frames = FrameReader(limit=100)
        >>> frames.feed(b"\x81\x03one\x81\x03t"), frames.feed(b"wo\x89\x00")
        ([(1, [b'one'])], [(1, [b'two']), (9, [b''])])
        >>> frames.feed(b"\x81\x7e\x00\x65"), frames.error
        ([], TooBigError())
    """

    def __init__(self, limit: int, deflate: Deflate | None = None) -> None:
        """Take in messages of up to `limit` bytes, inflated ones too."""
        self.error: BrokenFrameError | TooBigError | None = None
        self._limit = limit
        self._deflate = deflate
        self._ended = False
        # The longest text that may be taken without a look at what came before: -1 for none.
        self._short = min(125, limit)
        # What is there of a frame that is not complete, and how many bytes it needs to go on.
        self._rest: list[bytes | bytearray] = []
        self._held = 0
        self._needed = 0
        # The message under way: its kind, whether it is deflated, its fragments and their bytes.
        self._opcode: int | None = None
        self._deflated = False
        self._parts: list[bytes | bytearray] = []
        self._size = 0

    def lone(self, data: bytes) -> bytes | None:
        """Return the text that these bytes are, one that is short, neither more nor less, or None.

        That is what comes as good as always where little comes; None is for `feed`.
        """
        try:
            if data[0] == _WHOLE_TEXT and len(data) - 2 == data[1] <= self._short:
                return data[2:]
        except IndexError:
            pass  # a single byte
        return None

    def feed(self, data: bytes) -> list[Run]:
        """See `Frames.feed`."""
        lone = self.lone(data)
        if lone is not None:
            return [(TEXT, [lone])]
        if self._ended:
            return []
        if self._held:
            put_to(self._rest, data)
            self._held += len(data)
            if self._held < self._needed:
                return []
            data = b"".join(self._rest)
            self._rest, self._held = [], 0
        runs: list[Run] = []
        try:
            self._read(data, runs)
        except (BrokenFrameError, TooBigError) as error:
            self._ended = True
            self.error = error
        between = not (self._held or self._ended or self._opcode is not None)
        self._short = min(125, self._limit) if between else -1
        return runs

    def _read(self, data: bytes, runs: list[Run]) -> None:
        position, end, limit = 0, len(data), self._limit
        needed = 2
        kind, run = -1, None
        fragmented = self._opcode is not None
        while end - position >= 2:
            first, length = data[position], data[position + 1]
            start = position + 2
            if first == kind and length < 126:
                # As good as always in a stream of short messages: one more of the same kind.
                stop = start + length
                if stop <= end and length <= limit and run is not None:
                    run.append(data[start:stop])
                    position = stop
                    continue
            if length >= 126:
                if length > 127:
                    raise BrokenFrameError("a masked frame")
                start += 2 if length == 126 else 8
                if start > end:
                    needed = start - position
                    break
                length = int.from_bytes(data[position + 2 : start], "big")
            stop = start + length
            whole = first in _WHOLE and not fragmented
            if not whole:
                self._check(first, length)
            elif length > limit:
                raise TooBigError
            if stop > end:
                needed = stop - position
                break
            position = stop
            if not whole:
                kind, run = -1, None
                if self._take(first, data[start:stop], runs):
                    return
                fragmented = self._opcode is not None
            elif first == kind and run is not None:
                run.append(data[start:stop])
            else:
                kind, run = first, [data[start:stop]]
                runs.append((first & 15, run))
        if position < end:
            self._rest, self._held, self._needed = [data[position:]], end - position, needed

    def _check(self, first: int, length: int) -> None:
        """Refuse a frame by its header, before any of its data is there."""
        opcode = first & 15
        if opcode < CLOSE:
            if self._size + length > self._limit:
                raise TooBigError
        elif length > 125 or not first & _FIN:
            raise BrokenFrameError("a long or fragmented control frame")
        reserved = first & 0x70
        if reserved == _RSV1 and self._deflate is not None and opcode in (TEXT, BINARY):
            reserved = 0
        if reserved:
            raise BrokenFrameError("a reserved bit is set")
        if opcode not in _KNOWN:
            raise BrokenFrameError(f"the reserved opcode {opcode}")
        if opcode < CLOSE and (opcode == CONTINUATION) != (self._opcode is not None):
            raise BrokenFrameError("a fragment out of order")

    def _take(self, first: int, data: bytes, runs: list[Run]) -> bool:
        """Take in a frame that is no whole, plain message; tell whether it is the last one."""
        opcode = first & 15
        if opcode >= CLOSE:
            if opcode == CLOSE and not valid_close(data):
                raise BrokenFrameError("a close frame with a code that may not be sent")
            runs.append((opcode, [data]))
            self._ended = opcode == CLOSE
            return self._ended
        if self._opcode is None:
            self._opcode = opcode
            self._deflated = bool(first & _RSV1)
        if data:
            put_to(self._parts, data)
            self._size += len(data)
        if first & _FIN:
            kind, message, deflated = self._opcode, b"".join(self._parts), self._deflated
            self._opcode, self._parts, self._size, self._deflated = None, [], 0, False
            if deflated and self._deflate is not None:
                message = inflated(self._deflate, message, self._limit)
            # Behind the last run of its kind, so that deflated messages come together, too.
            if runs and runs[-1][0] == kind:
                runs[-1][1].append(message)
            else:
                runs.append((kind, [message]))
        return False


def put_to(parts: list[bytes | bytearray], data: bytes) -> None:
    """Append a piece; small ones are put together, for an object takes more than they do.

    Example:
        >>> parts = [b"x" * 2000]
        >>> for number in range(3):
        ...     put_to(parts, b"ab")
        >>> parts[1:]
        [bytearray(b'ababab')]
    """
    if not parts or len(data) >= _SMALL:
        parts.append(data)
        return
    if type(parts[-1]) is not bytearray:
        parts.append(bytearray())
    parts[-1] += data


def inflated(deflate: Deflate, data: bytes, limit: int) -> bytes:
    """Return a message inflated.

    Raises:
        BrokenFrameError: it is not deflated.
        TooBigError: it has more than `limit` bytes.
    """
    try:
        message = deflate.inflate(data, limit)
    except ValueError as error:
        raise BrokenFrameError("a message that does not inflate") from error
    if message is None:
        raise TooBigError
    return message


def valid_close(data: bytes) -> bool:
    r"""Tell whether a close frame may hold these data: nothing, or a code and a reason.

    Example:
        >>> valid_close(b""), valid_close(b"\x03\xe8bye"), valid_close(b"\x03\xed")
        (True, True, False)
    """
    return not data or (len(data) > 1 and int.from_bytes(data[:2], "big") in _CLOSE_CODES)


def frame_of(data: bytes, opcode: int, *, deflated: bool = False) -> bytes:
    """Return a whole message, or a control frame, as one masked frame.

    Each has a key of its own, drawn from the operating system (RFC 6455, section 5.3).

    Example:
        >>> frame = frame_of(b"hi", TEXT)
        >>> frame[:2].hex(" "), len(frame), bytes(a ^ b for a, b in zip(frame[6:], frame[2:4]))
        ('81 82', 8, b'hi')
    """
    length = len(data)
    first = _FIN | opcode
    if deflated:
        first |= _RSV1
    try:
        key = _KEYS.popleft()
    except IndexError:
        key = _drawn()
    if length < 126:
        # As _masked, without its call.
        masked = (_number(data) ^ _number((key * 32)[:length])).to_bytes(length)
        return b"".join((_HEADS[first, length], key, masked))
    if length < 65536:
        head = bytes((first, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + length.to_bytes(8, "big")
    return b"".join((head, key, _masked(data, key, length)))


def _drawn() -> bytes:
    """Return a key that nobody had before; 256 are drawn at a time.

    A thread that draws lets another one run Python, and may wait some for its turn again.
    """
    first, *others = map(_first, _FOUR.iter_unpack(os.urandom(1024)))
    _KEYS.extend(others)
    return first


def _masked(data: bytes, key: bytes, length: int) -> bytes | bytearray:
    if length < _LONG:
        number = int.from_bytes(data, "little")
        keys = int.from_bytes((key * (length // 4 + 1))[:length], "little")
        return (number ^ keys).to_bytes(length, "little")
    masked = bytearray(length)
    for place, byte in enumerate(key):
        masked[place::4] = data[place::4].translate(_XOR[byte])
    return masked

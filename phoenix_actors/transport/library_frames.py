"""The same as `frames`, by websocket-client: what that reads and writes is right by definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import websocket

from phoenix_actors.transport.frames import (
    CLOSE,
    CONTINUATION,
    BrokenFrameError,
    Run,
    TooBigError,
    inflated,
    put_to,
)

if TYPE_CHECKING:
    from phoenix_actors.transport.deflate import Deflate

__all__ = ["LibraryFrames", "library_frame_of"]

_DATA: Final = (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY)


class _NeedMoreError(Exception):
    """The bytes end within a frame; websocket-client goes on there when it is asked again."""


class LibraryFrames(websocket.frame_buffer):
    r"""Reads frames and puts messages together; see `frames.Frames`.

    Example:
        >>> frames = LibraryFrames(limit=100)
        >>> frames.feed(b"\x81\x03one\x81\x03t"), frames.feed(b"wo")
        ([(1, [b'one'])], [(1, [b'two'])])
    """

    def __init__(self, limit: int, deflate: Deflate | None = None) -> None:
        """Take in messages of up to `limit` bytes, inflated ones too."""
        super().__init__(self._some, skip_utf8_validation=True)
        self.error: BrokenFrameError | TooBigError | None = None
        self._limit = limit
        self._deflate = deflate
        self._deflated = False
        self._ended = False
        self._data = b""
        self._position = 0
        self._opcode: int | None = None  # of the message under way
        self._parts: list[bytes | bytearray] = []
        self._size = 0

    def lone(self, data: bytes) -> bytes | None:
        """Leave all to `feed`."""
        return None

    def feed(self, data: bytes) -> list[Run]:
        """See `Frames.feed`; each run has one message."""
        runs: list[Run] = []
        self._data, self._position = data, 0
        try:
            while not self._ended:
                self._take(self.recv_frame(), runs)
        except _NeedMoreError:
            pass
        except websocket.WebSocketProtocolException as error:
            self._ended = True
            self.error = BrokenFrameError(str(error))
        except TooBigError as error:
            self._ended = True
            self.error = error
        return runs

    def _some(self, size: int) -> bytes:
        start = self._position
        if start == len(self._data):
            raise _NeedMoreError
        self._position = min(start + size, len(self._data))
        return self._data[start : self._position]

    def recv_header(self) -> None:
        """Note whether a message is deflated; without that agreement the bit is a violation."""
        super().recv_header()
        if self._deflate is None or self.header is None:
            return
        fin, rsv1, rsv2, rsv3, opcode, *rest = self.header
        if rsv1 and opcode in _DATA:
            self._deflated = True
            self.header = (fin, 0, rsv2, rsv3, opcode, *rest)

    def recv_length(self) -> None:
        """Refuse a frame by its header, before any of its data is read."""
        super().recv_length()
        fin, _, _, _, opcode, masked, _ = self.header or (0, 0, 0, 0, 0, 0, 0)
        length = self.length or 0
        if masked:
            raise websocket.WebSocketProtocolException("a masked frame")
        if opcode < CLOSE:
            if self._size + length > self._limit:
                raise TooBigError
        elif length > 125 or not fin:
            raise websocket.WebSocketProtocolException("a long or fragmented control frame")

    def _take(self, frame: websocket.ABNF, runs: list[Run]) -> None:
        opcode = frame.opcode
        data = frame.data if isinstance(frame.data, bytes) else frame.data.encode()
        if opcode >= CLOSE:
            self._ended = opcode == CLOSE
            runs.append((opcode, [data]))
            return
        if (opcode == CONTINUATION) != (self._opcode is not None):
            raise websocket.WebSocketProtocolException("a fragment out of order")
        if self._opcode is None:
            self._opcode = opcode
        if data:
            put_to(self._parts, data)
            self._size += len(data)
        if frame.fin:
            runs.append(self._whole())

    def _whole(self) -> Run:
        """Return the complete message."""
        opcode, data, deflated = self._opcode or 0, b"".join(self._parts), self._deflated
        self._opcode, self._parts, self._size, self._deflated = None, [], 0, False
        if deflated and self._deflate is not None:
            try:
                data = inflated(self._deflate, data, self._limit)
            except BrokenFrameError as error:
                raise websocket.WebSocketProtocolException(str(error)) from error
        return opcode, [data]


def library_frame_of(data: bytes, opcode: int, *, deflated: bool = False) -> bytes:
    """Return one masked frame, as `frames.frame_of`."""
    frame = websocket.ABNF.create_frame(data, opcode)
    frame.rsv1 = int(deflated)
    formatted: bytes = frame.format()
    return formatted

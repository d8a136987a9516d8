"""Reading frames and putting messages together, on top of websocket-client's `frame_buffer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import websocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.transport.deflate import Deflate

__all__ = ["Frames", "TooBigError"]

_TEXT: Final = websocket.ABNF.OPCODE_TEXT
_BINARY: Final = websocket.ABNF.OPCODE_BINARY
_CONTINUATION: Final = websocket.ABNF.OPCODE_CONT
_CLOSE: Final = websocket.ABNF.OPCODE_CLOSE
# A fragment of fewer bytes is put to the one before it.
_SMALL: Final = 1024


class TooBigError(Exception):
    """A message is longer than this side takes in."""


class Frames(websocket.frame_buffer):
    """Reads frames and puts messages together, in linear time and bounded (C176)."""

    def __init__(
        self, receive: Callable[[int], bytes], limit: int, deflate: Deflate | None = None
    ) -> None:
        """Read by `receive`; take in messages of up to `limit` bytes, inflated ones too."""
        super().__init__(receive, skip_utf8_validation=True)
        self._limit = limit
        self._deflate = deflate
        self._deflated = False
        self._opcode: int | None = None  # of the message under way
        self._parts: list[bytes | bytearray] = []
        self._size = 0

    def recv_header(self) -> None:
        """Note whether a message is deflated; without that agreement the bit is a violation."""
        super().recv_header()
        if self._deflate is None or self.header is None:
            return
        fin, rsv1, rsv2, rsv3, opcode, *rest = self.header
        if rsv1 and opcode in (_TEXT, _BINARY):
            self._deflated = True
            self.header = (fin, 0, rsv2, rsv3, opcode, *rest)

    def recv_length(self) -> None:
        """Refuse a frame by its header, before any of its data is read."""
        super().recv_length()
        fin, _, _, _, opcode, masked, _ = self.header or (0, 0, 0, 0, 0, 0, 0)
        length = self.length or 0
        if masked:
            raise websocket.WebSocketProtocolException("a masked frame")
        if opcode < _CLOSE:
            if self._size + length > self._limit:
                raise TooBigError
        elif length > 125 or not fin:
            raise websocket.WebSocketProtocolException("a long or fragmented control frame")

    def receive(self) -> tuple[int, bool, bytes]:
        """Return opcode, whether it is the last of its message, and data of the next frame."""
        frame = self.recv_frame()
        data = frame.data
        return frame.opcode, bool(frame.fin), data if isinstance(data, bytes) else data.encode()

    def add(self, opcode: int, data: bytes, *, fin: bool) -> bool:
        """Take in a data frame; return whether its message is complete."""
        if (opcode == _CONTINUATION) != (self._opcode is not None):
            raise websocket.WebSocketProtocolException("a fragment out of order")
        if self._opcode is None:
            self._opcode = opcode
        if data:
            parts = self._parts
            if parts and len(data) < _SMALL:
                # An object for each would take many times what the peer sends.
                if type(parts[-1]) is not bytearray:
                    parts.append(bytearray())
                parts[-1] += data
            else:
                parts.append(data)
            self._size += len(data)
        return fin

    def take(self) -> tuple[int, bytes]:
        """Return opcode and data of the complete message."""
        opcode, data, deflated = self._opcode or _BINARY, b"".join(self._parts), self._deflated
        self._opcode = None
        self._parts = []
        self._size = 0
        self._deflated = False
        if deflated and self._deflate is not None:
            data = self._inflated(self._deflate, data)
        return opcode, data

    def _inflated(self, deflate: Deflate, data: bytes) -> bytes:
        try:
            inflated = deflate.inflate(data, self._limit)
        except ValueError as error:
            raise websocket.WebSocketProtocolException("a message that does not inflate") from error
        if inflated is None:
            raise TooBigError
        return inflated

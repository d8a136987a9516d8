"""WebSocket framing of one server connection, by the sans-I/O core of the `websockets` library.

Two things differ from that core. Control frames and violations are not answered while bytes are
read but come out as events in their order, for a Phoenix server handles one frame after the other.
And codes and limits are those of Bandit: every close frame that the server sends has an empty
reason, and answers a client's close with 1000, or with 1002 if its code or its reason is wrong.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from websockets.datastructures import Headers
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from phoenix_actors.testing.http_messages import HttpResponse
from phoenix_actors.testing.inflating import Deflating
from phoenix_actors.testing.override import override

if TYPE_CHECKING:
    from phoenix_actors.testing.http_messages import HttpRequest

__all__ = ["Binary", "Broken", "Closed", "Framing", "Inbound", "Ping", "Text", "upgrade"]

# The library logs frames and headers at the debug level; this logger never takes them.
_logger = logging.getLogger("phoenix_actors.testing.framing")
_logger.setLevel(logging.WARNING)

ABNORMAL = 1006
INVALID_UTF8 = 1007
TOO_BIG = 1009

# Bandit's max_fragmented_message_size.
MOST_IN_FRAGMENTS = 8_000_000
# What Bandit takes as the code of a close frame, beside 3000 and more.
CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1012)})
LEAST_OWN_CODE = 3000


class Text(msgspec.Struct, frozen=True):
    """A whole text message."""

    text: str


class Binary(msgspec.Struct, frozen=True):
    """A whole binary message."""

    data: bytes


class Ping(msgspec.Struct, frozen=True):
    """A ping, to be answered with a pong."""

    data: bytes


class Closed(msgspec.Struct, frozen=True):
    """The client's close frame."""


class Broken(msgspec.Struct, frozen=True):
    """The client broke the WebSocket protocol, or its end of the stream came (1006)."""

    code: int


Inbound: TypeAlias = Text | Binary | Ping | Closed | Broken


class Framing(ServerProtocol):
    """Bytes in, events out; messages in, bytes out. Only from the server's loop."""

    def __init__(self, *, compress: bool, max_frame_size: int) -> None:
        super().__init__(
            # The HTTP request is read elsewhere, since control routes share the port.
            state=OPEN,
            extensions=[Deflating(self.fail)] if compress else [],
            max_size=max_frame_size,
            logger=_logger,
        )
        self._client_closed = False
        self._broken: int | None = None
        self._opcode = Opcode.TEXT
        self._fragments: list[bytes] = []
        # Bytes of the message that is read.
        self._in_fragments = 0

    def feed(self, data: bytes) -> list[Inbound]:
        """Reads bytes from the client; b"" is the end of the stream."""
        if self._broken is None:
            if data:
                self.receive_data(data)
            else:
                self.receive_eof()
        inbound: list[Inbound] = []
        for event in self.events_received():
            if isinstance(event, Frame):
                inbound += self._read(event)
        if self._broken is not None:
            inbound.append(Broken(self._broken))
        return inbound

    def message(self, data: str | bytes) -> None:
        """Sends a text message, or a binary one for bytes."""
        if isinstance(data, str):
            self.send_text(data.encode())
        else:
            self.send_binary(data)

    def finish(self, code: int) -> None:
        """Sends a close frame (none for 1006) and the end of the stream; reads no more."""
        if not self.eof_sent:
            super().fail(code)

    def take(self) -> tuple[bytes, bool]:
        """Returns the bytes to write, and whether the stream ends after them."""
        chunks = self.data_to_send()
        return b"".join(bytes(chunk) for chunk in chunks), b"" in chunks

    @override
    def fail(self, code: int, reason: str = "") -> None:
        """Notes what the parser objects to; `finish()` answers it in its turn."""
        del reason
        if self._broken is None:
            self._broken = int(code)

    @override
    def recv_frame(self, frame: Frame) -> None:
        """Takes a frame from the parser."""
        if self._client_closed:
            return
        if frame.opcode is Opcode.CLOSE:
            _check_close(bytes(frame.data))
            self._client_closed = True
            self.events.append(frame)
        elif frame.opcode is Opcode.PING:
            self.events.append(frame)
        else:
            super().recv_frame(frame)
            self._count(frame)

    def _count(self, frame: Frame) -> None:
        before = self._in_fragments if frame.opcode is Opcode.CONT else 0
        self._in_fragments = before + len(frame.data)
        if before and self._in_fragments > MOST_IN_FRAGMENTS:
            self.fail(TOO_BIG)
            raise ProtocolError("too long in fragments")

    def _read(self, frame: Frame) -> list[Inbound]:
        match frame.opcode:
            case Opcode.PING:
                return [Ping(bytes(frame.data))]
            case Opcode.CLOSE:
                return [Closed()]
            case Opcode.TEXT | Opcode.BINARY:
                self._opcode = frame.opcode
                self._fragments = [bytes(frame.data)]
            case Opcode.CONT:
                self._fragments.append(bytes(frame.data))
            case _:
                return []
        return [self._whole()] if frame.fin else []

    def _whole(self) -> Inbound:
        data = b"".join(self._fragments)
        self._fragments = []
        if self._opcode is Opcode.BINARY:
            return Binary(data)
        try:
            return Text(data.decode())
        except UnicodeDecodeError:
            return Broken(INVALID_UTF8)


def _check_close(data: bytes) -> None:
    """Raises ProtocolError for the data of a close frame that Bandit answers with 1002."""
    code = int.from_bytes(data[:2], "big")
    try:
        data[2:].decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a reason that is not UTF-8") from error
    if len(data) == 1 or (data and code not in CLOSE_CODES and code < LEAST_OWN_CODE):
        raise ProtocolError("a wrong close code")


def upgrade(
    request: HttpRequest, *, compress: bool, max_frame_size: int
) -> tuple[Framing, HttpResponse]:
    """Answers an upgrade: with a 101, or with the error that its headers deserve."""
    framing = Framing(compress=compress, max_frame_size=max_frame_size)
    try:
        answer = framing.accept(Request(request.target, Headers(request.headers)))
    except ProtocolError as error:
        return framing, HttpResponse.text(400, str(error))
    if answer.status_code != 101:
        # Bandit has one status for every kind of wrong handshake.
        return framing, HttpResponse(400, bytes(answer.body or b""))
    headers = [
        # Bandit writes the extension without a space.
        (name.lower(), value.replace("; ", ";") if "extensions" in name.lower() else value)
        for name, value in answer.headers.raw_items()
        if name.lower() != "date"
    ]
    return framing, HttpResponse(101, b"", headers)

"""A WebSocket client of bare frames: it sends what no good client would, and hides nothing."""

from __future__ import annotations

import secrets
import socket
import struct
import time
import zlib
from typing import NamedTuple
from urllib.parse import urlsplit

# Seconds for anything that has to come.
DEADLINE = 10.0

OPCODES = {"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
NAMES = {code: name for name, code in OPCODES.items()}

HANDSHAKE = (
    "Host: 127.0.0.1:4000",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    "Sec-WebSocket-Version: 13",
)


class Received(NamedTuple):
    """A frame from the server; the data of a compressed one is inflated."""

    kind: str
    data: bytes
    compressed: bool


class HttpAnswer(NamedTuple):
    """An HTTP response, headers in the order they came."""

    status_line: str
    headers: list[tuple[str, str]]
    body: bytes


class RawClient:
    """One TCP connection to the server at `url`, up to its upgrade and beyond."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), DEADLINE)
        self._buffer = b""
        self._inflate = zlib.decompressobj(wbits=-15)
        self.ended = False

    @classmethod
    def connected(cls, url: str, target: str) -> RawClient:
        """Returns a client whose upgrade was accepted."""
        client = cls(url)
        try:
            client.request([f"GET {target} HTTP/1.1", *HANDSHAKE])
            answer = client.response()
            assert answer.status_line.startswith("HTTP/1.1 101"), answer.status_line
        except BaseException:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    # -- HTTP

    def request(self, lines: list[str]) -> None:
        """Sends the head of a request."""
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def response(self) -> HttpAnswer:
        """Reads a response, and its body where it has one."""
        end = time.monotonic() + DEADLINE
        while b"\r\n\r\n" not in self._buffer:
            assert self._more(end), "the connection ended within a response"
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        length = int(dict(headers).get("content-length", 0))
        while len(self._buffer) < length:
            assert self._more(end), "the connection ended within a body"
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return HttpAnswer(status_line, headers, body)

    # -- frames

    def send(self, kind: str, data: bytes, *, fin: bool = True, rsv1: bool = False) -> None:
        """Sends one masked frame."""
        self._socket.sendall(encode(kind, data, fin=fin, rsv1=rsv1))

    def send_together(self, *frames: bytes) -> None:
        """Sends encoded frames in one piece."""
        self._socket.sendall(b"".join(frames))

    def receive(self, timeout: float = DEADLINE) -> Received | None:
        """Returns the next frame; None when the stream ended (`ended`) or nothing came in time."""
        end = time.monotonic() + timeout
        while (frame := self._parse()) is None:
            if not self._more(end):
                return None
        return frame

    def _parse(self) -> Received | None:
        if len(self._buffer) < 2:
            return None
        first, size = self._buffer[0], self._buffer[1]
        assert size < 128, "a server must not mask"
        assert first & 0x80, "the server never fragments"
        start = 2
        if size >= 126:
            start, form = (4, "!H") if size == 126 else (10, "!Q")
            if len(self._buffer) < start:
                return None
            (size,) = struct.unpack(form, self._buffer[2:start])
        if len(self._buffer) < start + size:
            return None
        data, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
        compressed = bool(first & 0x40)
        if compressed:
            data = self._inflate.decompress(data + b"\x00\x00\xff\xff")
        return Received(NAMES[first & 0x0F], data, compressed)

    def _more(self, end: float) -> bool:
        left = end - time.monotonic()
        if self.ended or left <= 0:
            return False
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(DEADLINE)
        self.ended = not data
        self._buffer += data
        return not self.ended


def encode(kind: str, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Returns one masked frame."""
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | OPCODES[kind]
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    # A mask of zeros leaves large data as it is.
    mask = bytes(4) if size > 4096 else secrets.token_bytes(4)
    if any(mask):
        data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    return head + mask + data

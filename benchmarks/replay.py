"""A server that writes ready-made frames of vsn 2.0.0, so that the client is what is measured.

It speaks just enough: it accepts every join, answers heartbeats and pushes with one prepared form
of reply, and to the push `flood` sends as many frames as that asks for, out of bytes that were made
before the clock starts. One process, one thread per connection, plain blocking sockets.

    python benchmarks/replay.py        prints the port, serves until its standard input ends
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["message", "payload_of", "serving"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Bytes handed to the operating system in one go.
_CHUNK = 1 << 18


def payload_of(size: int) -> dict[str, Any]:
    """Return a payload of about so many bytes of JSON: prices, as a stream of them has."""
    if size < 60:
        return {"n": 1, "p": "x" * max(0, size - 15)}
    return {"prices": [{"symbol": "ABCD", "price": 12.34} for _ in range(size // 33)]}


def frame(data: bytes, opcode: int = 1, rsv: int = 0) -> bytes:
    """Return a frame as a server sends it."""
    first = 0x80 | rsv | opcode
    if len(data) < 126:
        return struct.pack("!BB", first, len(data)) + data
    if len(data) < 65536:
        return struct.pack("!BBH", first, 126, len(data)) + data
    return struct.pack("!BBQ", first, 127, len(data)) + data


def message(topic: str, size: int) -> bytes:
    """Return the text of one message of the stream."""
    return json.dumps([None, None, topic, "tick", payload_of(size)], separators=(",", ":")).encode()


class Peer:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._stream = sock.makefile("rb", 1 << 16)
        self._deflater: Any = None
        self._clear_after = False

    def serve(self) -> None:
        """Answer until the client goes."""
        try:
            self._upgrade()
            while True:
                self._answer(*self._read())
        except (OSError, EOFError):
            pass
        finally:
            self._stream.close()
            self._sock.close()

    def _upgrade(self) -> None:
        key, deflate = b"", False
        for line in iter(self._stream.readline, b"\r\n"):
            name, _, value = line.partition(b":")
            if not line:
                raise EOFError
            if name.lower() == b"sec-websocket-key":
                key = value.strip()
            deflate |= name.lower() == b"sec-websocket-extensions" and b"deflate" in value
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324  RFC 6455
        extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else b""
        if deflate:
            self._deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extension + b"\r\n"
        )

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if data is None or len(data) < size:
            raise EOFError
        return data

    def _read(self) -> tuple[int, bytes]:
        first, second = self._exactly(2)
        length = second & 127
        if length == 126:
            length = int.from_bytes(self._exactly(2), "big")
        elif length == 127:
            length = int.from_bytes(self._exactly(8), "big")
        mask = self._exactly(4)
        data = self._exactly(length)
        whole = int.from_bytes(data, "big") ^ int.from_bytes(
            (mask * (length // 4 + 1))[:length], "big"
        )
        data = whole.to_bytes(length, "big")
        if first & 0x40:
            data = zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff")
        return first & 15, data

    def _packed(self, data: bytes) -> bytes:
        """Return the frame of a text, deflated where that was agreed on."""
        if self._deflater is None:
            return frame(data)
        deflated = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        return frame(deflated[:-4], rsv=0x40)

    def _answer(self, opcode: int, data: bytes) -> None:
        if opcode == 8:
            self._sock.sendall(frame(data, 8))
            raise EOFError
        if opcode == 9:
            self._sock.sendall(frame(data, 10))
        if opcode != 1:
            return
        join_ref, ref, topic, event, payload = json.loads(data)
        if event == "flood":
            self._flood(payload)
        reply = f'["{join_ref}","{ref}","{topic}","phx_reply",{{"status":"ok","response":{{}}}}]'
        if join_ref is None:
            reply = reply.replace('"None"', "null", 1)
        self._sock.sendall(self._packed(reply.encode()))

    def _flood(self, wanted: dict[str, Any]) -> None:
        """Send `frames` messages of `size` bytes to `topics` topics in turn, `rate` in a second."""
        topics, size, count = wanted["topics"], wanted["size"], wanted["frames"]
        texts = [message(f"room:{number}", size) for number in range(topics)]
        if wanted.get("rate"):
            self._pace(texts[0], count, wanted["rate"])
            return
        # What is deflated refers to what was deflated before it, so this is the order of sending.
        go = self._packed(b'[null,null,"room:0","go",{}]')
        data = b"".join([self._packed(texts[number % topics]) for number in range(count)])
        time.sleep(0.05)
        self._sock.sendall(go)
        for start in range(0, len(data), _CHUNK):
            self._sock.sendall(data[start : start + _CHUNK])

    def _pace(self, text: bytes, count: int, rate: float) -> None:
        """Send messages that carry the moment they left, evenly; several at once above 1,000/s."""
        each = max(1, round(rate / 1000))
        pause = each / rate
        following = time.perf_counter()
        for _ in range(0, count, each):
            stamp = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            text = b'[null,null,"room:0","tick",{"at":%d}]' % stamp
            self._sock.sendall(b"".join([self._packed(text) for _ in range(each)]))
            following += pause
            time.sleep(max(0.0, following - time.perf_counter()))


def main() -> None:
    """Serve on a free port until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=Peer(sock).serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


@contextmanager
def serving(program: list[str] | None = None) -> Iterator[int]:
    """Run the server, or another one that prints its port, in a process; give its port."""
    command = program or [str(Path(__file__))]
    with subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


if __name__ == "__main__":
    main()

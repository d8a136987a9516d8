"""Servers on loopback for the WebSocket transport: real ones, and ones that play a script."""

from __future__ import annotations

import base64
import hashlib
import queue
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from phoenix_actors.options import TransportOptions
from phoenix_actors.transport.websocket import WebSocketHandle, WebSocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "PATIENCE",
    "QUICK",
    "Events",
    "agree",
    "connect",
    "echo",
    "raw_server",
    "read_frame",
    "read_request",
    "serving",
    "wait_for_end",
]

# Seconds that anything awaited may take, and that something which must be quick may take.
PATIENCE = 10.0
QUICK = 3.0


class Events:
    """What a transport tells, to be awaited in order."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.threads: set[str] = set()
        self.on_text: Callable[[str | bytes], None] = lambda _: None

    def _tell(self, *event: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self.told.put(event)

    def connected(self) -> None:
        self._tell("connected")

    def text(self, data: str | bytes) -> None:
        self._tell("text", data if isinstance(data, bytes) else data.encode())
        self.on_text(data)

    def binary(self, data: bytes) -> None:
        self._tell("binary", data)

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        self._tell("closed", code, reason, clean)

    def next(self) -> tuple[Any, ...]:
        """Return the next event."""
        return self.told.get(timeout=PATIENCE)

    def end(self) -> tuple[Any, ...]:
        """Return the end, which must be the next event and the last one."""
        event = self.next()
        assert event[0] == "closed"
        for thread in threading.enumerate():
            if thread.name in self.threads:
                thread.join(PATIENCE)
        assert self.told.empty()
        return event


def connect(url: str, options: TransportOptions | None = None) -> tuple[WebSocketHandle, Events]:
    """Open a connection, and see it connected."""
    events = Events()
    handle = WebSocketTransport().open(url, options or TransportOptions(), events)
    assert events.next() == ("connected",)
    return handle, events


@contextmanager
def serving(
    handler: Callable[[ServerConnection], None], **options: Any
) -> Iterator[tuple[Server, str]]:
    """Serve WebSockets in a thread; yield the server and its URL."""
    server = serve(handler, "127.0.0.1", 0, max_size=None, **options)
    thread = threading.Thread(target=server.serve_forever, name="server")
    thread.start()
    try:
        scheme = "wss" if "ssl" in options else "ws"
        yield server, f"{scheme}://127.0.0.1:{server.socket.getsockname()[1]}/socket/websocket"
    finally:
        server.shutdown()
        thread.join(PATIENCE)


def echo(connection: ServerConnection) -> None:
    """Send back what comes."""
    for message in connection:
        connection.send(message)


@contextmanager
def raw_server(script: Callable[[socket.socket], object]) -> Iterator[str]:
    """Accept one connection and run a script on it; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def run() -> None:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(PATIENCE)
                script(peer)

        thread = threading.Thread(target=run, name="raw server")
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/socket/websocket?vsn=2.0.0"
        finally:
            thread.join(PATIENCE)


def read_request(peer: socket.socket) -> str:
    """Read the request of an upgrade."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += peer.recv(1)
    return request.decode("latin-1")


def agree(peer: socket.socket) -> str:
    """Do the server's part of the handshake; return the request."""
    request = read_request(peer)
    key = next(line for line in request.splitlines() if line.startswith("Sec-WebSocket-Key"))
    accept = base64.b64encode(
        hashlib.sha1(  # noqa: S324
            (key.split()[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
        ).digest()
    ).decode()
    peer.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    return request


def read_frame(peer: socket.socket) -> tuple[int, bytes]:
    """Read a frame of the client; return opcode and data."""

    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += peer.recv(size - len(data)) or pytest.fail("the client closed")
        return data

    first, second = exactly(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", exactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", exactly(8))
    assert second & 0x80, "a client masks"
    mask = exactly(4)
    data = exactly(length)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def wait_for_end(peer: socket.socket) -> None:
    """Read until the client has closed."""
    try:
        while peer.recv(65536):
            pass
    except ConnectionResetError:
        pass

"""Tiny proxies on loopback: HTTP CONNECT, and SOCKS 5 with and without a password."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATIENCE", "TinyProxy", "connect_proxy", "socks_proxy"]

# Seconds that anything may take.
PATIENCE = 10.0


class TinyProxy:
    """Accepts connections, lets a script find out where they want to go, and pumps both ways."""

    def __init__(
        self, script: Callable[[socket.socket, list[str]], tuple[str, int] | None]
    ) -> None:
        self.asked: list[str] = []
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for sock in self._sockets:
            sock.close()

    def _spawn(self, target: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=target, args=args, name="proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._sockets.append(peer)
                self._spawn(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        peer.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            address = self._script(peer, self.asked)
            if address is None:
                peer.shutdown(socket.SHUT_RDWR)
                return
            server = socket.create_connection(address, PATIENCE)
            self._sockets.append(server)
            self._spawn(_pump, server, peer)
            _pump(peer, server)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes until one of the two ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def connect_proxy(
    answer: str = "HTTP/1.1 200 Connection established\r\nVia: tiny\r\n\r\n",
) -> TinyProxy:
    """Return a proxy that answers a CONNECT with this, and goes on when it is a 2xx."""

    def script(peer: socket.socket, asked: list[str]) -> tuple[str, int] | None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += peer.recv(1) or b"\r\n\r\n"
        asked.append(request.decode("latin-1"))
        peer.sendall(answer.encode("latin-1"))
        if not answer.startswith("HTTP/1.1 2"):
            return None
        host, _, port = request.split()[1].decode().rpartition(":")
        return host.strip("[]"), int(port)

    return TinyProxy(script)


def socks_proxy(password: str | None = None) -> TinyProxy:
    """Return a SOCKS 5 proxy (RFC 1928), which asks for a password if there is one (RFC 1929)."""

    def exactly(peer: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = peer.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def script(peer: socket.socket, asked: list[str]) -> tuple[str, int] | None:
        _, count = exactly(peer, 2)
        methods = exactly(peer, count)
        method = 0 if password is None else 2
        peer.sendall(bytes([5, method if method in methods else 0xFF]))
        if password is not None:
            _, size = exactly(peer, 2)
            exactly(peer, size)
            given = exactly(peer, exactly(peer, 1)[0]).decode()
            peer.sendall(bytes([1, 0 if given == password else 1]))
            if given != password:
                return None
        _, _, _, kind = exactly(peer, 4)
        if kind == 3:
            host = exactly(peer, exactly(peer, 1)[0]).decode()
        else:
            host = socket.inet_ntoa(exactly(peer, 4))
        (port,) = struct.unpack("!H", exactly(peer, 2))
        asked.append(f"{kind} {host}:{port}")
        peer.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        return host, port

    return TinyProxy(script)

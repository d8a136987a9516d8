"""A middlebox in front of a server, of the kind that lets plain HTTP through and WebSockets not."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.integration.proxies import PATIENCE, TinyProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MiddleBox", "Mode", "middlebox"]

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"


class Mode(StrEnum):
    """What becomes of an upgrade."""

    PASS = "pass"  # noqa: S105  no password
    REFUSE = "refuse"
    SWALLOW = "swallow"


class MiddleBox:
    """What a middlebox does and saw.

    Attributes:
        url: where clients connect to.
        mode: what becomes of upgrades from now on.
        paths: the path of the first request of each connection.
    """

    def __init__(self, url: str, mode: Mode) -> None:
        parts = urlsplit(url)
        self._server = (str(parts.hostname), int(parts.port or 80))
        self._path = parts.path
        self.mode = mode
        self.paths: list[str] = []
        self.url = ""
        self._open: list[socket.socket] = []

    def listen_on(self, port: int) -> None:
        """Tells where it listens."""
        self.url = f"ws://127.0.0.1:{port}{self._path}"

    def upgrades(self) -> int:
        """How many upgrades were asked for."""
        return sum(path.endswith("/websocket") for path in self.paths)

    def route(self, peer: socket.socket, _: list[str]) -> tuple[str, int] | None:
        """Returns the server for a connection that is let through."""
        head = b""
        while b"\r\n\r\n" not in head:
            head = peer.recv(65536, socket.MSG_PEEK)
            if not head:
                return None
            time.sleep(0.001)
        self.paths.append(head.split(b" ")[1].partition(b"?")[0].decode())
        if b"upgrade: websocket" not in head.lower() or self.mode is Mode.PASS:
            self._open.append(peer)
            return self._server
        peer.recv(len(head))
        if self.mode is Mode.REFUSE:
            peer.sendall(REFUSAL)
        else:
            peer.settimeout(PATIENCE)
            peer.recv(1)
        return None

    def cut(self) -> None:
        """Drops every connection that is let through."""
        dropped, self._open = self._open, []
        for sock in dropped:
            # One may have ended by itself.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def middlebox(url: str, mode: Mode) -> Iterator[MiddleBox]:
    """Puts a middlebox in front of the server of a URL."""
    box = MiddleBox(url, mode)
    with TinyProxy(box.route) as proxy:
        box.listen_on(proxy.port)
        yield box

"""A server of long poll that plays a script: it answers each request with the bytes it is told."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Self

__all__ = ["PATIENCE", "SILENT_END", "TOKEN", "PollServer", "Request", "respond", "say"]

# Seconds that anything may take, and that a poll waits for something to say.
PATIENCE = 10.0
WINDOW = 0.2

# A header after whose answer the connection ends, though nothing says so.
SILENT_END = b"X-Then: end"

TOKEN = "token/of+one"  # noqa: S105  one of nobody


class Request(NamedTuple):
    """What came, on the connection of that number."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        """The lines of the body."""
        return self.body.split(b"\n")


def respond(status_line: str, body: bytes = b"", *headers: str) -> bytes:
    """Returns an HTTP response."""
    lines = [f"HTTP/1.1 {status_line}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def say(status: int, *messages: str, token: str | None = TOKEN) -> bytes:
    """Returns the answer of a server of long poll."""
    value = {"status": status, "token": token, "messages": messages}
    return respond("200 OK", json.dumps(value).encode(), "Content-Type: application/json")


class PollServer:
    """Listens on loopback, a thread for each connection, in a `with` block.

    `first` answers polls without a session. Those with one are answered with what is put into
    `polls`, or with 204; a None there ends the connection. `post` answers each POST.
    """

    def __init__(
        self,
        *,
        first: bytes | None = None,
        post: Callable[[Request], bytes | None] = lambda _: say(200),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.polls: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._first = say(410) if first is None else first
        self._post = post
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.connections = self.ended = 0
        scheme = "ws" if tls is None else "wss"
        self.port = self._listener.getsockname()[1]
        self.url = f"{scheme}://localhost:{self.port}/socket/websocket?a=1&vsn=2.0.0"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS layer off.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for sock in self._sockets:
            sock.close()

    def of(self, method: str) -> list[Request]:
        """Returns the requests of this method so far."""
        return [request for request in self.requests if request.method == method]

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="poll server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections += 1
                self._sockets.append(peer)
                self._spawn(self._serve, peer, self.connections)

    def _serve(self, peer: socket.socket, number: int) -> None:
        peer.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            if self._tls is not None:
                peer = self._tls.wrap_socket(peer, server_side=True)
                self._sockets.append(peer)
            while (request := _read(peer, number)) is not None:
                self.requests.append(request)
                answer = self._answer(request)
                if answer is None:
                    break
                peer.sendall(answer)
                if b"connection: close" in answer.lower() or SILENT_END in answer:
                    break
            socket.socket.shutdown(peer, socket.SHUT_RDWR)
        self.ended += 1

    def _answer(self, request: Request) -> bytes | None:
        if request.method == "POST":
            return self._post(request)
        if "x-phoenix-longpoll-token" not in request.headers:
            return self._first
        with contextlib.suppress(queue.Empty):
            return self.polls.get(timeout=WINDOW)
        return say(204)


def _read(peer: socket.socket, number: int) -> Request | None:
    """Reads one request; None at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = peer.recv(1)
        if not byte:
            return None
        head += byte
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = b""
    while len(body) < int(headers.get("content-length", 0)):
        body += peer.recv(65536)
    return Request(number, method, target, headers, body)

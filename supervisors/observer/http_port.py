"""A port that speaks a little HTTP: GET, one request a connection, 16 connections at most.

The server is the standard library's: a handful of answers needs no routing and no speed, and an
extra would have to be installed where the program runs.
"""

from __future__ import annotations

import atexit
import io
import ipaddress
import os
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from supervisors._locks import new_lock

__all__ = ["HttpHandler", "HttpPort", "is_loopback"]

_MOST_CONNECTIONS: Final = 16
# Seconds for a request to be read, all of it, and for its answer to be written.
_PATIENCE: Final = 5.0
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class HttpPort:
    """An open port and its threads. Safe from any thread; the process's end closes it."""

    def __init__(self, host: str, port: int, handler: Any, thread_name: str) -> None:
        """Listen and begin to answer; `handler` makes a HttpHandler for each connection."""
        self._closed = threading.Event()
        self._pid = os.getpid()
        self._server = _Server(host, port, handler)
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name=thread_name, daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def __repr__(self) -> str:
        """Tell where it is."""
        closed = ", closed" if self._closed.is_set() else ""
        return f"<{type(self).__name__} at {self.url}{closed}>"

    @property
    def url(self) -> str:
        """Its address, without a token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the port and all connections and end the threads. Closing twice is as once."""
        if self._closed.is_set():
            return
        self._closed.set()
        if os.getpid() != self._pid:
            self._server.socket.close()
            return
        atexit.unregister(self.close)
        self._server.shutdown()
        self._thread.join()
        self._server.cut()
        # Waits for the threads of the requests.
        self._server.server_close()
        self._after_close()

    def _after_close(self) -> None:
        """Close what the answers came from."""


class _Server(ThreadingHTTPServer):
    """A bounded number of threads, one a connection, that end when it is closed."""

    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    # With the usual 5, one who comes in a crowd may have to knock again a second later.
    request_queue_size = 128

    def __init__(self, host: str, port: int, handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._lock = new_lock()
        # In the order in which they came; whether the request is still being read.
        self._open: dict[Any, bool] = {}
        super().__init__((host, port), handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no more connections than there may be.

        The first of those that have not said what they want gives way: whoever opens connections
        and is silent must not keep out the probes, on whose answers the program's life depends.
        """
        with self._lock:
            if len(self._open) >= _MOST_CONNECTIONS:
                silent = next((one for one, reading in self._open.items() if reading), None)
                if silent is None:
                    return False
                del self._open[silent]
                _cut(silent)
            self._open[request] = True
            return True

    def asked(self, request: Any) -> None:
        """Note that a request was read."""
        with self._lock:
            if request in self._open:
                self._open[request] = False

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that is over."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def cut(self) -> None:
        """Wake the threads that wait for a request."""
        with self._lock:
            for request in self._open:
                _cut(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a visitor that goes away in the middle is none of the application's."""


def _cut(request: Any) -> None:
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Arriving(io.RawIOBase):
    """What a connection says within its time, in all: a byte now and then does not prolong it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until = time.monotonic() + _PATIENCE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not come in time")
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(_PATIENCE)


class HttpHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    # Where the request goes to.
    where: SplitResult

    # One request a connection: nothing waits when the server is closed.
    protocol_version = "HTTP/1.0"
    timeout = _PATIENCE
    server_version = "observer"
    sys_version = ""

    def setup(self) -> None:
        """Read with a deadline."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Arriving(self.connection))

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked(self.connection)
        try:
            self.where = urlsplit(self.path)
        except ValueError:
            self.send(HTTPStatus.BAD_REQUEST, "text/plain", b"no address")
            return
        self.answer()

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def answer(self) -> None:
        """Look at `self.where`, and `send()` once."""
        raise NotImplementedError

    def asked_by_name_of(self, host: str) -> bool:
        """Tell whether the request names this server, where names are the only guard."""
        if not is_loopback(host):
            return True
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name)

    def send(self, status: HTTPStatus, kind: str, data: bytes, policy: str | None = None) -> None:
        """Write the answer; without its body where only the head was asked for."""
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", policy or "default-src 'none'")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard error is the application's."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""`serve_http()`: what `top` shows, as a page.

The server is the standard library's: one page, two kinds of answers and at most 16 visitors need no
routing and no speed, and an extra would have to be installed where the program runs.
"""

from __future__ import annotations

import atexit
import hmac
import ipaddress
import os
import secrets
import socket
import threading
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

from supervisors.observer.facts import ActorRequest, LookRequest, Refusal, Request
from supervisors.observer.service import Service

__all__ = ["WebObserver", "serve_http"]

_MOST_CONNECTIONS: Final = 16
# Seconds for a request to be read and its answer to be written.
_PATIENCE: Final = 5.0
_SHORTEST_TOKEN: Final = 16
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_encode = msgspec.json.Encoder().encode


def serve_http(
    port: int,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    show_state: bool = False,
    count_messages: bool = False,
) -> WebObserver:
    """Let this process be looked at with a browser, until `close()` or its end.

    The page shows what `serve()` shows and takes no orders. It loads nothing from elsewhere, and
    asks for news each second. It speaks HTTP without TLS: put a proxy before it in open networks.

    Args:
        port: 0 takes a free one; see `.url`.
        host: the address to listen on.
        token: without it nothing is shown. Required unless the host is a loopback address, where
            every user of the machine could look. The page takes it after a #, so that it is in no
            log: `http://host:port/#token`.
        show_state: as for `serve()`.
        count_messages: as for `serve()`.

    Raises:
        ValueError: a host that is no loopback address needs a token; or it has less than 16
            characters.
        OSError: the address cannot be listened on.

    Example:
        >>> import urllib.request
        >>> with serve_http(0) as page, urllib.request.urlopen(page.url) as answer:
        ...     answer.status
        200
    """
    if token is None and not _is_loopback(host):
        msg = f"{host} can be reached by others: give serve_http() a token=, or a loopback host"
        raise ValueError(msg)
    if token is not None and len(token) < _SHORTEST_TOKEN:
        msg = "the token is short enough to be guessed: take secrets.token_urlsafe()"
        raise ValueError(msg)
    service = Service(show_state=show_state, control=False, count_messages=count_messages)
    try:
        return WebObserver(host, port, token, service)
    except BaseException:
        service.close()
        raise


class WebObserver:
    """The open port, made by `serve_http()`. Safe from any thread; the process's end closes it."""

    def __init__(self, host: str, port: int, token: str | None, service: Service) -> None:
        """Listen and begin to answer."""
        self._service = service
        self._closed = threading.Event()
        self._pid = os.getpid()
        self._server = _Server(host, port, partial(_Handler, service, host, token))
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="observer-http", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def __repr__(self) -> str:
        """Tell where it is, without the token."""
        return f"<WebObserver at {self.url}{', closed' if self._closed.is_set() else ''}>"

    @property
    def url(self) -> str:
        """The page's address, without the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        self._service.close()


class _Server(ThreadingHTTPServer):
    """A bounded number of threads, one a connection, that end when it is closed."""

    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._lock = threading.Lock()
        self._open: set[Any] = set()
        super().__init__((host, port), handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no more connections than there may be."""
        with self._lock:
            if len(self._open) >= _MOST_CONNECTIONS:
                return False
            self._open.add(request)
            return True

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that is over."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """Wake the threads that wait for a request."""
        with self._lock:
            for request in self._open:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a visitor that goes away in the middle is none of the application's."""


class _Handler(BaseHTTPRequestHandler):
    """Answers GET of the page and of its data; all else is refused."""

    # One request a connection: nothing waits when the server is closed.
    protocol_version = "HTTP/1.0"
    timeout = _PATIENCE
    server_version = "observer"
    sys_version = ""

    def __init__(self, service: Service, host: str, token: str | None, *args: Any) -> None:
        self._service, self._host, self._token = service, host, token
        super().__init__(*args)

    def do_GET(self) -> None:
        """Serve the page, or what it asks for."""
        if not self._own_host():
            # A foreign page whose name was made to point here must not read the answers.
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this host name is not served here")
            return
        where = urlsplit(self.path)
        if where.path == "/":
            nonce = secrets.token_urlsafe(16)
            page = files("supervisors.observer").joinpath("page.html").read_text(encoding="utf-8")
            text = page.replace("{{nonce}}", nonce).encode()
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", text, _POLICY.format(nonce))
        elif where.path not in ("/look", "/actor"):
            self._refuse(HTTPStatus.NOT_FOUND, "there is / and /look and /actor")
        elif not self._allowed():
            self._refuse(HTTPStatus.UNAUTHORIZED, "a token is required: open http://…/#token")
        else:
            self._answer(where.path, where.query)

    def _answer(self, path: str, query: str) -> None:
        try:
            given = {name: values[0] for name, values in parse_qs(query, max_num_fields=8).items()}
            kind: Any = LookRequest if path == "/look" else ActorRequest
            request: Request = msgspec.convert(given, kind, strict=False)
        except ValueError as error:
            known = str(error) if isinstance(error, msgspec.MsgspecError) else "not a query"
            self._refuse(HTTPStatus.BAD_REQUEST, known)
            return
        answer = self._service.handle(request)
        refused = isinstance(answer, Refusal)
        status = HTTPStatus.NOT_FOUND if refused else HTTPStatus.OK
        self._send(status, "application/json", _encode(answer))

    def _own_host(self) -> bool:
        """Tell whether the request names this server, where names are the only guard."""
        if not _is_loopback(self._host):
            return True
        name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        return _is_loopback(name)

    def _allowed(self) -> bool:
        if self._token is None:
            return True
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        self._send(status, "application/json", _encode(Refusal(problem)))

    def _send(self, status: HTTPStatus, kind: str, data: bytes, policy: str | None = None) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", policy or "default-src 'none'")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard error is the application's."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

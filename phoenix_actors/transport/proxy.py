"""To a socket that is connected to the server, directly or through a proxy: HTTP CONNECT, SOCKS.

TLS and the upgrade come after it, end to end: the proxy sees host and port and nothing else, and
what is meant for it (its user and password) never reaches the server.
"""

from __future__ import annotations

import base64
import importlib
import re
import socket
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.errors import ConnectError
from phoenix_actors.transport import dial
from phoenix_actors.transport.stream import EndOfStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.options import Proxy, TCPOptions, TransportOptions
    from phoenix_actors.transport.handshake import Target

__all__ = ["connect_to"]

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})( .*)?")
_HEAD_LIMIT: Final = 16384


def connect_to(
    target: Target,
    options: TransportOptions,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
) -> socket.socket:
    """Return a socket on which the server of `target` listens; see `dial.connect`.

    Raises:
        ConnectError: when the proxy cannot be reached or says no.
        InvalidOption: when the environment names a proxy that cannot be used.
        TimeoutError: when the deadline has come.
        OSError: when the server cannot be reached.
    """
    proxy = None
    if options.proxy is not None:
        proxy = options.proxy.route(target.host, target.port, secure=target.secure)
    if proxy is None:
        return dial.connect(target.host, target.port, deadline, hold, options.tcp_opts)
    return _connect_through(proxy, target, deadline, hold, options.tcp_opts)


def _connect_through(
    proxy: Proxy,
    target: Target,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
    tcp: TCPOptions,
) -> socket.socket:
    """Return a socket behind the proxy."""
    try:
        sock = dial.connect(proxy.host, proxy.port, deadline, hold, tcp)
    except TimeoutError:
        raise
    except OSError as error:
        raise ConnectError(
            f"the proxy {proxy.shown} cannot be reached", url=target.shown
        ) from error
    try:
        sock.settimeout(dial.left(deadline))
        if proxy.scheme == "http":
            _ask_for_tunnel(sock, proxy, target, deadline)
        else:
            _ask_socks(sock, proxy, target, deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def _ask_for_tunnel(
    sock: socket.socket, proxy: Proxy, target: Target, deadline: float | None
) -> None:
    """Send a CONNECT (RFC 9110, section 9.3.6) and read the answer, of which only 2xx is a yes."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
    if proxy.username is not None or proxy.password is not None:
        pair = f"{proxy.username or ''}:{proxy.password or ''}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    head = bytearray()
    # One byte at a time: what follows the head is the server's.
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(dial.left(deadline))
        byte = sock.recv(1)
        if not byte or len(head) > _HEAD_LIMIT:
            raise ConnectError(f"the proxy {proxy.shown} did not answer", url=target.shown)
        head += byte
    match = _STATUS_LINE.fullmatch(bytes(head).partition(b"\r\n")[0])
    if match is None:
        raise ConnectError(f"the proxy {proxy.shown} does not speak HTTP", url=target.shown)
    if not 200 <= int(match[1]) < 300:
        problem = f"the proxy {proxy.shown} refused with HTTP status {int(match[1])}"
        raise ConnectError(problem, url=target.shown)


class _Dialled:
    """A connected socket in the place of a proxy before the proxy, with one deadline for it all."""

    def __init__(self, sock: socket.socket, deadline: float | None) -> None:
        self._sock = sock
        self._deadline = deadline

    def connect(self, **_: Any) -> _Dialled:
        """Return itself, for it is connected."""
        return self

    def recv(self, size: int) -> bytes:
        """Return what comes before the deadline."""
        self._sock.settimeout(dial.left(self._deadline))
        return self._sock.recv(size)

    def sendall(self, data: bytes) -> None:
        """Send before the deadline."""
        self._sock.settimeout(dial.left(self._deadline))
        self._sock.sendall(data)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def _ask_socks(sock: socket.socket, proxy: Proxy, target: Target, deadline: float | None) -> None:
    """Speak SOCKS, by python-socks, on a connected socket that abort() can shut down."""
    socks: Any = importlib.import_module("python_socks")
    sync: Any = importlib.import_module("python_socks.sync")
    kinds = {"socks4": socks.ProxyType.SOCKS4}
    dialogue = sync.Proxy(
        proxy_type=kinds.get(proxy.scheme, socks.ProxyType.SOCKS5),
        host=proxy.host,
        port=proxy.port,
        # An empty half stands for one that was not given; SOCKS has no user without a password.
        username=proxy.username or (None if proxy.password is None else ""),
        password=proxy.password or (None if proxy.username is None else ""),
        rdns=proxy.scheme == "socks5h",
        forward=_Dialled(sock, deadline),
    )
    try:
        dialogue.connect(target.host, target.port, timeout=dial.left(deadline))
    except socks.ProxyTimeoutError as error:
        raise TimeoutError from error
    except (socks.ProxyError, socks.ProxyConnectionError) as error:
        problem = f"the proxy {proxy.shown} refused"
        raise ConnectError(problem, url=target.shown) from error
    except (OSError, EndOfStream) as error:
        problem = f"the proxy {proxy.shown} ended the connection"
        raise ConnectError(problem, url=target.shown) from error

"""From a host and a port to a connected socket, TLS included, before one deadline.

Deadlines are moments on `time.monotonic`, or None. Python can bound each of these steps but the
look-up of a name, which therefore runs on a thread that is left behind when it takes too long.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.options import TCPOptions
from phoenix_actors.transport.stream import LONGEST_WAIT

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from phoenix_actors.options import SSLOptions

__all__ = ["connect", "left", "secure", "shut_down", "tls_context"]

Address = tuple[Any, ...]

_IPV4: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", re.ASCII)


def _known(*options: tuple[str, int, str]) -> tuple[tuple[str, int, int], ...]:
    """Return field, level and number of those options that this system has."""
    return tuple(
        (field, level, getattr(socket, name))
        for field, level, name in options
        if hasattr(socket, name)
    )


# The options of `TCPOptions` as sockets know them. The last three do not exist everywhere, and the
# first of them has another name on macOS.
_SWITCHES: Final = _known(
    ("nodelay", socket.IPPROTO_TCP, "TCP_NODELAY"),
    ("keepalive", socket.SOL_SOCKET, "SO_KEEPALIVE"),
)
_SIZES: Final = _known(
    ("send_buffer", socket.SOL_SOCKET, "SO_SNDBUF"),
    ("recv_buffer", socket.SOL_SOCKET, "SO_RCVBUF"),
)
_NUMBERS: Final = _SIZES + _known(
    ("keepalive_idle", socket.IPPROTO_TCP, "TCP_KEEPIDLE"),
    ("keepalive_idle", socket.IPPROTO_TCP, "TCP_KEEPALIVE"),
    ("keepalive_interval", socket.IPPROTO_TCP, "TCP_KEEPINTVL"),
    ("keepalive_count", socket.IPPROTO_TCP, "TCP_KEEPCNT"),
)


def left(deadline: float | None) -> float | None:
    """Return the seconds until a deadline, at most what a socket takes; None for none.

    Raises:
        TimeoutError: when it has come.
    """
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return min(seconds, LONGEST_WAIT)


def connect(
    host: str,
    port: int,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
    tcp: TCPOptions = TCPOptions(),  # noqa: B008  frozen
) -> socket.socket:
    """Return a socket connected to the first address of a host that takes one.

    Each address has an equal share of the time that is left, so that one that does not answer
    leaves some for the next.

    Args:
        host: a name or an address.
        port: the port.
        deadline: when to stop.
        hold: called with each socket before anything is waited for, so that another thread may shut
            it down; it raises when that thread has done so already.
        tcp: what the socket is told.

    Raises:
        TimeoutError: when the deadline has come.
        OSError: when the name is unknown or no address takes a connection; the last one's error.
    """
    addresses = _resolve(host, port, deadline)
    error: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        seconds = left(deadline)
        share = None if seconds is None else seconds / (len(addresses) - index)
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as unsupported:
            error = unsupported
            continue
        try:
            hold(sock)
            _set_options(sock, tcp)
            sock.settimeout(share)
            sock.connect(address)
            return sock
        except OSError as failed:
            sock.close()
            error = failed
        except BaseException:
            sock.close()
            raise
    left(deadline)
    raise error


def _resolve(host: str, port: int, deadline: float | None) -> list[Address]:
    """Return the addresses of a host, without a look-up if it is an address itself."""
    kind, numeric = socket.SOCK_STREAM, socket.AI_NUMERICHOST
    if _IPV4.fullmatch(host):
        # What getaddrinfo would say, which costs a switch of threads.
        with contextlib.suppress(OSError):
            socket.inet_pton(socket.AF_INET, host)
            return [(socket.AF_INET, kind, socket.IPPROTO_TCP, "", (host, port))]
    try:
        return [*socket.getaddrinfo(host, port, type=kind, flags=numeric)]
    except socket.gaierror:
        pass  # a name
    except UnicodeError:
        raise OSError("no name of a host") from None
    outcome: queue.SimpleQueue[list[Address] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            outcome.put([*socket.getaddrinfo(host, port, type=kind)])
        except OSError as error:
            outcome.put(error)

    threading.Thread(target=look_up, name=f"phoenix-resolver-{host}", daemon=True).start()
    try:
        found = outcome.get(timeout=left(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, OSError):
        raise found
    return found


def _set_options(sock: socket.socket, options: TCPOptions) -> None:
    """Set what this system knows of the options, before the connection: buffers count from it."""
    for level, option, value in _settings(options):
        try:  # noqa: SIM105  half as long as suppress()
            sock.setsockopt(level, option, value)
        except OSError:
            # An option that a kind of socket does not have is no reason not to connect.
            pass


@functools.lru_cache(maxsize=8)
def _settings(options: TCPOptions) -> tuple[tuple[int, int, int], ...]:
    """Return level, number and value of what a socket is told; programs have one set or two."""
    numbers = _NUMBERS if options.keepalive else _SIZES
    given = [(level, option, getattr(options, field)) for field, level, option in numbers]
    return (
        *((level, option, int(getattr(options, field))) for field, level, option in _SWITCHES),
        *(setting for setting in given if setting[2] is not False),
    )


def tls_context(options: SSLOptions | None) -> ssl.SSLContext:
    """Return the context that options mean; without any it trusts what the system trusts (C174).

    Raises:
        OSError: when a file cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    if options is not None and options.context is not None:
        return options.context
    import ssl

    context = ssl.create_default_context(cafile=None if options is None else options.ca_certs)
    context.set_alpn_protocols(["http/1.1"])
    if options is None:
        return context
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.certfile is not None:
        context.load_cert_chain(options.certfile, options.keyfile, options.password)
    return context


def secure(
    sock: socket.socket,
    context: ssl.SSLContext,
    server_hostname: str,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
) -> ssl.SSLSocket:
    """Return a TLS socket on top of a connected one, which belongs to it from then on.

    Raises:
        TimeoutError: when the deadline has come.
        ssl.SSLError: when TLS cannot be agreed on.
        OSError: when the connection breaks.
        ValueError: when the name cannot be one of a server.
    """
    try:
        wrapped = context.wrap_socket(
            sock, server_hostname=server_hostname, do_handshake_on_connect=False
        )
    except BaseException:
        sock.close()
        raise
    try:
        hold(wrapped)
        wrapped.settimeout(left(deadline))
        wrapped.do_handshake()
    except BaseException:
        wrapped.close()
        raise
    return wrapped


def shut_down(sock: socket.socket) -> None:
    """End both directions of a socket, so that whoever waits on it is woken."""
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown, which takes the TLS layer off.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)

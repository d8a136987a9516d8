"""From a target to a socket that speaks with its server, TLS included; and what to raise if not."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from phoenix_actors.errors import ConnectError, ConnectTimeout, TLSError
from phoenix_actors.transport import dial
from phoenix_actors.transport.proxy import connect_to
from phoenix_actors.transport.stream import EndOfStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.handshake import Target

__all__ = ["failed_opening", "open_socket"]


def open_socket(
    target: Target,
    options: TransportOptions,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
) -> socket.socket:
    """Return a socket on which the server of `target` is spoken with; see `dial.connect`.

    Raises:
        TLSError: when TLS cannot be agreed on.
        ConnectError: when a proxy says no.
        TimeoutError: when the deadline has come.
        OSError: for everything else.
    """
    sock = connect_to(target, options, deadline, hold)
    return _secure(sock, target, options, deadline, hold) if target.secure else sock


def _secure(
    sock: socket.socket,
    target: Target,
    options: TransportOptions,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
) -> socket.socket:
    """Return the socket with TLS on it."""
    chosen, shown, name = options.ssl_opts, target.shown, target.host
    if chosen is not None and chosen.server_hostname is not None:
        name = chosen.server_hostname
    try:
        context = dial.tls_context(chosen)
    except OSError as error:
        sock.close()
        raise TLSError("the files of ssl_opts cannot be used", url=shown) from error
    try:
        return dial.secure(sock, context, name, deadline, hold)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise  # the server went away, which says nothing about TLS
    except ssl.SSLCertVerificationError as error:
        problem = f"the server's certificate does not verify ({error.verify_message})"
        raise TLSError(problem, url=shown) from error
    except ssl.SSLError as error:
        raise TLSError(error.reason or "no agreement", url=shown) from error
    except ValueError as error:
        raise TLSError("the name of the server cannot be verified", url=shown) from error


def failed_opening(
    error: Exception, shown: str, timeout: float | None, *, aborted: bool
) -> ConnectError:
    """Return what `Transport.open` raises for an error that is none of this package."""
    if aborted:
        return ConnectError("the attempt was aborted", url=shown)
    if isinstance(error, TimeoutError) and timeout is not None:
        return ConnectTimeout(timeout, url=shown)
    if isinstance(error, EndOfStream):
        return ConnectError("the server ended the connection before it was open", url=shown)
    return ConnectError(url=shown)

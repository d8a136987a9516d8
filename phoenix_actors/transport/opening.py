"""From a target to a socket that speaks with its server, TLS included; and what to raise if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoenix_actors.errors import ConnectError, ConnectTimeout
from phoenix_actors.transport import dial
from phoenix_actors.transport.aborted import AttemptAborted
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
    # What only some connections need takes as long to import as all the rest.
    if options.proxy is None:
        sock = dial.connect(target.host, target.port, deadline, hold, options.tcp_opts)
    else:
        from phoenix_actors.transport.proxy import connect_to

        sock = connect_to(target, options, deadline, hold)
    if not target.secure:
        return sock
    from phoenix_actors.transport.secure import tls_on

    return tls_on(sock, target, options.ssl_opts, deadline, hold)


def failed_opening(
    error: Exception, shown: str, timeout: float | None, *, aborted: bool
) -> ConnectError:
    """Return what `Transport.open` raises for an error that is none of this package."""
    if aborted:
        return AttemptAborted("the attempt was aborted", url=shown)
    if isinstance(error, TimeoutError) and timeout is not None:
        return ConnectTimeout(timeout, url=shown)
    if isinstance(error, EndOfStream):
        return ConnectError("the server ended the connection before it was open", url=shown)
    return ConnectError(url=shown)

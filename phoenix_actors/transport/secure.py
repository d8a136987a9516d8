"""TLS on the socket of an attempt, and the errors of that."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from phoenix_actors.errors import TLSError
from phoenix_actors.transport import dial

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from phoenix_actors.options import SSLOptions
    from phoenix_actors.transport.handshake import Target

__all__ = ["tls_on"]


def tls_on(
    sock: socket.socket,
    target: Target,
    options: SSLOptions | None,
    deadline: float | None,
    hold: Callable[[socket.socket], None],
) -> socket.socket:
    """Return the socket with TLS on it; `hold` keeps it where an abort finds it.

    Raises:
        TLSError: when TLS could not be agreed on.
        OSError: when the server went away meanwhile, or the deadline has come.
    """
    shown = target.shown
    name = target.host
    if options is not None and options.server_hostname is not None:
        name = options.server_hostname
    try:
        context = dial.tls_context(options)
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

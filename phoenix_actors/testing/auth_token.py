"""The token among the subprotocols of an upgrade, as `Phoenix.Transports.WebSocket` reads it.

A socket with `auth_token: true` knows the subprotocol `phoenix`: it takes the token out of the
header and answers with that word. Any other socket of Phoenix leaves the header alone, and so its
answer has none.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from phoenix_actors.testing.http_messages import HttpRequest

__all__ = ["BadSubprotocols", "Subprotocols", "read_subprotocols"]

HEADER = "sec-websocket-protocol"
PREFIX = "base64url.bearer.phx."
KNOWN = "phoenix"


class BadSubprotocols(Exception):
    """The upgrade cannot be accepted; `status` is the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the subprotocols deserve the status {status}")
        self.status = status


class Subprotocols(msgspec.Struct, frozen=True):
    """The token of an upgrade, the subprotocol to answer with, and the request without either."""

    request: HttpRequest
    token: str | None = None
    chosen: str | None = None

    def __repr__(self) -> str:
        return f"<Subprotocols chosen={self.chosen!r}>"


def read_subprotocols(request: HttpRequest, *, auth_token: bool) -> Subprotocols:
    """Reads the subprotocols of an upgrade; `auth_token` is the option of the socket.

    Raises:
        BadSubprotocols: when the token is no unpadded base64 of UTF-8, or `phoenix` is not offered.
    """
    given = request.header(HEADER)
    headers = [(name, value) for name, value in request.headers if name != HEADER]
    stripped = msgspec.structs.replace(request, headers=headers)
    if given is None or not auth_token:
        return Subprotocols(stripped)
    words = [word.strip() for word in given.split(",") if word.strip()]
    tokens = [word for word in words if word.startswith(PREFIX)]
    token = _decode(tokens[0].removeprefix(PREFIX)) if len(tokens) == 1 else None
    others = [word for word in words if word not in tokens] if token is not None else words
    if others and KNOWN not in others:
        raise BadSubprotocols(403)
    return Subprotocols(stripped, token, KNOWN if others else None)


def _decode(encoded: str) -> str:
    # Elixir's Base.decode64!(encoded, padding: false): the standard alphabet, strictly.
    padding = "=" * (-len(encoded) % 4)
    try:
        return base64.b64decode(encoded + padding, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadSubprotocols(500) from error

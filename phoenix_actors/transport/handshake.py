"""The upgrade of an HTTP connection to a WebSocket (RFC 6455, section 4).

Written here and not taken from websocket-client, whose own follows redirects with every header,
keeps cookies for the whole process and loses the status of a refusal with a short body. One
request, one answer, nothing remembered; no Origin is sent (C14, C160, C178).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from phoenix_actors.errors import AuthTokenIgnored, ConnectError, HandshakeRefused, InvalidURL
from phoenix_actors.options import redact_url
from phoenix_actors.options.endpoint import plain_url, split_url
from phoenix_actors.transport.deflate import OFFER, agreed
from phoenix_actors.transport.stream import EndOfStream

if TYPE_CHECKING:
    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.deflate import Deflate
    from phoenix_actors.transport.stream import Stream

__all__ = ["Target", "retry_after", "target_of", "upgrade"]

# What Phoenix looks for among the subprotocols; standard base64 follows, whatever the name says.
_BEARER_PREFIX: Final = "base64url.bearer.phx."
_SUBPROTOCOL: Final = "phoenix"
_MAGIC: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS_LINE: Final = re.compile(r"HTTP/1\.[01] ([0-9]{3})( .*)?")
_PORTS: Final = {"ws": 80, "wss": 443}
_BLANK: Final = re.compile(r"[\x00-\x20]")
_HEAD_LIMIT: Final = 65536
_BODY_LIMIT: Final = 65536
_LENGTH_DIGITS: Final = 20
# Seconds for a body whose length the server does not say.
_BODY_PATIENCE: Final = 0.5


class Target(msgspec.Struct, frozen=True):
    """What a URL says to a WebSocket client."""

    shown: str
    secure: bool
    host: str
    port: int
    authority: str
    resource: str

    def __repr__(self) -> str:
        return f"Target({self.shown!r})"


def target_of(url: str) -> Target:
    """Return the parts of a ws or wss URL.

    Raises:
        InvalidURL: for anything else.

    Example:
        >>> target = target_of("wss://h/socket/websocket?token=secret&vsn=2.0.0")
        >>> target, target.port
        (Target('wss://h/socket/websocket'), 443)
    """
    shown = redact_url(url)
    plain = plain_url(url)
    if plain is not None and plain[1] in _PORTS:
        scheme, host, port, path, query = plain.groups()
        return Target(
            shown=shown,
            secure=scheme == "wss",
            host=host,
            port=int(port) if port else _PORTS[scheme],
            authority=f"{host}:{port}" if port else host,
            resource=(path or "/") + (f"?{query}" if query else ""),
        )
    found = split_url(url)
    if found is None:
        raise InvalidURL("cannot be read", url=shown)
    parts, port = found
    host = parts.hostname
    if parts.scheme not in ("ws", "wss") or not host:
        raise InvalidURL("is none of a WebSocket", url=shown)
    if not url.isascii() or _BLANK.search(url):
        raise InvalidURL("has a character that must be escaped", url=shown)
    secure = parts.scheme == "wss"
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        shown=shown,
        secure=secure,
        host=host,
        port=port or (443 if secure else 80),
        authority=parts.netloc.rpartition("@")[2],
        resource=resource,
    )


def upgrade(
    stream: Stream, target: Target, options: TransportOptions, deadline: float | None
) -> Deflate | None:
    """Ask for a WebSocket, and return when the server has agreed; frames follow on the stream.

    Returns how messages are deflated, if they are.

    Raises:
        AuthTokenIgnored: when the server opens the connection without regard to the token (C12).
        HandshakeRefused: when the status is not 101.
        ConnectError: when the answer is none of a WebSocket server.
        EndOfStream: when the stream ends meanwhile.
        TimeoutError: when the deadline has come.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    headers, token = options.headers, options.auth_token
    if token is not None:
        headers = (("Sec-WebSocket-Protocol", _subprotocols(token)), *headers)
    if options.compression:
        headers = (("Sec-WebSocket-Extensions", OFFER), *headers)
    stream.send_all(_request(target, headers, key), deadline)
    status, answered = _read_head(stream, target, deadline)
    if status != 101:
        body = _read_body(stream, answered, deadline)
        raise HandshakeRefused(
            status,
            answered,
            body,
            url=target.shown,
            retry_after=retry_after(answered.get("retry-after"), datetime.now(UTC)),
        )
    try:
        deflate = agreed(answered.get("sec-websocket-extensions"))
    except ValueError as error:
        raise ConnectError("the answer is none of a WebSocket server", url=target.shown) from error
    accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()  # noqa: S324
    chosen = answered.get("sec-websocket-protocol")
    expected = (
        answered.get("upgrade", "").lower() == "websocket",
        "upgrade" in [word.strip() for word in answered.get("connection", "").lower().split(",")],
        answered.get("sec-websocket-accept") == accept,
        deflate is None or options.compression,
        chosen is None or (token is not None and chosen == _SUBPROTOCOL),
    )
    if not all(expected):
        raise ConnectError("the answer is none of a WebSocket server", url=target.shown)
    if token is not None and chosen is None:
        raise AuthTokenIgnored(url=target.shown)
    return deflate


def _subprotocols(token: str) -> str:
    """Return what carries a token: never the URL, which servers and proxies log (C10).

    Example:
        >>> _subprotocols("1234")
        'phoenix, base64url.bearer.phx.MTIzNA'
    """
    encoded = base64.b64encode(token.encode()).decode().rstrip("=")
    return f"{_SUBPROTOCOL}, {_BEARER_PREFIX}{encoded}"


def _request(target: Target, headers: tuple[tuple[str, str], ...], key: str) -> bytes:
    """Return the request; a header Host of the user replaces ours."""
    lines = [f"GET {target.resource} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(f"Host: {target.authority}")
    lines += [
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1")


def _read_head(
    stream: Stream, target: Target, deadline: float | None
) -> tuple[int, dict[str, str]]:
    """Return status and headers of the answer, names in lower case."""
    head = stream.receive_until(b"\r\n\r\n", _HEAD_LIMIT, deadline)
    if head is None:
        raise ConnectError("the answer has more than 64 KiB of headers", url=target.shown)
    first, *lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise ConnectError("the answer is not HTTP", url=target.shown)
    answered: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key, text = name.strip().lower(), value.strip()
            answered[key] = f"{answered[key]}, {text}" if key in answered else text
    return int(match[1]), answered


def _read_body(stream: Stream, answered: dict[str, str], deadline: float | None) -> bytes:
    """Return the body of a refusal, or what comes of it; at most 64 KiB."""
    length = answered.get("content-length", "")
    # Longer numbers are beyond the limit, and Python refuses to read those of 4,300 digits.
    known = length.isdecimal() and len(length) <= _LENGTH_DIGITS
    size = min(int(length), _BODY_LIMIT) if known else _BODY_LIMIT
    if not known:
        patience = time.monotonic() + _BODY_PATIENCE
        deadline = patience if deadline is None else min(patience, deadline)
    body = bytearray()
    try:
        while len(body) < size:
            body += stream.receive(size - len(body), deadline)
    except (EndOfStream, TimeoutError):
        # The status is what matters.
        pass
    return bytes(body)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a header Retry-After asks for, None when it says nothing (C113).

    Example:
        >>> retry_after("120", datetime.now(UTC))
        120.0
        >>> noon = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
        >>> retry_after("Thu, 01 Jan 2026 12:00:30 GMT", noon)
        30.0
        >>> retry_after("soon", noon) is None
        True
    """
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    # For this alone, and long to import.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, OverflowError):  # the latter for an offset of many digits
        return None

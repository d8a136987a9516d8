"""What a transport is told about one connection: limits, TLS, headers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from phoenix_actors.errors import InvalidOption
from phoenix_actors.options import checks
from phoenix_actors.options.proxy_options import ProxyOptions
from phoenix_actors.options.tcp_options import TCPOptions

if TYPE_CHECKING:
    from ssl import SSLContext
else:
    # The fields are resolved at run time, and ssl takes long to import: `_check_context` looks.
    SSLContext = Any

__all__ = ["SSLOptions", "TransportOptions"]

_MESSAGE_SIZE: Final = 16 * 1024 * 1024
_DEFAULT_TIMEOUTS: Final = {
    "connect_timeout": 10.0,
    "longpoll_timeout": 20.0,  # phoenix.js's
    "send_timeout": 10.0,
}
# What is checked in every `TransportOptions`, and its defaults.
_checked_of: Final = attrgetter(*_DEFAULT_TIMEOUTS, "max_message_size", "compression")
_USUAL: Final = (*_DEFAULT_TIMEOUTS.values(), _MESSAGE_SIZE, False)


class SSLOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`transport_opts["ssl_opts"]`: how to verify the server and what to show it (C174).

    Attributes:
        context: a ready `ssl.SSLContext`; then only `server_hostname` counts beside it.
        ca_certs: path of a file of certificates to trust instead of the system's.
        verify: False accepts every certificate. For tests only.
        certfile, keyfile, password: the client's own certificate, its key, and the key's password.
        server_hostname: the name to verify instead of the host of the URL.

    Example:
        >>> SSLOptions(certfile="client.pem", password="secret")
        SSLOptions(certfile='client.pem', password=…)
    """

    context: SSLContext | None = None
    ca_certs: str | None = None
    verify: bool = True
    certfile: str | None = None
    keyfile: str | None = None
    password: str | None = None
    server_hostname: str | None = None

    def __post_init__(self) -> None:
        checks.flag("transport_opts.ssl_opts.verify", self.verify)
        if self.context is not None:
            _check_context(self.context)
        for name in ("ca_certs", "certfile", "keyfile", "password", "server_hostname"):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                kind = type(value).__name__
                raise InvalidOption(f"transport_opts.ssl_opts.{name}", f"must be a str, not {kind}")

    def __repr__(self) -> str:
        given = [
            f"{name}=…" if name == "password" else f"{name}={getattr(self, name)!r}"
            for name, default in _defaults(type(self)).items()
            if getattr(self, name) != default
        ]
        return f"SSLOptions({', '.join(given)})"


class TransportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `Transport.open` gets beside the URL.

    Attributes:
        connect_timeout: seconds for DNS, TCP, TLS and upgrade together; None waits for ever.
        longpoll_timeout: over long poll, seconds that one request may take, the time that the
            server waits for messages (10 by default) included; then the connection is given up.
            None waits for ever.
        send_timeout: seconds that one send may wait for a peer that does not read; then the
            connection is given up. None waits for ever.
        max_message_size: bytes of the longest message taken in; a longer one ends the connection
            with close code 1009. Over long poll: of the longest answer to a poll, which holds all
            messages since the one before; a longer one ends the connection.
        compression: offer permessage-deflate over WebSockets (C173); a server that takes it
            deflates every frame, however short, which pays off for long ones only.
        ssl_opts: for wss.
        tcp_opts: for the socket below.
        proxy: how to get to the server; None for the direct way.
        headers: further headers of the upgrade. Set per attempt by the client, not by the user.
        auth_token: goes as a subprotocol, over long poll in a header. Set per attempt by the
            client, not by the user.
        announce: called once with the handle before open() does anything that takes time, so that
            another thread may abort() an attempt under way. Set by the client.

    Example:
        >>> TransportOptions.of({"connect_timeout": 5})
        TransportOptions(connect_timeout=5.0, send_timeout=10.0, max_message_size=16777216)
    """

    connect_timeout: float | None = _DEFAULT_TIMEOUTS["connect_timeout"]
    longpoll_timeout: float | None = _DEFAULT_TIMEOUTS["longpoll_timeout"]
    send_timeout: float | None = _DEFAULT_TIMEOUTS["send_timeout"]
    max_message_size: int = _MESSAGE_SIZE
    compression: bool = False
    ssl_opts: SSLOptions | None = None
    tcp_opts: TCPOptions = TCPOptions()
    proxy: ProxyOptions | None = None
    headers: tuple[tuple[str, str], ...] = ()
    auth_token: str | None = None
    announce: Callable[[Any], None] | None = None

    @classmethod
    def of(cls, value: Any) -> Self:
        """Return the options that a user's `transport_opts` mean.

        Raises:
            InvalidOption: for a key that is unknown or not available in this version, and for a
                value that makes no sense.
        """
        if isinstance(value, cls):
            return value
        given = checks.string_keys("transport_opts", value)
        known = ["compression", "connect_timeout", "longpoll_timeout", "max_message_size", "proxy"]
        _check_keys("transport_opts", given, [*known, "send_timeout", "ssl_opts", "tcp_opts"])
        given["proxy"] = ProxyOptions.of(given.get("proxy"))
        for name, kind in (("ssl_opts", SSLOptions), ("tcp_opts", TCPOptions)):
            inner = given.pop(name, None)
            if inner is not None:
                given[name] = _inner(f"transport_opts.{name}", kind, inner)
        return cls(**given)

    def __post_init__(self) -> None:
        # One look that runs in C: each attempt has options of its own, and defaults need no check.
        if all(map(is_, _checked_of(self), _USUAL)):
            return
        for name in _DEFAULT_TIMEOUTS:
            value = checks.positive_seconds_or_none(f"transport_opts.{name}", getattr(self, name))
            msgspec.structs.force_setattr(self, name, value)
        checks.flag("transport_opts.compression", self.compression)
        checks.whole("transport_opts.max_message_size", self.max_message_size, 1)

    def __repr__(self) -> str:
        named = [
            f"connect_timeout={self.connect_timeout}",
            f"send_timeout={self.send_timeout}",
            f"max_message_size={self.max_message_size}",
        ]
        if self.longpoll_timeout != _DEFAULT_TIMEOUTS["longpoll_timeout"]:
            named.append(f"longpoll_timeout={self.longpoll_timeout}")
        if self.compression:
            named.append("compression=True")
        if self.ssl_opts is not None:
            named.append(f"ssl_opts={self.ssl_opts!r}")
        if self.tcp_opts != TCPOptions():
            named.append(f"tcp_opts={self.tcp_opts!r}")
        if self.proxy is not None:
            named.append(f"proxy={self.proxy!r}")
        if self.auth_token is not None:
            named.append("auth_token=…")
        if self.headers:
            named.append(f"headers={[name for name, _ in self.headers]}")
        return f"TransportOptions({', '.join(named)})"


def _inner(name: str, kind: type[msgspec.Struct], value: Any) -> msgspec.Struct:
    """Return the struct that a mapping below `transport_opts` means."""
    if isinstance(value, kind):
        return value
    given = checks.string_keys(name, value)
    _check_keys(name, given, list(_defaults(kind)))
    return kind(**given)


@functools.cache
def _defaults(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return the fields of a struct with their defaults; found out once, for that takes long."""
    return {field.name: field.default for field in msgspec.structs.fields(kind)}


def _check_keys(name: str, given: Mapping[str, Any], known: list[str]) -> None:
    """Refuse keys that mean nothing here."""
    for key in given:
        if key not in known:
            import difflib

            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InvalidOption(
                f"{name}.{key}", f"is unknown: {hint}choose one of {', '.join(sorted(known))}"
            )


def _check_context(context: object) -> None:
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise InvalidOption("transport_opts.ssl_opts.context", "must be an ssl.SSLContext")

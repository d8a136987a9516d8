"""Which of two transports opens, and which error tells."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors.errors import (
    AuthTokenIgnored,
    ConnectError,
    ConnectTimeout,
    HandshakeRefused,
    InvalidOption,
    PhoenixError,
    TLSError,
)
from phoenix_actors.link.fallback import FallbackTransport, transport_of
from phoenix_actors.machines.fallback import ProbeAnswered
from phoenix_actors.options import SocketOptions, TransportOptions
from phoenix_actors.transport.long_poll import LongPollTransport
from phoenix_actors.transport.memory import MemoryTransport
from phoenix_actors.transport.websocket import WebSocketTransport

URL = "ws://h/socket/websocket"


class Scripted:
    """A transport that opens, or raises what it is told to."""

    def __init__(self, *errors: PhoenixError) -> None:
        self.errors = list(errors)
        self.limits: list[float | None] = []

    def open(self, url: str, options: TransportOptions, events: Any) -> Any:
        """Notes the time that it has."""
        self.limits.append(options.connect_timeout)
        if self.errors:
            raise self.errors.pop(0)
        return self


def opened(primary: Scripted, fallback: Scripted, **options: Any) -> Any:
    """Return what comes of one attempt."""
    both = FallbackTransport(primary, fallback, 2.5)
    return both.open(URL, TransportOptions(**options), None)  # type: ignore[arg-type]


@pytest.mark.contract("C138")
def test_the_primary_has_the_limit_and_long_poll_has_connect_timeout() -> None:
    """But never longer than connect_timeout."""
    primary, fallback = Scripted(ConnectTimeout(2.5)), Scripted()
    assert opened(primary, fallback) is fallback
    assert (primary.limits, fallback.limits) == ([2.5], [10.0])
    quick = Scripted()
    assert opened(quick, fallback, connect_timeout=1.0) is quick
    endless = Scripted()
    opened(endless, fallback, connect_timeout=None)
    assert quick.limits + endless.limits == [1.0, 2.5]


@pytest.mark.parametrize("error", [AuthTokenIgnored(), TLSError("why"), InvalidOption("a", "b")])
def test_some_errors_are_told_at_once(error: PhoenixError) -> None:
    """Long poll would fare no better, or hide them."""
    fallback = Scripted()
    with pytest.raises(type(error)):
        opened(Scripted(error), fallback)
    assert fallback.limits == []


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (ConnectTimeout(2.5), ConnectError("down"), 0),
        (HandshakeRefused(403), HandshakeRefused(404), 0),
        (ConnectTimeout(2.5), HandshakeRefused(403), 1),
        (HandshakeRefused(403), HandshakeRefused(503, retry_after=7.0), 1),
    ],
)
def test_of_two_errors_the_one_that_tells_more_is_raised(
    first: PhoenixError, second: PhoenixError, told: int
) -> None:
    """The other one is its context."""
    with pytest.raises(ConnectError) as caught:
        opened(Scripted(first), Scripted(second))
    errors = (first, second)
    assert caught.value is errors[told]
    assert caught.value.__context__ is errors[1 - told]


@pytest.mark.contract("C138", "C146")
def test_a_ping_is_asked_for_once_per_connection_until_one_was_answered() -> None:
    """Not for long poll."""
    both = FallbackTransport(Scripted(), Scripted(), 2.5)
    open_one: Any = lambda: both.open(URL, TransportOptions(), None)  # type: ignore[arg-type]  # noqa: E731
    open_one()
    assert [both.take_probe(), both.take_probe()] == [2.5, None]
    open_one()
    both.feed(ProbeAnswered())
    both.take_probe()
    open_one()
    assert both.take_probe() is None


@pytest.mark.contract("C138")
def test_what_opens_the_connections_of_a_client() -> None:
    """The WebSocket, or what is given; both with long poll behind them only where asked for."""
    own = MemoryTransport()
    assert type(transport_of(SocketOptions.of(url=URL))) is WebSocketTransport
    assert transport_of(SocketOptions.of(url=URL, transport=own)) is own
    assert type(transport_of(SocketOptions.of(url=URL, longpoll_fallback=1))) is FallbackTransport
    only = SocketOptions.of(url=URL, transport=LongPollTransport(), longpoll_fallback=1)
    assert transport_of(only) is only.transport

"""The WebSocket, and long poll where that does not get through: shell of `machines.fallback`.

One per client, so that what is known outlives a crash of the Socket actor.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from phoenix_actors.errors import (
    AuthTokenIgnored,
    ConnectError,
    HandshakeRefused,
    InvalidURL,
    NotConnected,
    PhoenixError,
    PushTimeout,
    TLSError,
)
from phoenix_actors.machines import fallback as machine
from phoenix_actors.machines.fallback import Carrier
from phoenix_actors.telemetry import TRANSPORT_FALLBACK, emit
from phoenix_actors.transport.aborted import AttemptAborted
from supervisors._locks import new_lock

if TYPE_CHECKING:
    from phoenix_actors.link.attempt import Attempt
    from phoenix_actors.link.session import Session
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.options import SocketOptions, TransportOptions
    from phoenix_actors.transport import Transport, TransportEvents, TransportHandle

__all__ = ["FallbackTransport", "forget_fallback", "probe", "transport_of"]

# Long poll fares no better, or would hide what is to be put right.
_FINAL = (AttemptAborted, AuthTokenIgnored, InvalidURL, TLSError)
_NOT_FOUND = 404


def transport_of(options: SocketOptions) -> Transport:
    """Return what opens the connections of a client with these options."""
    chosen = options.transport or "websocket"
    primary: Transport = _named(chosen) if isinstance(chosen, str) else chosen
    if options.longpoll_fallback is None:
        return primary
    from phoenix_actors.transport.long_poll import LongPollTransport

    if isinstance(primary, LongPollTransport):
        return primary
    return FallbackTransport(primary, LongPollTransport(), options.longpoll_fallback)


def _named(word: str) -> Transport:
    # Each takes as long to import as the rest of the package, and one of them is enough.
    if word == "longpoll":
        from phoenix_actors.transport.long_poll import LongPollTransport

        return LongPollTransport()
    from phoenix_actors.transport.websocket import WebSocketTransport

    return WebSocketTransport(word)


class FallbackTransport:
    """Opens a primary transport, or long poll in its place. Safe from any thread."""

    def __init__(self, primary: Transport, fallback: Transport, limit: float) -> None:
        """Give the primary `limit` seconds to open, and again to answer a ping."""
        self._carriers = {Carrier.PRIMARY: primary, Carrier.LONG_POLL: fallback}
        self._machine = machine.FallbackMachine(limit)
        self._lock = new_lock()
        self._probe: float | None = None
        # Which of the two opened last.
        self.carrier = primary

    def feed(self, event: machine.FallbackEvent) -> list[machine.FallbackCommand]:
        """Hand an event to the machine; return what is to be done."""
        with self._lock:
            return self._machine.handle(event)

    def take_probe(self) -> float | None:
        """Return the seconds for a ping over the connection that just opened; None for no ping."""
        with self._lock:
            probe, self._probe = self._probe, None
            return probe

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> TransportHandle:
        """Open one of the two; see `Transport.open`.

        Raises:
            PhoenixError: where both failed, what long poll was refused with, unless the server has
                none; else what the primary failed with.
        """
        self.take_probe()
        failure: PhoenixError | None = None
        (command,) = self.feed(machine.AttemptBegan())
        while isinstance(command, machine.Try):
            if failure is not None:
                emit(TRANSPORT_FALLBACK, error=type(failure).__name__)
            try:
                return self._open(command, url, options, events)
            except PhoenixError as error:
                final = isinstance(error, _FINAL) or not isinstance(error, ConnectError)
                failure = _telling(failure, error)
                (command,) = self.feed(machine.AttemptFailed(command.carrier, final))
        raise failure or ConnectError("there is no transport to try")

    def _open(
        self, command: machine.Try, url: str, options: TransportOptions, events: TransportEvents
    ) -> TransportHandle:
        limit = options.connect_timeout
        if command.limit is not None:
            limit = command.limit if limit is None else min(limit, command.limit)
        bounded = msgspec.structs.replace(options, connect_timeout=limit)
        carrier = self._carriers[command.carrier]
        handle = carrier.open(url, bounded, events)
        self.carrier = carrier
        for following in self.feed(machine.AttemptOpened(command.carrier)):
            if isinstance(following, machine.Probe):
                self._probe = following.limit
        return handle

    def __repr__(self) -> str:
        return f"<FallbackTransport {self._machine!r}>"


def forget_fallback(session: Session) -> None:
    """The user connects anew: long poll is not tried first any more."""
    if isinstance(session.transport, FallbackTransport):
        session.transport.feed(machine.ConnectAsked())


def probe(wire: Wire, attempt: Attempt) -> None:
    """Ping over a connection that just opened, if its transport has yet to prove itself."""
    transport = wire.session.transport
    limit = transport.take_probe() if isinstance(transport, FallbackTransport) else None
    if not isinstance(transport, FallbackTransport) or limit is None:
        return

    def pinged(answer: Any) -> None:
        error = answer.exception()
        if error is None:
            transport.feed(machine.ProbeAnswered())
        elif isinstance(error, PushTimeout):
            transport.feed(machine.ProbeFailed())
            emit(TRANSPORT_FALLBACK, error=type(error).__name__)
            attempt.abort()

    with suppress(NotConnected):
        wire.ping(limit, may_write=False).add_done_callback(pinged)


def _telling(first: PhoenixError | None, second: PhoenixError) -> PhoenixError:
    """Return which of two errors tells more, with the other as its context."""
    if first is None:
        return second
    refused = isinstance(second, HandshakeRefused) and second.status != _NOT_FOUND
    told, other = (second, first) if refused else (first, second)
    told.__context__ = other
    return told

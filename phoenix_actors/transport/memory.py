"""A transport without a network: two ends in one process, no threads, and faults on demand.

Everything happens inline: what the client sends is in the peer's list when `send_text` returns, and
what the peer sends has reached the client's events when its method returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoenix_actors.errors import NotConnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.errors import PhoenixError
    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.interface import TransportEvents

__all__ = ["MemoryHandle", "MemoryPeer", "MemoryTransport"]


class MemoryTransport:
    """Opens connections in memory; keeps the far end of each in `peers`, the newest last.

    Example:
        >>> from phoenix_actors.options import TransportOptions
        >>> class Printing:
        ...     def connected(self): print("connected")
        ...     def text(self, data): print("text", data)
        ...     def binary(self, data): print("binary", data)
        ...     def closed(self, code, reason, clean): print("closed", code, reason, clean)
        >>> transport = MemoryTransport()
        >>> handle = transport.open("ws://h/websocket", TransportOptions(), Printing())
        connected
        >>> handle.send_text("ping")
        >>> peer = transport.peers[-1]
        >>> peer.received
        ['ping']
        >>> peer.send_text("pong")
        text pong
        >>> peer.drop()
        closed 1006  False
    """

    def __init__(self, respond: Callable[[MemoryPeer, str | bytes], None] | None = None) -> None:
        """Make a transport; `respond(peer, data)` is called with each message of the client."""
        self.peers: list[MemoryPeer] = []
        self.respond = respond
        self._refusals: list[PhoenixError] = []

    def refuse(self, error: PhoenixError, times: int = 1) -> None:
        """Let the next `times` attempts fail with `error`."""
        self._refusals += [error] * times

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> MemoryHandle:
        """Open a connection; `connected` has been called when this returns."""
        handle = MemoryHandle(MemoryPeer(url, options, events, self.respond))
        if options.announce is not None:
            options.announce(handle)
        if self._refusals:
            raise self._refusals.pop(0)
        self.peers.append(handle.peer)
        events.connected()
        return handle


class MemoryHandle:
    """The client's end of a connection in memory."""

    def __init__(self, peer: MemoryPeer) -> None:
        self.peer = peer

    def send_text(self, data: str) -> None:
        """Put a text message into the peer's list."""
        self._send(data)

    def send_binary(self, data: bytes) -> None:
        """Put a binary message into the peer's list."""
        self._send(bytes(data))

    def _send(self, data: str | bytes) -> None:
        if self.peer.ended or self.peer.client_close is not None:
            raise NotConnected
        self.peer.received.append(data)
        if self.peer.respond is not None:
            self.peer.respond(self.peer, data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; the peer answers with the same code at once, unless it is `silent`."""
        if self.peer.ended or self.peer.client_close is not None:
            return
        self.peer.client_close = (code, reason)
        if not self.peer.silent:
            self.peer.close(code, "")

    def abort(self) -> None:
        """Drop the connection."""
        self.peer.drop("aborted")


class MemoryPeer:
    """The server's end: what came, and what to send.

    Attributes:
        url: what was opened.
        options: what it was opened with.
        received: the client's messages, in order.
        client_close: code and reason of the client's close, when it closed.
        silent: whether a close of the client goes unanswered.
        ended: whether the connection is gone.
        respond: called with each message of the client, as `respond(peer, data)`.
    """

    def __init__(
        self,
        url: str,
        options: TransportOptions,
        events: TransportEvents,
        respond: Callable[[MemoryPeer, str | bytes], None] | None,
    ) -> None:
        self.url = url
        self.options = options
        self.received: list[str | bytes] = []
        self.client_close: tuple[int, str] | None = None
        self.silent = False
        self.ended = False
        self.respond = respond
        self._events = events

    def send_text(self, data: str | bytes) -> None:
        """Send a text message to the client."""
        if not self.ended:
            self._events.text(data)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message to the client."""
        if not self.ended:
            self._events.binary(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection with a close frame."""
        self._end(code, reason, clean=True)

    def drop(self, reason: str = "") -> None:
        """End the connection without a close frame."""
        self._end(1006, reason, clean=False)

    def _end(self, code: int, reason: str, *, clean: bool) -> None:
        if not self.ended:
            self.ended = True
            self._events.closed(code, reason, clean)

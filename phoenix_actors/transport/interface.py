"""The shape of a transport. Any object of this shape can replace the built-in ones (C171).

The order of things for one connection:

1. `open` raises, and no event ever comes; or it returns a handle.
2. `connected()` comes once, before any `text` or `binary`; before `open` returns or after it, from
   any thread.
3. `text` and `binary` come in wire order, never two at a time.
4. `closed(code, reason, clean)` comes exactly once, whoever ends the connection, and nothing comes
   after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from phoenix_actors.options import TransportOptions

__all__ = ["Transport", "TransportEvents", "TransportHandle"]


class TransportEvents(Protocol):
    """What a transport tells, on a thread of its own: the callee must neither wait nor raise.

    Three more are there where the events are the client's own, for a transport that has several
    text messages at once. `texts(messages)` takes a list of them as `text` takes each. `some_texts`
    does the same in a thread of the user's, where nothing may be waited for: it returns None, or a
    list of what the transport's own thread has to give to `texts`, and to call that even if it is
    empty. `lone_text` does so with one, and returns False where it would return an empty list.
    """

    def connected(self) -> None:
        """The connection is open."""
        ...

    def text(self, data: str | bytes) -> None:
        """A text message came: text, or its bytes, which may turn out not to be UTF-8."""
        ...

    def binary(self, data: bytes) -> None:
        """A binary message came."""
        ...

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """The connection is gone.

        Args:
            code: the close code that the peer sent; 1005 when it sent none, 1006 when the stream
                ended without a close frame, 1002 and 1009 when this side ended it for a mistake or
                the size of a message of the peer.
            reason: the peer's reason, or what was noticed here.
            clean: whether close frames went both ways.
        """
        ...


class TransportHandle(Protocol):
    """One connection. Every method may be called from any thread.

    More are used where a handle has them. `writable()` tells whether a short message can be
    sent without waiting: where it says no, the client sends on a thread of its own. `join(timeout)`
    waits until the handle's threads have ended: a client that stops calls it after `closed`.
    `needs_heartbeat = False` says that the transport itself notices a peer that is gone.

    Where the handle's class has them, `send_all(messages)` sends several in one go, and
    `send_now(messages)` does what it can of that without waiting: True when all is gone, False when
    the next `send_all` has to send the rest first, None when nothing was taken. And a caller that
    waits for an answer calls `read_until(done, timeout)`, which reads in that thread until
    `done()`, if it can; `stop_reading()` has it return.
    """

    def send_text(self, data: str) -> None:
        """Send a text message; returns when the operating system has it.

        Raises:
            NotConnected: after close(), abort() or the end of the connection.
            ConnectionLost: when the connection breaks meanwhile, or the peer takes nothing for
                `send_timeout` seconds.
        """
        ...

    def send_binary(self, data: bytes) -> None:
        """Send a binary message; otherwise like `send_text`."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and return; `closed` comes with the peer's answer.

        A peer that does not answer is the caller's to time: abort() then. Twice is once.
        """
        ...

    def abort(self) -> None:
        """Drop the connection, or an attempt under way, at once; `closed` comes as always."""
        ...


class Transport(Protocol):
    """Opens connections. It may be shared by several clients."""

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> TransportHandle:
        """Open a connection and return its handle; waits, at most `options.connect_timeout`.

        Raises:
            HandshakeRefused: when the server answered with another status than 101.
            TLSError: when TLS could not be agreed on.
            InvalidURL: when the URL cannot be opened.
            ConnectTimeout: when it took too long.
            ConnectError: for everything else; the cause is in `__cause__`.
        """
        ...

"""The future of a push: a `Reply` whose value is known to be the server's `PushReply`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoenix_actors.link.inbound import reading_on
from phoenix_actors.message import PushReply
from supervisors import Reply

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["PushFuture"]


class PushFuture(Reply):
    """What `push` returns; ignore it and the push is fire and forget.

    `get` and `result` wait for the reply and raise PushTimeout, ConnectionLost or ChannelClosed; an
    error reply of the server is a value. `await` works too, and callbacks; see `supervisors.Reply`.

    Example:
        >>> future = PushFuture()
        >>> future.settle(PushReply("ok", {"id": 1}))
        True
        >>> future.get(timeout=1).unwrap()
        {'id': 1}
    """

    def get(self, *, timeout: float | timedelta | None = None) -> PushReply:
        """Return the reply, waiting up to `timeout` seconds; None waits for the push's own timeout.

        Raises:
            PushTimeout, ConnectionLost, ChannelClosed: there will be no reply.
            CallTimeout: not within this `timeout`.
            WouldDeadlock: on the reader thread.
        """
        reply: PushReply
        if self.done():
            reply = super().get(timeout=timeout)
        else:
            with reading_on():
                reply = super().get(timeout=timeout)
        return reply

    def result(self, timeout: float | timedelta | None = None) -> PushReply:
        """Return the reply like get()."""
        return self.get(timeout=timeout)

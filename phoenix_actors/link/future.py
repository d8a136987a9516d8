"""The future of a push: a `Reply` whose value is known to be the server's `PushReply`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from phoenix_actors.link.inbound import reading_on
from phoenix_actors.message import PushReply
from supervisors import Reply
from supervisors._runtime.current import current
from supervisors._runtime.timers import timers
from supervisors.clock import Deadline

if TYPE_CHECKING:
    from phoenix_actors.link.wire import Wire

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

    # Where the answer will come from, once the push is on its way.
    wire: Wire | None = None
    _watched = False

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
                if current.host is None and self.wire is not None:
                    timeout = self._read(self.wire, timeout)
                reply = super().get(timeout=timeout)
        return reply

    def _read(self, wire: Wire, timeout: float | timedelta | None) -> float | None:
        """Read the answer in this thread, a plain one, where that can be; return what is left."""
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        deadline = Deadline(seconds, timers.clock)
        if not self._watched:
            self._watched = True
            # Others may settle it: its time-out, or the loss of the connection.
            self.add_done_callback(lambda _: wire.stop_reading())
        wire.read_for(self, seconds)
        return deadline.remaining()

    def result(self, timeout: float | timedelta | None = None) -> PushReply:
        """Return the reply like get()."""
        return self.get(timeout=timeout)

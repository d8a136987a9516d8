"""The answer to the first join of a topic, and who reads until it is there.

The server's answer is read by whoever reads, so that nobody reads on behind it; a failure comes
from a timer, from `leave` in another thread, or with the loss of the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors import Reply

if TYPE_CHECKING:
    from phoenix_actors.link.wire import Wire

__all__ = ["JoinReply"]


class JoinReply(Reply):
    """Settled with the server's response, or failed; then the thread that reads meanwhile looks.

    Example:
        >>> reply = JoinReply()
        >>> reply.settle({"id": 1}), reply.read_and_get(None, timeout=1)
        (True, {'id': 1})
    """

    # By what a thread reads until it is there.
    _wire: Wire | None = None

    def fail(self, error: BaseException) -> bool:
        """Give the error; tell whether it was the first outcome."""
        first = super().fail(error)
        if self._wire is not None:
            self._wire.stop_reading()
        return first

    def read_and_get(self, wire: Wire | None, timeout: float | None) -> Any:
        """Return the response; in a plain thread, which reads for it itself where that can be.

        Args:
            wire: by what.
            timeout: seconds; None waits for ever.

        Raises:
            CallTimeout: it does not come in time.
            PhoenixError: the join has failed.
        """
        # One that is there already is shared by many topics, and keeps no wire alive.
        if wire is not None and not self.done():
            # From here on who fails it has this thread look, which it does before it waits.
            self._wire = wire
            timeout = wire.read_for(self, timeout)
        return self.get(timeout=timeout)

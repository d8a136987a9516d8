"""The answer to the first join of a topic, and who reads until it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors import Reply
from supervisors._runtime.current import current

if TYPE_CHECKING:
    from phoenix_actors.link.wire import Wire
    from supervisors._runtime.current import Here

__all__ = ["JoinReply"]


class JoinReply(Reply):
    """Settled with the server's response, or failed; has the thread look that reads meanwhile.

    Example:
        >>> reply = JoinReply()
        >>> reply.settle({"id": 1}), reply.read_and_get(None, timeout=1)
        (True, {'id': 1})
    """

    # The thread that reads until it is there, and by what.
    _reader: tuple[Here, Wire] | None = None

    def settle(self, value: Any) -> bool:
        """Give the response; tell whether it was the first outcome."""
        first = super().settle(value)
        if self._reader is not None:
            self._have_it_look(*self._reader)
        return first

    def _settle(self, outcome: tuple[bool, Any]) -> bool:
        first = super()._settle(outcome)
        if self._reader is not None:
            self._have_it_look(*self._reader)
        return first

    @staticmethod
    def _have_it_look(here: Here, wire: Wire) -> None:
        if here is not current.here:
            wire.stop_reading()

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
            # From here on who settles it has this thread look, which it does before it waits.
            self._reader = (current.here, wire)
            timeout = wire.read_for(self, timeout)
        return self.get(timeout=timeout)

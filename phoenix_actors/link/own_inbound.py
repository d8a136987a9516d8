"""The messages of one life of a channel actor: kept in an `Inbound` while there are some.

A channel that is idle has none of its own, which would take 200 bytes, and 900 after its first
message, but its session's empty one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from phoenix_actors.link.inbound import Inbound

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire

__all__ = ["OwnInbound"]


class OwnInbound:
    """The part of a channel's core that has its `Inbound`. Safe from any thread."""

    __slots__ = ("inbound",)

    inbound: Inbound
    topic: Topic
    wire: Wire
    _lock: threading.Lock

    def _own_inbound(self) -> Inbound:
        """Return what keeps the messages of this life; requires the lock."""
        if self.inbound is self.wire.session.no_inbound:
            self.inbound = Inbound(self.wire.session.options)
            if self.topic.core is self:
                self.topic.inbound = self.inbound
        return self.inbound

    def own_inbound(self) -> Inbound:
        """Return what keeps the messages of this life, also those that are to come."""
        with self._lock:
            return self._own_inbound()

    def holds(self) -> int:
        """Return the bytes that `give_back` would give back now."""
        inbound = self.inbound
        return 0 if inbound is self.wire.session.no_inbound else inbound.memory

    def give_back(self) -> int:
        """Give back what an idle channel can do without; return its bytes. No turn may run."""
        with self._lock:
            inbound = self.inbound
            if inbound is self.wire.session.no_inbound or not inbound.unused:
                return 0
            self.inbound = self.wire.session.no_inbound
            if self.topic.core is self:
                self.topic.inbound = self.inbound
            return inbound.memory

    def close_inbound(self) -> None:
        """Nobody takes messages any more."""
        self.own_inbound().close()

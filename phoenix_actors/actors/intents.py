"""`intents`: watches over who wants what.

The topics that the user wants stand in the client's session, above everything that can crash. This
actor keeps the subscribers of topics: it monitors each, ends its subscriptions with it, and leaves
a topic with its last subscriber.
"""

from __future__ import annotations

from typing import Any

import msgspec

from phoenix_actors.actors.part import Part
from phoenix_actors.link.scheduling import without_waiting
from phoenix_actors.link.session import Session
from supervisors import ActorRef, Down, Monitor

__all__ = ["Intents", "WatchSubscriber"]


class WatchSubscriber(msgspec.Struct, frozen=True):
    """This actor, one of ours or of plain Pykka, subscribes to topics until it ends."""

    ref: ActorRef


class Intents(Part):
    """Monitors subscribers; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Watch the subscribers that there were before this actor lived."""
        self.session = session
        self.watched: dict[ActorRef, Monitor] = {}
        for topic in session.topics():
            for ref in topic.listeners.subscribers:
                self._watch(ref)

    def handle_cast(self, message: WatchSubscriber) -> None:
        """Watch a subscriber."""
        self._watch(message.ref)

    def handle_info(self, message: Any) -> None:
        """End the subscriptions of an actor that ended."""
        if not isinstance(message, Down):
            super().handle_info(message)
            return
        self.watched.pop(message.ref, None)
        timeout = self.session.options.push_timeout
        for topic in self.session.topics():
            if topic.listeners.unsubscribe(message.ref):
                # This actor waits for no peer that takes nothing: others may end meanwhile.
                without_waiting(topic.leave, timeout)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`: how many topics are wanted and how many subscribers are watched."""
        if request == "stats":
            return {"topics": len(self.session.topics()), "subscribers": len(self.watched)}
        return super().handle_call(request, sender)

    def _watch(self, ref: ActorRef) -> None:
        if ref not in self.watched:
            self.watched[ref] = self.monitor(ref)

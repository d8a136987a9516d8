"""`intents`: watches over who wants what.

The topics that the user wants stand in the client's session, above everything that can crash. This
actor keeps the subscribers of topics: it monitors each, ends the subscription with its actor, and
leaves a topic with its last subscriber.
"""

from __future__ import annotations

from typing import Any

import msgspec

from phoenix_actors.link.session import Session
from phoenix_actors.link.topic import Topic
from phoenix_actors.machines.channel_events import LeaveRequested
from supervisors import ActorRef, Down, GenServer, Monitor

__all__ = ["Intents", "WatchSubscriber"]


class WatchSubscriber(msgspec.Struct, frozen=True):
    """This actor subscribes to this topic until it ends."""

    topic: Topic
    ref: Any


class Intents(GenServer):
    """Monitors subscribers; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Watch the subscribers that there were before this actor lived."""
        self.session = session
        self.watched: dict[tuple[str, ActorRef], Monitor] = {}
        for topic in session.topics():
            for ref in topic.subscribers:
                self._watch(topic, ref)

    def handle_cast(self, message: WatchSubscriber) -> None:
        """Watch a subscriber."""
        self._watch(message.topic, message.ref)

    def handle_info(self, message: Any) -> None:
        """End the subscriptions of an actor that ended."""
        if not isinstance(message, Down):
            super().handle_info(message)
            return
        gone = [key for key, monitor in self.watched.items() if monitor is message.monitor]
        for key in gone:
            del self.watched[key]
            topic = self.session.topic(key[0])
            if topic is not None and topic.unsubscribe(message.ref):
                self._leave(topic)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`: how many topics are wanted and how many subscribers are watched."""
        if request == "stats":
            return {"topics": len(self.session.topics()), "subscribers": len(self.watched)}
        return super().handle_call(request, sender)

    def _watch(self, topic: Topic, ref: ActorRef) -> None:
        key = (topic.name, ref)
        if key not in self.watched:
            self.watched[key] = self.monitor(ref)

    def _leave(self, topic: Topic) -> None:
        self.session.forget(topic)
        core = topic.core
        if core is None:
            topic.close()
        else:
            core.feed(LeaveRequested(self.session.options.push_timeout))

"""What each topic of one client gets and sends, counted once somebody looks at it.

A client has none until the observer's table of channels is looked at for the first time; until
then it costs the paths of messages one comparison for each batch, each push and each reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from supervisors._locks import new_lock

__all__ = ["Traffic", "TrafficOf"]


class TrafficOf(msgspec.Struct):
    """Of one topic: messages and replies received, pushes made, and the last reply's seconds."""

    received: int = 0
    pushed: int = 0
    round_trip: float | None = None


class Traffic:
    """The counts of all topics of one client. Safe from any thread.

    Example:
        >>> traffic = Traffic({"room:a", "room:b"}.__contains__)
        >>> traffic.received("room:a", 2)
        >>> traffic.of(["room:a", "room:b"])
        [TrafficOf(received=2, pushed=0, round_trip=None), TrafficOf(received=0, ...)]
    """

    __slots__ = ("_lock", "_topics", "_wanted")

    def __init__(self, wanted: Callable[[str], object]) -> None:
        """Start at zero; of topics that are not `wanted` nothing is kept."""
        self._lock = new_lock()
        self._wanted = wanted
        self._topics: dict[str, TrafficOf] = {}

    def received(self, topic: str, count: int) -> None:
        """Count messages that were handed to the topic's channel."""
        with self._lock:
            self._topic(topic).received += count

    def pushed(self, topic: str) -> None:
        """Count a push."""
        with self._lock:
            self._topic(topic).pushed += 1

    def answered(self, topic: str, seconds: float | None) -> None:
        """Count a reply, and keep how long it took, where that is known."""
        with self._lock:
            entry = self._topic(topic)
            entry.received += 1
            if seconds is not None:
                entry.round_trip = seconds

    def forget(self, topic: str) -> None:
        """Keep nothing of a topic that is wanted no more: nobody may ever look again."""
        with self._lock:
            self._topics.pop(topic, None)

    def of(self, topics: Iterable[str]) -> list[TrafficOf]:
        """Return copies of the counts of these topics, in their order; forget all others."""
        names = list(topics)
        with self._lock:
            for gone in self._topics.keys() - set(names):
                del self._topics[gone]
            none = TrafficOf()
            return [msgspec.structs.replace(self._topics.get(name, none)) for name in names]

    def _topic(self, topic: str) -> TrafficOf:
        entry = self._topics.get(topic)
        if entry is None:
            entry = TrafficOf()
            # The last frames of a topic come when it is forgotten.
            if self._wanted(topic):
                self._topics[topic] = entry
        return entry

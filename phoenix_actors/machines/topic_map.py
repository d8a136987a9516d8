"""Which channel class a topic gets: exact key, then the longest matching prefix, then the default.

`"rooms:*"` matches every topic that begins with `rooms:`, `"rooms*"` also `rooms2`, `"*"` every
topic. A `*` stands at the end only (C164).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from phoenix_actors.options import topic_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TopicMap"]

T = TypeVar("T")


class TopicMap(Generic[T]):
    """Finds the entry of a topic. Never changes, so it is safe from any thread.

    Raises:
        InvalidOption: when it is made with a key that is no topic and no pattern.

    Example:
        >>> topics = TopicMap({"rooms:*": "Room", "rooms:lobby": "Lobby"}, default="Plain")
        >>> topics.resolve("rooms:lobby"), topics.resolve("rooms:42"), topics.resolve("users:1")
        ('Lobby', 'Room', 'Plain')
    """

    __slots__ = ("_default", "_exact", "_lengths", "_prefixes")

    def __init__(self, entries: Mapping[str, T], default: T) -> None:
        self._exact: dict[str, T] = {}
        self._prefixes: dict[str, T] = {}
        for pattern, entry in entries.items():
            start, open_end = topic_pattern("topic_channel_map", pattern)
            (self._prefixes if open_end else self._exact)[start] = entry
        # Few lengths occur, so the longest match is a look-up for each and no scan of the patterns.
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._default = default

    @property
    def lookups(self) -> int:
        """How many look-ups the match of a topic costs at most."""
        return 1 + len(self._lengths)

    def resolve(self, topic: str) -> T:
        """Return the entry for a topic, or the default."""
        if topic in self._exact:
            return self._exact[topic]
        for length in self._lengths:
            prefix = topic[:length]
            if prefix in self._prefixes:
                return self._prefixes[prefix]
        return self._default

    def __repr__(self) -> str:
        keys = [*self._exact, *(f"{prefix}*" for prefix in self._prefixes)]
        return f"<TopicMap {keys}>"

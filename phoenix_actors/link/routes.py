"""Topic → channel on the way in, and topic → channel class for a join.

The first is the table that the wire keeps: an entry comes with a channel's actor and goes with it,
so it is never out of date, and a look-up costs one dictionary access. Here are its counts.

The second is a memory of matches, where that pays. In a map whose patterns have few lengths the
match costs less than remembering it, so nothing is remembered there; in a large one it is made once
per topic. `benchmarks/bench_routes.py` and `bench_parts.py` have both.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from phoenix_actors.machines.topic_map import TopicMap
from phoenix_actors.telemetry import ROUTES_EVICTION, emit
from supervisors._locks import new_lock
from supervisors.clock import Clock

__all__ = ["RouteCounts", "Routes"]

# Up to so many look-ups the match costs less than remembering it (benchmarks/bench_routes.py).
_WORTH_IT: Final = 12


class RouteCounts:
    """What became of the look-ups of channels by topic.

    `hits` and `misses` are the reader's, of which there is one, so it needs no lock for them; the
    others change under the lock of the wire whose table it is.
    """

    __slots__ = ("evictions", "hits", "insertions", "misses")

    def __init__(self) -> None:
        """Start at zero."""
        self.hits = self.misses = self.insertions = self.evictions = 0


class Routes:
    """The routes of one client. Safe from any thread.

    Args:
        entries: topics and patterns with what they lead to.
        default: where all others lead.
        size: how many topics are remembered, where it pays; 0 remembers none.
        sweep_interval: seconds between two sweeps, for whoever sweeps.
        ttl: seconds for which a route is remembered, and up to one sweep longer.
        clock: tells the time.
        counts: those of the channels by topic, which a wire keeps.

    Example:
        >>> from supervisors.clock import MonotonicClock
        >>> entries = {f"{'x' * length}:*": length for length in range(1, 20)}
        >>> routes = Routes(entries, "Plain", size=10, ttl=300.0, clock=MonotonicClock())
        >>> routes.resolve("xx:1"), routes.resolve("xx:1"), routes.resolve("users:1")
        (2, 2, 'Plain')
        >>> routes.stats()["template_hits"], routes.stats()["template_misses"]
        (1, 2)
    """

    def __init__(
        self,
        entries: Mapping[str, Any],
        default: Any,
        *,
        size: int,
        ttl: float,
        clock: Clock,
        sweep_interval: float = 60.0,
        counts: RouteCounts | None = None,
    ) -> None:
        self.sweep_interval = sweep_interval
        self.counts = counts or RouteCounts()
        self._wanted_size = size
        self._default = default
        self._ttl = ttl
        self._now = clock.now
        self._lock = new_lock()
        # Topic → (when it is too old, where it leads), oldest first; read without the lock.
        self._known: dict[str, tuple[float, Any]] = {}
        self._hits = self._misses = self._evictions = self._insertions = 0
        self._map: TopicMap[Any]
        self._size = 0
        self.replace(entries)

    def replace(self, entries: Mapping[str, Any]) -> None:
        """Follow another map from now on, and forget what the former one said.

        Raises:
            InvalidOption: a key is no topic and no pattern; then the former map stays.
        """
        topics = TopicMap(entries, self._default)
        with self._lock:
            self._map = topics
            self._size = self._wanted_size if topics.lookups > _WORTH_IT else 0
            self._evictions += len(self._known)
            # Not emptied: who has matched by the former map must not put that into the new table.
            self._known = {}

    def resolve(self, topic: str) -> Any:
        """Return where a topic leads."""
        table = self._known
        known = table.get(topic)
        if known is not None:
            with self._lock:
                self._hits += 1
            return known[1]
        if not self._size:
            with self._lock:
                self._misses += 1
            return self._map.resolve(topic)
        with self._lock:
            topics, table = self._map, self._known
        route = topics.resolve(topic)
        evicted = 0
        with self._lock:
            self._misses += 1
            if self._size and table is self._known:
                # Out and in again, so that the order stays that of age.
                table.pop(topic, None)
                table[topic] = (self._now() + self._ttl, route)
                self._insertions += 1
                if len(table) > self._size:
                    del table[next(iter(table))]
                    self._evictions += 1
                    evicted = len(table)
        if evicted:
            sizes = {"evicted_count": 1, "target_size": self._size, "cache_size": evicted}
            emit(ROUTES_EVICTION, sizes)
        return route

    def __len__(self) -> int:
        """Return how many topics are remembered."""
        return len(self._known)

    def _older(self, now: float) -> list[str]:
        return [topic for topic, (until, _) in self._known.items() if now > until]

    def sweep(self) -> int:
        """Forget what is older than `ttl`; return how many that was."""
        now = self._now()
        with self._lock:
            old = self._older(now)
            for topic in old:
                del self._known[topic]
            self._evictions += len(old)
            return len(old)

    def stats(self) -> dict[str, Any]:
        """Return what happened so far.

        `hits`, `misses`, `insertions`, `evictions` and `current_size` are of the channels by topic,
        a hit being a frame that found its channel; those that begin with `template_` are of the
        remembered matches of the topic map.
        """
        counts = self.counts
        size = counts.insertions - counts.evictions
        with self._lock:
            known = len(self._known)
            return {
                "enabled": True,
                "hits": counts.hits,
                "misses": counts.misses,
                "insertions": counts.insertions,
                "evictions": counts.evictions,
                "current_size": size,
                "memory_bytes": sys.getsizeof(self._known),
                "template_enabled": bool(self._size),
                "template_hits": self._hits,
                "template_misses": self._misses,
                "template_evictions": self._evictions,
                "template_insertions": self._insertions,
                "template_size": known,
                "cache_size": self._wanted_size,
                "ttl": self._ttl,
                "cleanup_interval": self.sweep_interval,
            }

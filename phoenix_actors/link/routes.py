"""Topic → channel class, with a memory where that pays.

In a map whose patterns have few lengths the match costs less than remembering it, so nothing is
remembered there; in a large one it is made once per topic. `benchmarks/bench_routes.py` has both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from phoenix_actors.machines.topic_map import TopicMap
from phoenix_actors.telemetry import ROUTES_EVICTION, emit
from supervisors.clock import Clock

__all__ = ["Routes"]

# Up to so many look-ups the match costs less than remembering it (benchmarks/bench_routes.py).
_WORTH_IT: Final = 12


class Routes:
    """The routes of one client. Safe from any thread.

    Args:
        entries: topics and patterns with what they lead to.
        default: where all others lead.
        size: how many topics are remembered, where it pays; 0 remembers none.
        sweep_interval: seconds between two sweeps, for whoever sweeps.
        ttl: seconds after which a remembered route is matched anew.
        clock: tells the time.
        frames: tells how many frames found their channel, and how many did not.

    Example:
        >>> from supervisors.clock import MonotonicClock
        >>> entries = {f"{'x' * length}:*": length for length in range(1, 20)}
        >>> routes = Routes(entries, "Plain", size=10, ttl=300.0, clock=MonotonicClock())
        >>> routes.resolve("xx:1"), routes.resolve("xx:1"), routes.resolve("users:1")
        (2, 2, 'Plain')
        >>> routes.stats()["hits"], routes.stats()["misses"]
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
        frames: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self._frames = frames
        self.sweep_interval = sweep_interval
        self._wanted_size = size
        self._map = TopicMap(entries, default)
        self._size = size if self._map.lookups > _WORTH_IT else 0
        self._ttl = ttl
        self._now = clock.now
        self._lock = threading.Lock()
        # Topic → (when it is too old, where it leads), oldest first; read without the lock.
        self._known: dict[str, tuple[float, Any]] = {}
        self._hits = self._misses = self._evictions = self._insertions = 0

    def resolve(self, topic: str) -> Any:
        """Return where a topic leads."""
        known = self._known.get(topic)
        if known is not None and self._now() <= known[0]:
            with self._lock:
                self._hits += 1
            return known[1]
        route = self._map.resolve(topic)
        evicted = 0
        with self._lock:
            self._misses += 1
            if self._size:
                # Out and in again, so that the order stays that of age.
                self._known.pop(topic, None)
                self._known[topic] = (self._now() + self._ttl, route)
                self._insertions += 1
                if len(self._known) > self._size:
                    del self._known[next(iter(self._known))]
                    self._evictions += 1
                    evicted = len(self._known)
        if evicted:
            sizes = {"evicted_count": 1, "target_size": self._size, "cache_size": evicted}
            emit(ROUTES_EVICTION, sizes)
        return route

    def __len__(self) -> int:
        """Return how many topics are remembered."""
        return len(self._known)

    def sweep(self) -> int:
        """Forget what is older than `ttl`; return how many that was."""
        now = self._now()
        with self._lock:
            old = [topic for topic, (until, _) in self._known.items() if now > until]
            for topic in old:
                del self._known[topic]
            self._evictions += len(old)
            return len(old)

    def stats(self) -> dict[str, Any]:
        """Return what happened so far.

        A hit is a frame that found its channel, by one look-up in a table, or a topic whose class
        was remembered (`match_hits`); a miss is a frame or a topic for which that is not so.
        """
        routed, unknown = self._frames()
        with self._lock:
            return {
                "enabled": bool(self._size),
                "hits": self._hits + routed,
                "misses": self._misses + unknown,
                "match_hits": self._hits,
                "match_misses": self._misses,
                "evictions": self._evictions,
                "insertions": self._insertions,
                "current_size": len(self._known),
                "cache_size": self._wanted_size,
                "ttl": self._ttl,
                "cleanup_interval": self.sweep_interval,
            }

"""The part of a frame that stays the same from push to push: topic and event, as JSON text.

A push on a topic and an event that were pushed before encodes its payload alone, which takes about
half the time. `binary_pool_size` of them are kept, each for `binary_max_age`; 0 keeps none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supervisors._locks import new_lock
from supervisors.clock import Clock, MonotonicClock

__all__ = ["Templates"]


class Templates:
    """The heads of frames of one client. Safe from any thread.

    Example:
        >>> templates = Templates(size=1, max_age=300.0)
        >>> templates.head("t", "e", lambda topic, event: f"{topic}/{event}")
        't/e'
        >>> templates.head("t", "e", lambda topic, event: "not asked for")
        't/e'
        >>> templates.misses, templates.stats(lookups=2)["template_hits"]
        (1, 1)
    """

    __slots__ = ("_lock", "_max_age", "_now", "heads", "misses", "size")

    def __init__(self, size: int, max_age: float, clock: Clock | None = None) -> None:
        """Start with none."""
        self.size = size
        self.misses = 0
        self._max_age = max_age
        self._now = (clock or MonotonicClock()).now
        self._lock = new_lock()
        # Topic and event → the head and when it was made, oldest first; read without the lock.
        self.heads: dict[tuple[str, str], tuple[str, float]] = {}

    def head(self, topic: str, event: str, make: Callable[[str, str], str]) -> str:
        """Return the head of frames of this topic and event; make it if need be.

        Raises:
            EncodeError: as `make` does.
        """
        known = self.heads.get((topic, event))
        if known is not None:
            return known[0]
        head = make(topic, event)
        with self._lock:
            self.misses += 1
            self.heads[topic, event] = (head, self._now())
            if len(self.heads) > self.size:
                del self.heads[next(iter(self.heads))]
        return head

    def renew_lock(self) -> None:
        """Take another lock: a thread that a fork has left behind may have this one."""
        self._lock = new_lock()

    def _older(self, oldest: float) -> list[tuple[str, str]]:
        return [key for key, (_, made_at) in self.heads.items() if made_at <= oldest]

    def sweep(self) -> tuple[int, int]:
        """Forget what is older than `max_age`; return how many that was, and their bytes."""
        oldest = self._now() - self._max_age
        with self._lock:
            old = self._older(oldest)
            return len(old), sum(self.heads.pop(key)[0].__sizeof__() for key in old)

    def stats(self, lookups: int) -> dict[str, Any]:
        """Return what is kept, and how many of so many look-ups found what they looked for."""
        with self._lock:
            return {
                "templates": len(self.heads),
                "template_bytes": sum(head.__sizeof__() for head, _ in self.heads.values()),
                "template_misses": self.misses,
                "template_hits": max(0, lookups - self.misses),
            }

"""Payloads in their encoded form, to be pushed again without encoding them again.

Those encoded under a key are remembered: the most recently used `binary_pool_size` of them, each
for `binary_max_age` seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

from phoenix_actors.link.shared import SharedValues
from supervisors._locks import new_lock
from supervisors.clock import Clock, MonotonicClock

__all__ = ["EncodedPayload", "EncodedPool"]

_MEGABYTE: Final = 1024 * 1024


class EncodedPayload:
    """A payload's JSON text, made by `client.binary_pool.encode(payload)`.

    What the payload becomes afterwards does not change it. `push(event, encoded)` sends it as it
    is, on any topic of any client.
    """

    __slots__ = ("_used", "text")

    def __init__(self, text: str, used: Callable[[int], None]) -> None:
        """Made by `binary_pool.encode(payload)`."""
        self.text = text
        self._used = used

    def __repr__(self) -> str:
        """Tell the size, not the content."""
        return f"<EncodedPayload {len(self.text)} characters>"

    def take(self) -> str:
        """Return the text and count the use."""
        self._used(len(self.text))
        return self.text


class EncodedPool:
    """Makes encoded payloads, remembers those with a key, and counts. Safe from any thread.

    Args:
        size: how many are remembered.
        max_age: seconds for which one is.
        clock: tells the time.
        sweep_interval: seconds between two sweeps, for whoever sweeps.
        shared: what decoded payloads share, where they do; for the counts.
        templates: gives the counts of the heads of frames, which are encoded once too.

    Example:
        >>> pool = EncodedPool(size=2, max_age=300.0)
        >>> first = pool.encode({"n": 1}, str, key="one")
        >>> pool.encode(lambda: {"n": 2}, str, key="one") is first
        True
        >>> pool.stats()["pool_size"], pool.stats()["pool_hits"]
        (1, 1)
    """

    def __init__(
        self,
        size: int = 1000,
        max_age: float = 300.0,
        clock: Clock | None = None,
        *,
        sweep_interval: float = 30.0,
        shared: SharedValues | None = None,
        templates: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Start with none."""
        self._templates = templates
        self.sweep_interval = sweep_interval
        self._shared = shared
        self._size = size
        self._max_age = max_age
        self._now = (clock or MonotonicClock()).now
        self._lock = new_lock()
        # Key → (since when it is kept, the payload), the longest unused first.
        self._kept: OrderedDict[Hashable, tuple[float, EncodedPayload]] = OrderedDict()
        self._encoded = self._encoded_characters = self._uses = self._reused_characters = 0
        self._pool_hits = self._removed = 0

    def encode(
        self, payload: Any, to_text: Callable[[Any], str], key: Hashable = None
    ) -> EncodedPayload:
        """Encode a payload once, or return the one that is remembered under the key.

        Raises:
            EncodeError: it cannot be sent.
        """
        if key is not None:
            with self._lock:
                known = self._kept.get(key)
                if known is not None and self._now() - known[0] < self._max_age:
                    self._kept.move_to_end(key)
                    self._pool_hits += 1
                    return known[1]
            if callable(payload):
                payload = payload()
        text = to_text(payload)
        encoded = EncodedPayload(text, self._used)
        with self._lock:
            self._encoded += 1
            self._encoded_characters += len(text)
            if key is not None and self._size:
                self._kept[key] = (self._now(), encoded)
                self._kept.move_to_end(key)
                self._evict()
        return encoded

    def _evict(self) -> None:
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
            self._removed += 1

    def sweep(self) -> tuple[int, int]:
        """Forget what is too old; return how many that was, and their bytes."""
        oldest = self._now() - self._max_age
        with self._lock:
            gone = [self._kept.pop(key)[1] for key in self._older(oldest)]
            self._removed += len(gone)
        return len(gone), sum(_bytes(encoded) for encoded in gone)

    def _older(self, oldest: float) -> list[Any]:
        return [key for key, (since, _) in self._kept.items() if since <= oldest]

    def _used(self, characters: int) -> None:
        with self._lock:
            self._uses += 1
            self._reused_characters += characters

    def stats(self) -> dict[str, Any]:
        """Return the counts: payloads encoded here, pushes that needed no encoding, what is kept.

        Ages are seconds, of the oldest and the newest that is kept; None when there is none. With
        `share_decoded=True` there are also the counts of `SharedValues`.
        """
        with self._lock:
            now, kept = self._now(), list(self._kept.values())
            counts = {
                "misses": self._encoded,
                "hits": self._uses,
                "characters_encoded": self._encoded_characters,
                "characters_reused": self._reused_characters,
                "pool_hits": self._pool_hits,
                "removed": self._removed,
            }
        ages = [now - since for since, _ in kept]
        memory = sum(_bytes(encoded) for _, encoded in kept)
        shared = {} if self._shared is None else self._shared.stats()
        return {
            **counts,
            **shared,
            **self._templates(),
            "share_decoded": self._shared is not None,
            "evictions": counts["removed"],
            "bytes_held": memory + shared.get("bytes_held", 0),
            "bytes_saved": shared.get("bytes_saved", 0),
            "cleanup_interval": self.sweep_interval,
            "pool_size": len(kept),
            "max_pool_size": self._size,
            "max_age": self._max_age,
            "total_count": counts["misses"],
            "total_memory_bytes": memory,
            "total_memory_mb": memory / _MEGABYTE,
            "average_pattern_size": memory / len(kept) if kept else 0.0,
            "oldest_pattern_age": max(ages, default=None),
            "newest_pattern_age": min(ages, default=None),
        }


def _bytes(encoded: EncodedPayload) -> int:
    """Return the memory that a text takes."""
    return encoded.text.__sizeof__()

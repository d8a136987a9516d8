"""How long answers took: counts by size, so that a million of them take no more room than ten."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from supervisors._locks import new_lock

__all__ = ["Histogram"]

# The bounds of the buckets in seconds: from 0.1 ms on, each twice the one before.
_BOUNDS: Final[tuple[float, ...]] = tuple(0.0001 * 2**power for power in range(20))
_LAST: Final = len(_BOUNDS)
# How many durations are counted in one go: C code does that for a fraction of what each one takes.
_TOGETHER: Final = 64
_tenths: Final = (10_000.0).__mul__


class Histogram:
    """Durations of one client. Safe from any thread.

    Example:
        >>> times = Histogram()
        >>> for seconds in (0.001, 0.002, 0.003, 0.5):
        ...     times.add(seconds)
        >>> times.snapshot()["count"], times.snapshot()["max_seconds"]
        (4, 0.5)
        >>> 0.001 < times.quantile(0.5) < 0.01
        True
    """

    __slots__ = ("_counts", "_fresh", "_lock", "_longest", "_recent", "_total")

    def __init__(self, lock: Any = None) -> None:
        """Start empty; a lock may be given that guards something else, too."""
        self._lock: Any = new_lock() if lock is None else lock
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._fresh: list[float] = []  # not counted yet
        self._total = self._longest = 0.0
        self._recent: float | None = None

    def add(self, seconds: float) -> None:
        """Count a duration."""
        with self._lock:
            self.note(seconds)

    def note(self, seconds: float) -> None:
        """Count a duration. This method requires holding the lock."""
        fresh = self._fresh
        fresh.append(seconds)
        if len(fresh) >= _TOGETHER:
            self._count()

    def _count(self) -> None:
        """Count what is not counted yet. This method requires holding the lock."""
        fresh = self._fresh
        if not fresh:
            return
        self._fresh = []
        # The bucket's number is that of the power of two, in tenths of milliseconds.
        buckets = Counter(map(int.bit_length, map(int, map(_tenths, fresh))))
        for bucket, count in buckets.items():
            self._counts[min(bucket, _LAST)] += count
        self._total += sum(fresh)
        longest = max(fresh)
        self._recent = max(self._recent or 0.0, longest)
        self._longest = max(self._longest, longest)

    def renew_lock(self, lock: Any = None) -> None:
        """Take another lock: a thread that a fork has left behind may have this one."""
        self._lock = new_lock() if lock is None else lock

    def recent_max(self) -> float | None:
        """Return the longest duration since the last call of this, None when there was none."""
        with self._lock:
            self._count()
            recent, self._recent = self._recent, None
        return recent

    def quantile(self, part: float) -> float | None:
        """Return a duration that this part of all did not exceed, to a factor of two; None of none.

        It is the upper bound of the bucket, but never more than the longest.
        """
        with self._lock:
            self._count()
            return self._quantile(part)

    def _quantile(self, part: float) -> float | None:
        total = sum(self._counts)
        if not total:
            return None
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= part * total and bucket < len(_BOUNDS):
                bound: float = _BOUNDS[bucket]
                return min(bound, self._longest)
        return self._longest

    def snapshot(self) -> dict[str, float | int | None]:
        """Return count, mean, maximum and the quantiles, in seconds; None while there is none."""
        with self._lock:
            self._count()
            count, total, longest = sum(self._counts), self._total, self._longest
        return {
            "count": count,
            "mean_seconds": total / count if count else None,
            "max_seconds": longest if count else None,
            "p50_seconds": self.quantile(0.5),
            "p95_seconds": self.quantile(0.95),
            "p99_seconds": self.quantile(0.99),
        }

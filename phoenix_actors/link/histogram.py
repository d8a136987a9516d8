"""How long answers took: counts by size, so that a million of them take no more room than ten."""

from __future__ import annotations

from typing import Any, Final

from supervisors._locks import new_lock

__all__ = ["Histogram"]

# The bounds of the buckets in seconds: from 0.1 ms on, each twice the one before.
_BOUNDS: Final[tuple[float, ...]] = tuple(0.0001 * 2**power for power in range(20))
_LAST: Final = len(_BOUNDS)


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

    __slots__ = ("_counts", "_lock", "_longest", "_recent", "_total")

    def __init__(self, lock: Any = None) -> None:
        """Start empty; a lock may be given that guards something else, too."""
        self._lock: Any = new_lock() if lock is None else lock
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._total = self._longest = 0.0
        self._recent: float | None = None

    def add(self, seconds: float) -> None:
        """Count a duration."""
        with self._lock:
            self.note(seconds)

    def note(self, seconds: float) -> None:
        """Count a duration. This method requires holding the lock."""
        # The bucket's number is that of the power of two, in tenths of milliseconds.
        bucket = int(seconds * 10_000).bit_length()
        self._counts[bucket if bucket < _LAST else _LAST] += 1  # noqa: FURB136  a call more
        self._total += seconds
        recent = self._recent
        if recent is None or seconds > recent:
            self._recent = seconds
            # The longest of all is no shorter.
            self._longest = max(self._longest, seconds)

    def renew_lock(self, lock: Any = None) -> None:
        """Take another lock: a thread that a fork has left behind may have this one."""
        self._lock = new_lock() if lock is None else lock

    def recent_max(self) -> float | None:
        """Return the longest duration since the last call of this, None when there was none."""
        with self._lock:
            recent, self._recent = self._recent, None
        return recent

    def quantile(self, part: float) -> float | None:
        """Return a duration that this part of all did not exceed, to a factor of two; None of none.

        It is the upper bound of the bucket, but never more than the longest.
        """
        with self._lock:
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
            count, total, longest = sum(self._counts), self._total, self._longest
        return {
            "count": count,
            "mean_seconds": total / count if count else None,
            "max_seconds": longest if count else None,
            "p50_seconds": self.quantile(0.5),
            "p95_seconds": self.quantile(0.95),
            "p99_seconds": self.quantile(0.99),
        }

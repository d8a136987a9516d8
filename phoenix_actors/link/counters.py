"""What happened so far, counted where it happens and read without asking anybody."""

from __future__ import annotations

from collections import Counter

from supervisors._locks import new_lock

__all__ = ["Counters"]


class Counters:
    """The counts of one client, for its life. Safe from any thread.

    Example:
        >>> counters = Counters()
        >>> counters.add("frames_sent")
        >>> counters.add("bytes_sent", 12)
        >>> counters["frames_sent"], counters["bytes_sent"], counters["decode_errors"]
        (1, 12, 0)
    """

    __slots__ = ("_counts", "_lock")

    def __init__(self) -> None:
        """Start at zero."""
        # `+=` on a shared number loses updates between threads, so there is a lock.
        self._lock = new_lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """Count `amount` more."""
        with self._lock:
            self._counts[name] += amount

    def add_both(self, name: str, other: str) -> None:
        """Count one more of each of two."""
        with self._lock:
            self._counts[name] += 1
            self._counts[other] += 1

    def add_frames(self, count: int, size: int, decoded: int = 0) -> None:
        """Count frames that were received together, their bytes, and what was decoded."""
        with self._lock:
            counts = self._counts
            counts["frames_received"] += count
            counts["bytes_received"] += size
            if decoded:
                counts["decoded"] += decoded

    def add_sent(self, count: int, size: int, pushes: int) -> None:
        """Count frames that were sent together, their size, and the pushes among them."""
        with self._lock:
            counts = self._counts
            counts["frames_sent"] += count
            counts["bytes_sent"] += size
            if pushes:
                counts["pushes_sent"] += pushes

    def __getitem__(self, name: str) -> int:
        """Return the count, 0 for what never happened."""
        return self._counts[name]

    def snapshot(self) -> dict[str, int]:
        """Return all counts."""
        with self._lock:
            return dict(self._counts)

"""What happened so far, counted where it happens and read without asking anybody."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from supervisors._locks import new_lock

if TYPE_CHECKING:
    from phoenix_actors.link.future import PushFuture

__all__ = ["Counters"]

# What one push over an idle line adds one to, and one answer to a push.
_OF_A_PUSH: Final = ("encoded_by_template", "pushes", "pushes_sent", "frames_sent")
_OF_AN_ANSWER: Final = ("frames_received", "decoded", "push_replied")


class Counters:
    """The counts of one client, for its life. Safe from any thread.

    What belongs to a push that goes straight to the wire, or to its answer, is counted as one
    number: four to six names would be looked up otherwise. Who changes these four numbers holds
    `lock`, which such a push needs anyway.

    Example:
        >>> counters = Counters()
        >>> counters.add("frames_sent")
        >>> counters.add("bytes_sent", 12)
        >>> counters["frames_sent"], counters["bytes_sent"], counters["decode_errors"]
        (1, 12, 0)
        >>> with counters.lock:
        ...     counters.straight_pushes += 1
        ...     counters.straight_bytes += 40
        >>> counters["pushes"], counters["frames_sent"], counters.snapshot()["bytes_sent"]
        (1, 2, 52)
    """

    __slots__ = (
        "_counts",
        "answer_bytes",
        "answers",
        "lock",
        "straight_bytes",
        "straight_pushes",
    )

    def __init__(self) -> None:
        """Start at zero."""
        # `+=` on a shared number loses updates between threads, so there is a lock.
        self.lock = new_lock()
        self._counts: Counter[str] = Counter()
        self.straight_pushes = self.straight_bytes = 0
        self.answers = self.answer_bytes = 0

    def add(self, name: str, amount: int = 1) -> None:
        """Count `amount` more."""
        with self.lock:
            self._counts[name] += amount

    def offer(self, push: PushFuture, by: str | None) -> None:
        """Count a push, and by what it was encoded, if it was; now its end is counted, too."""
        with self.lock:
            counts = self._counts
            if by is not None:
                counts[by] += 1
            # One step: a signal's handler raises behind a call, and there is none.
            counts["pushes"] += 1
            push.counters = self

    def end(self, name: str, cell: list[tuple[bool, Any]], outcome: tuple[bool, Any]) -> bool:
        """Count the end of a push and note it in its future's cell, both under the lock.

        False, with nothing counted, where another thread has noted one in this very moment.
        """
        with self.lock:
            self._counts[name] += 1
            cell.append(outcome)
            first = cell[0] is outcome
            if not first:
                self._counts[name] -= 1
                del cell[1:]
        return first

    def add_frames(self, count: int, size: int, decoded: int = 0) -> None:
        """Count frames that were received together, their bytes, and what was decoded."""
        with self.lock:
            counts = self._counts
            counts["frames_received"] += count
            counts["bytes_received"] += size
            if decoded:
                counts["decoded"] += decoded

    def add_sent(self, count: int, size: int, pushes: int) -> None:
        """Count frames that were sent together, their size, and the pushes among them."""
        with self.lock:
            counts = self._counts
            counts["frames_sent"] += count
            counts["bytes_sent"] += size
            if pushes:
                counts["pushes_sent"] += pushes

    def note_answers(self, count: int, size: int, replied: int, decoded: int) -> None:
        """Count answers that were received together, and how many of them said "ok" to a push.

        This method requires holding the lock.
        """
        counts = self._counts
        counts["frames_received"] += count
        counts["bytes_received"] += size
        if replied:
            counts["push_replied"] += replied
        if decoded:
            counts["decoded"] += decoded

    def renew_lock(self) -> threading.Lock:
        """Take another lock, and return it: a thread that a fork has left behind may have this."""
        self.lock = new_lock()
        return self.lock

    def __getitem__(self, name: str) -> int:
        """Return the count, 0 for what never happened."""
        count = self._counts[name]
        if name in _OF_A_PUSH:
            count += self.straight_pushes
        elif name in _OF_AN_ANSWER:
            count += self.answers
        elif name == "bytes_sent":
            count += self.straight_bytes
        elif name == "bytes_received":
            count += self.answer_bytes
        return count

    def snapshot(self) -> dict[str, int]:
        """Return all counts."""
        with self.lock:
            counts = dict(self._counts)
            pushes, sent = self.straight_pushes, self.straight_bytes
            answers, received = self.answers, self.answer_bytes
        if pushes:
            for name in _OF_A_PUSH:
                counts[name] = counts.get(name, 0) + pushes
            counts["bytes_sent"] = counts.get("bytes_sent", 0) + sent
        if answers:
            for name in _OF_AN_ANSWER:
                counts[name] = counts.get(name, 0) + answers
            counts["bytes_received"] = counts.get("bytes_received", 0) + received
        return counts

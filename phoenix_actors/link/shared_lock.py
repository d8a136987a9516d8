"""A lock for many objects at once, where one for each would cost more memory than it is worth."""

from __future__ import annotations

import os
import threading
from itertools import repeat, starmap
from typing import Any, Final

from supervisors._locks import new_lock, new_rlock

__all__ = ["TopicLocks", "shared_lock"]

# A lock takes 96 bytes, and two threads seldom are busy with two topics of one client at once.
_LOCKS: Final = 16


class TopicLocks:
    """The reentrant locks of the topics of one client: few, whatever their number.

    A topic that is joined anew has the one of its former record. Who holds that of one topic takes
    no other topic's: two threads could do so in different orders.

    Example:
        >>> locks = TopicLocks()
        >>> locks.of("room:1") is locks.of("room:1")
        True
        >>> len({id(locks.of(f"room:{number}")) for number in range(1_000)}) <= 16
        True
    """

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        """Make the locks."""
        self._locks = tuple(starmap(new_rlock, repeat((), _LOCKS)))

    def of(self, topic: str) -> Any:
        """Return the lock of a topic."""
        return self._locks[hash(topic) % _LOCKS]


def shared_lock() -> threading.Lock:
    """Return a lock of a module's own, free in the child of a fork whoever had it.

    It is for a few steps at a time that call nothing of the user's, and takes no other lock.

    Example:
        >>> lock = shared_lock()
        >>> with lock:
        ...     lock.locked()
        True
    """
    lock = new_lock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock

"""A lock for many objects at once, where one for each would cost more memory than it is worth."""

from __future__ import annotations

import os
import threading

from supervisors._locks import new_lock

__all__ = ["shared_lock"]


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

"""Where the threads of this process are."""

from __future__ import annotations

import gc
import sys
from types import FrameType

from supervisors._locks import new_rlock

__all__ = ["thread_frames"]

# Whether a collection inside `sys._current_frames` can block the process (python/cpython#106883).
_COLLECTS = sys.version_info < (3, 12)
_lock = new_rlock()


def thread_frames() -> dict[int, FrameType]:
    """Return the innermost frame of each thread, by the thread's number. Safe from any thread.

    Before Python 3.12 `sys._current_frames` holds a lock of the interpreter while it makes objects,
    and objects that are made start garbage collections. Where a finalizer then lets another thread
    run which wants the same lock, as each start of a thread does, all threads wait. So nothing is
    collected meanwhile, as in Python itself from 3.11.9 on.

    Example:
        >>> import threading
        >>> threading.get_ident() in thread_frames()
        True
    """
    if not _COLLECTS:
        return sys._current_frames()
    # One at a time, or one would switch the collector on again while another is in there.
    with _lock:
        collects = gc.isenabled()
        try:
            gc.disable()
            return sys._current_frames()
        finally:
            if collects:
                gc.enable()

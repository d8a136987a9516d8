"""Locks that `with` gives back, wherever an exception of a signal's handler comes.

Such an exception, the user's Ctrl-C for one, may come behind any call of C code. Python calls a
lock's `__enter__` before it knows that there is something to give back, and from 3.14 on it looks
for signals behind that call: the exception would leave the lock locked, and whoever wants it next
would wait for ever. There a function written in Python is called instead, behind whose return
Python does not look for signals, and which takes the lock by an operator, behind which it does not
look either.

Where the time that a `with` takes matters, these two do the same in half of it:

    _ = -lock
    try: ...
    finally: lock.release()

For locks that are taken by `with`. One that is not is another matter, see `transport.own_lock`. The
`with` of a `threading.Condition`, or an Event's `set`, can be caught half way in every version, for
they are written in Python: take a condition's lock instead.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

__all__ = ["new_lock", "new_rlock"]

_RLOCK: Final[Any] = type(threading.RLock())


class _StepLock(_RLOCK):  # type: ignore[misc]
    """A reentrant lock that is taken in one step.

    Example:
        >>> lock = _StepLock()
        >>> with lock:
        ...     lock._is_owned()
        True
        >>> lock._is_owned()
        False
    """

    __slots__ = ()

    # C code, which the operator calls.
    __neg__ = _RLOCK.acquire

    if sys.version_info >= (3, 14):

        def __enter__(self) -> bool:
            """Take the lock."""
            taken: bool = -self
            return taken


# Where one that is not reentrant will do, one that is does no harm: only its holder would notice.
new_lock: Callable[[], threading.Lock] = threading.Lock
new_rlock: Callable[[], Any] = _StepLock

if sys.version_info >= (3, 14):
    new_lock = _StepLock

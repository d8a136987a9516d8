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

`soon` does under a lock what must not wait for it; `forks` are those under way, which hold the
locks of all tables.
"""

from __future__ import annotations

import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from operator import methodcaller
from typing import Any, Final

__all__ = ["forks", "new_lock", "new_rlock", "soon"]

# In seconds: longer than anybody holds a lock who is not interrupted.
_try: Final[Any] = methodcaller("acquire", True, 0.05)

forks: Final[list[Any]] = []
"""The forks that are under way, see `forking`: each `thread` takes, or holds, every lock of tables.

A thread has one at most, but for those that a signal's handler makes in the hooks of another.
"""

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


def soon(lock: Any, act: Callable[[], Any], then: Callable[[Any], object] = lambda _: None) -> None:
    """Do `act` under the lock, then `then` without it; in a new thread if it is held for 50 ms.

    For the end of an actor, which must not wait for whoever has the lock: a finalizer, or a
    signal's handler, that came in the middle of that one's step may wait for this very end.

    Args:
        lock: of a table.
        act: what to do; it is done before this returns, but for the new thread.
        then: gets what `act` has returned.
    """
    # To take it and to know of it is one step, of C code.
    taken: list[bool] = []
    done = None
    try:
        taken.extend(map(_try, (lock,)))
        if taken[0]:
            done = act()
    finally:
        if taken and taken[0]:
            lock.release()
    if not taken[0]:
        # An interpreter that ends has no more threads, and nobody who would miss it.
        with suppress(RuntimeError):
            start_new_thread(_do_under, (lock, act, then))
    else:
        then(done)


def _do_under(lock: Any, act: Callable[[], Any], then: Callable[[Any], object]) -> None:
    with lock:
        done = act()
    then(done)

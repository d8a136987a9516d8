"""Who holds a lock: what a lock needs that an exception of a signal's handler may fall upon.

Such an exception, the user's Ctrl-C for one, comes between any call and what follows it: between
taking a lock and the `try` that is to give it back, too. So a lock that is not taken by `with`,
because nobody may wait for it, is an RLock that is taken inside the `try`, and the `finally` gives
it back by a call of its own `release`, which raises RuntimeError where another thread has it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["is_mine"]


def is_mine(lock: Any) -> bool:
    """Tell whether this thread holds the RLock, as a signal's handler may find.

    Example:
        >>> import threading
        >>> lock = threading.RLock()
        >>> with lock:
        ...     is_mine(lock)
        True
        >>> is_mine(lock)
        False
    """
    mine: bool = lock._is_owned()
    return mine

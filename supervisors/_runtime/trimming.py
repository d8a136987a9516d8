"""Memory that threads have freed, given back to the operating system.

The C library keeps what is freed for whoever asks next; where many threads have just ended, nobody
may ask for long.
"""

from __future__ import annotations

from typing import Any

__all__ = ["trim"]


def trim() -> bool:
    """Have the C library give back what it has no use for; tell whether it did.

    Only glibc can be told to. It takes about a millisecond for each 10 MB that are given back;
    threads that allocate meanwhile may wait for it.

    Example:
        >>> isinstance(trim(), bool)
        True
    """
    try:
        # 0.2 MB that only who gives back more has to take.
        import ctypes

        function: Any = ctypes.CDLL(None).malloc_trim
    except (ImportError, OSError, AttributeError, TypeError):
        return False
    return bool(function(0))

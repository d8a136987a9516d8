"""Monitoring by any kind of reference."""

from __future__ import annotations

from typing import Any

from supervisors._runtime.current import current
from supervisors._runtime.foreign import process_of
from supervisors._runtime.signals import Monitor, watch

__all__ = ["monitor"]


def monitor(ref: Any) -> Monitor:
    """Watch an actor: in an actor the Down arrives in handle_info, elsewhere use `.wait()`.

    Raises:
        NotAvailableError: for the reference of a plain Pykka actor, in this version.

    Example:
        >>> from supervisors import GenServer
        >>> ref = GenServer.start()
        >>> watch = monitor(ref)
        >>> ref.stop(), watch.wait(10).reason
        (True, Normal())
    """
    return watch(process_of(ref, "monitor"), ref, current.process)

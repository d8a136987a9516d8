"""Monitoring by any kind of reference."""

from __future__ import annotations

from typing import Any

from supervisors._runtime.current import current
from supervisors._runtime.foreign import any_process_of
from supervisors._runtime.signals import Monitor, watch

__all__ = ["monitor"]


def monitor(ref: Any) -> Monitor:
    """Watch an actor: in an actor the Down arrives in handle_info, elsewhere use `.wait()`.

    A plain Pykka actor can be watched too. Where it was ending already the reason is NoProc().

    Raises:
        NotAvailableError: it is no reference to an actor.

    Example:
        >>> from supervisors import GenServer
        >>> ref = GenServer.start()
        >>> watch = monitor(ref)
        >>> ref.stop(), watch.wait(10).reason
        (True, Normal())
    """
    return watch(any_process_of(ref, "monitor"), ref, current.process)

"""One turn of a process: a batch of messages, then the slot back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from supervisors._runtime.current import current
from supervisors._runtime.tracing import crashed
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["BATCH", "run_turn"]

BATCH = 64
"""Messages that one process handles before others get their turn."""


def run_turn(process: Process) -> bool:
    """Run one batch and, when nothing is left, give the slot back; tell whether to go on."""
    try:
        more = process.run_batch(BATCH)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own; nothing must hang
        execute(
            ("supervisors", "pool", "turn_failed"), {"count": 1}, {"error": type(error).__name__}
        )
        process.finish(crashed(error))
        return False
    if more:
        return True
    if process.ended:
        if current.forked:
            # The handler has forked and this is the child, whose only purpose is over.
            os._exit(0)
        return False
    mailbox = process.mailbox
    mailbox.slot.release()
    # Somebody may have put a message while the slot was still taken.
    return mailbox.has_work() and mailbox.slot.acquire(False)

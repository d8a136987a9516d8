"""One turn of a process: a batch of messages, then the slot back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.tracing import crashed
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["BATCH", "run_turn"]

BATCH = 64
"""Messages that one process handles before others get their turn."""


def run_turn(process: Process, here: dict[str, Any] | None = None) -> bool:
    """Run one batch and, when nothing is left, give the slot back; tell whether to go on.

    Args:
        process: whose turn it is; its slot is taken.
        here: this thread's values of `current`, where they are at hand.
    """
    try:
        more = process.run_batch(BATCH, current.__dict__ if here is None else here)
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
    return bool(
        mailbox.control or (mailbox.user and not mailbox.suspended)
    ) and mailbox.slot.acquire(False)

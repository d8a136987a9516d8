"""One turn of a process: a batch of messages, then the slot back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.tracing import crashed
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.current import Here
    from supervisors._runtime.process import Process

__all__ = ["BATCH", "fail_turn", "run_turn"]

BATCH = 64
"""Messages that one process handles before others get their turn."""


def run_turn(process: Process, here: Here | None = None) -> bool:
    """Run one batch and, when nothing is left, give the slot back; tell whether to go on.

    Args:
        process: whose turn it is; its slot is taken.
        here: this thread's values of `current`, where they are at hand.
    """
    if here is None:
        here = current.here
    previous = here.process
    try:
        return process.take_turn(BATCH, here)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own; nothing must hang
        fail_turn(process, error)
        return False
    finally:
        here.process = previous


def fail_turn(process: Process, error: BaseException) -> None:
    """Report an error of the runtime itself, and end the process that it met."""
    process.handling = IDLE
    event = ("supervisors", "pool", "turn_failed")
    execute(event, {"count": 1}, {"error": type(error).__name__})
    process.finish(crashed(error))
    process._come_back()

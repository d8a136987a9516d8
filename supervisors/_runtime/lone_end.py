"""The end of an idle actor of which nobody is to be told, in the thread of who waits for it.

Such an actor has no supervisor, nothing was ever tied to it, and its end runs nothing of a user's.
So this takes neither a turn nor, in the main thread, a `shield`. Laws, where a signal's handler
interrupts it there:

- The handler finds the actor alive and with its slot free, or ended and closed: that is one step
  of C code, so what the handler asks of it is answered, by the actor or by a NoProcError.
- What the handler raises comes out; if the actor has ended by then, another thread does the rest.
"""

from __future__ import annotations

from _thread import start_new_thread
from collections import deque
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from supervisors._runtime.pool import pool
from supervisors._runtime.ties import FREE
from supervisors.exits import Crashed

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors.exits import ExitReason

__all__ = ["end_alone"]

_TAKE = list.pop
_do_all = deque[Any](maxlen=0).extend
_STATE = ("closed", "reason", "initialised", "ended")


def end_alone(process: Process, reason: ExitReason) -> bool:
    """End an idle process; False, undone, where it is not idle, or more is to be done.

    Args:
        process: has no supervisor; somebody else's look at its mailbox may have come before.
        reason: why.

    Raises:
        BaseException: what a signal's handler raises.
    """
    actor = process.actor
    if process.dispatcher is not pool or isinstance(reason, Crashed):
        return False
    if not actor._otp_has_plain_end() or getattr(actor, "_otp_stash", None):
        return False
    try:
        with process.claim:
            if process.ended or not process.initialised or process.bonds is not FREE:
                return False
            if process.mailbox.control or not _close(process, reason):
                return False
        process._tell_parent()
    except BaseException:
        # As in `Process.kill`.
        if process.ended and process.actor_ref.process is not None:
            start_new_thread(process._tell_the_end, ())
        raise
    return True


def _close(process: Process, reason: ExitReason) -> bool:
    """Take the slot and be ended, in one step; False, undone, where somebody else has the slot."""
    slot, state = process.mailbox.slot, (True, reason, False, True)
    try:
        _do_all(map(setattr, chain(map(_TAKE, (slot,)), repeat(process)), _STATE, state))
    except IndexError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            return False
        # A signal's handler has raised it.
        raise
    return True

"""The end of an idle actor of which nobody is to be told, in the thread of who waits for it.

Such an actor has no supervisor, nothing was ever tied to it, and its end runs nothing of a user's.
So this takes neither a turn nor, in the main thread, a `shield`. Laws, where a signal's handler
interrupts it there:

- The handler finds the actor alive and with its slot free, or ended and closed: that is one step
  of C code, so what the handler asks of it is answered, by the actor or by a NoProcError.
- What the handler raises comes out; if the actor has ended by then, another thread does the rest.
- No lock is held between two steps. So `ended` is set without the claim, which is taken and given
  back after that: who has tied something to the actor before has done so then, and is seen. So has
  a kill that did not see `ended` yet; it alone tells the end then, and here that is waited for.
"""

from __future__ import annotations

from _thread import start_new_thread
from collections import deque
from itertools import chain, repeat
from operator import call
from typing import TYPE_CHECKING, Any

from supervisors._runtime.pool import pool
from supervisors._runtime.reply import Reply
from supervisors._runtime.ties import FREE
from supervisors.exits import Crashed

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors.exits import ExitReason

__all__ = ["end_alone"]

_TAKE = list.pop
_do_all = deque[Any](maxlen=0).extend
_STATE = ("closed", "reason", "ended")


def end_alone(process: Process, reason: ExitReason) -> bool:
    """End an idle process; False, undone, where it is not idle, or more is to be done.

    Args:
        process: has no supervisor, and nothing is tied to it.
        reason: why.

    Raises:
        BaseException: what a signal's handler raises.
    """
    actor, mailbox = process.actor, process.mailbox
    if process.dispatcher is not pool or isinstance(reason, Crashed):
        return False
    if not actor._otp_has_plain_end() or getattr(actor, "_otp_stash", None):
        return False
    if mailbox.control or not process.initialised:
        return False
    try:
        state = (True, reason, True)
        try:
            # Takes the process out of its slot and sets closed, reason and ended of it.
            _do_all(
                map(setattr, chain(map(_TAKE, (mailbox.slot,)), repeat(process)), _STATE, state)
            )
        except IndexError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                # Somebody else has it.
                return False
            # A signal's handler has raised it.
            raise
        claim = process.claim
        _do_all(map(call, (claim.acquire, claim.release)))
        # A kill that came in between has said so under the claim, and tells the end.
        killed = not process.initialised
        if not killed:
            if process.bonds is FREE:
                process._tell_parent()
            else:
                process._tell_the_end()
    except BaseException:
        # As in `Process.kill`.
        if process.ended and process.actor_ref.process is not None:
            start_new_thread(process._tell_the_end, ())
        raise
    if killed:
        end = Reply()
        process.await_end(end)
        end.get()
    return True

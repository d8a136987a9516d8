"""Turns of idle processes, run where they are wanted: without a message, a queue or a thread.

Who finds a process idle takes its slot, and with it the right to run it, does what is to be done
and gives the slot back. Laws:

- A process is idle when its slot is free and nothing that could be handled now waits in it. What
  waits there was sent before and comes before, so then a message has to be sent.
- As in any turn: `ended` is looked at before anything of a user's runs, and what others put in
  meanwhile gets its turn when the slot is given back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.handover import flush, only_waits, runs_here
from supervisors._runtime.lone_end import end_alone
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.pool import pool
from supervisors._runtime.shield import shielded
from supervisors._runtime.ties import FREE
from supervisors._runtime.turns import fail_turn
from supervisors.exits import Crashed, ExitReason

if TYPE_CHECKING:
    from supervisors._runtime.current import Here
    from supervisors._runtime.process import Process

__all__ = [
    "end_idle",
    "end_in_caller",
    "give_back",
    "in_turn",
    "leave",
    "take_turn",
    "tell_end",
]


def take_turn(process: Process, act: Callable[[], None]) -> bool:
    """Do `act` as a turn of an idle process in this thread; False, undone, when it is not idle."""
    mailbox = process.mailbox
    if not getattr(process.dispatcher, "runs_in_any_thread", False):
        return False
    if not mailbox.take_slot():
        return False
    here = current.here
    waits = mailbox.control or mailbox.user or mailbox.suspended
    if waits or not process.initialised or process.ended:
        give_back(process)
        return False
    previous, here.process = here.process, process
    process._thread_id = here.ident
    try:
        act()
    except BaseException as error:  # noqa: BLE001  as for any handler
        process.crash(error, None)
    finally:
        here.process = previous
        process.handling = IDLE
        if process.ended:
            process._come_back()
    if process.ended and here.forked:
        # Something of a user's has forked and this is the child, whose only purpose is over.
        os._exit(0)
    give_back(process)
    return True


def end_idle(process: Process, reason: ExitReason, *, by_parent: bool = False) -> bool:
    """End an idle process whose end runs nothing of a user's; False, undone, where that is not so.

    It is the turn in which the process would obey a StopOrder, which overtakes user messages.

    Args:
        process: which.
        reason: why.
        by_parent: whether its supervisor does this, and so need not be told.
    """
    if isinstance(reason, Crashed) or not process.actor._otp_has_plain_end():
        return False
    mailbox, dispatcher = process.mailbox, process.dispatcher
    if dispatcher is not pool and not getattr(dispatcher, "runs_in_any_thread", False):
        return False
    try:
        mailbox.slot.pop()
    except IndexError:
        return False
    claim = process.claim
    # As `with` it, which takes twice as long.
    _ = -claim
    try:
        ends = process.initialised and not process.ended and not mailbox.control
        if ends:
            process.ended, process.initialised, process.reason = True, False, reason
            if by_parent:
                process.incarnation = 0
    finally:
        claim.release()
    if not ends:
        give_back(process)
        return False
    tell_end(process)
    return True


def tell_end(process: Process) -> None:
    """Tell of the end of a process that was idle when its slot was taken for that."""
    if process.bonds is FREE and not process.mailbox.user:
        process._tell_parent()
        return
    here = current.here
    previous, here.process = here.process, process
    try:
        process._tell_the_end()
    finally:
        here.process = previous


def end_in_caller(process: Process, reason: ExitReason) -> bool:
    """End an idle process in the thread of who waits for it; False where that must not be.

    It sees and changes no context variable of the caller's; what monitors want to be told, and what
    is still queued, is not told in its thread at all.
    """
    bonds, here = process.bonds, current.here
    if process.mailbox.user:
        return False
    if bonds is not FREE:
        if bonds.may_call_back():
            return False
    elif here.is_main and not process.incarnation:
        # It takes two thirds of the time that a shield and a turn take.
        return end_alone(process, reason)
    if only_waits(here, 3, shielded=True):
        return False
    if here.is_main:
        return shielded(_end_and_flush, process, reason) is True
    return Context().run(_end_and_flush, process, reason)


def _end_and_flush(process: Process, reason: ExitReason) -> bool:
    ended = end_idle(process, reason)
    # Its supervisor may have become this thread's next one, and the caller goes on now.
    flush()
    return ended


def in_turn(
    process: Process, here: Here, act: Callable[[Any, Any], Any], argument: Any, *, idle: bool
) -> Any:
    """Do `act(actor, argument)` as a turn of a supervisor in this thread; return its answer.

    UNDONE, nothing was done, if somebody else has the turn or something stands against it; None
    after an error of the runtime's own, which ends the supervisor, as in `run_turn`.

    Args:
        process: whose turn it is to be.
        here: this thread's values of `current`; never the main thread's.
        act: runs nothing of a user's, or says so in `handling` as long as it does.
        argument: for it.
        idle: whether it must have started, and no message may wait: what waits comes before.
    """
    mailbox = process.mailbox
    dispatcher = process.dispatcher
    if dispatcher is not pool and not getattr(dispatcher, "runs_in_any_thread", False):
        return UNDONE
    slot = mailbox.slot
    try:
        slot.pop()
    except IndexError:
        return UNDONE
    if (
        process.ended
        or mailbox.suspended
        or mailbox.control
        or (idle and (mailbox.user or not process.initialised))
    ):
        give_back(process)
        return UNDONE
    process._thread_id = here.ident
    outer, here.process = here.process, process
    try:
        return act(process.actor, argument)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own
        fail_turn(process, error)
        return None
    finally:
        here.process = outer
        if process.ended:
            again = leave(process, here)
        else:
            # As leave, without its call.
            slot.append(process)
            again = (mailbox.control or mailbox.user) and mailbox.retake_slot()
        if again:
            # What others have put in meanwhile gets a turn of its own, elsewhere.
            process.schedule()


def leave(process: Process, here: Here) -> bool:
    """End a turn; True when others have put in something meanwhile and the slot is held still."""
    if process.ended:
        process._come_back()
        if here.forked:
            # Something of a user's has forked and this is the child, whose only purpose is over.
            os._exit(0)
    mailbox = process.mailbox
    mailbox.slot.append(process)
    return bool(mailbox.control or mailbox.user) and mailbox.retake_slot()


def give_back(process: Process) -> None:
    """Give a slot back, and have a turn run for what has come meanwhile."""
    if process.mailbox.give_back_slot() and not runs_here(
        process, process.dispatcher, to_callers=False
    ):
        process.schedule()

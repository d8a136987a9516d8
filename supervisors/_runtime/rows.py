"""Ends of a supervisor's children in a row: what `end_idle` does for one, in one loop for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors._runtime.actor_list import strike
from supervisors._runtime.handover import flush
from supervisors._runtime.in_place import end_idle, give_back, tell_end
from supervisors._runtime.pool import pool

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors.exits import ExitReason

__all__ = ["end_row"]


def end_row(lives: dict[int, Process], incarnations: list[int], reason: ExitReason) -> int:
    """End children from the first on, as far as each is idle and its end runs nothing of a user's.

    Those that nothing is tied to, and for which no message waits, take the fewest steps.

    Args:
        lives: the children of a supervisor whose turn this is, by incarnation.
        incarnations: which of them.
        reason: why; no crash.

    Returns:
        How many have ended; they are out of `lives`.
    """
    for ended, incarnation in enumerate(incarnations):
        process = lives.get(incarnation)
        if process is None:
            return ended
        actor = process.actor
        if process.dispatcher is not pool or not actor._otp_has_plain_end():
            if not end_idle(process, reason, by_parent=True):
                return ended
            lives.pop(incarnation, None)
            continue
        # From here on as end_idle and what it calls, without the calls.
        mailbox = process.mailbox
        try:
            mailbox.slot.pop()
        except IndexError:
            return ended
        with process.claim:
            if process.initialised and not process.ended and not mailbox.control:
                process.ended, process.initialised, process.reason = True, False, reason
                process.incarnation = 0
        if process.incarnation:
            give_back(process)
            return ended
        lives.pop(incarnation, None)
        if process.tied or mailbox.user:
            tell_end(process)
            continue
        mailbox.closed = True
        if mailbox.control or mailbox.user:
            mailbox.drain()
        ref = process.actor_ref
        strike(ref, None)
        actor._otp_after_end(reason)
        ref.process = None
        with process.claim:
            waiters, process._stop_waiters = process._stop_waiters, ()
        if waiters:
            # Who waits may be called back.
            flush()
            for reply in waiters:
                reply.settle(value=True)
    return len(incarnations)

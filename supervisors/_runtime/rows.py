"""Children of one supervisor that are ended or started in a row: in one loop, for fewer steps each.

What `end_idle` does for one `end_row` does for many. A `Row` is started without a turn of the
supervisor for each: its machine is told of those that are up when it is given anything else, or
when the row is over. Laws: nothing is given to the machine before it knows of those; a row that was
cut starts none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors._locks import new_rlock
from supervisors._runtime.actor_list import strike
from supervisors._runtime.handover import flush
from supervisors._runtime.in_place import end_idle, give_back, tell_end
from supervisors._runtime.pool import pool
from supervisors._runtime.ties import FREE

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._runtime.process import Process
    from supervisors._runtime.ref import ActorRef
    from supervisors.exits import ExitReason

__all__ = ["Row", "end_row"]


class Row:
    """Children that one worker starts, one after the other; the first of them is made already."""

    __slots__ = ("cut", "first", "lock", "members", "refs")

    def __init__(self, first: Process, members: list[Child]) -> None:
        """Begin with the first.

        Args:
            first: is about to have its first turn.
            members: those that come after it.
        """
        self.first = first
        self.members = members
        # Held while the next one is made; a finalizer may run in there, and cut the row.
        self.lock = new_rlock()
        self.cut = False
        # Of those that are up, but for the last one: that one's outcome is told in another way.
        self.refs: list[ActorRef] = []

    def end(self) -> list[ActorRef]:
        """Have no more children started; return the references of those that are up."""
        with self.lock:
            self.cut = True
        return self.refs


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
        claim = process.claim
        # As `with` it, which takes twice as long.
        _ = -claim
        try:
            if process.initialised and not process.ended and not mailbox.control:
                process.ended, process.initialised, process.reason = True, False, reason
                process.incarnation = 0
        finally:
            claim.release()
        if process.incarnation:
            give_back(process)
            return ended
        lives.pop(incarnation, None)
        if process.bonds is not FREE or mailbox.user:
            tell_end(process)
            continue
        mailbox.closed = True
        if mailbox.control or mailbox.user:
            mailbox.drain()
        ref = process.actor_ref
        strike(ref, None)
        actor._otp_after_end(reason)
        ref.process = None
        # Looked at afterwards, as `await_end` does it the other way round.
        if process.bonds.stop_waiters:
            # Who waits may be called back.
            flush()
            process._answer_waiters()
    return len(incarnations)

"""Ending whole trees: in order within a deadline, or at once."""

from __future__ import annotations

from _thread import start_new_thread
from collections import deque
from typing import TYPE_CHECKING

from supervisors._runtime.current import current
from supervisors._runtime.items import StopOrder
from supervisors._runtime.reply import Reply
from supervisors._runtime.timers import timers
from supervisors._runtime.unstopped import Unstopped, unstopped_under
from supervisors.errors import CallTimeout, SelfCallError

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors._runtime.ref import ActorRef
    from supervisors.exits import ExitReason

__all__ = ["GRACE", "end_tree", "kill_tree", "order_end"]

GRACE = 1.0
"""Seconds after a deadline in which supervisors finish; then they are killed themselves."""


def kill_tree(process: Process) -> None:
    """End a process and everything below it at once; what is inside a handler is abandoned.

    No terminate() runs that has not begun. Safe from any thread.
    """
    taken: deque[tuple[int, Process]] = deque()
    try:
        _kill(process, taken)
    except BaseException:
        # A signal's handler has raised, in the main thread, or this one is too deep in calls. Whom
        # the supervisor has given away nobody else would end; to be killed twice harms nobody.
        start_new_thread(_kill, (process, taken))
        raise


def _kill(process: Process, taken: deque[tuple[int, Process]]) -> None:
    process.actor._otp_give_away(taken)
    process.kill()
    while taken:
        kill_tree(taken[0][1])
        taken.popleft()


def order_end(process: Process, reason: ExitReason, timeout: float | None) -> Reply:
    """Order a tree to stop within `timeout` seconds; return the future of its end."""
    reply = Reply()
    deadline = None if timeout is None else timers.clock.now() + timeout
    process.order(StopOrder(reason, reply, deadline))
    return reply


def end_tree(ref: ActorRef, reason: ExitReason, timeout: float | None) -> list[Unstopped]:
    """Stop a tree in order within `timeout` seconds; return what of it still runs then.

    Raises:
        SelfCallError: its topmost actor waits for its own end.
    """
    process = ref.process
    if process is None:
        return []
    if current.process is process:
        raise SelfCallError(ref)
    reply = order_end(process, reason, timeout)
    try:
        reply.get(timeout=None if timeout is None else timeout + GRACE)
    except CallTimeout:
        # A supervisor that is itself inside user code, such as a child's __init__.
        kill_tree(process)
    return unstopped_under(process)

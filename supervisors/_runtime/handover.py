"""Turns that run where they were caused, instead of on another thread.

When an actor ends, its supervisor has something to do; when that starts a child, the child has.
Handing each to another thread costs a wake-up (tens of µs), so the thread in which one of the
runtime's own steps makes a process ready runs that process next: a worker of the pool after its
present turn, and a caller that waits (`start`, `start_child`, `stop`, …) while it waits. Where all
of it can be done in one go it is: see `first_turn`, `asking` and `in_place`. Laws, for those too:

- A thread keeps at most one such process, and none while it runs a user's code: what a handler or
  a start callable that blocks would hold up goes to the pool's queue first (`flush`).
- A waiting caller runs supervisors, which have no handlers, inits that no `start_timeout` bounds,
  and ends of classes without a terminate; what of that is idle, without a message (`in_place`).
  It runs no `terminate`, on which a deadline may have to give up while the caller goes on, and no
  message handler, for the same reason: an asker is told at once when the actor is killed in the
  middle of its call, which it could not be in there.
- The main thread runs what runs nothing of a user's, as one step of `shield`: plain starts, ends of
  idle actors, what supervisors only look up; `lone_end` needs no shield. Of the rest it runs
  nothing. A KeyboardInterrupt, or what another signal's handler raises, would meet a supervisor
  half way in a step, or the handler call the very supervisor whose step it has interrupted; and an
  init must not be shielded from Ctrl-C, which may be all that ends it.
- Nor does a thread with a running event loop run anything, in which an init could not run one of
  its own, or one so deep in calls that what it ran might meet the recursion limit.
- The turns that a caller runs neither see nor change the caller's context variables.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.turns import run_turn

if TYPE_CHECKING:
    from supervisors._runtime.current import Here
    from supervisors._runtime.dispatcher import Dispatcher
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply

__all__ = ["flush", "help_along", "only_waits", "runs_here"]

_DEEPEST = 16
# Frames above the first of a thread up to which its height is worth being remembered.
_LOW = 40
# So many frames higher than remembered it is looked for still.
_NEAR = (0,) * 5
_frame = sys._getframe
_modules = sys.modules
# Stands for the first frame of the main thread.
_ANY = object()
_FIRST_FRAME: Any = threading.Thread._bootstrap  # type: ignore[attr-defined]


def runs_here(process: Process, dispatcher: Dispatcher | None, *, to_callers: bool) -> bool:
    """Make a turn whose slot was just taken this thread's next one, if that is possible.

    Args:
        process: whose turn it is.
        dispatcher: who runs it, else.
        to_callers: whether a caller that waits for something may run it.
    """
    here = current.here
    if (
        here.next is None
        and (to_callers if here.helping else here.host is dispatcher)
        and getattr(dispatcher, "runs_in_any_thread", False)
    ):
        here.next = process
        return True
    return False


def flush() -> None:
    """Leave to others what this thread was to run next: it is about to run a user's code."""
    here = current.here
    process = here.next
    if process is not None:
        here.next = None
        process.schedule_elsewhere()


def only_waits(here: Here, above: int = 1, *, shielded: bool = False) -> bool:
    """Tell whether this thread runs nothing while it waits.

    Args:
        here: this thread's values of `current`.
        above: how many frames above who called the library this one is: that is where the next call
            comes from, mostly, so the height is remembered of it.
        shielded: whether it is a step that the main thread may run too, see `shield`.
    """
    host = here.host
    if host is not None and not getattr(host, "runs_in_any_thread", False):
        return True
    if (here.is_main and not shielded) or here.depth >= _DEEPEST:
        return True
    # Where no asyncio event loop can run nothing is loaded.
    if "asyncio.events" in _modules and _runs_a_loop():
        return True
    # To find the first frame about where it was costs a fifth of an exception.
    bottom = here.bottom
    if bottom is not None:
        try:
            frame: Any = _frame(here.height + above)
        except ValueError:
            return _is_high(here, above)
        if frame is bottom:
            return False
        for _ in _NEAR:
            frame = frame.f_back
            if frame is bottom:
                return False
            if frame is None:
                if bottom is _ANY:
                    return False
                # A stack of its own, as greenlets have.
                break
    return _is_high(here, above)


def _runs_a_loop() -> bool:
    """Tell whether an asyncio event loop runs in this thread."""
    running = getattr(_modules.get("asyncio.events"), "_get_running_loop", None)
    return running is not None and running() is not None


def _is_high(here: Here, above: int) -> bool:
    """Tell whether this thread has used up a fifth of the recursion limit."""
    most = sys.getrecursionlimit() // 5
    try:
        sys._getframe(most + 1)
    except ValueError:
        # Seen from who called this.
        frame: Any = sys._getframe(1)
        height = 0
        while frame.f_back is not None and height < _LOW:
            frame = frame.f_back
            height += 1
        # The first frame of a thread holds nothing of a user's, so it may be kept; that of the main
        # thread is the user's.
        if frame.f_back is None and height < most:
            if here.is_main:
                here.bottom, here.height = _ANY, max(0, height - above)
            elif frame.f_code is _FIRST_FRAME.__code__:
                here.bottom, here.height = frame, max(0, height - above)
        return False
    return True


def help_along(act: Callable[[], Any], reply: Reply) -> None:
    """Do `act`, then run here what it makes ready, until the reply is there or nothing is left."""
    here = current.here
    if only_waits(here):
        act()
        # Inside an init that a waiting caller runs, that may have become this thread's next one.
        flush()
        return
    outer, here.helping = here.helping, True
    here.depth += 1
    try:
        # What a class does in its __init__ belongs to who starts it.
        act()
        if here.next is not None and not reply.done():
            Context().run(_run_turns, reply, here)
    finally:
        here.depth -= 1
        here.helping = outer
        flush()


def _run_turns(reply: Reply, here: Here) -> None:
    while (process := here.next) is not None and not reply.done():
        here.next = None
        if run_turn(process, here):
            process.schedule()

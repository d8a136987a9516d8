"""Calls that nobody can answer, for who is asked waits for the asker.

A supervisor does one thing at a time: while it starts or stops a child it takes no request. Who
starts an actor linked waits for its init, and handles nothing meanwhile. So a question to either,
from within that init, or from within the child that is to stop, waits until the asker is ended for
it, or for ever. It is refused instead, where that is certain:

- An actor that has not come up is in its init, for which its parent waits.
- One that a supervisor has told to stop (`ChildStop`) is waited for by that until it has ended.
- One whose `shutdown` is None, or that has ended and is telling of it, is waited for without limit
  by a supervisor that is to stop it.
- So it is with the parent of such a one, if it is such a one itself, and that wait has no limit
  after which the asker would live on and be answered.

A supervisor looks for this itself, too, when it takes a request and when it tells a child to stop,
for either may have come while the other was on its way.

Nobody waits any more for one that was killed, and nobody is asked who has ended. What else asks in
a circle, by way of other actors, is not seen here; calls have time-outs for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervisors._runtime.items import ChildStop
from supervisors.errors import SelfCallError
from supervisors.exits import Abandoned

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["refusal", "refuse_call", "refuse_end", "refuse_request"]


def refuse_call(ref: Any, asked: Process, asker: Process) -> None:
    """Refuse what would wait for a turn of who stands in one that waits for the asker's start.

    Raises:
        SelfCallError: it would.
    """
    child = _child_on_the_way(asked, asker, _is_awaited)
    # A supervisor waits for those that it has numbered without standing in a turn.
    if child is not None and not child.incarnation:
        raise _error(ref, child)


def refuse_request(ref: Any, asked: Process, asker: Process) -> None:
    """Refuse what would wait until a supervisor, or who starts the asker, is done with that.

    Raises:
        SelfCallError: it would.
    """
    error = refusal(ref, asked, asker)
    if error is not None:
        raise error


def refusal(ref: Any, asked: Process, asker: Process) -> SelfCallError | None:
    """Return the error of `refuse_request`, if there is one."""
    child = _child_on_the_way(asked, asker, _is_awaited)
    return None if child is None else _error(ref, child)


def refuse_end(ref: Any, asked: Process, asker: Process, which: Any = None) -> None:
    """Refuse what would wait for an end that the asker's own has to come before.

    Args:
        ref: of `asked`.
        asked: who is to end, or a child of whom.
        asker: who waits.
        which: the id or the reference of that child.

    Raises:
        SelfCallError: it would, and no `shutdown` cuts that short; or as in `refuse_request`.
    """
    refuse_request(ref, asked, asker)
    child = _child_on_the_way(asked, asker, _is_endless)
    if child is not None and (which is None or _is_it(child, which)):
        why = f"has to end {child.actor_ref} first, from within which it was asked, and waits"
        raise SelfCallError(ref, f"{why} for it without limit: use stop() of GenServer, or Stop")


def _child_on_the_way(
    asked: Process, asker: Process, waits: Callable[[Process], bool]
) -> Process | None:
    """Return the child of `asked` that the asker is, or is below, if all on the way are such."""
    child, above = asker, asker.parent
    while above is not None and not above.ended and waits(child):
        if above is asked:
            return child
        below, child, above = child, above, above.parent
        if _is_given_up(child, below):
            return None
    return None


def _is_given_up(child: Process, below: Process) -> bool:
    """Tell whether its parent gives a process up before the one below it, which lives on."""
    if not child._came_up and not child.may_wait:
        # A start_timeout, which ends this one alone.
        return True
    return _limit(child) < _limit(below)


def _limit(child: Process) -> float:
    """Return the moment at which its supervisor kills a process that it stops, or starts."""
    machine = _machine(child.parent)
    limit: float = (
        math.inf if machine is None else machine.stopping.get(child.incarnation, math.inf)
    )
    return limit


def _is_awaited(child: Process) -> bool:
    """Tell whether the parent of a process that this thread is in, or below, waits for it."""
    if not child._came_up:
        return not child.ended
    is_stopped = (
        type(child.handling) is ChildStop
        # A copy in one step: others may add to it.
        or any(type(order) is ChildStop for order in child.mailbox.control.copy())
        or child.actor._otp_is_awaited
    )
    return is_stopped and (not child.ended or _tells_its_end(child))


def _tells_its_end(child: Process) -> bool:
    """Tell whether a process has ended, and not told its supervisor yet, in this thread."""
    # Its reference is let go of afterwards; of an abandoned one another thread tells.
    return (
        child.ended and child.actor_ref.process is not None and type(child.reason) is not Abandoned
    )


def _is_endless(child: Process) -> bool:
    """Tell whether its supervisor, if it is to stop this one, waits for it without limit."""
    known = _known(child)
    return known is not None and (
        _tells_its_end(child) or (known.spec.shutdown is None and not child.ended)
    )


def _is_it(child: Process, which: Any) -> bool:
    """Tell whether this id or reference is that of the child, to its supervisor."""
    machine = _machine(child.parent)
    found = None if machine is None else machine.children.find(which)
    return found is not None and found.incarnation == child.incarnation


def _known(child: Process) -> Any:
    """Return what a process is to the machine of its supervisor; None if it is nothing."""
    machine = _machine(child.parent)
    return None if machine is None else machine.children.by_incarnation(child.incarnation)


def _machine(parent: Process | None) -> Any:
    return None if parent is None else parent.actor._otp_machine


def _error(ref: Any, child: Process) -> SelfCallError:
    if child._came_up:
        why = "to have ended: do without it in terminate()"
    else:
        why = "to have started: return Continue(...) from init and ask in handle_continue()"
    return SelfCallError(ref, f"waits for {child.actor_ref}, from within which it was asked, {why}")

"""How children are stopped: each within its own limit, and all within the deadline if there is one.

The deadline is a moment. A child gets its own `shutdown` or its share of what is left, whichever
is shorter: half while others wait behind it, so that one that would not stop leaves time for
them, else nine tenths, so that its own supervisor is told before the time is over (S88). A child
supervisor gets its share as its own deadline. Law: a deadline only ever comes nearer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from operator import attrgetter, countOf
from typing import TYPE_CHECKING

from supervisors._machines.children import Child, ChildState
from supervisors._machines.restart_rules import is_orderly
from supervisors._machines.vocabulary import (
    ArmTimer,
    CancelTimer,
    KillChild,
    Report,
    StopChild,
    TimerKind,
)
from supervisors.child_spec import BRUTAL_KILL, Restart
from supervisors.exits import ExitReason

if TYPE_CHECKING:
    from supervisors._machines.supervision import Operation, SupervisionMachine

__all__ = [
    "bring_forward",
    "end_last",
    "kill",
    "limit_start",
    "stop_many",
]

# How many children are ended in one step.
_ROW = 64
_state = attrgetter("state")
_incarnation = attrgetter("incarnation")
_shutdown = attrgetter("spec.shutdown")
_early_exit = attrgetter("past.early_exit")
_SHARE = 0.5
_SHARE_OF_THE_LAST = 0.9


def stop_many(machine: SupervisionMachine, children: list[Child]) -> Operation:
    """Stop these children at once, or cancel their waits, and wait until they are down."""
    awaited: dict[int, Child] = {}
    for child in _end_rows(machine, children):
        if not _rests(machine, child):
            awaited[child.incarnation] = child
    others = machine.deadline is not None and _others(machine, awaited)
    for child in awaited.values():
        _ask(machine, child, others=others)
    while awaited:
        event = yield awaited
        child = awaited.pop(event.incarnation)
        at = machine.stopping.pop(event.incarnation, math.inf)
        if at < math.inf and child.spec.shutdown is not BRUTAL_KILL:
            machine.emit(CancelTimer(TimerKind.STOP_DEADLINE, event.incarnation))
        _stopped(machine, child, event.reason)


def _end_rows(machine: SupervisionMachine, children: list[Child]) -> list[Child]:
    """Stop those whose end takes no time, in this order; return the others."""
    others: list[Child] = []
    at, most = 0, 1
    while at < len(children):
        row = children[at : at + most]
        count = _end_row(machine, row)
        at += count
        most = _ROW
        if count < len(row):
            others.append(row[count])
            at += 1
            # Behind one that has to be asked the next one may have to be, too.
            most = 1
    return others


def end_last(machine: SupervisionMachine, children: list[Child], *, forgets: bool = False) -> None:
    """Stop children from the last on, as far as nobody has to be asked, and take them out.

    Args:
        machine: of the supervisor.
        children: in start order; those that are left are still in it afterwards.
        forgets: whether the temporary ones are forgotten once they are stopped.
    """
    most = 1
    while children:
        row = children[: -most - 1 : -1]
        count = _end_row(machine, row)
        if not count:
            if not _rests(machine, row[0]):
                return
            count = 1
        if forgets:
            for child in row[:count]:
                if child.spec.restart is Restart.TEMPORARY:
                    machine.children.remove(child)
        del children[-count:]
        # Behind one that has to be asked the next one may have to be, too.
        most = _ROW if count == most else 1


def _rests(machine: SupervisionMachine, child: Child) -> bool:
    """Have a child that does not run be stopped, and not wait; tell whether it was one."""
    if child.state is ChildState.RESTARTING:
        if child.retry_at is not None:
            machine.emit(CancelTimer(TimerKind.RETRY, child.incarnation))
        machine.children.mark_stopped(child)
    elif child.early_exit is not None:
        _stopped(machine, child, child.early_exit)
    else:
        return child.state is not ChildState.RUNNING
    return True


def bring_forward(machine: SupervisionMachine, deadline: float | None) -> None:
    """Take a deadline, unless there is an earlier one; it binds what is under way too."""
    if deadline is None or (machine.deadline is not None and machine.deadline <= deadline):
        return
    machine.deadline = deadline
    others = _others(machine, machine.stopping)
    limit_start(machine)
    for incarnation, at in list(machine.stopping.items()):
        if incarnation == machine.starting:
            continue
        limit = _share(machine, others=others)
        sooner = machine.now + limit
        if sooner < at:
            machine.stopping[incarnation] = sooner
            machine.emit(ArmTimer(TimerKind.STOP_DEADLINE, incarnation, limit))
        machine.emit(StopChild(incarnation, min(sooner, at)))


def limit_start(machine: SupervisionMachine) -> None:
    """Under a deadline a start has a limit too: its init is asked nothing, but ended in time."""
    if machine.deadline is not None and machine.starting:
        limit = _share(machine, others=True)
        machine.stopping[machine.starting] = machine.now + limit
        machine.emit(ArmTimer(TimerKind.STOP_DEADLINE, machine.starting, limit))


def kill(machine: SupervisionMachine, incarnation: int) -> None:
    """End a child whose time is over; past the deadline of all, with everything below it."""
    machine.emit(KillChild(incarnation, whole=machine.deadline is not None))


def _end_row(machine: SupervisionMachine, children: Sequence[Child]) -> int:
    """Stop children from the first on, as far as it takes no time; return how many."""
    if machine.overtakes():
        return 0
    # Looked at by C code, as long as it is so of all.
    if (
        countOf(map(_state, children), ChildState.RUNNING) < len(children)
        or BRUTAL_KILL in map(_shutdown, children)
        or any(map(_early_exit, children))
    ):
        children = list(takewhile(_just_runs, children))
        if not children:
            return 0
    ended = machine.end_now(list(map(_incarnation, children)))
    if ended:
        machine.children.mark_row_stopped(children[:ended])
    return ended


def _just_runs(child: Child) -> bool:
    if child.state is not ChildState.RUNNING or child.spec.shutdown is BRUTAL_KILL:
        return False
    return child.past.early_exit is None


def _ask(machine: SupervisionMachine, child: Child, *, others: bool) -> None:
    shutdown, incarnation, deadline = child.spec.shutdown, child.incarnation, machine.deadline
    if deadline is None and isinstance(shutdown, float):
        machine.stopping[incarnation] = machine.now + shutdown
        machine.emit(StopChild(incarnation))
        machine.emit(ArmTimer(TimerKind.STOP_DEADLINE, incarnation, shutdown))
        return
    if shutdown is BRUTAL_KILL:
        machine.stopping[incarnation] = machine.now
        kill(machine, incarnation)
        return
    limit = shutdown if isinstance(shutdown, float) else math.inf
    if deadline is not None:
        limit = min(limit, _share(machine, others=others))
        deadline = machine.now + limit
    machine.stopping[incarnation] = machine.now + limit
    machine.emit(StopChild(incarnation, deadline))
    if limit < math.inf:
        machine.emit(ArmTimer(TimerKind.STOP_DEADLINE, incarnation, limit))


def _others(machine: SupervisionMachine, chosen: dict[int, Child] | dict[int, float]) -> bool:
    """Tell whether children run that are not among the chosen."""
    return any(
        child.state is ChildState.RUNNING and child.incarnation not in chosen
        for child in machine.children
    )


def _share(machine: SupervisionMachine, *, others: bool) -> float:
    left = max(0.0, (machine.deadline or 0.0) - machine.now)
    return left * (_SHARE if others else _SHARE_OF_THE_LAST)


def _stopped(machine: SupervisionMachine, child: Child, reason: ExitReason) -> None:
    if not is_orderly(child.spec, reason):
        machine.report(Report.SHUTDOWN_ERROR, child, reason)
    machine.children.mark_stopped(child)

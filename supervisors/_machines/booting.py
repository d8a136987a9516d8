"""The first start of a supervisor's children (S19, S64), and what may have to wait for it.

A supervisor that takes the place of one that has ended may find instances of its predecessor's
children that were abandoned and still run; a child with another `on_stuck` than "replace" gets no
twin. Laws: with "escalate" the supervisor does not come up; with "wait" it comes up with that
child held, and under `one_for_all` and `rest_for_one` the children that would be restarted with it
are not started before; a held child and its group start when the old handler has returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from supervisors._machines.children import Child
from supervisors._machines.restarting import GroupStart
from supervisors._machines.vocabulary import (
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    ConfirmStart,
    RefuseStart,
    Report,
)
from supervisors.child_spec import OnStuck, Restart, Strategy
from supervisors.errors import ChildStuckError
from supervisors.exits import Abandoned, ExitReason, FailedToStartChild, Shutdown

if TYPE_CHECKING:
    from supervisors._machines.supervision import Operation, SupervisionMachine
    from supervisors.child_spec import ChildSpec

__all__ = ["boot"]

StartNow: TypeAlias = "Callable[[int, ChildSpec], Any]"
"""As of `BootRequested`."""


def boot(machine: SupervisionMachine, start_now: StartNow | None = None) -> Operation:
    """Start all children left to right; the first failure undoes the others (S19, S64)."""
    barred = _stuck(machine, OnStuck.ESCALATE)
    if barred is not None:
        yield from _refuse(machine, barred, Abandoned(), ChildStuckError(barred.spec.id))
        return
    strategy = machine.flags.strategy
    if strategy is Strategy.ONE_FOR_ALL:
        held = _stuck(machine, OnStuck.WAIT)
        if held is not None:
            _hold(machine, held)
            machine.emit(ConfirmStart())
            return
    if start_now is None and not machine.stuck:
        yield from BootStart(machine, list(machine.children), first=True)
        return
    # Looked at once: none gets stuck before it has started.
    some_stuck = bool(machine.stuck)
    for child in list(machine.children):
        if some_stuck and child.spec.on_stuck is OnStuck.WAIT and machine.stuck.has(child):
            _hold(machine, child)
            if strategy is Strategy.REST_FOR_ONE:
                break
            continue
        if start_now is not None:
            number = machine.children.begin(child)
            machine.starting = number
            ref = start_now(number, child.spec)
            if ref is not None:
                machine.starting = 0
                machine.children.mark_running(child, ref, machine.now)
                continue
            outcome = yield (number,)
            machine.note_start(child, outcome)
        else:
            outcome = yield from machine.start(child)
        match outcome:
            case ChildStarted():
                machine.report(Report.CHILD_STARTED, child)
            case ChildIgnored():
                machine.drop_if(child, child.spec.restart is Restart.TEMPORARY)
            case ChildFailed(_, reason, error):
                yield from _refuse(machine, child, reason, error)
                return
    machine.emit(ConfirmStart())


class BootStart(GroupStart):
    """The operation that starts all children, of which none is held."""

    __slots__ = ()

    def _fail(self, member: Child, outcome: ChildFailed) -> None:
        """Undo the others."""
        self.rest = _refuse(self.machine, member, outcome.reason, outcome.error)

    def _finish(self) -> None:
        self.machine.emit(ConfirmStart())


def _stuck(machine: SupervisionMachine, policy: OnStuck) -> Child | None:
    """Return the first child of this policy of which an older instance still runs."""
    if not machine.stuck:
        return None
    for child in machine.children:
        if child.spec.on_stuck is policy and machine.stuck.has(child):
            return child
    return None


def _hold(machine: SupervisionMachine, child: Child) -> None:
    """Have the child, and those that were not started because of it, wait."""
    machine.children.begin(child)
    machine.children.mark_restarting(child)
    child.paid = True
    machine.unbooted.add(child)
    machine.report(Report.RESTART_HELD, child)


def _refuse(
    machine: SupervisionMachine, child: Child, reason: ExitReason | Any, error: Any
) -> Operation:
    machine.report(Report.START_FAILED, child, reason)
    yield from machine.stop_all()
    machine.over = True
    machine.emit(
        RefuseStart(Shutdown(FailedToStartChild(child.spec.id, reason)), child.spec.id, error)
    )

"""How a supervisor gives up, and when stuck children make it do so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._machines.children import Child, ChildState
from supervisors._machines.vocabulary import Report
from supervisors.exits import Abandoned, GaveUp

if TYPE_CHECKING:
    from supervisors._machines.supervision import Operation, SupervisionMachine

__all__ = ["bear_stuck", "give_up"]


def give_up(
    machine: SupervisionMachine, child: Child, reason: Any, *, stuck: bool = False
) -> Operation:
    """End for the sake of a child; where each has a budget of its own, the child ends alone."""
    flags = machine.flags
    if flags.budget_per_child:
        machine.report(Report.GAVE_UP, child, reason)
        machine.children.remove(child)
        return
    limits = (flags.label, flags.max_restarts, flags.max_seconds)
    end = GaveUp(*limits, child.spec.id, reason, stuck)
    machine.report(Report.GAVE_UP, child, end)
    if child.state is ChildState.RESTARTING:
        machine.children.mark_stopped(child)
    yield from machine.shut_down(end)


def bear_stuck(machine: SupervisionMachine) -> Operation | None:
    """Give up when there are more abandoned instances than the supervisor bears."""
    child = machine.stuck.last()
    if child is None or not machine.stuck.exceeded:
        return None
    return give_up(machine, child, Abandoned(), stuck=True)

"""New rules for a supervisor that has children already: OTP's code change (S192)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from supervisors.child_spec import ChildSpec

if TYPE_CHECKING:
    from supervisors._machines.supervision import Flags, SupervisionMachine

__all__ = ["reconfigure"]


def reconfigure(machine: SupervisionMachine, flags: Flags, specs: Iterable[ChildSpec]) -> None:
    """Take over checked rules and specifications; nothing is started, stopped or deleted.

    A child that is known keeps its life and gets its new specification for the next start; a new
    one is there, stopped. Those that are not named any more stay, before the others, as in OTP's
    `update_childspec/2`. Restarts that were made go on counting.
    """
    machine.flags = flags
    machine.budget.max_restarts = flags.max_restarts
    machine.budget.max_seconds = flags.max_seconds
    for child in machine.children:
        if child.budget is not None:
            child.budget.max_restarts = flags.max_restarts
            child.budget.max_seconds = flags.max_seconds
    if flags.dynamic:
        return
    children = machine.children
    known = {child.spec.id: child for child in children}
    named = []
    for spec in specs:
        child = known.pop(spec.id) if spec.id in known else children.add(spec)
        child.spec = spec
        named.append(child)
    children.arrange([*known.values(), *named])

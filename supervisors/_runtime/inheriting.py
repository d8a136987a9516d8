"""What a restarted supervisor learns of children that its predecessor had to abandon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors._runtime.unstopped import bequeath, left_to
from supervisors.child_spec import OnStuck

if TYPE_CHECKING:
    from supervisors._machines.supervision import SupervisionMachine
    from supervisors._runtime.process import Process

__all__ = ["inherit"]


def inherit(supervisor: Process, machine: SupervisionMachine) -> None:
    """Have the machine know the older instances of its children that still run, before its boot.

    Only of children with another `on_stuck` than "replace", and not of dynamic ones, which have no
    place in a tree.
    """
    if machine.flags.dynamic:
        return
    left = left_to(supervisor)
    if not left:
        return
    wary = {
        str(child.spec.id): child
        for child in machine.children
        if child.spec.on_stuck is not OnStuck.REPLACE
    }
    for number, process in enumerate(left if wary else (), start=1):
        child = wary.get(process.label or "")
        if child is not None and bequeath(process, supervisor, -number):
            machine.stuck.add(-number, child)

"""New rules for a supervisor that has children already: OTP's code change (S192)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from supervisors._machines.rules import checked_flags
from supervisors._machines.vocabulary import SupervisorInfo
from supervisors.child_spec import ChildSpec

if TYPE_CHECKING:
    from supervisors._machines.supervision import Flags, SupervisionMachine

__all__ = ["reconfigure", "replace_rules"]


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


def replace_rules(machine: SupervisionMachine, old: SupervisorInfo, new: Any) -> None:
    """Take over strategy and budget from what a user made of a supervisor's state.

    Raises:
        TypeError: it is no SupervisorInfo.
        ValueError: it differs from `old` in anything else, or a rule is wrong; nothing was changed.
    """
    if not isinstance(new, SupervisorInfo):
        msg = (
            "the function must return a SupervisorInfo (msgspec.structs.replace(info, "
            f"max_restarts=...)), not a {type(new).__name__}: the rules were left as they were"
        )
        raise TypeError(msg)
    rules: dict[str, Any] = {
        "strategy": old.strategy if old.dynamic else new.strategy,
        "max_restarts": new.max_restarts,
        "max_seconds": new.max_seconds,
    }
    if msgspec.structs.replace(old, **rules) != new:
        msg = (
            "only max_restarts, max_seconds and, of a static supervisor, strategy can be replaced: "
            "use the supervisor's requests for its children; the rules were left as they were"
        )
        raise ValueError(msg)
    flags = machine.flags
    checked = checked_flags(
        **rules,
        auto_shutdown=flags.auto_shutdown,
        backoff=flags.backoff,
        label=flags.label,
        max_abandoned=flags.max_abandoned,
    )
    # Converted and checked: the words and numbers, and nothing else.
    rules = {name: getattr(checked, name) for name in rules}
    reconfigure(machine, msgspec.structs.replace(flags, **rules), ())

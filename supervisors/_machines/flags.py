"""The rules of one supervisor, and how many of its partitions are in use."""

from __future__ import annotations

from typing import Any

import msgspec

from supervisors._machines.backoff import Backoff
from supervisors.child_spec import AutoShutdown, ChildSpec, Strategy

__all__ = ["Flags", "Partitions"]


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor was told about itself, checked already."""

    strategy: Strategy
    max_restarts: int
    max_seconds: float
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    backoff: Backoff | None = None
    label: str = "supervisor"
    dynamic: bool = False
    max_children: int | None = None
    extra_args: tuple[Any, ...] = ()
    # Of a dynamic supervisor: what all its children are of; start_child() gives more arguments.
    template: ChildSpec | None = None
    # Each child has a budget of its own; one that exceeds it is given up alone.
    budget_per_child: bool = False
    # Its children are the partitions 0, 1, … that keys are routed to.
    partitioned: bool = False
    # How many abandoned instances that still run are borne; None bears any number.
    max_abandoned: int | None = None


class Partitions:
    """How many partitions were started, and how many of them, the first ones, are in use."""

    __slots__ = ("in_use", "initial")

    def __init__(self, initial: int) -> None:
        """Begin with all of them in use."""
        self.initial = initial
        self.in_use = initial

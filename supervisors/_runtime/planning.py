"""What a supervisor is told: what it is to be, and what is asked of it."""

from __future__ import annotations

from typing import Any

import msgspec

from supervisors._machines.flags import Flags
from supervisors._machines.vocabulary import RequestVerb
from supervisors.child_spec import ChildSpec

__all__ = ["Plan", "SupervisorRequest"]


class SupervisorRequest(msgspec.Struct, frozen=True):
    """What a supervisor's reference sends; everything else is refused (S101)."""

    verb: RequestVerb
    argument: Any = None


class Plan(msgspec.Struct, frozen=True):
    """What a supervisor is to be, checked already."""

    flags: Flags
    children: tuple[ChildSpec, ...] = ()

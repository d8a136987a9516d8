"""Plain Pykka actors under a supervisor: not in this version, and said so where they come in."""

from __future__ import annotations

from typing import Any

import pykka

from supervisors._runtime.actor import Actor
from supervisors.errors import NotAvailableError

__all__ = ["refuse_foreign"]


def refuse_foreign(start: Any) -> None:
    """Refuse a start that is a plain Pykka actor class.

    Raises:
        NotAvailableError: supervising plain Pykka actors is not part of this version.
    """
    owner = start if isinstance(start, type) else getattr(start, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, pykka.Actor) and not issubclass(owner, Actor):
        msg = f"supervising the plain Pykka actor {owner.__name__} (derive it from GenServer)"
        raise NotAvailableError(msg)

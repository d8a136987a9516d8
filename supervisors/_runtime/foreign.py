"""Plain Pykka actors: not supervised or watched in this version, and said so where they come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pykka

from supervisors._runtime.actor import Actor
from supervisors._runtime.ref import ActorRef
from supervisors.errors import NotAvailableError

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["process_of", "refuse_foreign"]


def process_of(ref: Any, what: str) -> Process | None:
    """Return the process behind a reference, or None when its actor is dead.

    Raises:
        NotAvailableError: it is none of this package's, so `what` is not possible with it.
    """
    if isinstance(ref, ActorRef):
        return ref.process
    msg = f"{what} with a {type(ref).__name__} that is not of a GenServer or a Supervisor"
    raise NotAvailableError(msg)


def refuse_foreign(start: Any) -> None:
    """Refuse a start that is a plain Pykka actor class.

    Raises:
        NotAvailableError: supervising plain Pykka actors is not part of this version.
    """
    owner = start if isinstance(start, type) else getattr(start, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, pykka.Actor) and not issubclass(owner, Actor):
        msg = f"supervising the plain Pykka actor {owner.__name__} (derive it from GenServer)"
        raise NotAvailableError(msg)

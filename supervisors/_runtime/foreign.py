"""Plain Pykka actors, where they come in: as references and as children."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import pykka

from supervisors._runtime.actor import Actor
from supervisors._runtime.names import book_and_key
from supervisors._runtime.outcomes import OnStarted
from supervisors._runtime.ref import ActorRef
from supervisors.child_spec import ChildSpec
from supervisors.errors import AlreadyStartedError, NotAvailableError, StartError
from supervisors.exits import Normal

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = [
    "any_process_of",
    "plain_actor_here",
    "plain_class",
    "plain_spec",
    "process_of",
    "start_plain",
]

_LOOP = pykka.Actor._actor_loop.__code__


def process_of(ref: Any, what: str) -> Process | None:
    """Return the process behind a reference, or None when its actor is dead.

    Raises:
        NotAvailableError: it is none of this package's, so `what` is not possible with it.
    """
    if isinstance(ref, ActorRef):
        return ref.process
    hint = "" if isinstance(ref, pykka.ActorRef) else " (whereis(name) finds the ref of an actor)"
    msg = f"{what} with a {type(ref).__name__} that is not of a GenServer or a Supervisor{hint}"
    raise NotAvailableError(msg)


def any_process_of(ref: Any, what: str) -> Process | None:
    """Return the process behind a reference, that of a plain Pykka actor too; None when dead.

    Raises:
        NotAvailableError: it is no actor's, so `what` is not possible with it.
    """
    if isinstance(ref, pykka.ActorRef) and not isinstance(ref, ActorRef):
        from supervisors._runtime.foreign_process import known_process

        return known_process(ref)
    return process_of(ref, what)


def plain_actor_here() -> pykka.ActorRef[Any] | None:
    """Return the reference of the plain Pykka actor in whose thread and code this is, or None.

    Pykka keeps no note of it, so this looks for the actor's loop among the callers.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _LOOP:
            ref: pykka.ActorRef[Any] = frame.f_locals["self"].actor_ref
            return ref
        frame = frame.f_back
    return None


def plain_class(start: Any) -> type[pykka.Actor] | None:
    """Return the plain Pykka class that `start` starts in Pykka's own way, else None."""
    owner = start if isinstance(start, type) else getattr(start, "__self__", None)
    if not isinstance(owner, type) or not issubclass(owner, pykka.Actor):
        return None
    if issubclass(owner, Actor) or _function(owner.start) is not _function(pykka.Actor.start):
        return None
    return owner if start is owner or _function(start) is _function(owner.start) else None


def _function(method: Any) -> Any:
    return getattr(method, "__func__", method)


def plain_spec(child: Any) -> Any:
    """Turn a plain Pykka class, or a tuple that begins with one, into a specification.

    Whatever else it is comes back as it was, a class that publishes its own child_spec() too.
    """
    owner, args = (child[0], child[1:]) if isinstance(child, tuple) and child else (child, ())
    if (
        isinstance(owner, type)
        and issubclass(owner, pykka.Actor)
        and not hasattr(owner, "child_spec")
    ):
        # A start() of its own is called; Pykka's own needs no waiting in there.
        start = owner if plain_class(owner) is owner else owner.start
        return ChildSpec(owner.__name__, start=start, args=args)
    return child


def start_plain(
    cls: type[pykka.Actor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: Any,
    on_started: OnStarted,
    *,
    parent: Process,
    incarnation: int,
    before_launch: Callable[[Process], None],
) -> None:
    """Start a plain Pykka actor as `spawn` starts one of ours; on_start is its init.

    Raises:
        AlreadyStartedError: the name is held.
        Exception: what __init__ raised.
    """
    from supervisors._runtime.foreign_process import ForeignProcess

    actor = cls(*args, **kwargs)
    if getattr(actor, "_actor_ref", None) is None:
        msg = f"{cls.__name__}.__init__() must call super().__init__()"
        raise StartError(msg)
    process = ForeignProcess(actor, attached=False)
    if name is not None:
        book, key, value = book_and_key(name)
        holder = book.claim(key, process, value)
        if holder is not None:
            process.finish(Normal())
            raise AlreadyStartedError(key, holder.actor_ref)
    process.adopt(parent, incarnation)
    process.expect_start(on_started)
    before_launch(process)
    process.launch_loop()

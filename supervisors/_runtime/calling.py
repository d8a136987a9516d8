"""The caller's side of starts, and the actor's side of proxied attributes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pykka import messages

from supervisors._runtime.actor import Actor
from supervisors._runtime.current import current
from supervisors._runtime.first_turn import start_here, start_plainly
from supervisors._runtime.handover import help_along
from supervisors._runtime.outcomes import UNDONE, Started, StartFailed, StartIgnored
from supervisors._runtime.reply import Reply
from supervisors._runtime.root import root
from supervisors._runtime.signals import link
from supervisors._runtime.spawn import StartOptions, spawn

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["call_proxied", "start_and_wait", "take_options", "unreachable"]


_NO_OPTIONS = StartOptions()


def take_options(kwargs: dict[str, Any]) -> tuple[StartOptions, dict[str, Any]]:
    """Split keyword arguments into those of start() itself and those for init."""
    if not kwargs:
        return _NO_OPTIONS, {}
    rest = dict(kwargs)
    options = StartOptions(
        name=rest.pop("name", None),
        dispatcher=rest.pop("dispatcher", None),
        start_timeout=rest.pop("start_timeout", None),
    )
    return options, rest


def start_and_wait(
    cls: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any], *, linked: bool = False
) -> Any:
    """Start an actor and wait for its init; see GenServer.start()."""
    tie = partial(_tie, current.process) if linked else None
    if not kwargs and cls._otp_starts_plainly():
        started = start_plainly(cls, tie)
        if started is not UNDONE:
            return started
    options, rest = take_options(kwargs)
    if cls.__init__ is Actor.__init__ and (options is _NO_OPTIONS or options.are_bare()):
        started = start_here(cls, args, rest, tie)
        if started is not UNDONE:
            return started
    outcome = Reply()

    def start() -> None:
        spawn(cls, args, rest, options, outcome.settle, before_launch=tie)

    help_along(start, outcome)
    match outcome.get():
        case Started(ref):
            return ref
        case StartIgnored():
            return None
        case StartFailed(_, error):
            raise error


def _tie(starter: Process | None, process: Process) -> None:
    """Link a new process to its starter, or put it under the root."""
    if starter is None:
        root.add(process)
    else:
        process.adopt(starter, 0)
        link(starter, process)


def call_proxied(actor: Actor, message: Any) -> Any:
    """Get, set or call an attribute of the actor's class for a Pykka proxy."""
    path = message.attr_path
    target: Any = actor
    for name in path[:-1]:
        target = getattr(target, name)
    match message:
        case messages.ProxySetAttr():
            return setattr(target, path[-1], message.value)
        case messages.ProxyCall():
            return getattr(target, path[-1])(*message.args, **message.kwargs)
        case _:
            return getattr(target, path[-1])


def unreachable(name: str) -> AttributeError:
    """Return the error for who wants this name of the framework's by a proxy."""
    msg = f"{name!r} belongs to the framework and is not reachable by proxy"
    return AttributeError(msg)

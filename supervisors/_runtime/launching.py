"""How the children of a specification are started, found out once for each."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import msgspec

from supervisors._runtime.actor import Actor
from supervisors._runtime.calling import take_options
from supervisors._runtime.foreign import plain_class
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.spawn import StartOptions
from supervisors.child_spec import ChildSpec

__all__ = ["Launch", "launch_of", "start_parts"]

start_parts: Final[Callable[[type], Any]] = attrgetter(
    "init",
    "__init__",
    "on_start",
    "__new__",
    "_otp_begin",
    "_otp_after_start",
    "mailbox_limit",
    "ref_class",
    "dispatcher",
)
"""What the start of a GenServer looks up in its class, in one step of C code."""


class Launch(msgspec.Struct, frozen=True):
    """How the children of one specification are started, where that is no callable's business."""

    cls: type[Actor] | None
    plain: Any
    options: StartOptions
    kwargs: dict[str, Any]
    # Whether making the object runs something that a user wrote.
    has_init: bool
    # Whether there is nothing to be seen to but the class and its arguments.
    is_simple: bool
    # Whether it may be one of the pool's, and has started when its init has returned.
    is_quick: bool
    # Whether, besides, nothing of a user's runs when one is made, and it has no name.
    is_bare: bool


def launch_of(spec: ChildSpec) -> Launch | None:
    """Return how children of this specification are started; None: by calling its start."""
    try:
        launch: Launch | None = spec._launch
    except AttributeError:
        launch = _find_launch(spec)
        # Found once: neither a specification nor what a class is derived from changes.
        object.__setattr__(spec, "_launch", launch)
    return launch


def _find_launch(spec: ChildSpec) -> Launch | None:
    start = spec.start
    if not spec.kwargs and spec.name is None and isinstance(start, type):
        shared: Launch | None = start.__dict__.get("_otp_launch")
        if shared is not None and shared.has_init is (start.__init__ is not Actor.__init__):  # type: ignore[misc]
            return shared
    cls, plain = _actor_class(start), plain_class(start)
    if cls is None and plain is None:
        return None
    options, kwargs = take_options(dict(spec.kwargs))
    if spec.name is not None:
        options = msgspec.structs.replace(options, name=spec.name)
    has_init = cls is None or cls.__init__ is not Actor.__init__
    # What the class says of its making (a time-out of 0 too) is looked at by `spawn`.
    is_simple = not has_init and options.start_timeout is None
    at_once = cls is not None and cls._otp_comes_up_at_once
    is_quick = is_simple and at_once and options.dispatcher is None
    is_bare = is_quick and options.name is None and _is_made_plainly(cls)
    launch = Launch(cls, plain, options, kwargs, has_init, is_simple, is_quick, is_bare)
    if cls is None or kwargs or not options.are_bare():
        return launch
    # One for all children of the class that are started with nothing said, for it takes 160 bytes.
    shared = cls.__dict__.get("_otp_launch")
    if shared is None:
        cls._otp_launch = shared = launch
    return shared if shared == launch else launch


def _actor_class(start: Any) -> type[Actor] | None:
    """Return the class that `start` starts without further ado, else None."""
    if isinstance(start, type) and issubclass(start, Actor):
        return start
    owner = getattr(start, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, Actor):
        # Cls.start and Cls.start_link, unless the class overrides them: no need to wait in there.
        plain = getattr(start, "__func__", None)
        for name in ("start", "start_link"):
            if plain in (getattr(cls.__dict__.get(name), "__func__", 0) for cls in _ours(owner)):
                return owner
    return None


def _ours(cls: type) -> list[type]:
    """Return the classes of this package that a class derives from."""
    return [base for base in cls.__mro__ if base.__module__.startswith("supervisors.")]


def _is_made_plainly(cls: Any) -> bool:
    return (
        cls.__new__ is object.__new__
        and cls.ref_class is ActorRef
        and getattr(cls, "mailbox_limit", None) is None
    )

"""Starting an actor: make it, name it, launch it, and learn how its init went."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from supervisors._runtime.actor import Actor
from supervisors._runtime.actor_list import enlist, strike
from supervisors._runtime.first_turn import first_turn, start_error
from supervisors._runtime.names import book_and_key
from supervisors._runtime.outcomes import OnStarted, Started, StartFailed, StartIgnored
from supervisors._runtime.own_thread import own_thread
from supervisors._runtime.pool import pool
from supervisors._runtime.timers import Timer, timers
from supervisors._runtime.tracing import crashed
from supervisors.clock import as_seconds
from supervisors.errors import AlreadyStartedError, StartError, StartTimeout
from supervisors.exits import Killed, Normal

if TYPE_CHECKING:
    from supervisors._runtime.dispatcher import Dispatcher
    from supervisors._runtime.process import FirstTurn, Process

__all__ = [
    "StartOptions",
    "dispatcher_of",
    "refuse_held",
    "spawn",
    "take_name",
]


_DISPATCHERS: dict[str, Dispatcher] = {"pool": pool, "thread": own_thread}


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `start()` takes for itself and hands to neither init nor __init__."""

    name: Any = None
    dispatcher: str | Any | None = None
    start_timeout: float | None = None

    def are_bare(self) -> bool:
        """Tell whether none was given."""
        return self.name is self.dispatcher is self.start_timeout is None

    def given(self) -> dict[str, Any]:
        """Return those that were given, as the keyword arguments they came from."""
        named = {key: getattr(self, key) for key in self.__struct_fields__}
        return {key: value for key, value in named.items() if value is not None}


def dispatcher_of(cls: type[Actor], options: StartOptions) -> Dispatcher:
    """Return who runs actors of this class.

    Raises:
        ValueError: that is no dispatcher.
    """
    chosen = cls.dispatcher if options.dispatcher is None else options.dispatcher
    if isinstance(chosen, str):
        found = _DISPATCHERS.get(chosen)
        if found is None:
            choices = ", ".join(map(repr, _DISPATCHERS))
            msg = f"dispatcher must be one of {choices} or a Dispatcher, not {chosen!r}"
            raise ValueError(msg)
        return found
    dispatcher: Dispatcher = chosen
    if not all(callable(getattr(chosen, word, None)) for word in ("attach", "schedule", "detach")):
        msg = f"dispatcher must be 'pool', 'thread' or a Dispatcher, not {chosen!r}"
        raise ValueError(msg)
    return dispatcher


def spawn(
    cls: type[Actor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: StartOptions,
    on_started: OnStarted,
    *,
    parent: Process | None = None,
    incarnation: int = 0,
    before_launch: Callable[[Process], None] | None = None,
) -> None:
    """Start an actor and call `on_started` once, in whatever thread knows the outcome.

    Args:
        cls: the actor's class.
        args: for init, and for __init__ where the class overrides it.
        kwargs: likewise.
        options: name, dispatcher and timeout.
        on_started: gets `Started`, `StartIgnored` or `StartFailed`.
        parent: who is told when the actor ends; known before its first instruction (S157).
        incarnation: the number under which the parent knows it.
        before_launch: called with the process before it can run, to link it.

    Raises:
        AlreadyStartedError: the name is held; init did not run (S125).
        ChildSpecError, UnknownRegistryError, ValueError: a bad name, registry or dispatcher.
        StartError: __init__ raised, or no thread could be started.
    """
    dispatcher = dispatcher_of(cls, options)
    timeout = as_seconds(options.start_timeout, "start_timeout")
    name = options.name
    if name is not None:
        refuse_held(name)
    actor = _make(cls, args, kwargs)
    process = actor._process
    ref = process.actor_ref
    try:
        if name is not None:
            take_name(process, name)
        if parent is not None:
            process.adopt(parent, incarnation)
        enlist(ref)
        if process.ended:
            # Killed by who found it under its name; that came before it could be unregistered.
            strike(ref, None)
        armed: list[Timer] = []
        process.expect_start(on_started if timeout is None else partial(_over, armed, on_started))
        if before_launch is not None:
            before_launch(process)
        if timeout is not None:
            process.bound().may_wait = False
            armed.append(timers.after(timeout, lambda: _start_timed_out(process, timeout)))
        _launch(process, dispatcher, partial(first_turn, args, kwargs))
    except BaseException:
        # As Ctrl-C does. Nobody gets its reference, and where no thread has come to it none will.
        if not process._thread_id:
            process.kill()
        raise


def _launch(process: Process, dispatcher: Dispatcher, boot: FirstTurn) -> None:
    try:
        process.launch(dispatcher, boot)
    except Exception as error:  # noqa: BLE001  a refused thread, or a user's dispatcher
        process.finish(crashed(error))


def _over(
    armed: list[Timer], on_started: OnStarted, outcome: Started | StartIgnored | StartFailed
) -> None:
    """Tell of the outcome, and let the time-out be."""
    for timer in armed:
        timer.cancel()
    on_started(outcome)


def refuse_held(name: Any) -> None:
    """Refuse a name that is held before anything of the class runs."""
    book, key, _ = book_and_key(name)
    holder = book.owner_of(key)
    if holder is not None:
        raise AlreadyStartedError(key, holder.actor_ref)


def take_name(process: Process, name: Any) -> None:
    """Register a process that is not launched yet; it is ended where the name is held."""
    book, key, value = book_and_key(name)
    process.actor_ref.name = key
    holder = book.claim(key, process, value)
    if holder is not None:
        process.finish(Normal())
        raise AlreadyStartedError(key, holder.actor_ref)


def _make(cls: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Actor:
    """Create the object in the starter's thread, as Pykka does."""
    overridden = cls.__init__ is not Actor.__init__
    try:
        actor = cls(*args, **kwargs) if overridden else cls()
    except Exception as error:
        reason = crashed(error)
        raise start_error(cls, reason) from error
    # Not by __dict__: to look at it would make one, for each actor.
    if getattr(actor, "_process", None) is None:
        msg = f"{cls.__name__}.__init__() must call super().__init__()"
        raise StartError(msg)
    return actor


def _start_timed_out(process: Process, timeout: float) -> None:
    name = type(process.actor).__name__
    text = (
        f"{name}.init() did not return within {timeout} s: raise start_timeout=, or make it quick"
    )
    outcome = StartFailed(Killed(), StartTimeout(text, reason=Killed()))
    process.fail_start(outcome, process.kill)

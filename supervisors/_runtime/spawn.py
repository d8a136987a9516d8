"""Starting an actor: make it, name it, launch it, and learn how its init went."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from supervisors._runtime.actor import Actor
from supervisors._runtime.actor_list import enlist, strike
from supervisors._runtime.current import current
from supervisors._runtime.handover import flush
from supervisors._runtime.names import book_and_key
from supervisors._runtime.outcomes import OnStarted, Started, StartFailed, StartIgnored
from supervisors._runtime.own_thread import own_thread
from supervisors._runtime.pool import pool
from supervisors._runtime.timers import Timer, timers
from supervisors._runtime.tracing import crashed
from supervisors.clock import as_seconds
from supervisors.errors import AlreadyStartedError, StartError, StartTimeout
from supervisors.exits import ExitReason, Killed, Normal

if TYPE_CHECKING:
    from supervisors._runtime.dispatcher import Dispatcher
    from supervisors._runtime.process import Process

__all__ = [
    "DEFERRED",
    "IGNORED",
    "READY",
    "Refused",
    "StartOptions",
    "boot",
    "confirm",
    "dispatcher_of",
    "refuse",
    "spawn",
    "start_error",
]


class _Outcome(Enum):
    """What `_otp_begin` answers; members, so that no user's value can be taken for one."""

    READY = "ready"
    IGNORED = "ignored"
    DEFERRED = "deferred"


READY: Final = _Outcome.READY
IGNORED: Final = _Outcome.IGNORED
DEFERRED: Final = _Outcome.DEFERRED
_DISPATCHERS: dict[str, Dispatcher] = {"pool": pool, "thread": own_thread}


class Refused(Exception):
    """Raised by a class's `_otp_begin` when its init refuses to start."""

    def __init__(self, reason: ExitReason) -> None:
        """Keep the reason."""
        super().__init__(type(reason).__name__)
        self.reason = reason


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `start()` takes for itself and hands to neither init nor __init__."""

    name: Any = None
    dispatcher: str | Any | None = None
    start_timeout: float | None = None

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


def start_error(cls: type, reason: Any) -> StartError:
    """Return the error that tells a starter why an actor of this class did not start."""
    exception = getattr(reason, "exception", None)
    why = type(exception or reason).__name__
    error = StartError(f"{cls.__name__} did not start: {why} in init", reason=reason)
    error.__cause__ = exception
    return error


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
        _refuse_held(name)
    actor = _make(cls, args, kwargs)
    process = actor._process
    ref = process.actor_ref
    if name is not None:
        _take_name(process, name)
    if parent is not None:
        process.adopt(parent, incarnation)
    enlist(ref)
    if process.ended:
        # Killed by who found it under its name; that came before it could be unregistered.
        strike(ref)
    armed: list[Timer] = []
    process.expect_start(on_started if timeout is None else partial(_over, armed, on_started))
    if before_launch is not None:
        before_launch(process)
    if timeout is not None:
        process.may_wait = False
        armed.append(timers.after(timeout, lambda: _start_timed_out(process, timeout)))
    try:
        process.launch(dispatcher, partial(boot, actor, args, kwargs))
    except Exception as error:  # noqa: BLE001  a refused thread, or a user's dispatcher
        process.finish(crashed(error))


def _over(
    armed: list[Timer], on_started: OnStarted, outcome: Started | StartIgnored | StartFailed
) -> None:
    """Tell of the outcome, and let the time-out be."""
    for timer in armed:
        timer.cancel()
    on_started(outcome)


def _refuse_held(name: Any) -> None:
    """Refuse a name that is held before anything of the class runs."""
    book, key, _ = book_and_key(name)
    holder = book.owner_of(key)
    if holder is not None:
        raise AlreadyStartedError(key, holder.actor_ref)


def _take_name(process: Process, name: Any) -> None:
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


def boot(actor: Actor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Run the init, in the actor's first turn."""
    process = actor._process
    cls = type(actor)
    try:
        actor.on_start()
        outcome = actor._otp_begin(args, kwargs)
    except Refused as refusal:
        refuse(process, refusal.reason)
        return
    except BaseException as error:  # noqa: BLE001  whatever init raises fails the start alone
        refuse(process, crashed(error))
        return
    if outcome is IGNORED:
        process.fail_start(StartIgnored(), lambda: process.finish(Normal()))
    elif outcome is READY:
        confirm(process)
    elif outcome is not DEFERRED:
        text = f"{cls.__name__}.init() returned a {type(outcome).__name__}"
        refuse(process, crashed(TypeError(text)))


def confirm(process: Process) -> None:
    """The actor is up: tell the starter, then do what comes before the first message."""
    if not process.confirm_start():
        return
    if process.actor._otp_goes_on():
        # A user's code, which nobody who waits for the start waits for.
        if current.helping:
            process.boot_again(lambda: _after_start(process))
            return
        flush()
    _after_start(process)


def _after_start(process: Process) -> None:
    try:
        process.actor._otp_after_start()
    except BaseException as error:  # noqa: BLE001  as for any handler
        process.crash(error, None)


def refuse(process: Process, reason: ExitReason) -> None:
    """The actor does not come up: end it, then tell the starter."""
    outcome = StartFailed(reason, start_error(type(process.actor), reason))
    process.fail_start(outcome, lambda: process.finish(reason))


def _start_timed_out(process: Process, timeout: float) -> None:
    name = type(process.actor).__name__
    text = (
        f"{name}.init() did not return within {timeout} s: raise start_timeout=, or make it quick"
    )
    outcome = StartFailed(Killed(), StartTimeout(text, reason=Killed()))
    process.fail_start(outcome, process.kill)

"""The first turn of a process, in which its init runs, and what can come of it.

It is run by its dispatcher, or by a caller that waits for the start (`start_here`): the same turn,
without a hop from thread to thread. The starter is told when the turn is over, for then it may do
anything, and the actor is free to answer.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import Context
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from supervisors._runtime.actor_list import enlist, strike
from supervisors._runtime.current import current
from supervisors._runtime.doing import BOOTING, IDLE
from supervisors._runtime.handover import flush, only_waits
from supervisors._runtime.in_place import leave
from supervisors._runtime.outcomes import UNDONE, OnStarted, Started, StartFailed, StartIgnored
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process, tell_nobody
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors._runtime.tracing import crashed
from supervisors._runtime.turns import fail_turn
from supervisors.errors import StartError
from supervisors.exits import ExitReason, Killed, Normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisors._runtime.actor import Actor
    from supervisors._runtime.current import Here

__all__ = [
    "DEFERRED",
    "IGNORED",
    "READY",
    "Refused",
    "confirm",
    "first_turn",
    "hand_on",
    "make",
    "refuse",
    "run_init",
    "start_error",
    "start_here",
    "start_plainly",
]


_new: Any = object.__new__


class _Outcome(Enum):
    """What `_otp_begin` answers; members, so that no user's value can be taken for one."""

    READY = "ready"
    IGNORED = "ignored"
    DEFERRED = "deferred"


READY: Final = _Outcome.READY
IGNORED: Final = _Outcome.IGNORED
DEFERRED: Final = _Outcome.DEFERRED


class Refused(Exception):
    """Raised by a class's `_otp_begin` when its init refuses to start."""

    def __init__(self, reason: ExitReason) -> None:
        """Keep the reason."""
        super().__init__(type(reason).__name__)
        self.reason = reason


def make(cls: type[Actor]) -> Process:
    """Make an actor whose class has no __init__ of its own, as `cls()` does; return its process.

    Raises:
        StartError: it cannot be made.
    """
    try:
        if cls.__new__ is _new:
            # In Python alone it costs a third less. As Actor.__init__ and furnish, without a call.
            actor = _new(cls)
            actor._process = process = _new(Process)
            Process.__init__(process, actor, actor.ref_class)
            process.slot.pop()
            actor._otp_furnish_mailbox()
        else:
            process = cls()._process
    except Exception as error:
        raise start_error(cls, crashed(error)) from error
    return process


def start_here(
    cls: type[Actor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    tie: Callable[[Process], None] | None,
) -> Any:
    """Start an actor with its init in this thread; return its ref, None, or UNDONE.

    Args:
        cls: the actor's class.
        args: for init.
        kwargs: likewise.
        tie: called with the process before its init, to link it.

    Raises:
        StartError: it did not start.
    """
    if not cls._otp_comes_up_at_once or cls.dispatcher != "pool":
        return UNDONE
    here = current.here
    if only_waits(here, 4):
        return UNDONE
    process = make(cls)
    ref = process.actor_ref
    process.dispatcher = pool
    told: list[Any] = []
    process._on_started = told.append
    # From here on others may end it.
    enlist(ref)
    if tie is not None:
        tie(process)
    try:
        pool.man()
    except Exception as error:  # noqa: BLE001  a refused thread
        process.finish(crashed(error))
    on_started = Context().run(run_init, process, args, kwargs, here)
    hand_on(process, here)
    if on_started is not None:
        return ref
    if not told:
        # Who ends it in another thread has not come to this one yet.
        end = Reply()
        process.await_end(end)
        end.get()
    outcome = told[0]
    if isinstance(outcome, StartFailed):
        raise outcome.error
    return None


def start_plainly(cls: type[Actor], tie: Callable[[Process], None] | None) -> Any:
    """Start an actor whose start runs nothing of a user's, without a turn, in any thread.

    Returns its ref; or UNDONE.

    Nobody knows it before it is up, so what interrupts this in the main thread, a signal's handler
    that raises or that calls actors, never meets one that has half started.
    """
    try:
        pool.man()
    except RuntimeError:
        # A refused thread, which is told in the other way. What a signal's handler raises goes on.
        return UNDONE
    # As furnish, without its call and without what it asks the class for.
    actor = _new(cls)
    actor._process = process = _new(Process)
    Process.__init__(process, actor, ActorRef)
    process.dispatcher = pool
    process.initialised = process._came_up = True
    if tie is not None:
        tie(process)
    ref = process.actor_ref
    enlist(ref)
    if process.ended:
        # By its starter's end, which came before it was listed.
        strike(ref, None)
    return ref


def first_turn(args: tuple[Any, ...], kwargs: dict[str, Any], process: Process, here: Here) -> bool:
    """Run the init as the first turn, and tell who started the actor how it went.

    Args:
        args: for the init.
        kwargs: likewise.
        process: whose turn it is; its slot is taken.
        here: this thread's values of `current`.

    Returns:
        Whether it holds the slot still and is to go on.
    """
    on_started = run_init(process, args, kwargs, here)
    started = Started(process.actor_ref)
    shares = here.helping or getattr(process.dispatcher, "runs_in_any_thread", False)
    if on_started is not None and process._boot is not None and not shares:
        # This thread runs nothing else, so who is told next does nothing in it.
        on_started(started)
        return _second_turn(process, here)
    # Before anybody is told: who is told next may take long, and may call this actor meanwhile.
    hand_on(process, here)
    if on_started is not None:
        on_started(started)
    return False


def hand_on(process: Process, here: Here) -> None:
    """Leave to others what the process has to do after its init."""
    if process._boot is None and not process.ended:
        # As leave, without its calls.
        mailbox = process.mailbox
        mailbox.slot.append(process)
        if not (mailbox.control or mailbox.user) or not mailbox.retake_slot():
            return
    elif process._boot is None and not leave(process, here):
        return
    process.schedule()


def run_init(
    process: Process, args: tuple[Any, ...], kwargs: dict[str, Any], here: Here
) -> OnStarted | None:
    """Run the init; return who is to be told that the actor is up, if it is.

    Of a failure, whoever it is has been told. The slot is held still, see `hand_on`.
    """
    if here.next is not None:
        flush()
    process._thread_id = here.ident
    outer, here.process = here.process, process
    here.depth += 1
    process.handling = BOOTING
    on_started = None
    try:
        # First busy, then this look, as `kill` first ends and then looks whether it is busy.
        if not process.ended:
            actor = process.actor
            try:
                actor.on_start()
                outcome = actor._otp_begin(args, kwargs)
            except BaseException as error:  # noqa: BLE001  whatever init raises fails the start alone
                refuse(process, error.reason if isinstance(error, Refused) else crashed(error))
            else:
                if outcome is READY:
                    # As come_up, without its call, and without a `with`.
                    claim = process.claim
                    _ = -claim
                    try:
                        if not process.ended:
                            process.initialised = process._came_up = True
                            process.handling = IDLE
                            on_started, process._on_started = process._on_started, None
                            on_started = on_started or tell_nobody
                    finally:
                        claim.release()
                else:
                    _came_otherwise(process, actor, outcome)
            if process.reason is not None and not process.ended:
                # It has killed itself, which comes before all other orders.
                process.end(Killed())
            elif on_started is not None:
                if actor._otp_goes_on():
                    # A user's code, which nobody who waits for the start waits for.
                    process._boot = _second_turn
                else:
                    # As _after_start, without its call.
                    try:
                        actor._otp_after_start()
                    except BaseException as error:  # noqa: BLE001  as for any handler
                        process.crash(error, None)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own; nothing must hang
        fail_turn(process, error)
    finally:
        process.handling = IDLE
        here.depth -= 1
        here.process = outer
    return on_started


def _came_otherwise(process: Process, actor: Actor, outcome: Any) -> None:
    """Take what an init has answered that did not simply come up."""
    if outcome is IGNORED:
        process.fail_start(StartIgnored(), lambda: process.finish(Normal()))
    elif outcome is not DEFERRED:
        text = f"{type(actor).__name__}.init() returned a {type(outcome).__name__}"
        refuse(process, crashed(TypeError(text)))


def confirm(process: Process) -> None:
    """An actor whose start was deferred is up: tell the starter."""
    if process.confirm_start():
        _after_start(process)


def _second_turn(process: Process, here: Here) -> bool:
    """Obey what was ordered during the init; then do what a user wants done before messages."""
    process._boot = None
    process._thread_id = here.ident
    outer, here.process = here.process, process
    try:
        if process.mailbox.control:
            _obey(process)
        if not process.ended:
            _after_start(process)
    finally:
        process.handling = IDLE
        here.process = outer
    return leave(process, here)


def _obey(process: Process) -> None:
    control = process.mailbox.control
    while control and not process.ended:
        with suppress(IndexError):
            process.obey(control.popleft())


def _after_start(process: Process) -> None:
    try:
        process.actor._otp_after_start()
    except BaseException as error:  # noqa: BLE001  as for any handler
        process.crash(error, None)


def start_error(cls: type, reason: Any) -> StartError:
    """Return the error that tells a starter why an actor of this class did not start."""
    exception = getattr(reason, "exception", None)
    why = type(exception or reason).__name__
    error = StartError(f"{cls.__name__} did not start: {why} in init", reason=reason)
    error.__cause__ = exception
    return error


def refuse(process: Process, reason: ExitReason) -> None:
    """The actor does not come up: end it, then tell the starter."""
    outcome = StartFailed(reason, start_error(type(process.actor), reason))
    process.fail_start(outcome, lambda: process.finish(reason))

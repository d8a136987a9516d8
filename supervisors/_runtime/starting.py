"""How a supervisor starts a child: by its class, by a callable, or as a plain Pykka actor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from supervisors._machines.vocabulary import (
    ChildAbandoned,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    Event,
    StartChild,
)
from supervisors._runtime.actor import Actor
from supervisors._runtime.actor_list import enlist, strike
from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.first_turn import first_turn, hand_on, make, run_init
from supervisors._runtime.foreign import any_process_of, start_plain
from supervisors._runtime.handover import flush
from supervisors._runtime.items import StopOrder
from supervisors._runtime.launching import Launch, launch_of
from supervisors._runtime.outcomes import Started, StartFailed, StartIgnored
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.rows import Row
from supervisors._runtime.signals import unlink
from supervisors._runtime.spawn import dispatcher_of, refuse_held, spawn, take_name
from supervisors._runtime.tracing import crashed
from supervisors._runtime.turns import fail_turn
from supervisors.child_spec import ChildSpec
from supervisors.errors import NotAvailableError, StartError
from supervisors.exits import Abandoned, Killed, NoProc, Shutdown

if TYPE_CHECKING:
    from supervisors._runtime.current import Here
    from supervisors._runtime.dispatcher import Dispatcher

# First turns that a worker runs in a row, as one batch, before it looks for others.
ROW = 32
# The process of a child, and the arguments of its init.
Begun: TypeAlias = "tuple[Process, tuple[Any, ...], dict[str, Any]]"

__all__ = ["ROW", "Begun", "StartingActor", "attach_begun", "child_turn", "failed_start"]

_new: Any = object.__new__


class StartingActor(Actor):
    """The part of a supervisor that starts children; not for direct use."""

    _otp_lives: dict[int, Process]
    # What children are started in a row at this moment, unknown to the machine.
    _otp_row: Row | None = None
    _otp_news: deque[Event]

    def _otp_take_in(self, process: Process, spec: ChildSpec, incarnation: int) -> None:
        """Know a child that is about to run. Ended itself meanwhile, the supervisor stops it."""
        label = spec.id
        if label.__class__ is not str:
            label = str(incarnation if label is None else label)
        process.label = label
        self._otp_lives[incarnation] = process
        if self._process.ended:
            process.order(StopOrder(self._process.reason or Shutdown()))

    def _otp_hear(self, event: Event) -> Begun | None:
        """Give the machine an event from within somebody else's turn that is over.

        Returns:
            A child that it starts next, ready for its first turn in this thread.
        """
        raise NotImplementedError

    def _otp_go_on(self, started: Process, here: Here) -> Begun | None:
        """Hear that a child has started, from within its turn by a worker; as `_otp_hear`."""
        raise NotImplementedError

    def _otp_prepare(self, process: Process, spec: ChildSpec) -> None:
        """Let a subclass give a new child something before it can run."""

    def _otp_start_now(self) -> Callable[[int, ChildSpec], Any] | None:
        """Return what starts the first children of a subclass, see `BootRequested`."""
        return None

    # ---- starting a child ----------------------------------------------------------------------

    def _otp_start_child(self, command: StartChild, *, in_row: bool) -> Begun | None:
        """Start a child; its outcome comes as a message, or is added to the news.

        In a row, one of the pool's is returned instead, made and ready for its first turn.
        """
        incarnation, spec, args = command.incarnation, command.spec, command.args
        try:
            launch: Launch | None = spec._launch
        except AttributeError:
            launch = launch_of(spec)
        if launch is None:
            self._otp_news.extend(self._otp_call_start(incarnation, spec, args))
            return None
        process = self._process
        try:
            if not launch.is_simple:
                process.handling = spec
                self._otp_start_with_care(launch, incarnation, spec, args)
                return None
            cls: Any = launch.cls
            quick = launch.is_quick and cls.dispatcher == "pool"
            dispatcher = pool if quick else dispatcher_of(cls, launch.options)
            child = self._otp_make(launch, incarnation, spec, dispatcher)
            if quick and in_row:
                return child, args, launch.kwargs
            child._boot = partial(child_turn if quick else first_turn, args, launch.kwargs)
            _attach(child, dispatcher)
        except BaseException as error:  # noqa: BLE001  as for the init: it fails the start alone
            self._otp_news.append(failed_start(incarnation, spec, error))
        finally:
            process.handling = IDLE
        return None

    def _otp_make(
        self, launch: Launch, incarnation: int, spec: ChildSpec, dispatcher: Dispatcher
    ) -> Process:
        """Make a child that has its slot taken and everything but its first turn.

        Nobody can know the process before it has its name or is in `ActorRegistry`, so what comes
        before needs no lock; the dispatcher is there when the first order comes.
        """
        sup, name = self._process, launch.options.name
        if name is not None:
            refuse_held(name)
        process: Process
        if launch.is_bare:
            # As make, without its call and without what it asks the class for.
            actor = _new(launch.cls)
            actor._process = process = _new(Process)
            Process.__init__(process, actor, ActorRef)
            process.slot.pop()
            actor._otp_furnish_mailbox()
        else:
            process = make(launch.cls)  # type: ignore[arg-type]
        process.parent, process.incarnation = sup, incarnation
        process.dispatcher = dispatcher
        tell = partial(self._otp_tell_start, process, spec)
        if name is None:
            process._on_started = tell
            enlist(process.actor_ref)
        else:
            take_name(process, name)
            enlist(process.actor_ref)
            if process.ended:
                # Killed by who found it under its name; that came before it was listed.
                strike(process.actor_ref, None)
            process.expect_start(tell)
        try:
            self._otp_prepare(process, spec)
        except BaseException:
            # It is told by what is raised.
            process._on_started = None
            process.finish(Killed())
            raise
        self._otp_take_in(process, spec, incarnation)
        return process

    def _otp_unmake(self, process: Process) -> None:
        """End a child that is made and nobody was told of, without a word to this supervisor."""
        process._on_started = None
        self._otp_lives.pop(process.incarnation, None)
        process.finish(Shutdown())

    def _otp_start_with_care(
        self, launch: Launch, incarnation: int, spec: ChildSpec, args: tuple[Any, ...]
    ) -> None:
        """Start a child by `spawn`, or one of plain Pykka."""
        made: list[Process] = []

        def note(process: Process) -> None:
            made.append(process)
            self._otp_prepare(process, spec)
            self._otp_take_in(process, spec, incarnation)

        def started(outcome: Started | StartIgnored | StartFailed) -> None:
            # It is told before it is known only where the start is refused, which raises as well.
            self._otp_tell_start(made[0] if made else None, spec, outcome, incarnation)

        if launch.has_init:
            flush()
        ties: Any = {
            "parent": self._process,
            "incarnation": incarnation,
            "before_launch": note,
        }
        if launch.cls is not None:
            spawn(launch.cls, args, launch.kwargs, launch.options, started, **ties)
        else:
            start_plain(launch.plain, args, dict(spec.kwargs), spec.name, started, **ties)

    def _otp_tell_start(
        self,
        process: Process | None,
        spec: ChildSpec,
        outcome: Started | StartIgnored | StartFailed,
        incarnation: int = 0,
    ) -> None:
        """Send the outcome of a start to this supervisor; called in any thread."""
        post = self._process.post_next
        incarnation = incarnation or process.incarnation  # type: ignore[union-attr]
        if isinstance(outcome, Started):
            news = ChildStarted(incarnation, outcome.ref)
            # A supervisor has its own turn still when it tells that it is up.
            if current.process is process:
                post(news)
            else:
                begun = self._otp_hear(news)
                if begun is not None:
                    attach_begun(begun)
        elif isinstance(outcome, StartIgnored):
            post(ChildIgnored(incarnation))
        else:
            if isinstance(outcome.error, StartError):
                outcome.error.child_id = spec.id
            if process is not None and isinstance(process.reason, Abandoned):
                post(ChildAbandoned(incarnation))
            post(ChildFailed(incarnation, outcome.reason, outcome.error))

    def _otp_call_start(
        self, incarnation: int, spec: ChildSpec, args: tuple[Any, ...]
    ) -> list[Event]:
        """Start a child through a callable of the user's, here and now, as OTP does (S65)."""
        kwargs = dict(spec.kwargs)
        if spec.name is not None:
            kwargs["name"] = spec.name
        flush()
        self._process.handling = spec
        try:
            result = spec.start(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  whatever a start raises fails it alone
            return [failed_start(incarnation, spec, error)]
        finally:
            self._process.handling = IDLE
        if result is None:
            return [ChildIgnored(incarnation)]
        try:
            process = any_process_of(result, "a child")
        except NotAvailableError:
            text = f"the start of child {spec.id!r} returned a {type(result).__name__}, not a ref"
            return [failed_start(incarnation, spec, TypeError(text))]
        if process is not None and process.incarnation:
            text = f"the start of child {spec.id!r} returned {result}, which has a supervisor"
            return [failed_start(incarnation, spec, TypeError(text))]
        if process is None or not process.adopt(self._process, incarnation):
            return [ChildStarted(incarnation, result), ChildExited(incarnation, NoProc())]
        # A start_link in there has linked it; its supervisor is told of its end without a link.
        unlink(self._process, process)
        self._otp_take_in(process, spec, incarnation)
        return [ChildStarted(incarnation, result)]


def child_turn(args: tuple[Any, ...], kwargs: dict[str, Any], process: Process, here: Here) -> bool:
    """Run the first turn of a supervisor's child, and of those that the supervisor starts then.

    Each is what its own turn would be, without the steps around it. Where a caller waits there is
    no next one: who has its answer runs nothing more.
    """
    if here.helping or here.host is not process.dispatcher:
        return first_turn(args, kwargs, process, here)
    actor: Any = process.parent.actor  # type: ignore[union-attr]
    begun: Begun | None = None
    try:
        for _ in range(ROW):
            row = actor._otp_row
            if row is not None and row.first is process:
                begun = _start_row(actor, row, (process, args, kwargs), here)
                break
            on_started = run_init(process, args, kwargs, here)
            # Before anybody is told: who is told next may call this actor.
            hand_on(process, here)
            if on_started is None:
                return False
            begun = actor._otp_go_on(process, here)
            if begun is None:
                return False
            process, args, kwargs = begun
        if begun is not None:
            attach_begun(begun)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own, as in run_turn
        fail_turn(process, error)
    return False


def _start_row(actor: Any, row: Row, begun: Begun, here: Here) -> Begun | None:
    """Run the first turns of a row; the supervisor hears of the last one, or of one that failed."""
    process, args, kwargs = begun
    sup, number = actor._process, process.incarnation
    # The launch of the one before, which may be started so.
    known: Any = False
    mailbox, refs, lock = sup.mailbox, row.refs, row.lock
    unmade: Process | None = None
    failure: ChildFailed | None = None
    for member in row.members:
        on_started = run_init(process, args, kwargs, here)
        hand_on(process, here)
        if on_started is None:
            return None
        spec = member.spec
        try:
            launch: Any = spec._launch
        except AttributeError:
            launch = launch_of(spec)
        if launch is not known:
            if launch is None or not launch.is_bare or launch.cls.dispatcher != "pool":
                break
            known = launch
        # As `with` it, which takes twice as long.
        _ = -lock
        try:
            if (
                row.cut
                or sup.ended
                or mailbox.control
                or mailbox.suspended
                or "_otp_receive" in actor.__dict__
            ):
                break
            number += 1
            following: Process | None = None
            try:
                following = actor._otp_make(launch, number, spec, pool)
            except BaseException as error:  # noqa: BLE001  it fails this start alone
                failure = failed_start(number, spec, error)
            if row.cut:
                # By a finalizer, in here; the machine knows nothing of this one.
                unmade = following
                break
            refs.append(process.actor_ref)
        finally:
            lock.release()
        if following is None:
            return actor._otp_hear(failure)  # type: ignore[no-any-return]
        process, args, kwargs = following, spec.args, launch.kwargs
    else:
        on_started = run_init(process, args, kwargs, here)
        hand_on(process, here)
        if on_started is None:
            return None
    if unmade is not None:
        actor._otp_unmake(unmade)
    return actor._otp_go_on(process, here)  # type: ignore[no-any-return]


def attach_begun(begun: Begun) -> None:
    """Have somebody run the first turn of a child that is made, as one of its own."""
    process, args, kwargs = begun
    process._boot = partial(child_turn, args, kwargs)
    here = current.here
    if here.host is pool and here.next is None and not here.helping:
        # As its attach, without its call.
        here.next = process
    else:
        _attach(process, pool)


def _attach(process: Process, dispatcher: Dispatcher) -> None:
    try:
        dispatcher.attach(process)
    except Exception as error:  # noqa: BLE001  a refused thread, or a user's dispatcher
        process.finish(crashed(error))


def failed_start(incarnation: int, spec: ChildSpec, error: BaseException) -> ChildFailed:
    """Return the event for a start that raised; a waiting caller gets a StartError of it."""
    if isinstance(error, StartError):
        failure, reason = error, error.reason or crashed(error)
    else:
        reason = crashed(error)
        text = f"child {spec.id!r} did not start: {type(error).__name__}"
        failure = StartError(text, reason=reason)
        failure.__cause__ = error
    failure.child_id = spec.id
    return ChildFailed(incarnation, reason, failure)

"""What callers ask of supervisors, carried out in the thread that waits for it where that can be.

A supervisor has no handlers of a user's, so its step may run there. A start, or the end of a child,
that has nothing else to wait for is done in one go: a turn of the supervisor, the child's first,
one more of the supervisor, without the messages that cause them otherwise. While an init runs, the
supervisor is free: it can be killed, or told to stop. Where the start runs nothing of a user's it
is one turn, see `plain_child`. Where a step cannot be done here, what is left goes on by messages
from there.

The main thread does what runs nothing of a user's, each as one step of `shield`, and waits for the
rest behind that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from supervisors._machines.at_once import begin_start, end_child, finish_start
from supervisors._machines.vocabulary import ChildStarted, EmitReport, Report, RequestVerb
from supervisors._runtime.current import current
from supervisors._runtime.first_turn import hand_on, run_init
from supervisors._runtime.handover import flush, help_along, only_waits
from supervisors._runtime.in_place import in_turn, take_turn
from supervisors._runtime.items import Asked
from supervisors._runtime.launching import Launch, launch_of
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.plain_child import start_plain_child
from supervisors._runtime.pool import pool
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors._runtime.shield import shielded
from supervisors._runtime.starting import failed_start
from supervisors._runtime.supervising import SupervisorRequest
from supervisors._runtime.ties import FREE
from supervisors.child_spec import ChildSpec
from supervisors.errors import NoProcError, SelfCallError
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._runtime.current import Here
    from supervisors._runtime.process import Process

__all__ = ["ask_for_child", "ask_for_end", "ask_supervisor"]

# What changes nothing, and so brings about nothing of a user's.
_READS = frozenset(
    (
        RequestVerb.COUNT_CHILDREN,
        RequestVerb.DESCRIBE,
        RequestVerb.GET_CHILDSPEC,
        RequestVerb.WHICH_CHILDREN,
    )
)
_STARTED = ("supervisors", "child", "started")


def ask_supervisor(ref: ActorRef, verb: RequestVerb, argument: Any) -> Any:
    """Ask and wait; a supervisor has no handlers, so its step may run in the thread that waits.

    Raises:
        NoProcError: the supervisor is dead.
        SelfCallError: it asks itself, or an init asks the supervisor that waits for it.
        ActorError: it refuses.
    """
    process = ref.process
    if process is None:
        raise NoProcError(ref)
    _refuse_to_wait_for_itself(ref, process)
    request = SupervisorRequest(verb, argument)
    call = Asked.of(request, process)
    if (
        verb in _READS
        and current.here.is_main
        and not only_waits(current.here, 3, shielded=True)
        and shielded(_read, process, request, call) is True
    ):
        return call.get()

    def put() -> None:
        actor: Any = process.actor
        served = (
            current.helping
            and actor._otp_looks_at_nothing()
            and Context().run(take_turn, process, lambda: actor._otp_serve(request, call))
        )
        if not served:
            process.post_next(call)

    help_along(put, call)
    return call.get()


def _refuse_to_wait_for_itself(ref: ActorRef, process: Process) -> None:
    here = current.process
    if here is process:
        raise SelfCallError(ref)
    # Each of these waits for the init of the one below it.
    starting = here
    while starting is not None and not starting._came_up:
        starting = starting.parent
        if starting is process:
            problem = f"asked {ref} in its init, which that waits for: ask later, from a handler"
            raise SelfCallError(here.actor_ref, problem)


def _read(process: Process, request: SupervisorRequest, call: Asked) -> bool:
    actor: Any = process.actor
    if not actor._otp_looks_at_nothing():
        return False
    return take_turn(process, lambda: actor._otp_serve(request, call))


def ask_for_child(ref: ActorRef, spec: Any) -> Any:
    """Ask a supervisor to start a child, with its init in this thread where that can be.

    Raises:
        NoProcError: the supervisor is dead.
        SelfCallError: it asks itself.
        ActorError: it refuses, or the child did not start.
    """
    process, here = ref.process, current.here
    if type(spec) is ChildSpec and process is not None and process is not here.process:
        launch: Any = launch_of(spec)
        if launch is not None and launch.is_quick and launch.cls.dispatcher == "pool":
            started: Any = UNDONE
            if launch.is_bare and launch.cls._otp_starts_plainly():
                if not here.is_main:
                    if not only_waits(here, 3):
                        started = start_plain_child(process, spec, launch, here)
                # Who is told of it is a user's code, which is not to run in a shielded step.
                elif not wanted(_STARTED, quiet=True) and not only_waits(here, 3, shielded=True):
                    started = shielded(start_plain_child, process, spec, launch, here)
            elif not only_waits(here, 3):
                started = Context().run(_start_child, process, spec, launch, here)
                if type(started) is Reply:
                    # It goes on in other threads: it may start what others have asked for.
                    return started.get()
            if started is not UNDONE:
                return started
    return ask_supervisor(ref, RequestVerb.START_CHILD, spec)


def ask_for_end(ref: ActorRef, id_or_ref: Any) -> None:
    """Ask a supervisor to end a child, in this thread where that takes no time; raises as above."""
    process = ref.process
    here = current.here
    if process is None or process is here.process or only_waits(here, 3, shielded=True):
        done = False
    elif here.is_main:
        done = shielded(_end_child, process, here, _end_quietly, id_or_ref)
    else:
        done = Context().run(_end_child, process, here, _end, id_or_ref)
    if done is not True:
        ask_supervisor(ref, RequestVerb.TERMINATE_CHILD, id_or_ref)


def _start_child(sup: Process, spec: ChildSpec, launch: Launch, here: Here) -> Any:
    """Start a child with its init, between two turns of its supervisor.

    Returns:
        Its ref; the reply that is to be waited for; or UNDONE.
    """
    actor: Any = sup.actor
    if not actor._otp_looks_at_nothing():
        return UNDONE
    token = Reply()
    begun = in_turn(sup, here, _begin, (spec, launch, token), idle=True)
    if begun is UNDONE:
        return UNDONE
    if begun is not None:
        child, args, process = begun
        on_started = run_init(process, args, launch.kwargs, here)
        hand_on(process, here)
        if on_started is not None:
            ref = process.actor_ref
            # Somebody may have begun to look, during the init.
            if actor._otp_looks_at_nothing():
                done = in_turn(sup, here, _finish, (child, ref, token), idle=False)
                if done is True:
                    return ref
            sup.post_next(ChildStarted(process.incarnation, ref))
    flush()
    return token


def _begin(actor: Any, what: tuple[ChildSpec, Launch, Reply]) -> Any:
    """Have a supervisor know a new child; return it, its arguments and its process.

    UNDONE, where that is not all that is to be done; None, when the start has failed.
    """
    spec, launch, token = what
    machine, child = actor._otp_machine, None
    # First told of, then this look, as who ends the supervisor first says so and then tells.
    actor._otp_asked.add(token)
    if not actor._process.ended:
        child = begin_start(machine, spec, token)
    if child is None:
        actor._otp_asked.discard(token)
        return UNDONE
    try:
        pool.man()
        process = actor._otp_make(launch, child.incarnation, spec, pool)
    except BaseException as error:  # noqa: BLE001  it fails this start alone
        actor._otp_feed(failed_start(child.incarnation, spec, error))
        return None
    extra = machine.flags.extra_args
    return child, (*extra, *spec.args) if extra else spec.args, process


def _finish(actor: Any, what: tuple[Child, ActorRef, Reply]) -> bool:
    """Let a supervisor know that a child has started; tell whether that is all."""
    child, ref, token = what
    machine = actor._otp_machine
    if machine is None or not finish_start(machine, child, ref):
        return False
    actor._otp_asked.discard(token)
    if wanted(_STARTED, quiet=True):
        actor._otp_report(EmitReport(Report.CHILD_STARTED, child.spec, ref, requested=True))
    return True


def _end_child(sup: Process, here: Here, act: Callable[[Any, Any], bool], id_or_ref: Any) -> bool:
    done = in_turn(sup, here, act, id_or_ref, idle=True)
    if here.next is not None:
        # Somebody who was linked to the child.
        flush()
    return done is True


def _end(actor: Any, id_or_ref: Any) -> bool:
    machine = actor._otp_machine
    return machine is not None and end_child(machine, id_or_ref)


def _end_quietly(actor: Any, id_or_ref: Any) -> bool:
    """Do so where nobody is to be called back, and no message is to be rejected."""
    process = id_or_ref.process if isinstance(id_or_ref, ActorRef) else None
    if process is None:
        machine = actor._otp_machine
        child = None if machine is None else machine.children.find(id_or_ref)
        process = None if child is None else actor._otp_lives.get(child.incarnation)
    if process is None or process.mailbox.user:
        return False
    bonds = process.bonds
    if bonds is not FREE and bonds.may_call_back():
        return False
    return _end(actor, id_or_ref)

"""What callers ask of supervisors, carried out in the thread that waits for it where that can be.

A supervisor has no handlers of a user's, so its step may run there. A start, or the end of a child,
that has nothing else to wait for is done in one go: a turn of the supervisor, the child's first,
one more of the supervisor, without the messages that cause them otherwise. While an init runs, the
supervisor is free: it can be killed, or told to stop. Where a step cannot be done here, what is
left goes on by messages from there.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from supervisors._machines.at_once import begin_start, end_child, finish_start
from supervisors._machines.vocabulary import EmitReport, Report, RequestVerb
from supervisors._runtime.current import current
from supervisors._runtime.first_turn import UNDONE, hand_on, run_init
from supervisors._runtime.handover import flush, help_along, only_waits
from supervisors._runtime.in_place import let_go, take, take_turn
from supervisors._runtime.items import Asked
from supervisors._runtime.outcomes import Started
from supervisors._runtime.pool import pool
from supervisors._runtime.reply import Reply
from supervisors._runtime.starting import Launch, failed_start, launch_of
from supervisors._runtime.supervising import SupervisorRequest
from supervisors._runtime.timers import timers
from supervisors._runtime.turns import fail_turn
from supervisors.child_spec import ChildSpec
from supervisors.errors import NoProcError, SelfCallError
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._runtime.current import Here
    from supervisors._runtime.process import Process
    from supervisors._runtime.ref import ActorRef

__all__ = ["ask_supervisor"]

_STARTED = ("supervisors", "child", "started")


def ask_supervisor(ref: ActorRef, verb: RequestVerb, argument: Any) -> Any:
    """Ask and wait; a supervisor has no handlers, so its step may run in the thread that waits.

    Raises:
        NoProcError: the supervisor is dead.
        SelfCallError: it asks itself.
        ActorError: it refuses.
    """
    process = ref.process
    if process is None:
        raise NoProcError(ref)
    if process is current.process:
        raise SelfCallError(ref)
    if verb is RequestVerb.START_CHILD:
        started = _start_child_here(process, argument)
        if started is not UNDONE:
            return started
    elif verb is RequestVerb.TERMINATE_CHILD and _end_child_here(process, argument):
        return None
    request = SupervisorRequest(verb, argument)
    call = Asked(request)

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


def _start_child_here(process: Process, spec: Any) -> Any:
    """Have a supervisor start a child, with its init in this thread; return its ref, or UNDONE."""
    if type(spec) is not ChildSpec:
        return UNDONE
    launch = launch_of(spec)
    if launch is None or not launch.is_quick or launch.cls.dispatcher != "pool":  # type: ignore[union-attr]
        return UNDONE
    if only_waits():
        return UNDONE
    return Context().run(_start_child, process, spec, launch)


def _start_child(sup: Process, spec: ChildSpec, launch: Launch) -> Any:
    actor: Any = sup.actor
    here = current.here
    if not actor._otp_looks_at_nothing() or not take(sup, here, idle=True):
        return UNDONE
    outer, here.process = here.process, sup
    token = Reply()
    machine, process, child = actor._otp_machine, None, None
    try:
        child = None if machine is None else begin_start(machine, spec, token)
        if child is None:
            return UNDONE
        actor._otp_asked.add(token)
        if sup.ended:
            # Killed meanwhile: who told the open calls may have come before this one.
            token.fail(sup.gone())
        try:
            pool.man()
            process = actor._otp_make(launch, child.incarnation, spec, pool)
        except BaseException as error:  # noqa: BLE001  it fails this start alone
            actor._otp_feed(failed_start(child.incarnation, spec, error))
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own, as in run_turn
        fail_turn(sup, error)
    finally:
        here.process = outer
        let_go(sup, here)
    if child is not None and process is not None:
        extra = machine.flags.extra_args
        args = (*extra, *spec.args) if extra else spec.args
        on_started = run_init(process, args, launch.kwargs, here)
        hand_on(process, here)
        if on_started is not None:
            ref = process.actor_ref
            if _finish_start(sup, child, ref, token, here):
                return ref
            on_started(Started(ref))
    # What is not over by now goes on in other threads.
    flush()
    return token.get()


def _finish_start(sup: Process, child: Child, ref: ActorRef, token: Reply, here: Here) -> bool:
    """Let the supervisor know that a child has started; tell whether that is all."""
    actor: Any = sup.actor
    if not take(sup, here, idle=False):
        return False
    outer, here.process = here.process, sup
    done = False
    try:
        machine = actor._otp_machine
        done = machine is not None and finish_start(machine, child, ref, timers.clock.now())
        if done:
            actor._otp_asked.discard(token)
            if wanted(_STARTED, quiet=True):
                report = EmitReport(Report.CHILD_STARTED, child.spec, ref, requested=True)
                actor._otp_report(report)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own, as in run_turn
        fail_turn(sup, error)
    finally:
        here.process = outer
        let_go(sup, here)
    return done


def _end_child_here(process: Process, id_or_ref: Any) -> bool:
    """Have a supervisor end a child that takes no time for it; False, undone, else."""
    return not only_waits() and Context().run(_end_child, process, id_or_ref)


def _end_child(sup: Process, id_or_ref: Any) -> bool:
    actor: Any = sup.actor
    here = current.here
    if not actor._otp_looks_at_nothing() or not take(sup, here, idle=True):
        return False
    outer, here.process = here.process, sup
    done = False
    try:
        machine = actor._otp_machine
        done = machine is not None and end_child(machine, id_or_ref)
    except BaseException as error:  # noqa: BLE001  an error of the runtime's own, as in run_turn
        fail_turn(sup, error)
    finally:
        here.process = outer
        let_go(sup, here)
    # Somebody who was linked to the child may have become this thread's next one.
    flush()
    return done

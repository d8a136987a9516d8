"""The start of a child that runs nothing of a user's: one turn, and that is its supervisor's.

Nobody waits for anything in it, so nothing has to be remembered that an answer could need: no
reply, no operation of the machine, nobody who is told of the outcome. Laws: where something stands
against it nothing has changed, and the start goes the ordinary way; a child that is ended by who
finds it in `ActorRegistry` meanwhile is one that has ended after its start.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from supervisors._machines.at_once import begin_start
from supervisors._machines.vocabulary import EmitReport, Report
from supervisors._runtime.actor_list import enlist, strike
from supervisors._runtime.handover import flush
from supervisors._runtime.in_place import in_turn
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors.exits import Killed
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from supervisors._runtime.actor import Actor
    from supervisors._runtime.current import Here
    from supervisors._runtime.launching import Launch
    from supervisors.child_spec import ChildSpec

__all__ = ["start_in_turn", "start_plain_child"]

_STARTED = ("supervisors", "child", "started")
_new: Any = object.__new__


def start_plain_child(sup: Process, spec: ChildSpec, launch: Launch, here: Here) -> Any:
    """Start a child, of a class that starts plainly, if the supervisor is idle.

    Args:
        sup: the supervisor's.
        spec: of the child, which has no name.
        launch: of the specification.
        here: this thread's values of `current`.

    Returns:
        Its ref; or UNDONE.
    """
    if not sup.actor._otp_looks_at_nothing():  # type: ignore[attr-defined]
        return UNDONE
    started = in_turn(sup, here, start_in_turn, (spec, launch.cls, here), idle=True)
    if here.next is not None:
        flush()
    # After an error of the runtime's own the supervisor has ended.
    return UNDONE if started is None else started


def start_in_turn(actor: Any, what: tuple[ChildSpec, type[Actor], Here]) -> Any:
    """Do so in the supervisor's turn, whoever runs that; `actor` is the supervisor."""
    spec, cls, here = what
    machine = actor._otp_machine
    child = None if machine is None else begin_start(machine, spec, None)
    # Killed, it knows of nothing any more, and who asks in the ordinary way is told.
    if child is None or actor._process.ended:
        return UNDONE
    number = child.incarnation
    process: Process = _new(Process)
    process.actor_ref = None  # type: ignore[assignment]
    try:
        pool.man()
        # As in `start_plainly`.
        plain = _new(cls)
        plain._process = process
        Process.__init__(process, plain, ActorRef)
        process.parent, process.incarnation = actor._process, number
        process.dispatcher = pool
        process.initialised = process._came_up = True
        ref = process.actor_ref
        actor._otp_prepare(process, spec)
        # From here on others may end it, who find it complete.
        enlist(ref)
        if process.ended:
            # By who found it under a name that it was given; that came before it was listed.
            strike(ref, None)
        actor._otp_take_in(process, spec, number)
    except BaseException:  # noqa: BLE001  who starts it in the ordinary way is told
        machine.children.remove(child)
        if process.actor_ref is not None:
            # It may have been given a name, and be known as alive: news of this comes as of any.
            process.finish(Killed())
        return UNDONE
    machine.children.mark_running(child, ref, machine.now)
    # The main thread tells nobody, see `ask_for_child`; who is told elsewhere is a user's code.
    if not here.is_main and wanted(_STARTED, quiet=True):
        report = EmitReport(Report.CHILD_STARTED, spec, ref, requested=True)
        Context().run(actor._otp_report, report)
    return ref

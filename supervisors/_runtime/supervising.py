"""The actor around a supervisor's machine: it turns messages into events and carries out commands.

It never waits: starts and stops of children are answered by messages, deadlines are timers, so
that a slow child holds no thread and the machine's order alone decides what happens when.
"""

from __future__ import annotations

import random
from collections import deque
from contextlib import suppress
from typing import Any

import msgspec
from pykka import messages

from supervisors._machines.reconfiguring import reconfigure
from supervisors._machines.requests import describe
from supervisors._machines.supervision import Flags, SupervisionMachine
from supervisors._machines.vocabulary import (
    AnswerRequest,
    ArmTimer,
    BootRequested,
    CancelTimer,
    ChildAbandoned,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildReturned,
    ChildStarted,
    Command,
    ConfirmStart,
    EmitReport,
    Event,
    FinishSupervisor,
    KillChild,
    RefuseRequest,
    RefuseStart,
    Report,
    RequestReceived,
    RequestVerb,
    RetryLater,
    ShutdownRequested,
    StartChild,
    StopChild,
    SupervisorInfo,
    TimerFired,
    TimerKind,
)
from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.ending import kill_tree
from supervisors._runtime.handover import help_along
from supervisors._runtime.items import Asked, Call, EndSelf, Info, StopOrder
from supervisors._runtime.outcomes import StartFailed
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.spawn import DEFERRED, IGNORED, confirm
from supervisors._runtime.starting import StartingActor
from supervisors._runtime.timers import Timer, timers
from supervisors.child_spec import ChildSpec
from supervisors.errors import (
    NoProcError,
    NotAvailableError,
    SelfCallError,
    StartError,
    UnexpectedMessageError,
)
from supervisors.exits import Abandoned, Exit, ExitReason, Normal, Shutdown
from supervisors.telemetry import execute

__all__ = ["Plan", "SupervisingActor", "SupervisorRequest", "ask_supervisor"]

_NEWS = (ChildStarted, ChildIgnored, ChildFailed, ChildExited, ChildAbandoned, ChildReturned)
_EVENTS = (*_NEWS, TimerFired)
_GONE = (ChildIgnored, ChildFailed, ChildExited)


class SupervisorRequest(msgspec.Struct, frozen=True):
    """What a supervisor's reference sends; everything else is refused (S101)."""

    verb: RequestVerb
    argument: Any = None


class Plan(msgspec.Struct, frozen=True):
    """What a supervisor is to be, checked already."""

    flags: Flags
    children: tuple[ChildSpec, ...] = ()


class SupervisingActor(StartingActor):
    """What static and dynamic supervisors have in common; not for direct use."""

    trap_exit = True

    _otp_machine: SupervisionMachine | None = None

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan | None:
        """Return what to be, or None to be ignored."""
        raise NotImplementedError

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plan = self._otp_plan(args, kwargs)
        if plan is None:
            return IGNORED
        self._otp_lives: dict[int, Process] = {}
        self._otp_timers: dict[tuple[TimerKind, int], Timer] = {}
        self._otp_machine = SupervisionMachine(plan.flags, plan.children, random.random)
        self._otp_feed(BootRequested())
        return DEFERRED

    def _otp_receive(self, item: Any) -> None:
        process = self._process
        if isinstance(item, Call):
            process.defer(item.future)
        # Only user code, such as a child's __init__, is something that a kill can meet.
        process.handling = IDLE
        if isinstance(item, _EVENTS):
            self._otp_feed(item)
        elif isinstance(item, Call) and isinstance(item.message, SupervisorRequest):
            request = item.message
            self._otp_feed(RequestReceived(item.future, request.verb, request.argument))
        elif type(item) is EndSelf or type(item) is messages._ActorStop:
            self._otp_stop_ordered(Normal())
        elif type(item) is not Info or not isinstance(item.message, Exit):
            # Children are watched without links; an Exit from anybody else means nothing (S87).
            self._otp_refuse(item)

    def _otp_refuse(self, item: Any) -> None:
        """Refuse and report what is no request; it must not cost a subtree (S87, S101)."""
        message = item.message if isinstance(item, Call | Info) else item
        if isinstance(item, Call):
            item.future.fail(UnexpectedMessageError(self, message))
        execute(
            ("supervisors", "actor", "unexpected_message"),
            {"count": 1},
            {"actor": str(self), "message_type": type(message).__name__},
        )

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        if self._otp_machine is None:
            self._process.end(reason)
            return
        order, self._process.handling = self._process.handling, IDLE
        deadline = order.deadline if isinstance(order, StopOrder) else None
        # A suspended one too obeys at once (S190); to stop, it needs the news of its children.
        self._process.mailbox.suspended = False
        self._otp_feed(ShutdownRequested(reason, deadline))

    def _otp_child_ended(self, incarnation: int, reason: ExitReason) -> None:
        if isinstance(reason, Abandoned):
            self._process.post(ChildAbandoned(incarnation))
        self._process.post_next(ChildExited(incarnation, reason))

    def _otp_child_returned(self, incarnation: int) -> None:
        if not self._process.ended:
            self._process.post(ChildReturned(incarnation))

    def _otp_give_away(self) -> list[Process]:
        taken: list[Process] = []
        # One by one, the youngest first: the supervisor's own thread may be adding or removing.
        while self._otp_machine is not None and self._otp_lives:
            with suppress(KeyError):
                taken.append(self._otp_lives.popitem()[1])
        return taken

    def _otp_after_end(self, reason: ExitReason) -> None:
        """Children do not outlive a supervisor that was ended without asking them (S86)."""
        if self._otp_machine is not None:
            # A copy in one step: the killed supervisor's own thread may be adding one.
            for process in self._otp_lives.copy().values():
                process.order(StopOrder(reason))
            # What a machine that was cut short still knows of its children.
            self._otp_lives.clear()
            self._otp_machine = None

    def _otp_state(self) -> SupervisorInfo | None:
        machine = self._otp_machine
        return None if machine is None else describe(machine, timers.clock.now())

    def _otp_replace_state(self, fn: Any) -> Any:
        what = "replace_state of a supervisor (use its requests, such as start_child)"
        raise NotAvailableError(what)

    def _otp_change_code(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._process.mailbox.suspended:
            msg = f"{self} is not suspended: suspend() it, then change its code, then resume() it"
            raise RuntimeError(msg)
        plan, machine = self._otp_plan(args, kwargs), self._otp_machine
        if plan is not None and machine is not None:
            reconfigure(machine, plan.flags, plan.children)

    # ---- events in, commands out ---------------------------------------------------------------

    def _otp_feed(self, event: Event) -> None:
        """Give the machine an event and whatever carrying out its commands brings about at once."""
        machine = self._otp_machine
        if machine is None:
            return
        events: deque[Event] = deque([event])
        while events:
            event = events.popleft()
            if isinstance(event, _GONE):
                self._otp_lives.pop(event.incarnation, None)
            for command in machine.handle(event, timers.clock.now()):
                if self._process.ended:
                    return
                events.extend(self._otp_carry_out(command))

    def _otp_carry_out(self, command: Command) -> list[Event]:
        match command:
            case StartChild(incarnation, spec, args):
                return self._otp_start_child(incarnation, spec, args)
            case StopChild(incarnation, deadline):
                process = self._otp_lives.get(incarnation)
                if process is not None:
                    process.order_from_supervisor(StopOrder(Shutdown(), deadline=deadline))
            case KillChild(incarnation, whole):
                process = self._otp_lives.get(incarnation)
                if process is not None:
                    if whole:
                        kill_tree(process)
                    else:
                        process.kill()
            case ArmTimer(kind, incarnation, delay):
                process = self._otp_lives.get(incarnation)
                if kind is TimerKind.STOP_DEADLINE and (process is None or process.ended):
                    return []  # The news of it is on its way.
                replaced = self._otp_timers.pop((kind, incarnation), None)
                if replaced is not None:
                    replaced.cancel()
                fired = TimerFired(kind, incarnation)
                timer = timers.after(delay, lambda: self._process.post(fired))
                self._process.keep_timer(timer)
                self._otp_timers[kind, incarnation] = timer
            case CancelTimer(kind, incarnation):
                cancelled = self._otp_timers.pop((kind, incarnation), None)
                if cancelled is not None:
                    cancelled.cancel()
            case RetryLater(incarnation):
                self._process.post(TimerFired(TimerKind.RETRY, incarnation))
            case AnswerRequest(token, value):
                token.settle(value)
            case RefuseRequest(token, error):
                token.fail(error)
            case EmitReport():
                self._otp_report(command)
            case ConfirmStart():
                confirm(self._process)
            case RefuseStart(reason, child_id, error):
                self._otp_refuse_start(reason, child_id, error)
            case FinishSupervisor(reason):
                self._process.end(reason)
        return []

    def _otp_refuse_start(self, reason: ExitReason, child_id: Any, cause: Any) -> None:
        text = f"{type(self).__name__} did not start: its child {child_id!r} did not"
        error = StartError(text, reason=reason, child_id=child_id)
        error.__cause__ = cause
        outcome = StartFailed(reason, error)
        self._process.fail_start(outcome, lambda: self._process.finish(reason))

    def _otp_report(self, report: EmitReport) -> None:
        noun = "supervisor" if report.kind is Report.GAVE_UP else "child"
        execute(
            ("supervisors", noun, str(report.kind)),
            {"count": 1, "restarts": report.restarts},
            {
                "supervisor": self._process.path(),
                "child": report.child_id,
                "ref": report.ref,
                "reason": report.reason,
                "spec": report.spec,
                "requested": report.requested,
            },
        )


def ask_supervisor(ref: ActorRef, request: SupervisorRequest) -> Any:
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
    call = Asked(request)
    help_along(lambda: process.post_next(call), call)
    return call.get()

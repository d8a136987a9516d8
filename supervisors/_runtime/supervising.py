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
    TimerFired,
    TimerKind,
)
from supervisors._runtime.actor import Actor
from supervisors._runtime.calling import take_options
from supervisors._runtime.doing import IDLE
from supervisors._runtime.ending import kill_tree
from supervisors._runtime.items import Call, EndSelf, Info, StopOrder
from supervisors._runtime.outcomes import Started, StartFailed, StartIgnored
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.signals import unlink
from supervisors._runtime.spawn import DEFERRED, IGNORED, confirm, spawn
from supervisors._runtime.timers import Timer, timers
from supervisors._runtime.tracing import crashed
from supervisors.child_spec import ChildSpec
from supervisors.errors import StartError, UnexpectedMessageError
from supervisors.exits import Abandoned, Exit, ExitReason, NoProc, Normal, Shutdown
from supervisors.telemetry import execute

__all__ = ["Plan", "SupervisingActor", "SupervisorRequest"]

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


class SupervisingActor(Actor):
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
        if type(item) is Call:
            process.defer(item.reply)
        # Only user code, such as a child's __init__, is something that a kill can meet.
        process.handling = IDLE
        if isinstance(item, _EVENTS):
            self._otp_feed(item)
        elif type(item) is Call and isinstance(item.message, SupervisorRequest):
            request = item.message
            self._otp_feed(RequestReceived(item.reply, request.verb, request.argument))
        elif type(item) is EndSelf or type(item) is messages._ActorStop:
            self._otp_stop_ordered(Normal())
        elif type(item) is not Info or not isinstance(item.message, Exit):
            # Children are watched without links; an Exit from anybody else means nothing (S87).
            self._otp_refuse(item)

    def _otp_refuse(self, item: Any) -> None:
        """Refuse and report what is no request; it must not cost a subtree (S87, S101)."""
        message = item.message if isinstance(item, Call | Info) else item
        if type(item) is Call:
            item.reply.fail(UnexpectedMessageError(self, message))
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
        self._otp_feed(ShutdownRequested(reason, deadline))

    def _otp_child_ended(self, incarnation: int, reason: ExitReason) -> None:
        if isinstance(reason, Abandoned):
            self._process.post(ChildAbandoned(incarnation))
        self._process.post(ChildExited(incarnation, reason))

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

    def _otp_take_in(self, process: Process, spec: ChildSpec, incarnation: int) -> None:
        """Know a child that is about to run. Ended itself meanwhile, the supervisor stops it."""
        process.label = _label(spec, incarnation)
        self._otp_lives[incarnation] = process
        if self._process.ended:
            process.order(StopOrder(self._process.reason or Shutdown()))

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
                    process.order(StopOrder(Shutdown(), deadline=deadline))
            case KillChild(incarnation, whole):
                process = self._otp_lives.get(incarnation)
                if process is not None:
                    (kill_tree if whole else Process.kill)(process)
            case ArmTimer(kind, incarnation, delay):
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
            },
        )

    def _otp_prepare(self, process: Process, spec: ChildSpec) -> None:
        """Let a subclass give a new child something before it can run."""

    # ---- starting a child ----------------------------------------------------------------------

    def _otp_start_child(
        self, incarnation: int, spec: ChildSpec, args: tuple[Any, ...]
    ) -> list[Event]:
        """Start a child; its outcome comes as a message, or in the returned events."""
        cls = _actor_class(spec.start)
        if cls is None:
            return self._otp_call_start(incarnation, spec, args)
        options, kwargs = take_options(dict(spec.kwargs))
        if spec.name is not None:
            options = msgspec.structs.replace(options, name=spec.name)
        post = self._process.post
        made: list[Process] = []

        def started(outcome: Started | StartIgnored | StartFailed) -> None:
            match outcome:
                case Started(ref):
                    post(ChildStarted(incarnation, ref))
                case StartIgnored():
                    post(ChildIgnored(incarnation))
                case StartFailed(reason, error):
                    if isinstance(error, StartError):
                        error.child_id = spec.id
                    if made and isinstance(made[0].reason, Abandoned):
                        post(ChildAbandoned(incarnation))
                    post(ChildFailed(incarnation, reason, error))

        def note(process: Process) -> None:
            made.append(process)
            self._otp_prepare(process, spec)
            self._otp_take_in(process, spec, incarnation)

        # A class's own __init__ runs here.
        self._process.handling = spec
        try:
            spawn(
                cls,
                args,
                kwargs,
                options,
                started,
                parent=self._process,
                incarnation=incarnation,
                before_launch=note,
            )
        except BaseException as error:  # noqa: BLE001  as for the init: it fails the start alone
            return [_failed(incarnation, spec, error)]
        finally:
            self._process.handling = IDLE
        return []

    def _otp_call_start(
        self, incarnation: int, spec: ChildSpec, args: tuple[Any, ...]
    ) -> list[Event]:
        """Start a child through a callable of the user's, here and now, as OTP does (S65)."""
        kwargs = dict(spec.kwargs)
        if spec.name is not None:
            kwargs["name"] = spec.name
        self._process.handling = spec
        try:
            result = spec.start(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  whatever a start raises fails it alone
            return [_failed(incarnation, spec, error)]
        finally:
            self._process.handling = IDLE
        if result is None:
            return [ChildIgnored(incarnation)]
        process = result.process if isinstance(result, ActorRef) else None
        if not isinstance(result, ActorRef):
            text = f"the start of child {spec.id!r} returned a {type(result).__name__}, not a ref"
            return [_failed(incarnation, spec, TypeError(text))]
        if process is not None and process.incarnation:
            text = f"the start of child {spec.id!r} returned {result}, which has a supervisor"
            return [_failed(incarnation, spec, TypeError(text))]
        if process is None or not process.adopt(self._process, incarnation):
            return [ChildStarted(incarnation, result), ChildExited(incarnation, NoProc())]
        # A start_link in there has linked it; its supervisor is told of its end without a link.
        unlink(self._process, process)
        self._otp_take_in(process, spec, incarnation)
        return [ChildStarted(incarnation, result)]


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


def _label(spec: ChildSpec, incarnation: int) -> str:
    return str(incarnation if spec.id is None else spec.id)


def _failed(incarnation: int, spec: ChildSpec, error: BaseException) -> ChildFailed:
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

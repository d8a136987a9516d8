"""The actor around a supervisor's machine: it turns messages into events and carries out commands.

It never waits: starts and stops of children are answered by messages, deadlines are timers, so
that a slow child holds no thread and the machine's order alone decides what happens when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from pykka import messages

from supervisors._machines.requests import describe
from supervisors._machines.supervision import SupervisionMachine
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
    ConfirmStart,
    EmitReport,
    Event,
    FinishSupervisor,
    KillChild,
    RefuseRequest,
    RefuseStart,
    Report,
    RequestReceived,
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
from supervisors._runtime.first_turn import DEFERRED, IGNORED, confirm
from supervisors._runtime.in_place import end_idle, in_turn
from supervisors._runtime.inheriting import inherit
from supervisors._runtime.items import Call, EndSelf, Info, StopOrder, Told
from supervisors._runtime.outcomes import UNDONE, StartFailed
from supervisors._runtime.planning import Plan, SupervisorRequest
from supervisors._runtime.process import Process
from supervisors._runtime.reply import Reply
from supervisors._runtime.starting import Begun, StartingActor, attach_begun
from supervisors._runtime.timers import Timer, timers
from supervisors.child_spec import ChildSpec
from supervisors.clock import chance
from supervisors.errors import StartError, UnexpectedMessageError
from supervisors.exits import Abandoned, Exit, ExitReason, Normal, Shutdown
from supervisors.telemetry import execute, wanted

__all__ = ["Plan", "SupervisingActor", "SupervisorRequest"]

_NEWS = (ChildStarted, ChildIgnored, ChildFailed, ChildExited, ChildAbandoned, ChildReturned)
_EVENTS = (*_NEWS, TimerFired)
_GONE = frozenset((ChildIgnored, ChildFailed, ChildExited))
_SHUTDOWN = Shutdown()
# Supervisors whose turns one thread runs inside each other: each tells the one above it.
_DEEPEST = 16
_REPORTED = {
    kind: ("supervisors", "supervisor" if kind is Report.GAVE_UP else "child", str(kind))
    for kind in Report
}


def _number(ref: Any) -> int:
    """Return by which number its supervisor knows a living actor; 0 where that is not told."""
    number: int = getattr(getattr(ref, "process", None), "incarnation", 0)
    return number


class SupervisingActor(StartingActor):
    """What static and dynamic supervisors have in common; not for direct use."""

    trap_exit = True

    _otp_comes_up_at_once = False
    _otp_machine: SupervisionMachine | None = None
    _otp_feeds_at_once: ClassVar[bool] = True
    # The number of the thread that gives the machine its events at this moment.
    _otp_fed_by: int = 0

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan | None:
        """Return what to be, or None to be ignored."""
        raise NotImplementedError

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plan = self._otp_plan(args, kwargs)
        if plan is None:
            return IGNORED
        self._otp_lives: dict[int, Process] = {}
        # What is to be given to the machine next, before any message.
        self._otp_news: deque[Event] = deque()
        # Whose requests are open; the process fails them when it ends.
        self._otp_asked: set[Reply] = set()
        self._process._deferred = self._otp_asked
        self._process.tied = True
        self._otp_timers: dict[tuple[TimerKind, int], Timer] = {}
        flags, children = plan.flags, plan.children
        self._otp_machine = SupervisionMachine(flags, children, chance, self._otp_end_now, _number)
        inherit(self._process, self._otp_machine)
        self._otp_feed(BootRequested(self._otp_start_now()))
        return DEFERRED

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Notice whether the class looks at what it gets before the machine does."""
        super().__init_subclass__(**kwargs)
        cls._otp_feeds_at_once = cls._otp_receive is SupervisingActor._otp_receive

    def _otp_receive(self, item: Any) -> None:
        process = self._process
        # Only user code, such as a child's __init__, is something that a kill can meet.
        process.handling = IDLE
        if isinstance(item, _EVENTS):
            self._otp_feed(item)
        elif isinstance(item, Call) and isinstance(item.message, SupervisorRequest):
            self._otp_serve(item.message, item.future)
        elif type(item) is EndSelf or type(item) is messages._ActorStop:
            self._otp_stop_ordered(Normal())
        elif type(item) is not Info or not isinstance(item.message, Exit):
            # Children are watched without links; an Exit from anybody else means nothing (S87).
            self._otp_refuse(item)

    def _otp_serve(self, request: SupervisorRequest, reply: Reply) -> None:
        """Take a request; its asker is told of the end, should that come before the answer."""
        process = self._process
        self._otp_asked.add(reply)
        if process.ended:
            reply.fail(process.gone())
            return
        self._otp_feed(RequestReceived(reply, request.verb, request.argument))

    def _otp_refuse(self, item: Any) -> None:
        """Refuse and report what is no request; it must not cost a subtree (S87, S101)."""
        message = item.message if isinstance(item, Call | Info | Told) else item
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
        news = ChildExited(incarnation, reason)
        if isinstance(reason, Abandoned):
            self._process.post(ChildAbandoned(incarnation))
        elif self._otp_fed_by == current.here.ident and self._otp_looks_at_nothing():
            # It was ended by what this supervisor is doing at this moment, in this thread.
            self._otp_news.append(news)
            return
        self._process.post_next(news)

    def _otp_end_now(self, incarnation: int) -> ExitReason | None:
        """End a child in this turn, if it is idle and has nothing to do for its end."""
        process = self._otp_lives.get(incarnation)
        if process is None or not self._otp_looks_at_nothing():
            return None
        if not end_idle(process, _SHUTDOWN, by_parent=True):
            return None
        self._otp_lives.pop(incarnation, None)
        return _SHUTDOWN

    def _otp_looks_at_nothing(self) -> bool:
        """Tell whether what comes goes to the machine as it is, and nobody watches it."""
        return self._otp_feeds_at_once and "_otp_receive" not in self.__dict__

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
        machine, old = self._otp_machine, self._otp_state()
        if machine is None or old is None:
            raise self._process.gone()
        from supervisors._machines.reconfiguring import replace_rules

        replace_rules(machine, old, fn(old))
        return self._otp_state()

    def _otp_change_code(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._process.mailbox.suspended:
            msg = f"{self} is not suspended: suspend() it, then change its code, then resume() it"
            raise RuntimeError(msg)
        plan, machine = self._otp_plan(args, kwargs), self._otp_machine
        if plan is not None and machine is not None:
            from supervisors._machines.reconfiguring import reconfigure

            reconfigure(machine, plan.flags, plan.children)

    def _otp_hear(self, event: Event) -> Begun | None:
        process, here = self._process, current.here
        helping = here.helping
        # As `runs_here`: this thread may run a supervisor, and nobody waits for it to do else.
        may = not here.is_main and (helping or here.host is process.dispatcher)
        if not may or here.depth > _DEEPEST or not self._otp_looks_at_nothing():
            process.post_next(event)
            return None
        here.depth += 1
        try:
            done = in_turn(process, here, _feed if helping else _feed_in_row, event, idle=False)
        finally:
            here.depth -= 1
        if done is UNDONE:
            process.post_next(event)
            return None
        begun: Begun | None = done
        return begun

    # ---- events in, commands out ---------------------------------------------------------------

    def _otp_feed(self, event: Event, *, in_row: bool = False) -> Begun | None:
        """Give the machine an event and whatever carrying out its commands brings about at once.

        In a row, a child that is to be started may be returned, see `_otp_start_child`.
        """
        machine = self._otp_machine
        if machine is None:
            return None
        process, news, now = self._process, self._otp_news, timers.clock.now
        outer, self._otp_fed_by = self._otp_fed_by, current.here.ident
        begun: Begun | None = None
        try:
            while True:
                if type(event) in _GONE:
                    self._otp_lives.pop(event.incarnation, None)  # type: ignore[union-attr]
                for command in machine.handle(event, now()):
                    if process.ended:
                        news.clear()
                        return begun
                    kind = type(command)
                    if kind is EmitReport:
                        self._otp_report(command)  # type: ignore[arg-type]
                    elif kind is StartChild:
                        begun = self._otp_start_child(command, in_row=in_row)  # type: ignore[arg-type]
                    else:
                        _DEEDS[kind](self, command)
                if not news:
                    return begun
                event = news.popleft()
        except BaseException:
            if begun is not None:
                attach_begun(begun)
            raise
        finally:
            self._otp_fed_by = outer

    # ---- what the commands come to; each may add to the news ------------------------------------

    def _otp_stop_child(self, command: StopChild) -> None:
        process = self._otp_lives.get(command.incarnation)
        if process is not None:
            process.order_from_supervisor(StopOrder(_SHUTDOWN, deadline=command.deadline))

    def _otp_kill_child(self, command: KillChild) -> None:
        process = self._otp_lives.get(command.incarnation)
        if process is not None:
            if command.whole:
                kill_tree(process)
            else:
                process.kill()

    def _otp_arm(self, command: ArmTimer) -> None:
        kind, incarnation = command.kind, command.incarnation
        if kind is TimerKind.STOP_DEADLINE:
            process = self._otp_lives.get(incarnation)
            if process is None or process.ended:
                return  # The news of it is on its way.
        replaced = self._otp_timers.pop((kind, incarnation), None)
        if replaced is not None:
            replaced.cancel()
        fired = TimerFired(kind, incarnation)
        timer = timers.after(command.delay, lambda: self._process.post(fired))
        self._process.keep_timer(timer)
        self._otp_timers[kind, incarnation] = timer

    def _otp_disarm(self, command: CancelTimer) -> None:
        if self._otp_timers:
            cancelled = self._otp_timers.pop((command.kind, command.incarnation), None)
            if cancelled is not None:
                cancelled.cancel()

    def _otp_retry_later(self, command: RetryLater) -> None:
        self._process.post(TimerFired(TimerKind.RETRY, command.incarnation))

    def _otp_answer(self, command: AnswerRequest) -> None:
        token = command.token
        self._otp_asked.discard(token)
        token.settle(command.value)

    def _otp_refuse_request(self, command: RefuseRequest) -> None:
        token = command.token
        self._otp_asked.discard(token)
        token.fail(command.error)

    def _otp_confirm(self, _: ConfirmStart) -> None:
        confirm(self._process)

    def _otp_finish(self, command: FinishSupervisor) -> None:
        self._process.end(command.reason)

    def _otp_refuse_start(self, command: RefuseStart) -> None:
        reason, child_id = command.reason, command.child_id
        text = f"{type(self).__name__} did not start: its child {child_id!r} did not"
        error = StartError(text, reason=reason, child_id=child_id)
        error.__cause__ = command.error
        outcome = StartFailed(reason, error)
        self._process.fail_start(outcome, lambda: self._process.finish(reason))

    def _otp_report(self, report: EmitReport) -> None:
        event = _REPORTED[report.kind]
        quiet = report.requested and report.kind is Report.CHILD_STARTED
        if not wanted(event, quiet=quiet):
            return
        spec = self._otp_shown(report.spec)
        execute(
            event,
            {"count": 1, "restarts": report.restarts},
            {
                "supervisor": self._process.path(),
                "child": spec.id,
                "ref": report.ref,
                "reason": report.reason,
                "spec": spec,
                "requested": report.requested,
            },
        )

    def _otp_shown(self, spec: ChildSpec) -> ChildSpec:
        """Let a subclass tell of a child's specification in other words."""
        return spec


_feed = SupervisingActor._otp_feed


def _feed_in_row(actor: SupervisingActor, event: Event) -> Begun | None:
    return actor._otp_feed(event, in_row=True)


# How each command is carried out; a subclass may have reports of its own.
_DEEDS: dict[type, Callable[[SupervisingActor, Any], None]] = {
    StopChild: SupervisingActor._otp_stop_child,
    KillChild: SupervisingActor._otp_kill_child,
    ArmTimer: SupervisingActor._otp_arm,
    CancelTimer: SupervisingActor._otp_disarm,
    RetryLater: SupervisingActor._otp_retry_later,
    AnswerRequest: SupervisingActor._otp_answer,
    RefuseRequest: SupervisingActor._otp_refuse_request,
    ConfirmStart: SupervisingActor._otp_confirm,
    RefuseStart: SupervisingActor._otp_refuse_start,
    FinishSupervisor: SupervisingActor._otp_finish,
}

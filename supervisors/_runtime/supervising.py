"""The actor around a supervisor's machine: it turns messages into events and carries out commands.

It never waits: starts and stops of children are answered by messages, deadlines are timers, so
that a slow child holds no thread and the machine's order alone decides what happens when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pykka import messages

from supervisors._machines.at_once import begin_restart
from supervisors._machines.requests import describe
from supervisors._machines.restarting import came_up, catch_up, row_ahead
from supervisors._machines.supervision import SupervisionMachine
from supervisors._machines.vocabulary import (
    BootRequested,
    ChildAbandoned,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildReturned,
    ChildStarted,
    EmitReport,
    Event,
    Report,
    RequestReceived,
    ShutdownRequested,
    StartChild,
    SupervisorInfo,
    TimerFired,
)
from supervisors._runtime.commands import DEEDS, REPORTED, CommandedActor
from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.first_turn import DEFERRED, IGNORED
from supervisors._runtime.in_place import give_back, in_turn, leave
from supervisors._runtime.inheriting import inherit
from supervisors._runtime.items import Call, EndSelf, Info, StopOrder, Told
from supervisors._runtime.launching import launch_of
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.planning import Plan, SupervisorRequest
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process
from supervisors._runtime.reply import Reply
from supervisors._runtime.rows import Row, end_row
from supervisors._runtime.starting import ROW, Begun, StartingActor, attach_begun, failed_start
from supervisors._runtime.timers import timers
from supervisors._runtime.turns import fail_turn
from supervisors.clock import chance
from supervisors.errors import UnexpectedMessageError
from supervisors.exits import Abandoned, Exit, ExitReason, Normal, Shutdown
from supervisors.telemetry import execute, wanted

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._runtime.current import Here

__all__ = ["Plan", "SupervisingActor", "SupervisorRequest"]

_NEWS = (ChildStarted, ChildIgnored, ChildFailed, ChildExited, ChildAbandoned, ChildReturned)
_EVENTS = (*_NEWS, TimerFired)
_GONE = frozenset((ChildIgnored, ChildFailed, ChildExited))
_SHUTDOWN = Shutdown()
_NOTHING: list[Any] = []
# Supervisors whose turns one thread runs inside each other: each tells the one above it.
_DEEPEST = 16
_RESTARTED = REPORTED[Report.CHILD_RESTARTED]
_TERMINATED = REPORTED[Report.CHILD_TERMINATED]


# By which number its supervisor knows a living actor; an AttributeError where that is not told.
_number: Callable[[Any], int] = attrgetter("process.incarnation")


class SupervisingActor(CommandedActor):
    """What static and dynamic supervisors have in common; not for direct use."""

    trap_exit = True

    _otp_comes_up_at_once = False
    _otp_machine: SupervisionMachine | None = None
    _otp_feeds_at_once: ClassVar[bool] = True
    _otp_starts_in_rows: ClassVar[bool] = True
    # The number of the thread that gives the machine its events at this moment.
    _otp_fed_by: int = 0

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan | None:
        """Return what to be, or None to be ignored."""
        raise NotImplementedError

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plan = self._otp_plan(args, kwargs)
        if plan is None:
            return IGNORED
        self._otp_lives = {}
        # What is to be given to the machine next, before any message.
        self._otp_news = deque()
        # Whose requests are open; the process fails them when it ends.
        self._otp_asked = set()
        self._process.keep_open(self._otp_asked)
        self._otp_timers = {}
        flags, children = plan.flags, plan.children
        self._otp_machine = SupervisionMachine(flags, children, chance, self._otp_end_now, _number)
        inherit(self._process, self._otp_machine)
        self._otp_feed(BootRequested(self._otp_start_now()))
        return DEFERRED

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Notice whether the class looks at what it gets before the machine does."""
        super().__init_subclass__(**kwargs)
        cls._otp_feeds_at_once = cls._otp_receive is SupervisingActor._otp_receive
        cls._otp_starts_in_rows = cls._otp_prepare is StartingActor._otp_prepare

    def _otp_receive(self, item: Any) -> None:
        process = self._process
        # Only user code, such as a child's __init__, is something that a kill can meet.
        process.handling = IDLE
        if isinstance(item, _EVENTS):
            if type(item) is not ChildExited or not self._otp_restart(item):
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

    def _otp_end_now(self, incarnations: list[int]) -> int:
        """End children in this turn, as far as they are idle and have nothing to do for it."""
        if not self._otp_looks_at_nothing():
            return 0
        return end_row(self._otp_lives, incarnations, _SHUTDOWN)

    def _otp_looks_at_nothing(self) -> bool:
        """Tell whether what comes goes to the machine as it is, and nobody watches it."""
        return self._otp_feeds_at_once and "_otp_receive" not in self.__dict__

    def _otp_child_returned(self, incarnation: int) -> None:
        if not self._process.ended:
            self._process.post(ChildReturned(incarnation))

    def _otp_give_away(self, taken: deque[tuple[int, Process]]) -> None:
        # One by one, the youngest first: the supervisor's own thread may be adding or removing. By
        # C code in one step, or a signal's handler that raises in between would lose one.
        while self._otp_machine is not None and self._otp_lives:
            with suppress(KeyError):
                taken.extend(map(dict.popitem, (self._otp_lives,)))

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
        if self._otp_row is not None:
            self._otp_end_row()
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
        if self._otp_row is not None:
            self._otp_end_row()
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

    def _otp_feed(
        self, event: Event | None, commands: list[Any] = _NOTHING, *, in_row: bool = False
    ) -> Begun | None:
        """Give the machine an event and whatever carrying out its commands brings about at once.

        Without an event, begin with these commands. In a row, a child that is to be started may be
        returned, see `_otp_start_child`.
        """
        machine = self._otp_machine
        if machine is None:
            return None
        if self._otp_row is not None:
            self._otp_end_row()
        process, news, now = self._process, self._otp_news, timers.clock.now
        outer, self._otp_fed_by = self._otp_fed_by, current.here.ident
        begun: Begun | None = None
        try:
            while True:
                if event is not None:
                    if type(event) in _GONE:
                        self._otp_lives.pop(event.incarnation, None)  # type: ignore[union-attr]
                    commands = machine.handle(event, now())
                for command in commands:
                    if process.ended:
                        news.clear()
                        return begun
                    kind = type(command)
                    if kind is EmitReport:
                        self._otp_report(command)
                    elif kind is StartChild:
                        begun = self._otp_start_child(command, in_row=in_row)
                    else:
                        DEEDS[kind](self, command)
                if not news:
                    return begun
                event = news.popleft()
        except BaseException:
            if begun is not None:
                attach_begun(begun)
            raise
        finally:
            self._otp_fed_by = outer

    def _otp_go_on(self, started: Process, here: Here) -> Begun | None:
        sup = self._process
        mailbox = sup.mailbox
        try:
            mailbox.slot.pop()
        except IndexError:
            return self._otp_hear(ChildStarted(started.incarnation, started.actor_ref))
        if (
            sup.ended
            or mailbox.control
            or mailbox.suspended
            or sup.dispatcher is not here.host
            or not self._otp_feeds_at_once
            or "_otp_receive" in self.__dict__
        ):
            give_back(sup)
            return self._otp_hear(ChildStarted(started.incarnation, started.actor_ref))
        # From here on as in_turn, without its calls.
        sup._thread_id = here.ident
        outer, here.process = here.process, sup
        try:
            return self._otp_next(started)
        except BaseException as error:  # noqa: BLE001  an error of the runtime's own
            fail_turn(sup, error)
            return None
        finally:
            here.process = outer
            if sup.ended:
                again = leave(sup, here)
            else:
                mailbox.slot.append(sup)
                again = bool(mailbox.control or mailbox.user) and mailbox.retake_slot()
            if again:
                sup.schedule()

    def _otp_end_row(self) -> None:
        """Let the machine know of the children that came up in a row, and end the row."""
        row, self._otp_row = self._otp_row, None
        machine = self._otp_machine
        refs = [] if row is None else row.end()
        if machine is None or not refs:
            return
        members = catch_up(machine, refs, timers.clock.now())
        if wanted(_RESTARTED):
            for child, ref in zip(members, refs, strict=True):
                kind = Report.CHILD_RESTARTED
                self._otp_report(EmitReport(kind, child.spec, ref, None, child.restarts))

    def _otp_next(self, started: Process) -> Begun | None:
        """Let the machine know that a child has started, and start the next one of its row."""
        machine, ref, incarnation = self._otp_machine, started.actor_ref, started.incarnation
        if machine is None:
            return None
        if self._otp_row is not None:
            self._otp_end_row()
        taken = came_up(machine, incarnation, ref, timers.clock.now())
        if taken is None:
            return self._otp_feed(ChildStarted(incarnation, ref), in_row=True)
        member, child = taken
        reports = _NOTHING
        if wanted(_RESTARTED):
            kind, restarts = Report.CHILD_RESTARTED, member.restarts
            reports = [EmitReport(kind, member.spec, ref, None, restarts)]
        return self._otp_begin_child(machine, child, reports)

    def _otp_restart(self, exited: ChildExited) -> bool:
        """Restart a child that has ended by itself, if that is all there is to do; tell whether."""
        machine, incarnation, reason = self._otp_machine, exited.incarnation, exited.reason
        if machine is None:
            return False
        if self._otp_row is not None:
            self._otp_end_row()
        taken = begin_restart(machine, incarnation, reason, timers.clock.now())
        if taken is None:
            return False
        self._otp_lives.pop(incarnation, None)
        child, ref = taken
        reports = _NOTHING
        if wanted(_TERMINATED):
            kind, restarts = Report.CHILD_TERMINATED, child.restarts
            reports = [EmitReport(kind, child.spec, ref, reason, restarts)]
        begun = self._otp_begin_child(machine, child, reports)
        if begun is not None:
            attach_begun(begun)
        return True

    def _otp_begin_child(
        self, machine: SupervisionMachine, child: Child | None, reports: list[Any]
    ) -> Begun | None:
        """Start a child that the machine has begun with, after what is to be reported before."""
        if child is None:
            return self._otp_feed(None, reports) if reports else None
        spec, extra, number = child.spec, machine.flags.extra_args, child.incarnation
        args = (*extra, *spec.args) if extra else spec.args
        launch: Any = launch_of(spec)
        if reports or not launch or not launch.is_quick or launch.cls.dispatcher != "pool":
            commands = [*reports, StartChild(number, spec, args)]
            return self._otp_feed(None, commands, in_row=True)
        try:
            process = self._otp_make(launch, number, spec, pool)
        except BaseException as error:  # noqa: BLE001  it fails this start alone
            return self._otp_feed(failed_start(number, spec, error), in_row=True)
        if self._otp_starts_in_rows:
            members = row_ahead(machine, ROW - 1)
            self._otp_row = Row(process, members) if members else None
        return process, args, launch.kwargs


_feed = SupervisingActor._otp_feed


def _feed_in_row(actor: SupervisingActor, event: Event) -> Begun | None:
    return actor._otp_feed(event, in_row=True)

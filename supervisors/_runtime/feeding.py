"""What a supervisor's machine is told, and what of its answers comes at once.

Most events come as messages, or from within the turn that brought them about (`_otp_hear`). For
the two that matter most, the end of a child that is restarted alone and the start of one in a
group, there are steps of fewer commands; see `at_once` and `restarting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from supervisors._machines.at_once import begin_restart
from supervisors._machines.restarting import came_up, catch_up, row_ahead
from supervisors._machines.supervision import SupervisionMachine
from supervisors._machines.vocabulary import (
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    EmitReport,
    Event,
    Report,
    StartChild,
)
from supervisors._runtime.commands import DEEDS, REPORTED, CommandedActor
from supervisors._runtime.current import current
from supervisors._runtime.in_place import give_back, in_turn, leave
from supervisors._runtime.launching import launch_of
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process
from supervisors._runtime.rows import Row, end_row
from supervisors._runtime.starting import ROW, Begun, attach_begun, failed_start
from supervisors._runtime.timers import timers
from supervisors._runtime.turns import fail_turn
from supervisors.exits import Shutdown
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._machines.restarting import GroupStart
    from supervisors._runtime.current import Here

__all__ = ["FeedingActor"]

_GONE = frozenset((ChildIgnored, ChildFailed, ChildExited))
_SHUTDOWN = Shutdown()
_NOTHING: list[Any] = []
# Supervisors whose turns one thread runs inside each other: each tells the one above it.
_DEEPEST = 16
_TERMINATED = REPORTED[Report.CHILD_TERMINATED]


class FeedingActor(CommandedActor):
    """The part of a supervisor that gives events to its machine; not for direct use."""

    _otp_machine: SupervisionMachine | None = None
    _otp_feeds_at_once: ClassVar[bool] = True
    _otp_starts_in_rows: ClassVar[bool] = True
    # The number of the thread that gives the machine its events at this moment.
    _otp_fed_by: int = 0

    def _otp_end_now(self, incarnations: list[int]) -> int:
        """End children in this turn, as far as they are idle and have nothing to do for it."""
        if not self._otp_looks_at_nothing():
            return 0
        return end_row(self._otp_lives, incarnations, _SHUTDOWN)

    def _otp_looks_at_nothing(self) -> bool:
        """Tell whether what comes goes to the machine as it is, and nobody watches it."""
        return self._otp_feeds_at_once and "_otp_receive" not in self.__dict__

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
        kind = _kind_of(machine.row)
        if wanted(REPORTED[kind]):
            for child, ref in zip(members, refs, strict=True):
                self._otp_report(EmitReport(kind, child.spec, ref, None, child.restarts))

    def _otp_next(self, started: Process) -> Begun | None:
        """Let the machine know that a child has started, and start the next one of its row."""
        machine, ref, incarnation = self._otp_machine, started.actor_ref, started.incarnation
        if machine is None:
            return None
        if self._otp_row is not None:
            self._otp_end_row()
        kind = _kind_of(machine.row)
        taken = came_up(machine, incarnation, ref, timers.clock.now())
        if taken is None:
            return self._otp_feed(ChildStarted(incarnation, ref), in_row=True)
        member, child = taken
        reports = _NOTHING
        if wanted(REPORTED[kind]):
            reports = [EmitReport(kind, member.spec, ref, None, member.restarts)]
        elif child is None:
            return None
        return self._otp_begin_child(machine, child, reports)

    def _otp_hear_end(self, exited: ChildExited) -> Begun | None:
        """Hear that a child has ended; return one to start for that, whose first turn is due."""
        machine, incarnation, reason = self._otp_machine, exited.incarnation, exited.reason
        if machine is None:
            return None
        if self._otp_row is not None:
            self._otp_end_row()
        taken = begin_restart(machine, incarnation, reason, timers.clock.now())
        if taken is None:
            # There is more to do than to restart it, or something else.
            return self._otp_feed(exited, in_row=True)
        self._otp_lives.pop(incarnation, None)
        child, ref = taken
        reports = _NOTHING
        if wanted(_TERMINATED):
            kind, restarts = Report.CHILD_TERMINATED, child.restarts
            reports = [EmitReport(kind, child.spec, ref, reason, restarts)]
        return self._otp_begin_child(machine, child, reports)

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
        row = machine.row
        if row is not None and len(row.members) > 1 and self._otp_starts_in_rows:
            members = row_ahead(machine, ROW - 1)
            self._otp_row = Row(process, members) if members else None
        return process, args, launch.kwargs


def _kind_of(row: GroupStart | None) -> Report:
    """Return what is reported of a member of this group that has come up."""
    first = row is not None and row.first
    return Report.CHILD_STARTED if first else Report.CHILD_RESTARTED


_feed = FeedingActor._otp_feed


def _feed_in_row(actor: FeedingActor, event: Event) -> Begun | None:
    return actor._otp_feed(event, in_row=True)

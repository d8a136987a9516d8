"""What follows the end of a child: the restart of it and its group (S30, S31), or none (S41-S47).

Most of a group's members are idle when they are stopped, and come up when they are started. So a
group is ended in rows (`end_last`), and `came_up` takes the outcome of one start and begins with
the next in one step. Laws: either leaves the machine as its single steps would, and has it order
the same in the same order; what cannot be done so has changed nothing and goes the ordinary way
from exactly there.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from supervisors._machines.backoff import Backoff
from supervisors._machines.children import Child
from supervisors._machines.giving_up import give_up
from supervisors._machines.restart_rules import Decision, decide, ends_supervisor
from supervisors._machines.stopping import end_last
from supervisors._machines.strategy import restart_group
from supervisors._machines.stuck import is_held
from supervisors._machines.vocabulary import (
    ArmTimer,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    Report,
    RetryLater,
    TimerKind,
)
from supervisors.child_spec import OnStuck, Restart
from supervisors.exits import Abandoned, ExitReason, Shutdown, is_abnormal

if TYPE_CHECKING:
    from supervisors._machines.supervision import Operation, StartOutcome, SupervisionMachine

__all__ = [
    "GroupStart",
    "came_up",
    "catch_up",
    "child_ended",
    "restart",
    "restart_now",
    "resume_held",
    "row_ahead",
]

_backoff = attrgetter("spec.backoff")
_restart = attrgetter("spec.restart")


def child_ended(machine: SupervisionMachine, child: Child, reason: ExitReason) -> Operation | None:
    """A child ended by itself: restart it, keep it or forget it (S41-S47)."""
    past = child.own_past()
    past.last_reason = reason
    kind = child.spec.restart
    if kind is Restart.PERMANENT or is_abnormal(reason):
        machine.report(Report.CHILD_TERMINATED, child, reason)
    backoff = _backoff_of(machine, child)
    if backoff is not None and machine.now - past.started_at > backoff.forgets_after():
        past.attempt = 0
    match decide(kind, reason):
        case Decision.RESTART:
            machine.children.mark_restarting(child)
            return restart(machine, child, reason)
        case Decision.KEEP_STOPPED:
            machine.drop_if(child, machine.flags.dynamic)
        case Decision.REMOVE:
            machine.children.remove(child)
    if ends_supervisor(machine.flags.auto_shutdown, child, machine.children):
        return machine.shut_down(Shutdown())
    return None


def restart(machine: SupervisionMachine, child: Child, reason: Any) -> Operation | None:
    """Charge one restart, then make it: at once, or after the backoff's pause."""
    stuck = machine.stuck
    if stuck and (stuck.exceeded or stuck.first_barred([child], OnStuck.ESCALATE) is not None):
        return give_up(machine, child, reason, stuck=True)
    flags, budget = machine.flags, machine.budget
    if flags.budget_per_child:
        budget = child.own_budget(flags.max_restarts, flags.max_seconds)
    if not budget.charge(machine.now):
        return give_up(machine, child, reason)
    backoff = _backoff_of(machine, child)
    if backoff is not None:
        child.attempt += 1
        delay = backoff.delay(child.attempt, machine.sample())
        if delay > 0:
            child.retry_at = machine.now + delay
            child.paid = True
            machine.emit(ArmTimer(TimerKind.RETRY, child.incarnation, delay))
            return None
    return restart_now(machine, child)


def resume_held(machine: SupervisionMachine) -> Operation:
    """A stuck handler has returned: make the restarts that waited for it."""
    for child in list(machine.children):
        if is_held(child):
            made = restart_now(machine, child)
            if made is not None:
                yield from made


def _backoff_of(machine: SupervisionMachine, child: Child) -> Backoff | None:
    backoff: Backoff | None = child.spec.backoff or machine.flags.backoff
    return backoff


def restart_now(machine: SupervisionMachine, child: Child) -> Operation | None:
    """Stop the group in reverse order, then start it in order (S30, S31)."""
    first = bool(machine.unbooted) and child in machine.unbooted
    group = restart_group(machine.flags.strategy, machine.children, child)
    # Those of a group are stopped and not started again (S32).
    forgets = not first and Restart.TEMPORARY in map(_restart, group)
    left = group.copy()
    end_last(machine, left, forgets=forgets)
    if left:
        return _stop_and_start(machine, child, group, left, forgets=forgets)
    return _start_group(machine, child, group, forgets=forgets)


def _stop_and_start(
    machine: SupervisionMachine,
    child: Child,
    group: list[Child],
    left: list[Child],
    *,
    forgets: bool,
) -> Operation:
    """Ask those that cannot be ended at once; then start the group."""
    while left:
        member = left.pop()
        yield from machine.stop(member)
        if forgets and member.spec.restart is Restart.TEMPORARY:
            machine.children.remove(member)
        end_last(machine, left, forgets=forgets)
    made = _start_group(machine, child, group, forgets=forgets)
    if made is not None:
        yield from made


def _start_group(
    machine: SupervisionMachine, child: Child, group: list[Child], *, forgets: bool
) -> Operation | None:
    """Start the group, unless an abandoned instance of a member stands against it."""
    stuck = machine.stuck
    if stuck:
        barred = stuck.first_barred(group, OnStuck.ESCALATE)
        if barred is not None or stuck.exceeded:
            return give_up(machine, barred or child, Abandoned(), stuck=True)
        if stuck.first_barred(group, OnStuck.WAIT) is not None:
            machine.children.mark_restarting(child)
            child.paid = True
            machine.report(Report.RESTART_HELD, child)
            return None
    if forgets:
        group = [member for member in group if member.spec.restart is not Restart.TEMPORARY]
    first = bool(machine.unbooted) and child in machine.unbooted
    operation: Operation = cast("Any", GroupStart(machine, group, first=first))
    return operation


class GroupStart:
    """The operation that starts the members of a group; as a generator, but open to `came_up`."""

    __slots__ = ("at", "first", "machine", "members", "rest")

    def __init__(self, machine: SupervisionMachine, members: list[Child], *, first: bool) -> None:
        """Begin before the first member.

        Args:
            machine: of the supervisor.
            members: whom to start, in order.
            first: whether this is a first start of them, and so no restart.
        """
        self.machine = machine
        self.members = members
        self.first = first
        # Which of them is being started.
        self.at = -1
        # What comes instead of the others when one has failed.
        self.rest: Operation | None = None

    def __iter__(self) -> GroupStart:
        """Return itself, for `yield from`."""
        return self

    def __next__(self) -> Container[int]:
        """Order the first start."""
        return self.send(None)

    def send(self, outcome: StartOutcome | Any) -> Container[int]:
        """Take the outcome of a start, order the next one and return what is waited for."""
        if self.rest is not None:
            return self.rest.send(outcome)
        machine, at = self.machine, self.at
        machine.row = None
        if at >= 0 and not self._take(self.members[at], outcome):
            if self.rest is None:
                raise StopIteration
            return self.rest.send(None)
        self.at = at = at + 1
        if at == len(self.members):
            self._finish()
            raise StopIteration
        awaited = machine.order_start(self.members[at])
        if machine.deadline is None:
            machine.row = self
        return awaited

    def _take(self, member: Child, outcome: StartOutcome) -> bool:
        """Take note of an outcome; tell whether to go on with the next member."""
        machine = self.machine
        machine.note_start(member, outcome)
        if isinstance(outcome, ChildStarted):
            member.restarts += not self.first
            kind = Report.CHILD_STARTED if self.first else Report.CHILD_RESTARTED
            machine.report(kind, member)
            return True
        if isinstance(outcome, ChildIgnored):
            forget = self.first and member.spec.restart is Restart.TEMPORARY
            machine.drop_if(member, machine.flags.dynamic or forget)
            return True
        self._fail(member, outcome)
        return False

    def _fail(self, member: Child, outcome: ChildFailed) -> None:
        """Try again, instead of starting the others."""
        machine = self.machine
        machine.report(Report.START_FAILED, member, outcome.reason)
        machine.children.mark_restarting(member)
        self.rest = _try_again(machine, member, outcome.reason)

    def _finish(self) -> None:
        """Do what is left once all have been started."""


def _try_again(machine: SupervisionMachine, child: Child, reason: Any) -> Operation | None:
    """Schedule the next attempt behind what waits already (S66-S69)."""
    child.paid = False
    child.failure = reason
    if _backoff_of(machine, child) is not None:
        return restart(machine, child, reason)
    machine.emit(RetryLater(child.incarnation))
    return None


def came_up(
    machine: SupervisionMachine, incarnation: int, ref: Any, now: float
) -> tuple[Child, Child | None] | None:
    """Take a member of the group that is being started as started, and begin with the next one.

    To be carried out is then what `handle` answers to this ChildStarted: the report of the one, and
    the start of the other.

    Returns:
        The child that has started, and the next one, begun, or None where it was the last; None,
        undone, where the outcome has to come as an event.
    """
    row = machine.row
    if row is None or machine.starting != incarnation:
        return None
    members, at = row.members, row.at
    following = at + 1
    last = following == len(members)
    if last:
        # Not where it is a part of an operation, as of a boot.
        if machine.operation is not row or machine.waiting:
            return None
    elif machine.unbooted:
        return None
    member, children = members[at], machine.children
    children.mark_running(member, ref, now)
    if not row.first:
        member.own_past().restarts += 1
    if last:
        machine.operation = machine.row = None
        machine.awaited, machine.starting = (), 0
        return member, None
    row.at = following
    child = members[following]
    machine.starting = number = children.begin(child)
    machine.awaited = (number,)
    return member, child


def catch_up(machine: SupervisionMachine, refs: list[Any], now: float) -> list[Child]:
    """Take several members as started, one after the other, each but for the first begun in turn.

    As so many calls of `came_up` of which each would have returned a next one. The machine was not
    told meanwhile of anything else, and the numbers of those were each one more than the one's
    before. To be carried out is then the report of each.

    Returns:
        Those that have started.
    """
    row: Any = machine.row
    at = row.at
    row.at = at + len(refs)
    members: list[Child] = row.members[at : row.at + 1]
    again = not row.first
    machine.starting = number = machine.children.mark_row_started(members, refs, now, again=again)
    machine.awaited = (number,)
    return members[:-1]


def row_ahead(machine: SupervisionMachine, most: int) -> list[Child]:
    """Return those that may be started after the member that is being started, for `catch_up`.

    Args:
        machine: of the supervisor.
        most: how many of them at most.
    """
    row = machine.row
    if row is None or machine.flags.dynamic or machine.unbooted or machine.flags.backoff:
        return []
    ahead: list[Child] = row.members[row.at + 1 : row.at + 1 + most]
    if any(map(_backoff, ahead)):
        # Those before the first that has a backoff of its own.
        return list(takewhile(lambda child: not child.spec.backoff, ahead))
    return ahead

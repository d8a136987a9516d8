"""The supervisor as a pure machine: events in, commands out.

What a supervisor does is a sequence — stop c, stop b, start b, start c — in which each step waits
for the outcome of the one before. Each such sequence is an *operation*, written as a generator
that yields what it waits for, so that it reads like OTP's own source. Laws:

- One operation at a time. Whatever else comes meanwhile waits in order (S74), except
  `ShutdownRequested`, which goes first, and the end of a child that the running operation is
  about to stop, which is then not stopped again (S35, S39).
- Where an abandoned instance forbids it (`on_stuck`), no restart is made before its handler has
  returned; the restart is charged and held meanwhile.
- A restart is charged before it is made (S56); a failing restart attempt returns to the queue
  between attempts, so that callers are answered (S67).
- News of an incarnation that is not the present one changes nothing.
- After `FinishSupervisor` or `RefuseStart` no command comes any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Generator, Iterable
from typing import Any, TypeAlias

from supervisors._machines.booting import boot
from supervisors._machines.children import Child, ChildState, ChildTable
from supervisors._machines.flags import Flags, Partitions
from supervisors._machines.giving_up import bear_stuck
from supervisors._machines.intensity import RestartIntensity
from supervisors._machines.requests import REQUESTS
from supervisors._machines.restarting import (
    GroupStart,
    child_ended,
    restart,
    restart_now,
    resume_held,
)
from supervisors._machines.stopping import bring_forward, end_last, kill, limit_start, stop_many
from supervisors._machines.stuck import StuckTable
from supervisors._machines.vocabulary import (
    BootRequested,
    CancelTimer,
    ChildAbandoned,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildReturned,
    ChildStarted,
    Command,
    EmitReport,
    Event,
    FinishSupervisor,
    Report,
    RequestReceived,
    ShutdownRequested,
    StartChild,
    TimerFired,
    TimerKind,
)
from supervisors.child_spec import ChildSpec
from supervisors.exits import ExitReason

__all__ = ["Flags", "Operation", "StartOutcome", "SupervisionMachine"]

StartOutcome: TypeAlias = ChildStarted | ChildIgnored | ChildFailed
Operation: TypeAlias = Generator[Container[int], Any, None]
_OUTCOMES = frozenset((ChildStarted, ChildIgnored, ChildFailed))


class SupervisionMachine:
    """One supervisor without its thread.

    Example:
        >>> from supervisors.child_spec import Strategy
        >>> flags = Flags(strategy=Strategy.ONE_FOR_ONE, max_restarts=3, max_seconds=5.0)
        >>> machine = SupervisionMachine(flags, [ChildSpec("a", start=print)], lambda: 0.5)
        >>> [type(command).__name__ for command in machine.handle(BootRequested(), 0.0)]
        ['StartChild']
        >>> [type(command).__name__ for command in machine.handle(ChildStarted(2, "ref"), 0.0)]
        ['EmitReport', 'ConfirmStart']
    """

    def __init__(
        self,
        flags: Flags,
        specs: Iterable[ChildSpec],
        sample: Callable[[], float],
        end_now: Callable[[list[int]], int] = lambda _: 0,
        number_of: Callable[[Any], int] = lambda _: 0,
    ) -> None:
        """Know the children, in start order.

        Args:
            flags: what the supervisor was told about itself.
            specs: its children.
            sample: gives chance from 0 to 1 for the backoff.
            end_now: ends children, by their incarnations, from the first on as far as that takes no
                time, with reason Shutdown(), and returns how many. The next one has to be asked. Of
                an end told so no ChildExited comes.
            number_of: as of ChildTable.
        """
        self.flags = flags
        self.children = ChildTable(dynamic=flags.dynamic, number_of=number_of)
        self.budget = RestartIntensity(flags.max_restarts, flags.max_seconds)
        self.now = 0.0
        self.sample = sample
        self.end_now = end_now
        self._commands: list[Command] = []
        self.waiting: deque[Event] = deque()
        # A generator, or what is sent events like one.
        self.operation: Any = None
        # The incarnations whose news the operation waits for.
        self.awaited: Container[int] = ()
        # What of the operation starts the members of a group, while nothing stands against
        # `came_up`: no deadline, and no news that the child that is being started has ended.
        self.row: GroupStart | None = None
        # Incarnation -> when it is killed if it has not stopped; and when all must have stopped.
        self.stopping: dict[int, float] = {}
        self.deadline: float | None = None
        self.stuck = StuckTable(flags.max_abandoned, dynamic=flags.dynamic)
        # Held children that never ran in here, so their restart is a first start.
        self.unbooted: set[Child] = set()
        # The child that is being started, and its end if that was heard of before the start.
        self.starting = 0
        self.stillborn: ChildExited | None = None
        self.over = False
        self.children.add_all(specs)
        # Of a partition supervisor: how many of its children keys are routed to.
        self.partitions = Partitions(len(self.children) if flags.partitioned else 0)

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event at the moment `now` (seconds) and return what is to be done, in order."""
        if self.over:
            return []
        self.now = now
        commands: list[Command] = []
        self._commands = commands
        kind = type(event)
        if kind in _OUTCOMES and event.incarnation in self.awaited:  # type: ignore[union-attr]
            self._advance(event)
        elif kind is ChildExited:
            self._note_exit(event)  # type: ignore[arg-type]
        elif isinstance(event, RequestReceived):
            self.waiting.append(event)
        elif not self._note(event):
            return commands
        while self.waiting and self.operation is None and not self.over:
            self.operation = self._begin(self.waiting.popleft())
            self._advance(None)
        # What was ordered may hold a child's arguments; nothing of it is kept (S15).
        self._commands = []
        return commands

    def _note_exit(self, event: ChildExited) -> None:
        """Take note of an end."""
        incarnation = event.incarnation
        if incarnation == self.starting:
            self.stillborn, self.row = event, None
            return
        if incarnation in self.awaited:
            self._advance(event)
            return
        child = self.children.by_incarnation(incarnation)
        if child is None:
            return
        if self.operation is not None or self.waiting:
            child.early_exit = event.reason
            self.waiting.append(event)
            return
        self.operation = child_ended(self, child, event.reason)
        self._advance(None)

    def _note(self, event: Event) -> bool:
        """Take note of one of the rarer events; tell whether it may lead to an operation."""
        match event:
            case TimerFired(TimerKind.STOP_DEADLINE, incarnation):
                if incarnation in self.stopping:
                    kill(self, incarnation)
                return False
            case ShutdownRequested():
                self.row = None
                bring_forward(self, event.deadline)
                self.waiting.appendleft(event)
            case ChildAbandoned(incarnation):
                self.stuck.add(incarnation, self.children.by_incarnation(incarnation))
                self.waiting.append(event)
            case ChildReturned(incarnation):
                self.stuck.discard(incarnation)
                self.waiting.append(event)
            case _:
                self.waiting.append(event)
        return True

    def emit(self, command: Command) -> None:
        """Add a command to the answer to the present event."""
        self._commands.append(command)

    def waiting_tokens(self) -> list[Any]:
        """Return the tokens of the requests whose turn has not come."""
        return [event.token for event in self.waiting if isinstance(event, RequestReceived)]

    def withdraw(self, tokens: Container[Any]) -> None:
        """Forget requests whose turn has not come: nobody waits for them any more."""
        self.waiting = deque(
            event
            for event in self.waiting
            if not (isinstance(event, RequestReceived) and event.token in tokens)
        )

    def overtakes(self) -> bool:
        """Tell whether what is done at once would come before something that was ordered."""
        return any(type(command) is not CancelTimer for command in self._commands)

    def _advance(self, event: Event | None) -> None:
        operation = self.operation
        if operation is None:
            return
        try:
            self.awaited = operation.send(event)
        except StopIteration:
            self.operation = None
            self.awaited = ()

    def _begin(self, event: Event) -> Operation | None:
        if isinstance(event, RequestReceived):
            return REQUESTS[event.verb](self, event.token, event.argument)
        match event:
            case BootRequested(start_now):
                return boot(self, start_now)
            case ShutdownRequested(reason):
                return self.shut_down(reason)
            case ChildExited(incarnation, reason):
                child = self.children.by_incarnation(incarnation)
                if child is None or child.early_exit is None:
                    return None
                return child_ended(self, child, reason)
            case TimerFired(TimerKind.RETRY, incarnation):
                child = self.children.by_incarnation(incarnation)
                if child is None or child.state is not ChildState.RESTARTING:
                    return None
                if child.paid:
                    return restart_now(self, child)
                return restart(self, child, child.failure)
            case ChildAbandoned():
                return bear_stuck(self)
            case ChildReturned():
                return resume_held(self)
            case _:
                return None

    # ---- operations ---------------------------------------------------------------------------

    def shut_down(self, reason: ExitReason) -> Operation:
        """Stop all children, then end."""
        yield from self.stop_all()
        self.over = True
        self.emit(FinishSupervisor(reason))

    # ---- steps of operations, used by the requests too ----------------------------------------

    def start(self, child: Child) -> Generator[Container[int], Any, StartOutcome]:
        """Start one child and wait for the outcome; on failure it is left stopped."""
        outcome: StartOutcome = yield self.order_start(child)
        self.note_start(child, outcome)
        return outcome

    def order_start(self, child: Child) -> Container[int]:
        """Have one child started; return what is to be waited for. `note_start` is next."""
        if self.unbooted:
            self.unbooted.discard(child)
        incarnation = self.children.begin(child)
        spec, extra = child.spec, self.flags.extra_args
        args = (*extra, *spec.args) if extra else spec.args
        self._commands.append(StartChild(incarnation, spec, args))
        self.starting = incarnation
        if self.deadline is not None:
            limit_start(self)
        return (incarnation,)

    def note_start(self, child: Child, outcome: StartOutcome) -> None:
        """Take note of how the start of a child went."""
        stillborn, self.stillborn, self.starting = self.stillborn, None, 0
        if self.stopping:
            self.stopping.pop(outcome.incarnation, None)
        if isinstance(outcome, ChildStarted):
            self.children.mark_running(child, outcome.ref, self.now)
            if stillborn is not None:
                child.early_exit = stillborn.reason
                self.waiting.append(stillborn)
        else:
            if isinstance(outcome, ChildFailed):
                child.last_reason = outcome.reason
            self.children.mark_stopped(child)

    def stop(self, child: Child) -> Operation:
        """Stop one child, or cancel its wait, and wait until it is down."""
        return stop_many(self, [child])

    def stop_all(self) -> Operation:
        """Stop every child: one by one in reverse order (S76), or all at once (S80)."""
        if self.flags.dynamic:
            yield from stop_many(self, list(self.children))
        else:
            left = list(self.children)
            end_last(self, left)
            while left:
                yield from self.stop(left.pop())
                end_last(self, left)

    def drop_if(self, child: Child, condition: bool) -> None:
        """Forget a child that did not come to life, or keep its specification stopped."""
        if condition:
            self.children.remove(child)
        else:
            self.children.mark_stopped(child)

    def report(
        self, kind: Report, child: Child, reason: Any = None, *, requested: bool = False
    ) -> None:
        """Emit a report about the child."""
        report = EmitReport(kind, child.spec, child.ref, reason, child.restarts, requested)
        self._commands.append(report)

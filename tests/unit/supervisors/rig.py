"""The supervision machine with simulated children: no actor, no thread, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from supervisors import Abandoned, Backoff, ChildSpec, ExitReason, Killed, Shutdown
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
    ChildInfo,
    ChildStarted,
    Command,
    ConfirmStart,
    EmitReport,
    Event,
    FinishSupervisor,
    KillChild,
    RefuseRequest,
    RefuseStart,
    RequestReceived,
    RequestVerb,
    RetryLater,
    ShutdownRequested,
    StartChild,
    StopChild,
    TimerFired,
    TimerKind,
)
from supervisors.child_spec import AutoShutdown, Strategy


def spec(child_id: Any, **keys: Any) -> ChildSpec:
    """A specification; what it starts is never called."""
    return ChildSpec(child_id, start=print, **keys)


class Ref:
    """Stands for the reference of a simulated child."""

    def __init__(self, child_id: Any, incarnation: int) -> None:
        self.child_id = child_id
        self.incarnation = incarnation

    def __repr__(self) -> str:
        return f"<{self.child_id} {self.incarnation}>"


class Rig:
    """A machine and its world.

    Children start at once and stop at once when asked, but for those in `slow` and `stubborn`;
    those in `stuck` are stubborn, and abandoned when they are killed; those in `quick` are ended
    where they stand, without being asked.
    `inits` holds for an id how its next inits end: "ok", "ignore", or a reason to fail with.
    `log` holds in words what the machine ordered and said.
    """

    def __init__(self, *specs: ChildSpec, dynamic: bool = False, **flags: Any) -> None:
        rules: dict[str, Any] = {"strategy": "one_for_one", "max_restarts": 3, "max_seconds": 5.0}
        rules |= flags
        rules["strategy"] = Strategy(rules["strategy"])
        rules["auto_shutdown"] = AutoShutdown(rules.get("auto_shutdown", "never"))
        self.sample = 0.5
        self.machine = SupervisionMachine(
            Flags(dynamic=dynamic, **rules), specs, lambda: self.sample, self._end_now
        )
        self.quick: set[Any] = set()
        self.now = 0.0
        self.log: list[str] = []
        self.reports: list[EmitReport] = []
        self.started: list[StartChild] = []
        self.answers: dict[int, list[Any]] = {}
        self.inits: dict[Any, list[Any]] = {}
        self.slow: set[Any] = set()
        self.stubborn: set[Any] = set()
        self.stuck: set[Any] = set()
        self.deadlines: dict[Any, float | None] = {}
        self.alive: dict[int, Ref] = {}
        self.timers: dict[tuple[TimerKind, int], float] = {}
        self.outcome: Command | None = None
        self._queue: deque[Event] = deque()

    # ---- what a test does ----------------------------------------------------------------------

    def boot(self) -> Rig:
        """Starts the supervisor, and forgets what was logged."""
        self.feed(BootRequested())
        self.log.clear()
        self.reports.clear()
        return self

    def feed(self, *events: Event) -> None:
        """Gives events to the machine and does what it orders, until nothing is left to do."""
        self._queue.extend(events)
        while self._queue:
            for command in self.machine.handle(self._queue.popleft(), self.now):
                self._carry_out(command)

    def end(self, child_id: Any, reason: ExitReason) -> None:
        """The running child ends by itself."""
        self.feed(self.gone(child_id, reason))

    def gone(self, child_id: Any, reason: ExitReason) -> ChildExited:
        """Takes the running child away and returns the news of it."""
        ref = self.ref(child_id)
        del self.alive[ref.incarnation]
        return ChildExited(ref.incarnation, reason)

    def ref(self, child_id: Any) -> Ref:
        """Returns the reference of the running child."""
        return next(ref for ref in self.alive.values() if ref.child_id == child_id)

    def ask(self, verb: str, argument: Any = None) -> Any:
        """Asks and returns the answer, an exception if it was refused, None while it is open."""
        token = self.send(verb, argument)
        answers = self.answers[token]
        return answers[0] if answers else None

    def send(self, verb: str, argument: Any = None) -> int:
        """Asks and returns the number under which `answers` has what comes."""
        token = len(self.answers)
        self.answers[token] = []
        self.feed(RequestReceived(token, RequestVerb(verb), argument))
        return token

    def advance(self, seconds: float) -> None:
        """Lets time pass and fires what is due."""
        self.now += seconds
        due = [key for key, at in self.timers.items() if at <= self.now]
        for key in due:
            if self.timers.pop(key, None) is not None:
                self.feed(TimerFired(*key))

    def shut_down(self, reason: ExitReason | None = None) -> None:
        """Stops the supervisor."""
        self.feed(ShutdownRequested(reason or Shutdown()))

    def finish_start(self, result: Any = "ok") -> None:
        """A start that a slow child made wait ends now."""
        self._end_start(self.started[-1], result)
        self.feed()

    def states(self) -> dict[Any, Any]:
        """Returns id → "running", "RESTARTING" or "stopped", in start order."""
        return {child.spec.id: child.state.value for child in self.machine.children}

    def children(self) -> list[ChildInfo]:
        """Returns the answer of which_children."""
        infos: list[ChildInfo] = self.ask("which_children")
        return infos

    def ids(self, kind: str) -> list[Any]:
        """Returns the ids in the log lines of one kind, in order."""
        return [line.split()[1] for line in self.log if line.split()[0] == kind]

    # ---- what the world does -------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartChild(incarnation, child):
                self.log.append(f"start {child.id}")
                self.started.append(command)
                if child.id not in self.slow:
                    outcomes = self.inits.get(child.id) or ["ok"]
                    self._end_start(command, outcomes.pop(0))
            case StopChild(incarnation) | KillChild(incarnation):
                if isinstance(command, StopChild) and incarnation in self.alive:
                    self.deadlines[self.alive[incarnation].child_id] = command.deadline
                self._end_child(incarnation, kill=isinstance(command, KillChild))
            case ArmTimer(kind, incarnation, delay):
                self.timers[kind, incarnation] = self.now + delay
            case CancelTimer(kind, incarnation):
                self.timers.pop((kind, incarnation), None)
            case RetryLater(incarnation):
                self.log.append("retry later")
                self._queue.append(TimerFired(TimerKind.RETRY, incarnation))
            case AnswerRequest(token, value):
                self.answers[token].append(value)
            case RefuseRequest(token, error):
                self.answers[token].append(error)
            case EmitReport():
                self.reports.append(command)
            case ConfirmStart():
                self.log.append("confirm")
            case RefuseStart() | FinishSupervisor():
                self.log.append("refuse" if isinstance(command, RefuseStart) else "finish")
                self.outcome = command

    def _end_now(self, incarnations: list[int]) -> int:
        for count, incarnation in enumerate(incarnations):
            ref = self.alive.get(incarnation)
            if ref is None or ref.child_id not in self.quick:
                return count
            self.log.append(f"end {ref.child_id}")
            del self.alive[incarnation]
        return len(incarnations)

    def _end_child(self, incarnation: int, *, kill: bool) -> None:
        ref = self.alive.get(incarnation)
        if ref is None:
            # It is dead; the news of it is on its way.
            return
        self.log.append(f"{'kill' if kill else 'stop'} {ref.child_id}")
        if kill and ref.child_id in self.stuck:
            del self.alive[incarnation]
            self._queue += [ChildAbandoned(incarnation), ChildExited(incarnation, Abandoned())]
        elif kill or ref.child_id not in self.stubborn | self.stuck:
            del self.alive[incarnation]
            self._queue.append(ChildExited(incarnation, Killed() if kill else Shutdown()))

    def _end_start(self, command: StartChild, outcome: Any) -> None:
        incarnation = command.incarnation
        if outcome == "ok":
            self.alive[incarnation] = ref = Ref(command.spec.id, incarnation)
            self._queue.append(ChildStarted(incarnation, ref))
        elif outcome == "ignore":
            self._queue.append(ChildIgnored(incarnation))
        else:
            self._queue.append(ChildFailed(incarnation, outcome, RuntimeError(repr(outcome))))


def rig(ids: Iterable[Any], **flags: Any) -> Rig:
    """A booted machine with permanent children."""
    return Rig(*(spec(child_id) for child_id in ids), **flags).boot()


def quick_backoff(**keys: Any) -> Backoff:
    """A backoff without chance."""
    return Backoff(**{"initial": 1.0, "maximum": 8.0, "jitter": 0.0, **keys})

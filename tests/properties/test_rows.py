"""What a supervisor's machine takes in rows, or begins in one step, equals its single steps."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisors import BRUTAL_KILL, Backoff, Crashed, Normal, Shutdown
from supervisors._machines.at_once import begin_restart
from supervisors._machines.requests import describe
from supervisors._machines.restarting import came_up, catch_up, row_ahead
from supervisors._machines.supervision import Flags, SupervisionMachine
from supervisors._machines.vocabulary import (
    BootRequested,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    EmitReport,
    Report,
    RequestReceived,
    RequestVerb,
    ShutdownRequested,
    StartChild,
    StopChild,
    TimerFired,
    TimerKind,
)
from supervisors.child_spec import AutoShutdown, Strategy
from tests.unit.supervisors.rig import spec

BOOM = Crashed(RuntimeError("boom"))
MEANWHILE = ("it ends", "another ends", "a request", "shutdown", "deadline")
OUTCOMES = (*["started"] * 6, "ignored", "failed")
SPECS = st.lists(
    st.tuples(
        st.sampled_from(["permanent", "permanent", "transient", "temporary"]),
        st.sampled_from([5.0, 5.0, BRUTAL_KILL]),
        st.sampled_from([None] * 5 + [Backoff(initial=1.0, maximum=2.0, jitter=0.0)]),
    ),
    min_size=1,
    max_size=6,
)
# How a start ends, whether something happens before that, and whether it belongs to a row.
STARTS = st.tuples(
    st.sampled_from(OUTCOMES),
    st.sampled_from((*["nothing"] * 8, *MEANWHILE)),
    st.booleans(),
)
STEPS = st.tuples(
    st.sampled_from(["crash"] * 5 + ["normal", "normal", "retry", "finish"]),
    st.integers(0, 5),
    st.sets(st.integers(0, 5)),
    st.lists(STARTS, max_size=6),
)


class Way:
    """A machine and its children; `quick` takes what it can at once and in rows."""

    def __init__(
        self, rules: dict[str, Any], specs: list[Any], script: list[Any], *, quick: bool
    ) -> None:
        children = [
            spec(number, restart=restart, shutdown=shutdown, backoff=backoff)
            for number, (restart, shutdown, backoff) in enumerate(specs)
        ]
        flags = Flags(
            max_seconds=5.0, auto_shutdown=AutoShutdown.NEVER, max_abandoned=None, **rules
        )
        self.quick = quick
        self.taken = 0
        # Places in the order of children that have something to do for their end.
        self.busy: set[int] = set()
        self.machine = SupervisionMachine(flags, children, lambda: 0.5, self.end_now)
        # What is ordered and reported; the order of starts and of reports, each for itself.
        self.starts: list[str] = []
        self.said: list[str] = []
        self.row: list[str] = []
        self.feed(BootRequested())
        self.start(script)

    def end_now(self, incarnations: list[int]) -> int:
        """End those that are not busy; one by one where that is not `quick`."""
        count = 0
        for incarnation in incarnations:
            child = self.machine.children.by_incarnation(incarnation)
            if child is None or child.spec.id in self.busy or (count and not self.quick):
                break
            count += 1
            self.said.append(f"end {child.spec.id}")
        return count

    def feed(self, event: Any) -> None:
        """Give an event; what is asked to stop does so."""
        events = [event]
        while events:
            for command in self.machine.handle(events.pop(0), 1.0):
                self.say(command)
                if isinstance(command, StopChild):
                    events.append(ChildExited(command.incarnation, Shutdown()))

    def say(self, command: Any) -> None:
        """Note what is ordered or reported."""
        (self.starts if isinstance(command, StartChild) else self.said).append(repr(command))

    def say_start(self, number: int, child: Any) -> None:
        """Note the start that a step of several orders."""
        self.say(StartChild(number, child.spec, child.spec.args))

    def say_up(self, child: Any, ref: Any, *, first: bool) -> None:
        """Note the report of a member that came up."""
        kind = Report.CHILD_STARTED if first else Report.CHILD_RESTARTED
        self.say(EmitReport(kind, child.spec, ref, None, child.restarts))

    def exited(self, number: int, reason: Any) -> None:
        """One of those that run ends by itself."""
        running = [child.incarnation for child in self.machine.children if child.ref is not None]
        if not running:
            return
        ended = running[number % len(running)]
        if self.quick:
            begun = begin_restart(self.machine, ended, reason, 1.0)
            if begun is not None:
                self.taken += 1
                child, ref = begun
                kind = Report.CHILD_TERMINATED
                self.say(EmitReport(kind, child.spec, ref, reason, child.restarts))
                self.say_start(child.incarnation, child)
                return
        self.feed(ChildExited(ended, reason))

    def start(self, script: list[Any]) -> None:
        """Let what is being started come up, or not, as the script says; afterwards all do."""
        script = list(script)
        while self.machine.starting:
            outcome, meanwhile, in_row = script.pop(0) if script else ("started", "nothing", False)
            number = self.machine.starting + len(self.row)
            if meanwhile != "nothing":
                self.settle()
                self.meddle(meanwhile, number)
            ahead = row_ahead(self.machine, 15)[len(self.row) :]
            if self.quick and in_row and outcome == "started" and ahead:
                self.row.append(f"ref {number}")
                self.say_start(number + 1, ahead[0])
                continue
            self.settle()
            self.finish(number, outcome)

    def settle(self) -> None:
        """Tell the machine of those that came up in a row."""
        refs, self.row = self.row, []
        if refs:
            self.taken += len(refs)
            for child, ref in zip(catch_up(self.machine, refs, 1.0), refs, strict=True):
                self.say_up(child, ref, first=self.machine.row.first)  # type: ignore[union-attr]

    def finish(self, number: int, outcome: str) -> None:
        """One start is over."""
        ref = f"ref {number}"
        if self.quick and outcome == "started":
            row = self.machine.row
            taken = came_up(self.machine, number, ref, 1.0)
            if taken is not None:
                self.taken += 1
                child, following = taken
                self.say_up(child, ref, first=row.first)  # type: ignore[union-attr]
                if following is not None:
                    self.say_start(following.incarnation, following)
                return
        self.feed(
            {
                "started": ChildStarted(number, ref),
                "ignored": ChildIgnored(number),
                "failed": ChildFailed(number, BOOM, RuntimeError("boom")),
            }[outcome]
        )

    def meddle(self, meanwhile: str, number: int) -> None:
        """Something happens while a child starts."""
        others = [child.incarnation for child in self.machine.children if child.ref is not None]
        match meanwhile:
            case "it ends":
                self.feed(ChildExited(number, BOOM))
            case "another ends" if others:
                self.feed(ChildExited(others[0], BOOM))
            case "a request":
                self.feed(RequestReceived("other", RequestVerb.COUNT_CHILDREN, None))
            case "shutdown":
                self.feed(ShutdownRequested(Normal()))
            case "deadline":
                self.feed(ShutdownRequested(Normal(), 2.0))

    def step(self, what: str, number: int, busy: set[int], script: list[Any]) -> None:
        """One child ends, or the pause of all that wait is over."""
        self.busy = busy
        match what:
            case "crash" | "normal":
                self.exited(number, BOOM if what == "crash" else Normal())
            case "retry":
                for child in list(self.machine.children):
                    self.feed(TimerFired(TimerKind.RETRY, child.incarnation))
            case _:
                self.feed(ShutdownRequested(Normal()))
        self.start(script)

    def state(self) -> tuple[Any, ...]:
        """Everything that the next event depends on."""
        machine = self.machine
        awaited: Any = machine.awaited
        kept = [
            (child.key, child.state, child.ref, child.incarnation, repr(child.early_exit))
            for child in machine.children
        ]
        past = [
            (child.started_at, child.attempt, child.retry_at, child.paid, repr(child.failure))
            for child in machine.children
        ]
        known = [machine.children.by_incarnation(number) is None for number in range(60)]
        found = [machine.children.find(f"ref {number}") is None for number in range(60)]
        busy = (machine.operation is None, list(machine.waiting), machine.over, machine.starting)
        rest = (machine.stillborn, list(awaited), machine.stopping, machine.deadline)
        return repr(describe(machine, 1.0)), kept, past, known, found, busy, rest


RULES = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(Strategy),
        "max_restarts": st.sampled_from([9, 9, 9, 0, 1, 2]),
        "backoff": st.sampled_from([None] * 7 + [Backoff(initial=1.0, jitter=0.0)]),
        "budget_per_child": st.sampled_from([False] * 7 + [True]),
    }
)


PLAIN: Any = {
    "strategy": Strategy.ONE_FOR_ALL,
    "max_restarts": 9,
    "backoff": None,
    "budget_per_child": False,
}
# Singly, or with the first of them in a row.
UP: Any = [("started", "nothing", False)]
THREE: Any = [("permanent", 5.0, None)] * 3
DEADLINE: Any = [("crash", 0, set(), [("started", "deadline", True)] * 3)]
OWN: Any = PLAIN | {"strategy": Strategy.ONE_FOR_ONE, "max_restarts": 1, "budget_per_child": True}
AGAIN: Any = [("crash", 0, set(), []), ("crash", 1, set(), []), ("crash", 0, set(), [])]


@settings(max_examples=300, deadline=None)
@example(PLAIN, THREE, UP, DEADLINE)
@example(OWN, THREE, UP, AGAIN)
@given(
    RULES,
    SPECS,
    st.one_of(st.just(UP), st.lists(STARTS, max_size=6)),
    st.lists(STEPS, min_size=1, max_size=6),
)
def test_in_rows_or_singly(rules: Any, specs: Any, script: Any, steps: list[Any]) -> None:
    """After each of any steps both machines are in the same state and have said the same."""
    single, quick = (Way(rules, specs, script, quick=quick) for quick in (False, True))
    assert single.state() == quick.state()
    assert single.said == quick.said
    for step in steps:
        for way in (single, quick):
            way.step(*step)
        assert single.state() == quick.state()
        assert single.said == quick.said
        assert single.starts == quick.starts


def test_what_is_taken() -> None:
    """Who comes up first, or in a group, is taken but for the last; a lone restart in two steps."""
    rules = {"strategy": Strategy.ONE_FOR_ALL, "max_restarts": 9}
    five: Any = [("permanent", 5.0, None)] * 5
    way = Way(rules, five, [("started", "nothing", True)] * 5, quick=True)
    assert way.taken == 4
    way.step("crash", 2, set(), [("started", "nothing", True)] * 5)
    assert way.taken == 8
    rules["strategy"] = Strategy.ONE_FOR_ONE
    way = Way(rules, five, UP, quick=True)
    assert way.taken == 4
    way.step("crash", 2, set(), [("started", "nothing", True)])
    assert way.taken == 6

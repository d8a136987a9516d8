"""Laws of the supervision machine under random events, in any order a world can bring them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from supervisors import (
    BRUTAL_KILL,
    Abandoned,
    Backoff,
    Crashed,
    ExitReason,
    Killed,
    Normal,
    Shutdown,
)
from supervisors._machines.children import ChildState
from supervisors._machines.vocabulary import (
    AnswerRequest,
    BootRequested,
    ChildExited,
    Command,
    ConfirmStart,
    FinishSupervisor,
    KillChild,
    RefuseRequest,
    RefuseStart,
    RequestVerb,
    StartChild,
    StopChild,
)
from tests.unit.supervisors.rig import Rig, spec

KINDS = st.sampled_from(["permanent", "transient", "temporary"])
SHUTDOWNS = st.sampled_from([None, 1.0, 0.0, BRUTAL_KILL])
BACKOFFS = st.sampled_from([None, None, Backoff(initial=1.0, maximum=4.0, jitter=0.5)])
IDS = "abcdef"
REASONS: list[ExitReason] = [
    *(Normal(), Shutdown(), Shutdown("detail"), Killed(), Abandoned()),
    *(Crashed(ValueError()), Crashed(KeyError())),
]


class World(Rig):
    """A rig in which starts and stops take their time, and that watches what is ordered."""

    def __init__(self, *specs: Any, **flags: Any) -> None:
        super().__init__(*specs, **flags)
        self.slow = self.stubborn = set(IDS)
        self.pending: dict[int, StartChild] = {}
        self.incarnations: set[int] = set()
        self.asked: set[int] = set()
        self.killed: set[int] = set()
        self.confirmed = 0
        # When children were started again, but for the requests of restart_child.
        self.seen_specs: dict[int, Any] = {}
        self.restarts: list[float] = []
        self.restart_requests = 0

    def _carry_out(self, command: Command) -> None:
        assert self.outcome is None, f"{command} after {self.outcome}"
        match command:
            case StartChild(incarnation, child):
                assert incarnation not in self.incarnations
                assert not self.pending, "two starts at once"
                twins = [ref for ref in self.alive.values() if ref.child_id == child.id]
                assert self.machine.flags.dynamic or not twins, "two lives of one child"
                self.incarnations.add(incarnation)
                self.pending[incarnation] = command
                if id(child) in self.seen_specs:
                    self.restarts.append(self.now)
                self.seen_specs[id(child)] = child
            case StopChild(incarnation):
                assert incarnation not in self.asked | self.killed
                self.asked.add(incarnation)
            case KillChild(incarnation):
                assert incarnation not in self.killed
                self.killed.add(incarnation)
            case AnswerRequest(token) | RefuseRequest(token):
                assert self.answers[token] == [], "answered twice"
            case ConfirmStart():
                self.confirmed += 1
                assert self.confirmed == 1
            case FinishSupervisor() | RefuseStart():
                assert not self.alive, "children outlive their supervisor"
                assert not self.pending
                assert self.timers == {}, "a timer outlives its supervisor"
        super()._carry_out(command)

    def end_start(self, incarnation: int, outcome: Any) -> None:
        """A start that was ordered ends so."""
        command = self.pending.pop(incarnation)
        self._end_start(command, outcome)
        self.feed()


class Supervision(RuleBasedStateMachine):
    """Random children, random faults, random requests."""

    world: World

    @initialize(
        kinds=st.lists(st.tuples(KINDS, SHUTDOWNS, st.booleans()), max_size=4),
        strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        mode=st.sampled_from(["never", "any_significant", "all_significant"]),
        max_restarts=st.integers(0, 4),
        backoff=BACKOFFS,
        dynamic=st.booleans(),
        quick=st.sets(st.sampled_from(IDS)),
    )
    def boot(
        self,
        kinds: list[tuple[str, Any, bool]],
        strategy: str,
        mode: str,
        max_restarts: int,
        backoff: Backoff | None,
        dynamic: bool,
        quick: set[str],
    ) -> None:
        """Starts the supervisor; dynamic ones begin empty."""
        rules: dict[str, Any] = {"max_restarts": max_restarts, "backoff": backoff}
        if dynamic:
            self.world = World(dynamic=True, max_children=3, **rules)
        else:
            children = [
                spec(
                    child_id,
                    restart=restart,
                    shutdown=shutdown,
                    significant=significant and restart != "permanent" and mode != "never",
                )
                for child_id, (restart, shutdown, significant) in zip(IDS, kinds, strict=False)
            ]
            self.world = World(*children, strategy=strategy, auto_shutdown=mode, **rules)
        self.world.quick = quick
        self.world.feed(BootRequested())

    def running(self) -> bool:
        """Whether the supervisor has not ended."""
        return self.world.outcome is None

    @precondition(lambda self: self.world.pending)
    @rule(outcome=st.sampled_from(["ok"] * 4 + ["ignore", Crashed(ValueError())]))
    def a_start_ends(self, outcome: Any) -> None:
        """The child that is being started comes up, or does not."""
        [incarnation] = self.world.pending
        self.world.end_start(incarnation, outcome)

    @precondition(lambda self: self.world.pending)
    @rule(reason=st.sampled_from(REASONS))
    def a_child_dies_before_its_start_is_heard_of(self, reason: ExitReason) -> None:
        """The news of the end overtakes that of the start."""
        [incarnation] = self.world.pending
        self.world.feed(ChildExited(incarnation, reason))
        command = self.world.pending.pop(incarnation)
        self.world._end_start(command, "ok")
        del self.world.alive[incarnation]
        self.world.feed()

    @precondition(lambda self: self.world.alive)
    @rule(pick=st.integers(0, 99), reason=st.sampled_from(REASONS))
    def a_child_ends(self, pick: int, reason: ExitReason) -> None:
        """By itself, or because it was told to."""
        incarnation = sorted(self.world.alive)[pick % len(self.world.alive)]
        del self.world.alive[incarnation]
        self.world.feed(ChildExited(incarnation, reason))

    @precondition(lambda self: len(self.world.alive) > 1)
    @rule(reason=st.sampled_from(REASONS))
    def all_children_end(self, reason: ExitReason) -> None:
        """At once, before the supervisor hears of any."""
        news = [ChildExited(incarnation, reason) for incarnation in self.world.alive]
        self.world.alive.clear()
        self.world.feed(*news)

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        """Deadlines and pauses run out."""
        self.world.advance(seconds)

    @rule(child_id=st.sampled_from(IDS), restart=KINDS, shutdown=SHUTDOWNS)
    def start_child(self, child_id: str, restart: str, shutdown: Any) -> None:
        """Somebody adds a child."""
        child = spec(child_id, restart=restart, shutdown=shutdown)
        self.world.send("start_child", child)

    @rule(
        verb=st.sampled_from([str(verb) for verb in RequestVerb if verb != "start_child"]),
        child_id=st.sampled_from(IDS),
        by_ref=st.booleans(),
    )
    def request(self, verb: str, child_id: str, by_ref: bool) -> None:
        """Somebody asks."""
        self.world.restart_requests += verb == "restart_child"
        argument: Any = child_id
        if by_ref and self.world.alive:
            argument = next(iter(self.world.alive.values()))
        self.world.send(verb, argument)

    @precondition(lambda self: len(self.world.answers) > 3)
    @rule(reason=st.sampled_from(REASONS))
    def shut_down(self, reason: ExitReason) -> None:
        """The supervisor is told to stop."""
        self.world.shut_down(reason)

    @invariant()
    def waits_for_something_or_is_at_rest(self) -> None:
        """Nothing hangs: an operation that is open waits for a start or for a stop."""
        machine = self.world.machine
        if self.running() and machine.operation is not None:
            waited = set(self.world.pending) | set(self.world.alive)
            assert waited, "an operation waits for nobody"

    @invariant()
    def at_rest_everything_fits(self) -> None:
        """At rest each request is answered, and the table holds exactly those who live."""
        world, machine = self.world, self.world.machine
        if not self.running() or machine.operation is not None:
            return
        assert all(len(answers) == 1 for answers in world.answers.values())
        known = {child.ref for child in machine.children if child.state is ChildState.RUNNING}
        assert known == set(world.alive.values())
        assert not machine.waiting
        restarting = [c for c in machine.children if c.state is ChildState.RESTARTING]
        assert len(world.timers) == len(restarting), "a pause without a timer, or the reverse"
        if not machine.flags.dynamic:
            ids = [child.spec.id for child in machine.children]
            assert len(set(ids)) == len(ids)
        else:
            assert len(machine.children) <= 3

    @invariant()
    def budget_is_kept(self) -> None:
        """A supervisor that goes on has not used more than its budget."""
        machine = self.world.machine
        if self.running() and machine.operation is None:
            assert machine.budget.counted(self.world.now) <= machine.flags.max_restarts

    @invariant()
    def restarts_are_few(self) -> None:
        """Counted from outside, one by one: no more restarts in a window than are allowed."""
        world, flags = self.world, self.world.machine.flags
        if flags.strategy != "one_for_one" or flags.backoff is not None:
            return
        recent = [at for at in world.restarts if world.now - at <= flags.max_seconds]
        assert len(recent) <= flags.max_restarts + world.restart_requests

    def teardown(self) -> None:
        """Whatever happened, a shutdown comes to its end when the children do."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.shut_down()
        for _ in range(100):
            if world.outcome is not None:
                break
            for incarnation in list(world.pending):
                world.end_start(incarnation, "ok")
            for incarnation in list(world.alive):
                world.alive.pop(incarnation, None)
                world.feed(ChildExited(incarnation, Shutdown()))
        assert world.outcome is not None


Supervision.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSupervision = pytest.mark.contract("S48", "S52", "S74", "S81", "S108", "S109")(
    Supervision.TestCase
)

"""Requests granted in one step leave a supervisor's machine as the operation would."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisors import Crashed, ExitReason, Normal
from supervisors._machines.at_once import begin_start, end_child, finish_start
from supervisors._machines.requests import describe
from supervisors._machines.supervision import Flags, SupervisionMachine
from supervisors._machines.vocabulary import (
    AnswerRequest,
    BootRequested,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    EmitReport,
    RequestReceived,
    RequestVerb,
    ShutdownRequested,
    StartChild,
)
from supervisors.child_spec import AutoShutdown, Strategy
from tests.unit.supervisors.rig import spec

BOOM = Crashed(RuntimeError("boom"))
OUTCOMES = ("started", "ignored", "failed")
MEANWHILE = ("nothing", "it ends", "another ends", "a request", "shutdown", "deadline")
STEPS = st.one_of(
    st.tuples(
        st.just("start"),
        st.sampled_from("abc"),
        st.sampled_from(["permanent", "transient", "temporary"]),
        st.sampled_from(OUTCOMES),
        st.sampled_from(MEANWHILE),
    ),
    st.tuples(st.just("terminate"), st.integers(0, 5)),
    st.tuples(st.just("crash"), st.integers(0, 5)),
)
RULES = st.fixed_dictionaries(
    {"strategy": st.sampled_from(Strategy), "max_children": st.sampled_from([None, 0, 2])}
)


class Way:
    """A machine whose children start, and end where they stand, as it is told."""

    def __init__(self, rules: dict[str, Any], *, dynamic: bool, at_once: bool) -> None:
        if dynamic:
            rules = rules | {"strategy": Strategy.ONE_FOR_ONE}
        flags = Flags(
            dynamic=dynamic,
            max_restarts=2,
            max_seconds=5.0,
            auto_shutdown=AutoShutdown.NEVER,
            **rules,
        )
        self.at_once = at_once
        self.granted = 0
        self.machine = SupervisionMachine(flags, (), lambda: 0.5, len)
        self.said: list[str] = []
        self.feed(BootRequested())

    def feed(self, event: Any) -> None:
        """Give an event; what is started in its course starts well."""
        events = [event]
        while events:
            for command in self.machine.handle(events.pop(0), 1.0):
                if isinstance(command, StartChild):
                    events.append(ChildStarted(command.incarnation, f"ref {command.incarnation}"))
                self.say(command)

    def say(self, command: Any) -> None:
        """Note what is asked for, but what a request granted in one step does not say."""
        if isinstance(command, StartChild | AnswerRequest):
            return
        if not isinstance(command, EmitReport) or not command.requested:
            self.said.append(repr(command))

    def refs(self) -> list[Any]:
        """The references of those that run, in start order."""
        return [child.ref for child in self.machine.children if child.ref is not None]

    def start(self, child_id: str, restart: str, outcome: str, meanwhile: str) -> None:
        """Start a child while something else happens."""
        wanted = spec(child_id, restart=restart)
        child, first = None, None
        if self.at_once:
            child = begin_start(self.machine, wanted, "token")
        if child is None:
            for command in self.machine.handle(
                RequestReceived("token", RequestVerb.START_CHILD, wanted), 1.0
            ):
                first = command.incarnation if isinstance(command, StartChild) else first
                self.say(command)
            if first is None:
                return
        else:
            self.granted += 1
            first = child.incarnation
        self.meddle(meanwhile, first)
        ref = f"ref {first}"
        quick = child is not None and outcome == "started"
        if quick and finish_start(self.machine, child, ref):  # type: ignore[arg-type]
            return
        self.feed(
            {
                "started": ChildStarted(first, ref),
                "ignored": ChildIgnored(first),
                "failed": ChildFailed(first, BOOM, RuntimeError("boom")),
            }[outcome]
        )

    def meddle(self, meanwhile: str, incarnation: int) -> None:
        """Let something happen while a child starts."""
        others = [child.incarnation for child in self.machine.children if child.ref is not None]
        match meanwhile:
            case "it ends":
                self.feed(ChildExited(incarnation, BOOM))
            case "another ends" if others:
                self.feed(ChildExited(others[0], BOOM))
            case "a request":
                self.feed(RequestReceived("other", RequestVerb.COUNT_CHILDREN, None))
            case "shutdown":
                self.feed(ShutdownRequested(Normal()))
            case "deadline":
                self.feed(ShutdownRequested(Normal(), 2.0))

    def terminate(self, number: int) -> None:
        """Have one of those that run ended, or one that is not there."""
        ref = (self.refs() + ["nobody"] * 6)[number]
        if self.at_once and end_child(self.machine, ref):
            self.granted += 1
        else:
            self.feed(RequestReceived("token", RequestVerb.TERMINATE_CHILD, ref))

    def crash(self, number: int, reason: ExitReason = BOOM) -> None:
        """Have one of those that run end by itself."""
        running = [child.incarnation for child in self.machine.children if child.ref is not None]
        if number < len(running):
            self.feed(ChildExited(running[number], reason))

    def state(self) -> tuple[Any, ...]:
        """Everything that the next event depends on."""
        machine = self.machine
        awaited: Any = machine.awaited
        awaited = list(awaited)
        kept = [
            (child.key, child.state, child.ref, child.incarnation, repr(child.early_exit))
            for child in machine.children
        ]
        busy = (machine.operation is None, list(machine.waiting), machine.over, machine.starting)
        return repr(describe(machine, 1.0)), kept, busy, machine.stillborn, awaited


@given(RULES, st.booleans(), st.lists(STEPS, max_size=12))
def test_in_one_step_or_in_several(rules: Any, dynamic: bool, steps: list[Any]) -> None:
    """After each of any steps both machines are in the same state and have said the same."""
    long, short = (Way(rules, dynamic=dynamic, at_once=at_once) for at_once in (False, True))
    for name, *arguments in steps:
        for way in (long, short):
            getattr(way, name)(*arguments)
        assert long.state() == short.state()
        assert long.said == short.said


def test_what_is_granted() -> None:
    """An idle machine grants a start and an end; one that is starting a child, or over, neither."""
    way = Way({"strategy": Strategy.ONE_FOR_ONE}, dynamic=True, at_once=True)
    way.start("a", "permanent", "started", "nothing")
    assert (way.granted, way.refs()) == (1, ["ref 1"])
    child = begin_start(way.machine, spec("b"), "token")
    assert child is not None
    assert begin_start(way.machine, spec("c"), "token") is None
    assert not end_child(way.machine, "ref 1")
    assert finish_start(way.machine, child, "ref 2")
    assert end_child(way.machine, "ref 1")
    assert way.refs() == ["ref 2"]
    way.feed(ShutdownRequested(Normal()))
    assert begin_start(way.machine, spec("c"), "token") is None

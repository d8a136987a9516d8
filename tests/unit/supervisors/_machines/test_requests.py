"""The API of a supervisor, for a child in each of its states."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    AlreadyPresentError,
    AlreadyStartedError,
    ChildCounts,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    Crashed,
    MaxChildrenError,
    Normal,
    Shutdown,
    Strategy,
    UnsupportedRequestError,
)
from supervisors._machines.flags import Flags
from supervisors._machines.supervision import SupervisionMachine
from supervisors._machines.vocabulary import (
    AnswerRequest,
    BootRequested,
    ChildExited,
    ChildInfo,
    ChildStarted,
    RequestReceived,
    RequestVerb,
)
from supervisors.child_spec import ChildType
from tests.unit.supervisors.rig import Rig, quick_backoff, rig, spec

BOOM = Crashed(RuntimeError("boom"))


def in_state(state: str) -> Rig:
    """A supervisor whose child b is running, stopped, restarting or unknown."""
    machine = Rig(spec("a"), spec("b"), backoff=quick_backoff(), max_restarts=9).boot()
    match state:
        case "stopped":
            machine.ask("terminate_child", "b")
        case "restarting":
            machine.end("b", BOOM)
        case "unknown":
            machine.ask("terminate_child", "b")
            machine.ask("delete_child", "b")
    machine.log.clear()
    return machine


ANSWERS: list[tuple[str, str, type | None]] = [
    ("running", "terminate_child", None),
    ("running", "restart_child", ChildRunningError),
    ("running", "delete_child", ChildRunningError),
    ("running", "start_child", AlreadyStartedError),
    ("stopped", "terminate_child", None),
    ("stopped", "delete_child", None),
    ("stopped", "start_child", AlreadyPresentError),
    ("restarting", "terminate_child", None),
    ("restarting", "restart_child", ChildRestartingError),
    ("restarting", "delete_child", ChildRestartingError),
    ("restarting", "start_child", AlreadyPresentError),
    ("unknown", "terminate_child", ChildNotFoundError),
    ("unknown", "restart_child", ChildNotFoundError),
    ("unknown", "delete_child", ChildNotFoundError),
    ("unknown", "get_childspec", ChildNotFoundError),
]
ITEMS = {
    "terminate_child": "S93",
    "restart_child": "S94",
    "delete_child": "S96",
    "start_child": "S90",
    "get_childspec": "S16",
}


@pytest.mark.parametrize(
    ("state", "verb", "refusal"),
    [
        pytest.param(
            *row,
            marks=pytest.mark.contract("S72" if row[0] == "restarting" else ITEMS[row[1]]),
            id=f"{row[1]} of a {row[0]} child",
        )
        for row in ANSWERS
    ],
)
def test_answers(state: str, verb: str, refusal: type | None) -> None:
    """Each request has its answer in each state of the child."""
    machine = in_state(state)
    answer = machine.ask(verb, spec("b") if verb == "start_child" else "b")
    if refusal is None:
        assert answer is None
        assert machine.states().get("b") == ("stopped" if verb == "terminate_child" else None)
    else:
        assert type(answer) is refusal
        assert machine.log == []
    if isinstance(answer, AlreadyStartedError):
        assert answer.ref is machine.ref("b")


@pytest.mark.contract("S72")
def test_terminating_a_restarting_child_ends_the_attempts() -> None:
    """No further attempt is made, and restart_child works again."""
    machine = in_state("restarting")
    assert machine.ask("terminate_child", "b") is None
    machine.advance(100.0)
    assert machine.log == []
    assert machine.ask("restart_child", "b") is machine.ref("b")


@pytest.mark.contract("S72")
def test_terminating_between_immediate_attempts() -> None:
    """Without a backoff too a waiting attempt is cancelled by terminate_child."""
    machine = rig("ab", max_restarts=100)
    machine.slow = {"b"}
    machine.end("b", BOOM)
    token = machine.send("terminate_child", "b")
    machine.finish_start(BOOM)
    assert machine.answers[token] == [None]
    assert machine.ids("start") == ["b"]
    assert machine.states()["b"] == "stopped"


@pytest.mark.contract("S89", "S90")
def test_start_child() -> None:
    """A new child is started last, and its reference is the answer."""
    machine = rig("a")
    assert machine.ask("start_child", spec("b")) is machine.ref("b")
    assert machine.states() == {"a": "running", "b": "running"}


@pytest.mark.contract("S91")
def test_failing_start_child() -> None:
    """The error is answered, nothing is kept, and the id is free."""
    machine = rig("a")
    machine.inits["b"] = [BOOM, "ok"]
    assert isinstance(machine.ask("start_child", spec("b")), RuntimeError)
    assert list(machine.states()) == ["a"]
    assert machine.ask("start_child", spec("b")) is machine.ref("b")


@pytest.mark.contract("S92", "S113")
@pytest.mark.parametrize(
    ("restart", "dynamic", "kept"),
    [
        ("permanent", False, True),
        ("transient", False, True),
        ("temporary", False, False),
        ("permanent", True, False),
        ("temporary", True, False),
    ],
)
def test_ignoring_start_child(restart: str, dynamic: bool, kept: bool) -> None:
    """None is answered; a specification is kept only where it can be started again."""
    machine = Rig(dynamic=dynamic).boot()
    machine.inits["a"] = ["ignore"]
    token = machine.send("start_child", spec("a", restart=restart))
    assert machine.answers[token] == [None]
    assert machine.states() == ({"a": "stopped"} if kept else {})


@pytest.mark.contract("S93")
def test_terminate_child_forgets_a_temporary_one() -> None:
    """A temporary child's specification goes with it; another's stays."""
    machine = Rig(spec("a", restart="temporary"), spec("b", restart="transient")).boot()
    machine.ask("terminate_child", "a")
    machine.ask("terminate_child", "b")
    assert machine.states() == {"b": "stopped"}


@pytest.mark.contract("S95")
def test_failing_restart_child() -> None:
    """The error is answered, the child stays stopped, and nothing is tried again."""
    machine = in_state("stopped")
    machine.inits["b"] = [BOOM]
    assert isinstance(machine.ask("restart_child", "b"), RuntimeError)
    machine.advance(100.0)
    assert machine.ids("start") == ["b"]
    assert machine.states()["b"] == "stopped"


@pytest.mark.contract("S94")
def test_ignoring_restart_child() -> None:
    """An init that answers IGNORE is success without a process."""
    machine = in_state("stopped")
    machine.inits["b"] = ["ignore"]
    token = machine.send("restart_child", "b")
    assert machine.answers[token] == [None]
    assert machine.states()["b"] == "stopped"


@pytest.mark.contract("S16", "S110")
def test_lookup_by_reference() -> None:
    """A living reference names its child as well as its id does."""
    machine = rig("ab")
    assert machine.ask("get_childspec", machine.ref("b")).id == "b"
    assert machine.ask("terminate_child", machine.ref("b")) is None
    assert machine.states()["b"] == "stopped"


@pytest.mark.parametrize("verb", ["terminate_child", "get_childspec", "restart_child"])
def test_unhashable_name(verb: str) -> None:
    """What cannot be an id is not found."""
    assert isinstance(rig("a").ask(verb, []), ChildNotFoundError)


@pytest.mark.contract("S97")
def test_which_children() -> None:
    """Children are listed in reverse start order with what they are."""
    machine = Rig(spec("a"), spec("b", type="supervisor"), spec("c"), spec("d")).boot()
    machine.ask("terminate_child", "a")
    machine.end("c", BOOM)
    assert machine.children() == [
        ChildInfo("d", machine.ref("d"), ChildType.WORKER, 0),
        ChildInfo("c", machine.ref("c"), ChildType.WORKER, 1, last_reason=BOOM),
        ChildInfo("b", machine.ref("b"), ChildType.SUPERVISOR, 0),
        ChildInfo("a", None, ChildType.WORKER, 0),
    ]


@pytest.mark.contract("S98", "S99")
def test_count_children() -> None:
    """Stopped and restarting children count as specs, not as active."""
    machine = in_state("restarting")
    machine.ask("start_child", spec("c", type="supervisor"))
    machine.ask("terminate_child", "a")
    assert machine.ask("count_children") == ChildCounts(specs=3, active=1, supervisors=1, workers=2)


def test_describe() -> None:
    """An observer gets the rules, the budget and the children in start order."""
    machine = rig("ab", strategy="rest_for_one", max_restarts=7)
    machine.end("b", BOOM)
    info = machine.ask("describe")
    assert (info.strategy, info.max_restarts, info.max_seconds) == ("rest_for_one", 7, 5.0)
    assert (info.counted, info.dynamic) == (1, False)
    assert [child_id for child_id, _ in info.children] == ["a", "b"]


# ---- dynamic -----------------------------------------------------------------------------------


@pytest.mark.contract("S105")
def test_dynamic_ignores_ids() -> None:
    """Many children may have one id, and each is its own."""
    machine = Rig(dynamic=True).boot()
    one, two = machine.ask("start_child", spec("x")), machine.ask("start_child", spec("x"))
    assert one is not two
    assert machine.ask("count_children").active == 2


@pytest.mark.contract("S106")
def test_dynamic_extra_arguments() -> None:
    """They come before the child's own arguments, at the first start and at every restart."""
    machine = Rig(dynamic=True, extra_args=(1, 2)).boot()
    machine.ask("start_child", spec("x", args=(3,)))
    machine.end("x", BOOM)
    assert [start.args for start in machine.started] == [(1, 2, 3)] * 2


@pytest.mark.contract("S107")
@pytest.mark.parametrize("bound", [0, 1, 2])
def test_dynamic_max_children(bound: int) -> None:
    """One child too many is refused and nothing is started."""
    machine = Rig(dynamic=True, max_children=bound).boot()
    for _ in range(bound):
        machine.ask("start_child", spec("x"))
    refusal = machine.ask("start_child", spec("x"))
    assert isinstance(refusal, MaxChildrenError)
    assert refusal.max_children == bound
    assert len(machine.started) == bound


@pytest.mark.contract("S108", "S112")
@pytest.mark.parametrize("why", ["exit", "init"])
def test_dynamic_restarting_child_keeps_its_slot(why: str) -> None:
    """A child between two lives is a child still."""
    machine = Rig(dynamic=True, max_children=1, backoff=quick_backoff(), max_restarts=9).boot()
    machine.ask("start_child", spec("x"))
    machine.end("x", BOOM)
    if why == "init":
        machine.inits["x"] = [BOOM]
        machine.advance(1.0)
    assert isinstance(machine.ask("start_child", spec("y")), MaxChildrenError)
    counts = machine.ask("count_children")
    assert (counts.specs, counts.active, counts.workers) == (1, 0, 1)
    assert [repr(info.ref) for info in machine.children()] == ["RESTARTING"]


@pytest.mark.contract("S109")
@pytest.mark.parametrize("how", ["terminate", "end", "fail", "ignore"])
def test_dynamic_slot_is_freed_once(how: str) -> None:
    """However a child ends, exactly one slot is free again."""
    machine = Rig(dynamic=True, max_children=1).boot()
    for _ in range(5):
        machine.inits["x"] = [{"fail": BOOM, "ignore": "ignore"}.get(how, "ok")]
        ref = machine.ask("start_child", spec("x", restart="temporary"))
        if how == "terminate":
            assert machine.ask("terminate_child", ref) is None
            assert isinstance(machine.ask("terminate_child", ref), ChildNotFoundError)
        elif how == "end":
            machine.end("x", Normal())
    assert machine.ask("start_child", spec("x")) is machine.ref("x")
    assert isinstance(machine.ask("start_child", spec("x")), MaxChildrenError)


@pytest.mark.contract("S110", "S111")
def test_dynamic_children_by_reference() -> None:
    """Only a living reference names a dynamic child; nothing can be restarted or deleted."""
    machine = Rig(dynamic=True).boot()
    ref: Any = machine.ask("start_child", spec("x"))
    assert isinstance(machine.ask("terminate_child", "x"), ChildNotFoundError)
    assert isinstance(machine.ask("terminate_child", 1), ChildNotFoundError)
    for verb in ("restart_child", "delete_child"):
        assert isinstance(machine.ask(verb, ref), UnsupportedRequestError)
        assert isinstance(machine.ask(verb, "x"), UnsupportedRequestError)
    assert machine.ask("terminate_child", ref) is None
    assert isinstance(machine.ask("terminate_child", ref), ChildNotFoundError)
    assert machine.states() == {}


@pytest.mark.contract("S112", "S114")
def test_dynamic_listing() -> None:
    """Dynamic children have no id; a restarted one is listed by its new reference only."""
    machine = Rig(dynamic=True).boot()
    old: Any = machine.ask("start_child", spec("x"))
    machine.end("x", BOOM)
    [info] = machine.children()
    assert (info.id, info.ref, info.restarts) == (None, machine.ref("x"), 1)
    assert info.ref is not old
    assert isinstance(machine.ask("terminate_child", old), ChildNotFoundError)


def test_every_verb_has_an_operation() -> None:
    """No request is left without an answer."""
    for verb in RequestVerb:
        machine = rig("a")
        argument = spec("n") if verb is RequestVerb.START_CHILD else "a"
        token = machine.send(verb, argument)
        assert len(machine.answers[token]) == 1


def test_requests_that_are_withdrawn() -> None:
    """Those whose turn has not come are forgotten; the one that is carried out, and news, go on."""
    machine = SupervisionMachine(
        Flags(strategy=Strategy.ONE_FOR_ONE, max_restarts=3, max_seconds=5.0),
        [spec("a"), spec("b")],
        lambda: 0.5,
    )
    for event in (BootRequested(), ChildStarted(3, "a"), ChildStarted(4, "b")):
        machine.handle(event, 0.0)
    machine.handle(RequestReceived("end a", RequestVerb.TERMINATE_CHILD, "a"), 0.0)
    for token in ("first", "second"):
        machine.handle(RequestReceived(token, RequestVerb.COUNT_CHILDREN, None), 0.0)
    assert machine.waiting_tokens() == ["first", "second"]
    machine.withdraw({"first", "end a"})
    assert machine.waiting_tokens() == ["second"]
    commands = machine.handle(ChildExited(3, Shutdown()), 0.0)
    answered = [command.token for command in commands if isinstance(command, AnswerRequest)]
    assert answered == ["end a", "second"]

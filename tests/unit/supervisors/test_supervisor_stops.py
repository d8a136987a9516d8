"""Supervisors of real actors, stepped by hand: how they stop, and who may ask them what."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    ChildSpec,
    Crashed,
    Killed,
    NoProcError,
    Normal,
    Shutdown,
    Supervisor,
    SupervisorRef,
    UnexpectedMessageError,
)
from supervisors._runtime.ending import order_end
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen, SteppedTimers
from tests.unit.supervisors.trees import Worker, child, start, worker

ONE = "one_for_one"


# ---- stopping ----------------------------------------------------------------------------------


@pytest.mark.contract("S76", "S84", "S85")
def test_stop(turns: ManualDispatcher, log: list[str]) -> None:
    """When stop returns all descendants are down, in reverse order, whatever the reason was."""
    inner = Supervisor.child_spec(
        [worker(turns, "x"), worker(turns, "y")], strategy=ONE, dispatcher=turns
    )
    sup = start(turns, worker(turns, "a"), inner, worker(turns, "b"))
    monitor = child(sup, "a").monitor()
    log.clear()
    assert sup.stop(ValueError("why"))
    assert log == [f"terminate {name}" for name in "byxa"]
    assert monitor.wait(0).reason == Shutdown()


def test_with_block(turns: ManualDispatcher, log: list[str]) -> None:
    """A with block stops the supervisor, by an exception too."""
    with pytest.raises(KeyError), start(turns, worker(turns, "a")) as sup:
        raise KeyError
    assert log == ["init a", "terminate a"]
    assert not sup.is_alive()


@pytest.mark.contract("S77", "S82")
def test_stop_deadline(turns: ManualDispatcher, clock: SteppedTimers, seen: Seen) -> None:
    """A child that gets no turn in its seconds is killed and reported; the stop goes on."""
    seen.of(("supervisors", "child", "shutdown_error"))
    mute = ManualDispatcher()
    sup = start(turns)
    ref = sup.start_child(ChildSpec("a", lambda: mute_worker(mute), shutdown=1.5))
    turns.run_until_idle()
    monitor = ref.monitor()
    reply = sup.stop(block=False)
    turns.run_until_idle()
    assert not reply.done()
    clock.advance(1.5)
    turns.run_until_idle()
    assert reply.get() is True
    assert monitor.wait(0).reason == Killed()
    [(_, _, metadata)] = seen.events
    assert (metadata["child"], metadata["ref"], metadata["reason"]) == ("a", ref, Killed())
    assert len(clock) == 0


def mute_worker(dispatcher: ManualDispatcher) -> Any:
    """Starts a worker whose dispatcher nobody steps afterwards."""
    return Worker.start("mute", dispatcher=dispatcher)


@pytest.mark.contract("S78")
def test_brutal_kill(turns: ManualDispatcher, log: list[str]) -> None:
    """A child with BRUTAL_KILL is not asked, and its terminate does not run."""
    sup = start(turns, worker(turns, "a", shutdown=BRUTAL_KILL))
    monitor = child(sup, "a").monitor()
    assert sup.stop()
    assert (log, monitor.wait(0).reason) == (["init a"], Killed())


@pytest.mark.contract("S83")
def test_child_that_detached_itself(turns: ManualDispatcher, log: list[str]) -> None:
    """A child that unlinks from its supervisor is stopped with it all the same."""
    sup = start(turns, ChildSpec("a", lambda: Worker.start_link("a", dispatcher=turns)))
    child(sup, "a").call(lambda actor: actor.unlink(sup))
    assert sup.stop()
    assert log == ["init a", "terminate a"]


@pytest.mark.contract("S86")
def test_killed_supervisor(turns: ManualDispatcher, log: list[str]) -> None:
    """Children do not outlive a supervisor that was killed; their terminate runs."""
    sup = start(turns, worker(turns, "a"), worker(turns, "b", shutdown=BRUTAL_KILL))
    monitors = [child(sup, name).monitor() for name in "ab"]
    sup.exit(Killed())
    turns.run_until_idle()
    assert [monitor.wait(0).reason for monitor in monitors] == [Killed(), Killed()]
    assert sorted(log) == ["init a", "init b", "terminate a", "terminate b"]


@pytest.mark.contract("S87", "S101")
def test_strangers(turns: ManualDispatcher, seen: Seen) -> None:
    """Exit signals and messages of anybody but the parent do not stop a supervisor."""
    seen.of(("supervisors", "actor", "unexpected_message"))
    sup = start(turns, worker(turns, "a"))
    for reason in (Normal(), Shutdown(), Crashed(ValueError())):
        sup.exit(reason)
    turns.run_until_idle()
    assert seen.events == []
    with pytest.raises(UnexpectedMessageError, match="does not take a dict"):
        sup.ask({"token": "s3cret"})
    sup.tell("x")
    sup.send_info("y")
    turns.run_until_idle()
    assert [metadata["message_type"] for _, _, metadata in seen.events] == ["dict", "str", "str"]
    assert sup.which_children()
    assert sup.stop()


@pytest.mark.contract("S87", "S154")
def test_exit_of_the_parent(turns: ManualDispatcher, log: list[str]) -> None:
    """The end of the actor that started a supervisor stops the whole tree in order."""
    parent = Worker.start("p", dispatcher=turns)
    sup: SupervisorRef = parent.call(lambda _: start(turns, worker(turns, "a"), worker(turns, "b")))
    parent.stop(Shutdown())
    turns.run_until_idle()
    assert not sup.is_alive()
    assert log[-3:] == ["terminate p", "terminate b", "terminate a"]


@pytest.mark.contract("S100")
def test_dead_supervisor(turns: ManualDispatcher) -> None:
    """Every request to a dead supervisor raises at once."""
    sup = start(turns)
    sup.stop()
    for request in (
        lambda: sup.start_child(worker(turns, "a")),
        lambda: sup.terminate_child("a"),
        lambda: sup.restart_child("a"),
        lambda: sup.delete_child("a"),
        sup.which_children,
        sup.count_children,
        lambda: sup.get_childspec("a"),
    ):
        with pytest.raises(NoProcError):
            request()


@pytest.mark.contract("S194", "S199", "S200", "S196")
def test_telemetry_of_children(turns: ManualDispatcher, seen: Seen) -> None:
    """Each start, end, failed start and restart is one event with supervisor, child and reason."""
    words = ("started", "restarted", "terminated", "start_failed")
    seen.of(*(("supervisors", "child", word) for word in words))
    fails = iter([False, True, False])
    sup = start(
        turns,
        ChildSpec("a", lambda: Worker.start("a", fail=next(fails), dispatcher=turns)),
        name="app",
    )
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    assert seen.names() == ["started", "terminated", "start_failed", "restarted"]
    for _, _, metadata in seen.events:
        assert (metadata["supervisor"], metadata["child"]) == ("app", "a")
        assert metadata["spec"].restart == "permanent"
    assert [type(metadata["reason"]).__name__ for _, _, metadata in seen.events] == [
        *("NoneType", "Crashed", "Crashed", "NoneType")
    ]
    assert sup.stop()


# ---- one deadline for a tree -------------------------------------------------------------------


@pytest.mark.contract("S88")
def test_stop_within(turns: ManualDispatcher, clock: SteppedTimers, log: list[str]) -> None:
    """A child supervisor gets its share as its own deadline; who gets no turn is killed in time."""
    mute, refs = ManualDispatcher(), []

    def begin() -> Any:
        refs.append(mute_worker(mute))
        return refs[-1]

    specs = [worker(turns, "x"), ChildSpec("mute", begin, shutdown=None)]
    inner = Supervisor.child_spec(specs, strategy=ONE, dispatcher=turns, id="inner")
    sup = start(turns, worker(turns, "a"), inner)
    log.clear()
    order_end(sup.process, Shutdown(), 100.0)
    turns.run_until_idle()
    done = order_end(sup.process, Shutdown(), 8.0)
    turns.run_until_idle()
    # One timer for inner, one for what is in it: those of the later deadline are gone.
    assert len(clock) == 2
    # Half of eight seconds for inner, half of that for its last child.
    clock.advance(1.9)
    turns.run_until_idle()
    assert refs[0].is_alive()
    clock.advance(0.2)
    turns.run_until_idle()
    assert not refs[0].is_alive()
    assert log == ["terminate x", "terminate a"]
    assert done.done()


def test_whole_tree_is_killed(
    turns: ManualDispatcher, clock: SteppedTimers, log: list[str]
) -> None:
    """A supervisor that gets no turn itself goes with everything below it, without terminate."""
    mute, refs = ManualDispatcher(), []

    def begin() -> Any:
        specs = [worker(mute, "x"), worker(mute, "y")]
        inner = Supervisor.start(specs, strategy=ONE, dispatcher=mute)
        refs.extend([inner, child(inner, "x"), child(inner, "y")])
        return inner

    sup = start(turns, worker(turns, "a"), ChildSpec("inner", begin, type="supervisor"))
    order_end(sup.process, Shutdown(), 8.0)
    turns.run_until_idle()
    assert all(ref.is_alive() for ref in refs)
    log.clear()
    clock.advance(4.0)
    turns.run_until_idle()
    mute.run_until_idle()
    assert log == ["terminate a"]
    assert [ref.is_alive() for ref in (*refs, sup)] == [False] * 4


@pytest.mark.contract("S73")
def test_nested_start_is_rolled_back(turns: ManualDispatcher, log: list[str]) -> None:
    """A nested supervisor whose restart fails stops its own children on every attempt."""
    fail: list[bool] = []

    class Flaky(Worker):
        def init(self, name: Any, *_: Any, **__: Any) -> None:
            super().init(name, fail=bool(fail))

    inner = Supervisor.child_spec(
        [worker(turns, "x"), Flaky.child_spec("flaky", id="flaky", dispatcher=turns)],
        strategy=ONE,
        max_restarts=0,
        dispatcher=turns,
        id="inner",
    )
    sup = start(turns, worker(turns, "a"), inner, max_restarts=2)
    flaky = child(child(sup, "inner"), "flaky")
    fail.append(True)
    log.clear()
    flaky.tell("crash")
    turns.run_until_idle()
    attempt = ["init x", "init flaky", "terminate x"]
    assert log == ["terminate flaky", "terminate x", *attempt, *attempt, "terminate a"]
    assert not sup.is_alive()

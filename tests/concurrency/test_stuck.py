"""Children whose handlers do not return, with real threads: policies, the bound, deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from supervisors import (
    RESTARTING,
    Abandoned,
    ChildStuckError,
    DynamicSupervisor,
    FailedToStartChild,
    GaveUp,
    Killed,
    Shutdown,
    StartTimeout,
    Supervisor,
    telemetry,
    unstopped,
)
from tests.concurrency.crew import DEADLINE, Doer, boom, waits

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


def ref_of(sup: Any, child_id: str) -> Any:
    """Returns the child as which_children shows it."""
    return next(info.ref for info in sup.which_children() if info.id == child_id)


@contextmanager
def stuck(ref: Any) -> Iterator[threading.Event]:
    """Has the actor wait in a handler until the block ends, or the gate is set."""
    entered, gate = threading.Event(), threading.Event()
    ref.tell(waits(entered.set, gate))
    assert entered.wait(DEADLINE)
    try:
        yield gate
    finally:
        gate.set()


@contextmanager
def told(*event: str) -> Iterator[threading.Event]:
    """Gives what is set when this event happens."""
    happened = threading.Event()
    name = f"told-{event[-1]}"
    telemetry.attach(name, event, lambda *_: happened.set())
    try:
        yield happened
    finally:
        telemetry.detach(name)


@DISPATCHERS
def test_wait(dispatcher: str) -> None:
    """No successor comes before the old handler has returned; then it comes by itself."""
    spec = Doer.child_spec(id="a", dispatcher=dispatcher).with_(on_stuck="wait")
    with (
        Supervisor.start_link([spec], strategy="one_for_one") as sup,
        told("supervisors", "child", "restarted") as restarted,
        told("supervisors", "child", "restart_held") as held,
    ):
        old = ref_of(sup, "a")
        with stuck(old) as gate:
            old.exit(Killed())
            assert held.wait(DEADLINE)
            assert ref_of(sup, "a") is RESTARTING
            assert [entry.path for entry in unstopped()] == ["Supervisor/a"]
            assert not restarted.is_set()
            gate.set()
            assert restarted.wait(DEADLINE)
        assert unstopped() == []
        assert ref_of(sup, "a").ask("new", timeout=DEADLINE) == "new"


def test_wait_for_an_init() -> None:
    """An init that was abandoned by its time-out is not tried again while it runs."""
    entered, gate = threading.Event(), threading.Event()
    starts: list[int] = []

    class Slow(Doer):
        def init(self) -> None:
            starts.append(1)
            if len(starts) == 2:
                entered.set()
                gate.wait(DEADLINE)

    spec = Slow.child_spec(id="a", start_timeout=0.05).with_(on_stuck="wait")
    with (
        Supervisor.start_link([spec], strategy="one_for_one") as sup,
        told("supervisors", "child", "restarted") as restarted,
        told("supervisors", "child", "restart_held") as held,
    ):
        ref_of(sup, "a").tell(boom)
        assert entered.wait(DEADLINE)
        assert held.wait(DEADLINE)
        assert len(starts) == 2
        gate.set()
        assert restarted.wait(DEADLINE)
        assert len(starts) == 3


def test_escalate() -> None:
    """The supervisor ends with GaveUp, which says that a child is stuck."""
    spec = Doer.child_spec(id="a").with_(on_stuck="escalate")
    sup = Supervisor.start_link([spec], strategy="one_for_one")
    watch = sup.monitor()
    ref = ref_of(sup, "a")
    with stuck(ref):
        ref.exit(Killed())
        reason = watch.wait(DEADLINE).reason
        assert isinstance(reason, GaveUp)
        assert (reason.child_id, reason.reason, reason.stuck) == ("a", Abandoned(), True)


def test_requests() -> None:
    """restart_child refuses a twin until the old handler has returned."""
    spec = Doer.child_spec(id="a", shutdown=0.01).with_(on_stuck="wait")
    with Supervisor.start_link([spec], strategy="one_for_one") as sup:
        with (
            stuck(ref_of(sup, "a")) as gate,
            told("supervisors", "actor", "abandoned_returned") as returned,
        ):
            sup.terminate_child("a")
            with pytest.raises(ChildStuckError, match="abandoned instance"):
                sup.restart_child("a")
            gate.set()
            assert returned.wait(DEADLINE)
        assert sup.restart_child("a").is_alive()


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_bound(kind: str) -> None:
    """One abandoned child more than max_abandoned ends the supervisor."""
    specs = [Doer.child_spec(id=name, restart="temporary") for name in "ab"]
    if kind == "static":
        sup = Supervisor.start_link(specs, strategy="one_for_one", max_abandoned=1)
        refs = [ref_of(sup, "a"), ref_of(sup, "b")]
    else:
        sup = DynamicSupervisor.start_link(max_abandoned=1)
        refs = [sup.start_child(spec) for spec in specs]
    watch = sup.monitor()
    with stuck(refs[0]), stuck(refs[1]):
        refs[0].exit(Killed())
        sup.count_children()
        assert sup.is_alive()
        refs[1].exit(Killed())
        reason = watch.wait(DEADLINE).reason
        assert isinstance(reason, GaveUp)
        assert reason.stuck


@pytest.mark.contract("S88")
def test_stop_within() -> None:
    """A tree is down within its deadline; what still runs is listed with path, stack and age."""
    log: list[str] = []

    class Logged(Doer):
        def init(self, name: str) -> None:
            self.name = name

        def terminate(self, reason: Any) -> None:
            log.append(self.name)

    nested = Supervisor.child_spec(
        [
            Logged.child_spec("inner", id="inner"),
            Logged.child_spec("stuck", id="stuck", shutdown=None, name="test-stuck"),
        ],
        strategy="one_for_one",
        id="nested",
    )
    specs = [Logged.child_spec("a", id="a"), nested, Logged.child_spec("b", id="b")]
    sup = Supervisor.start_link(specs, strategy="one_for_one", name="app")
    watch = sup.monitor()
    inner = ref_of(ref_of(sup, "nested"), "stuck")
    with stuck(inner):
        started = time.monotonic()
        [entry] = sup.stop_within(0.5)
        assert time.monotonic() - started < DEADLINE
        assert entry.path == "app/nested/stuck"
        assert str(entry).startswith("app/nested/stuck [")
        assert any("gate.wait(DEADLINE)" in line for line in entry.stack)
        assert entry.seconds >= 0
        assert watch.wait(0).reason == Shutdown()
        assert log == ["b", "inner", "a"]
        while sup.process is not None:  # what ended it has a last line to run
            threading.Event().wait(0.001)
        assert sup.stop_within(1.0) == []


def test_start_timeout_of_a_request() -> None:
    """A child whose first init is abandoned is listed, refused, and leaves nothing in the tree."""
    entered, gate = threading.Event(), threading.Event()

    class Slow(Doer):
        def init(self) -> None:
            entered.set()
            gate.wait(DEADLINE)

    with Supervisor.start_link([], strategy="one_for_one", name="app") as sup:
        spec = Slow.child_spec(id="a", start_timeout=0.02).with_(on_stuck="wait")
        with pytest.raises(StartTimeout):
            sup.start_child(spec)
        with pytest.raises(ChildStuckError):
            sup.start_child(spec)
        gate.set()


# ---- successors --------------------------------------------------------------------------------


def nested(policy: str, strategy: str, **rules: Any) -> Any:
    """Starts a supervisor of a supervisor, of whose three children the middle one has a policy."""
    inner = Supervisor.child_spec(
        [
            Doer.child_spec(id="before"),
            Doer.child_spec(id="a", on_stuck=policy),
            Doer.child_spec(id="after", restart="temporary"),
        ],
        id="inner",
        strategy=strategy,
        max_restarts=0,
    )
    return Supervisor.start([inner], strategy="one_for_one", **rules)


def restarted_inner(sup: Any, old: Any) -> Any:
    """Waits until another inner supervisor runs, and returns it."""
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while (ref := ref_of(sup, "inner")) in {old, RESTARTING}:
        assert time.monotonic() < end
        pause.wait(0.001)
    return ref


def shown(sup: Any) -> dict[str, str]:
    """Returns in which state each child is."""
    return {
        info.id: "held" if info.ref is RESTARTING else "stopped" if info.ref is None else "running"
        for info in sup.which_children()
    }


@pytest.mark.parametrize(
    ("strategy", "meanwhile"),
    [
        ("one_for_one", {"before": "running", "a": "held", "after": "running"}),
        ("rest_for_one", {"before": "running", "a": "held", "after": "stopped"}),
        ("one_for_all", {"before": "stopped", "a": "held", "after": "stopped"}),
    ],
)
def test_wait_binds_the_successor(strategy: str, meanwhile: dict[str, str]) -> None:
    """A restarted supervisor comes up, and waits with the child whose old instance still runs."""
    sup = nested("wait", strategy)
    inner = ref_of(sup, "inner")
    old = ref_of(inner, "a")
    with stuck(old) as gate:
        # More than it bears: it abandons the stuck one, and is restarted by its own supervisor.
        with told("supervisors", "supervisor", "gave_up") as gave_up:
            ref_of(inner, "before").tell(boom)
            old.exit(Killed())
            assert gave_up.wait(DEADLINE)
        new = restarted_inner(sup, inner)
        assert shown(new) == meanwhile
        assert [entry.path for entry in unstopped()] == ["Supervisor/inner/a"]
        with told("supervisors", "child", "started") as started:
            gate.set()
            assert started.wait(DEADLINE)
    end = time.monotonic() + DEADLINE
    while set(shown(new).values()) != {"running"} and time.monotonic() < end:
        threading.Event().wait(0.001)
    assert shown(new) == dict.fromkeys(meanwhile, "running")
    assert [info.restarts for info in new.which_children()] == [0, 0, 0]
    assert ref_of(new, "a").ask("new", timeout=DEADLINE) == "new"
    sup.stop(timeout=DEADLINE)


def test_escalate_binds_the_successor() -> None:
    """A restarted supervisor does not come up beside the stuck instance, so its own gives up."""
    sup = nested("escalate", "one_for_one", max_restarts=2)
    watch, inner = sup.monitor(), ref_of(sup, "inner")
    old = ref_of(inner, "a")
    with stuck(old):
        old.exit(Killed())
        reason = watch.wait(DEADLINE).reason
    assert isinstance(reason, GaveUp)
    assert (reason.child_id, reason.reason) == (
        "inner",
        Shutdown(FailedToStartChild("a", Abandoned())),
    )


def test_another_tree_is_not_bound() -> None:
    """What is stuck in one tree holds nothing up in another one that is built alike."""
    one, other = nested("wait", "one_for_one"), nested("wait", "one_for_one")
    old = ref_of(ref_of(one, "inner"), "a")
    with stuck(old):
        old.exit(Killed())
        inner = ref_of(other, "inner")
        ref_of(inner, "before").tell(boom)
        assert set(shown(restarted_inner(other, inner)).values()) == {"running"}
    for sup in (one, other):
        sup.stop(timeout=DEADLINE)

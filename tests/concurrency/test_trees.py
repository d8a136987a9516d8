"""Whole trees with real threads: restarts, stops, deadlines, kills, and nothing left."""

from __future__ import annotations

import itertools
import random
import threading
from functools import partial
from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    Abandoned,
    Backoff,
    ChildNotFoundError,
    ChildSpec,
    DynamicSupervisor,
    GaveUp,
    GenServer,
    Killed,
    MaxChildrenError,
    NoProcError,
    Normal,
    Registry,
    Shutdown,
    StartError,
    Supervisor,
    telemetry,
    unstopped,
    via,
    whereis,
)
from tests.concurrency.crew import DEADLINE, Doer, boom, stop, together, wait_for, waits

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


class Logged(Doer):
    """Notes init and terminate in a list that it is given."""

    def init(self, log: list[Any], name: Any) -> None:
        self.log, self.name = log, name
        log.append(("init", name))

    def terminate(self, reason: Any) -> None:
        self.log.append(("terminate", self.name))


def refs_of(sup: Any) -> dict[Any, Any]:
    """Returns id → reference."""
    return {info.id: info.ref for info in sup.which_children()}


# ---- restarts ----------------------------------------------------------------------------------


@pytest.mark.contract("S29", "S30", "S31", "S40")
@DISPATCHERS
@pytest.mark.parametrize(
    ("strategy", "changed"),
    [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")],
)
def test_strategies(strategy: str, changed: str, dispatcher: str) -> None:
    """After a crash exactly the group of the strategy has new actors."""
    log: list[Any] = []
    specs = [Logged.child_spec(log, name, id=name, dispatcher=dispatcher) for name in "abc"]
    with Supervisor.start_link(specs, strategy=strategy) as sup:
        before = refs_of(sup)
        with pytest.raises(ValueError, match="boom"):
            before["b"].ask(boom, timeout=DEADLINE)
        wait_for(lambda: len(log) == 3 + 2 * len(changed))
        after = refs_of(sup)
        assert {name for name in "abc" if after[name] is not before[name]} == set(changed)
        assert all(ref.is_alive() for ref in after.values())


@pytest.mark.contract("S29", "S52", "S57")
def test_crash_storm() -> None:
    """Crashes from many threads: each actor that crashed is replaced, until it is too much."""
    log: list[Any] = []
    specs = [Logged.child_spec(log, name, id=name) for name in range(6)]
    sup = Supervisor.start_link(specs, strategy="one_for_one", max_restarts=60, max_seconds=60)
    monitor = sup.monitor()

    def crash(seed: int) -> None:
        chance = random.Random(seed)
        while sup.is_alive():
            try:
                ref: Any = refs_of(sup).get(chance.randrange(6))
            except NoProcError:
                return
            if hasattr(ref, "cast"):
                ref.cast(boom)

    together(*(partial(crash, seed) for seed in range(3)))
    reason = monitor.wait(DEADLINE).reason
    assert isinstance(reason, GaveUp)
    inits = [name for kind, name in log if kind == "init"]
    assert len(inits) == 6 + 60
    assert len(log) == 2 * len(inits)


@pytest.mark.contract("S49", "S60")
def test_nested_supervisors() -> None:
    """An inner supervisor that gives up is restarted with its children by the outer one."""
    log: list[Any] = []
    leaf = Logged.child_spec(log, "leaf", id="leaf")
    inner = Supervisor.child_spec([leaf], strategy="one_for_one", max_restarts=0, id="inner")
    middle = Supervisor.child_spec([inner], strategy="one_for_all", id="middle")
    with Supervisor.start_link([middle], strategy="one_for_one") as sup:

        def find() -> Any:
            """Walks down to the leaf; None while something is being restarted."""
            try:
                return refs_of(refs_of(refs_of(sup)["middle"])["inner"])["leaf"]
            except (NoProcError, AttributeError):
                return None

        first = find()
        first.tell(boom)
        wait_for(lambda: find() not in (first, None))
        assert find().ask("alive", timeout=DEADLINE) == "alive"
    assert log == [("init", "leaf"), ("terminate", "leaf")] * 2


@pytest.mark.contract("S74")
def test_slow_init_holds_up_nothing_else() -> None:
    """While one child's init runs its supervisor's requests wait; other supervisors go on."""
    entered, gate = threading.Event(), threading.Event()

    class Slow(GenServer):
        def init(self) -> None:
            entered.set()
            gate.wait(DEADLINE)

    log: list[Any] = []
    first = Logged.child_spec(log, "a", id="a")
    with (
        Supervisor.start_link([first], strategy="one_for_one") as sup,
        Supervisor.start_link([first], strategy="one_for_one") as other,
    ):
        victim = refs_of(sup)["a"]
        starter = threading.Thread(target=lambda: sup.start_child(Slow))
        starter.start()
        assert entered.wait(DEADLINE)
        with pytest.raises(ValueError, match="boom"):
            victim.ask(boom, timeout=DEADLINE)
        counts: list[Any] = []
        asker = threading.Thread(target=lambda: counts.append(sup.count_children()))
        asker.start()
        assert other.count_children().active == 1
        assert counts == []
        gate.set()
        starter.join(DEADLINE)
        asker.join(DEADLINE)
        wait_for(lambda: sup.count_children().active == 2)
        assert refs_of(sup)["a"] is not victim


@pytest.mark.contract("S66", "S67", "S72")
def test_hot_restart_loop() -> None:
    """A child that never comes up again does not keep its supervisor from answering."""
    fails = threading.Event()

    class Flaky(GenServer):
        def init(self) -> None:
            if fails.is_set():
                raise ValueError("not now")

        def handle_cast(self, message: Any) -> None:
            raise ValueError("boom")

    telemetry.detach("supervisors.logs")
    specs = [Flaky.child_spec(id="flaky"), Doer.child_spec(id="doer")]
    rules: dict[str, Any] = {"max_restarts": 10**9, "max_seconds": 3600}
    try:
        with Supervisor.start_link(specs, strategy="one_for_one", **rules) as sup:
            fails.set()
            refs_of(sup)["flaky"].tell("crash")
            for _ in range(50):
                assert refs_of(sup)["doer"].ask("alive", timeout=DEADLINE) == "alive"
            sup.terminate_child("flaky")
            assert refs_of(sup)["flaky"] is None
            fails.clear()
            assert sup.restart_child("flaky").is_alive()
    finally:
        from supervisors import logs

        logs.install()


@pytest.mark.contract("S75")
def test_backoff() -> None:
    """With a backoff the next start comes after its pause; a stop does not wait for it."""
    log: list[Any] = []
    spec = Logged.child_spec(log, "a", id="a").with_(backoff=Backoff(initial=0.02, jitter=0.0))
    with Supervisor.start_link([spec], strategy="one_for_one", max_restarts=9) as sup:
        refs_of(sup)["a"].tell(boom)
        wait_for(lambda: log.count(("init", "a")) == 2)
    slow = spec.with_(backoff=Backoff(initial=1000.0, maximum=1000.0))
    with Supervisor.start_link([slow], strategy="one_for_one") as sup:
        refs_of(sup)["a"].tell(boom)
        wait_for(lambda: sup.which_children()[0].next_attempt)


@pytest.mark.contract("S65", "S157")
def test_custom_start_callables() -> None:
    """A callable that starts an actor by itself makes a child like any other, dead ones too."""
    log: list[Any] = []
    numbers = itertools.count()

    def linked() -> Any:
        return Logged.start_link(log, next(numbers))

    def stillborn() -> Any:
        ref = Logged.start(log, "stillborn")
        ref.exit(Killed())
        return ref

    specs = [
        ChildSpec("linked", linked),
        ChildSpec("stillborn", stillborn, restart="temporary"),
    ]
    with Supervisor.start_link(specs, strategy="one_for_one", max_restarts=50) as sup:
        for _ in range(20):
            ref = refs_of(sup)["linked"]
            ref.cast(boom)
            wait_for(lambda ref=ref: refs_of(sup)["linked"] not in (ref, None))
        wait_for(lambda: "stillborn" not in refs_of(sup))
    assert log[-1] == ("terminate", 20)


# ---- stops -------------------------------------------------------------------------------------


@pytest.mark.contract("S76", "S85")
@DISPATCHERS
def test_children_stop_one_after_the_other(dispatcher: str) -> None:
    """In reverse order, each fully down before the next is asked; then stop returns."""
    log: list[Any] = []

    class Slow(Logged):
        def terminate(self, reason: Any) -> None:
            self.log.append(("begin", self.name))
            threading.Event().wait(0.01)
            self.log.append(("end", self.name))

    specs = [Slow.child_spec(log, name, id=name, dispatcher=dispatcher) for name in "abc"]
    sup = Supervisor.start_link(specs, strategy="one_for_one")
    sup.stop(timeout=DEADLINE)
    assert log[3:] == [(kind, name) for name in "cba" for kind in ("begin", "end")]


@pytest.mark.contract("S80")
def test_dynamic_children_stop_at_once() -> None:
    """All are in terminate at the same moment, else none would come out of it."""
    barrier = threading.Barrier(10)

    class Meeting(GenServer):
        def terminate(self, reason: Any) -> None:
            barrier.wait(DEADLINE)

    sup = DynamicSupervisor.start_link()
    for _ in range(10):
        sup.start_child(Meeting)
    sup.stop(timeout=DEADLINE)
    assert not barrier.broken


@pytest.mark.contract("S77", "S82", "S81")
@DISPATCHERS
def test_child_that_does_not_stop(dispatcher: str) -> None:
    """After its seconds it is abandoned, reported and listed until it returns; others stop."""
    entered, gate = threading.Event(), threading.Event()
    log: list[Any] = []
    errors: list[Any] = []
    event = ("supervisors", "child", "shutdown_error")
    telemetry.attach("test-stuck", event, lambda *args: errors.append(args[2]["reason"]))
    specs = [
        Logged.child_spec(log, "a", id="a"),
        Doer.child_spec(id="stuck", shutdown=0.02, dispatcher=dispatcher),
        Logged.child_spec(log, "b", id="b"),
    ]
    sup = Supervisor.start_link(specs, strategy="one_for_one", name="app")
    stuck = refs_of(sup)["stuck"]
    monitor = stuck.monitor()
    stuck.tell(waits(entered.set, gate))
    assert entered.wait(DEADLINE)
    sup.stop(timeout=DEADLINE)
    telemetry.detach("test-stuck")
    assert log[2:] == [("terminate", "b"), ("terminate", "a")]
    assert monitor.wait(0).reason == Abandoned()
    assert errors == [Abandoned()]
    [entry] = unstopped()
    assert entry.path == "app/stuck"
    assert str(entry).startswith("app/stuck [supervisors-")
    gate.set()


@pytest.mark.contract("S77")
def test_abandoned_child_is_replaced() -> None:
    """Under one_for_all a child that does not stop is fenced, and its successor takes its name."""
    entered, gate = threading.Event(), threading.Event()
    specs = [
        Doer.child_spec(id="a"),
        Doer.child_spec(id="stuck", shutdown=0.02, name="stuck"),
    ]
    with Supervisor.start_link(specs, strategy="one_for_all") as sup:
        old = refs_of(sup)["stuck"]
        reply = old.ask(waits(entered.set, gate), block=False)
        assert entered.wait(DEADLINE)
        refs_of(sup)["a"].tell(boom)
        wait_for(lambda: whereis("stuck") not in (old, None))
        assert whereis("stuck").ask("new", timeout=DEADLINE) == "new"
        assert isinstance(reply.exception(DEADLINE), NoProcError)
        gate.set()


@pytest.mark.contract("S78")
def test_brutal_kill_of_idle_children() -> None:
    """Children with BRUTAL_KILL that have answered end as Killed, without terminate."""
    log: list[Any] = []
    for _ in range(50):
        spec = Logged.child_spec(log, "a", id="a", shutdown=BRUTAL_KILL)
        sup = Supervisor.start_link([spec], strategy="one_for_one")
        ref = refs_of(sup)["a"]
        ref.ask("x", timeout=DEADLINE)
        monitor = ref.monitor()
        sup.stop(timeout=DEADLINE)
        assert monitor.wait(DEADLINE).reason == Killed()
    assert ("terminate", "a") not in log


@pytest.mark.contract("S86")
@DISPATCHERS
def test_killed_supervisor(dispatcher: str) -> None:
    """Its children end too, with terminate, and so do theirs."""
    log: list[Any] = []
    leaf = Logged.child_spec(log, "leaf", id="leaf", dispatcher=dispatcher)
    inner = Supervisor.child_spec([leaf], strategy="one_for_one", id="inner")
    worker = Logged.child_spec(log, "worker", id="worker", dispatcher=dispatcher)
    for _ in range(20):
        log.clear()
        sup = Supervisor.start_link([inner, worker], strategy="one_for_one")
        monitors = [ref.monitor() for ref in refs_of(sup).values()]
        monitors.append(refs_of(refs_of(sup)["inner"])["leaf"].monitor())
        sup.exit(Killed())
        for monitor in monitors:
            monitor.wait(DEADLINE)
        assert sorted(log) == [
            *(("init", "leaf"), ("init", "worker")),
            *(("terminate", "leaf"), ("terminate", "worker")),
        ]


@pytest.mark.contract("S86")
def test_supervisor_killed_while_it_starts_a_child() -> None:
    """A child that comes up after its supervisor was killed is stopped again."""
    entered, gate = threading.Event(), threading.Event()
    started: list[Any] = []

    def slowly() -> Any:
        entered.set()
        gate.wait(DEADLINE)
        started.append(Doer.start())
        return started[0]

    sup = Supervisor.start_link([], strategy="one_for_one")
    outcome: list[BaseException] = []

    def start() -> None:
        try:
            sup.start_child(ChildSpec("slow", slowly))
        except NoProcError as error:
            outcome.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    assert entered.wait(DEADLINE)
    monitor = sup.monitor()
    sup.exit(Killed())
    assert monitor.wait(DEADLINE).reason == Abandoned()
    gate.set()
    starter.join(DEADLINE)
    assert len(outcome) == 1
    wait_for(lambda: started and not started[0].is_alive())


@pytest.mark.contract("S86")
def test_supervisor_killed_at_any_moment() -> None:
    """Whenever a supervisor that starts and restarts children is killed, none of them stays."""

    def once(round_: int) -> None:
        sup = DynamicSupervisor.start_link(max_restarts=1000)

        def churn() -> None:
            try:
                for _ in range(20):
                    sup.start_child(Doer).cast(boom)
            except (NoProcError, StartError):
                return

        def kill(asks: int = round_ % 5) -> None:
            for _ in range(asks):
                sup.ask("x", block=False).exception(DEADLINE)
            sup.exit(Killed())

        together(churn, kill)

    for round_ in range(60):
        once(round_)


# ---- requests ----------------------------------------------------------------------------------


@pytest.mark.contract("S107", "S109", "S110")
def test_churn_of_dynamic_children() -> None:
    """Starts, stops and crashes from many threads: the bound holds, and no slot is lost."""
    sup = DynamicSupervisor.start_link(max_children=10, max_restarts=10**6)
    full: list[int] = []

    def churn(seed: int) -> None:
        chance = random.Random(seed)
        mine: list[Any] = []
        for _ in range(150):
            if mine and chance.random() < 0.5:
                ref = mine.pop()
                match chance.randrange(3):
                    case 0:
                        ref.cast(boom)
                    case 1:
                        ref.cast(lambda actor: actor.stop())
                    case _:
                        try:
                            sup.terminate_child(ref)
                        except ChildNotFoundError:
                            pytest.fail("a living child was not found")
            else:
                try:
                    mine.append(sup.start_child(Doer.child_spec(restart="temporary")))
                except MaxChildrenError:
                    full.append(1)
        for ref in mine:
            sup.terminate_child(ref)

    together(*(partial(churn, seed) for seed in range(4)))
    wait_for(lambda: sup.count_children().specs == 0)
    refs = [sup.start_child(Doer) for _ in range(10)]
    with pytest.raises(MaxChildrenError):
        sup.start_child(Doer)
    assert all(ref.is_alive() for ref in refs)
    assert full
    sup.stop(timeout=DEADLINE)


@pytest.mark.contract("S100")
def test_requests_racing_a_stop() -> None:
    """Who asks a supervisor that is stopped meanwhile gets an answer or NoProcError."""

    def once() -> None:
        sup = Supervisor.start_link([Doer], strategy="one_for_one")

        def ask() -> None:
            for number in range(20):
                try:
                    sup.count_children()
                    sup.start_child(Doer.child_spec(id=(threading.get_ident(), number)))
                except NoProcError:
                    return

        together(ask, ask, lambda: sup.stop(timeout=DEADLINE))

    for _ in range(40):
        once()


def test_actors_use_their_supervisor() -> None:
    """A child may ask its supervisor, and start and stop its neighbours."""

    def busy(_: object) -> list[int]:
        return [sup.count_children().active for _ in range(20)]

    with DynamicSupervisor.start_link() as sup:
        refs = [sup.start_child(Doer) for _ in range(5)]
        replies = [ref.ask(busy, block=False) for ref in refs]
        assert [reply.get(timeout=DEADLINE) for reply in replies] == [[5] * 20] * 5
        born = refs[0].ask(lambda _: sup.start_child(Doer), timeout=DEADLINE)
        refs[0].ask(lambda _: sup.terminate_child(born), timeout=DEADLINE)
        assert not born.is_alive()


@pytest.mark.contract("S138")
def test_registry_in_a_tree() -> None:
    """Under rest_for_one a registry that dies takes those below it along, and all come back."""
    specs = [
        Registry.child_spec(name="tree-names"),
        Doer.child_spec(id="doer", name=via("tree-names", "doer")),
    ]
    with Supervisor.start_link(specs, strategy="rest_for_one") as sup:
        first = whereis(via("tree-names", "doer"))
        refs_of(sup)["tree-names"].exit(Killed())
        wait_for(lambda: whereis(via("tree-names", "doer")) not in (first, None))
        assert sup.describe().counted == 1
        assert not first.is_alive()


@pytest.mark.contract("S85")
@DISPATCHERS
def test_cycles_leave_nothing(dispatcher: str) -> None:
    """Trees that are started, used and stopped 200 times leave nothing behind."""
    names = itertools.count()
    for number in range(200 if dispatcher == "pool" else 40):
        crowd = DynamicSupervisor.child_spec(id="crowd", name=f"crowd-{number}")
        worker = Doer.child_spec(id="worker", name=f"worker-{number}", dispatcher=dispatcher)
        registry = Registry.child_spec(name=f"names-{number}")
        with Supervisor.start_link(
            [registry, crowd, worker], strategy="one_for_all", name=f"tree-{number}"
        ):
            spec = Doer.child_spec(name=via(f"names-{number}", next(names)), dispatcher=dispatcher)
            member = whereis(f"crowd-{number}").start_child(spec)
            assert member.ask("x", timeout=DEADLINE) == "x"
            member.monitor()
            if number % 10 == 0:
                whereis(f"worker-{number}").ask(boom, block=False)


def test_many_children_stop_in_linear_time() -> None:
    """A dynamic supervisor with thousands of children starts and stops them at a constant cost."""
    with DynamicSupervisor.start_link(max_restarts=10) as sup:
        refs = [sup.start_child(Doer) for _ in range(2000)]
        stop(refs[:10])
        wait_for(lambda: sup.count_children().active == 2000)
    assert not any(ref.is_alive() for ref in refs)


@pytest.mark.contract("S46", "S63")
def test_many_tasks_that_crash() -> None:
    """A supervisor of temporary children survives any number of crashes with max_restarts 0."""
    with DynamicSupervisor.start_link(max_restarts=0) as sup:
        for _ in range(300):
            sup.start_child(Doer.child_spec(restart="temporary")).cast(boom)
        wait_for(lambda: sup.count_children().specs == 0)


def test_normal_ends_in_a_crowd() -> None:
    """Transient children that end by themselves are forgotten without a restart."""
    with DynamicSupervisor.start_link(max_restarts=0) as sup:
        monitors = [
            sup.start_child(Doer.child_spec(restart="transient")).monitor() for _ in range(50)
        ]
        for monitor in monitors:
            monitor.ref.cast(lambda actor: actor.stop())
        assert {type(monitor.wait(DEADLINE).reason) for monitor in monitors} == {Normal}
        wait_for(lambda: sup.count_children().specs == 0)
        assert sup.stop(Shutdown(), timeout=DEADLINE)

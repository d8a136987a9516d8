"""Plain Pykka actors, unmodified: supervised, linked, watched, and told the truth of."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, ClassVar

import pykka
import pytest

from supervisors import (
    BRUTAL_KILL,
    Abandoned,
    AlreadyStartedError,
    ChildNotFoundError,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    GenServer,
    Killed,
    NoProc,
    Normal,
    Shutdown,
    StartError,
    Supervisor,
    monitor,
    telemetry,
    unstopped,
    whereis,
)
from supervisors._runtime.ending import kill_tree
from tests.concurrency.crew import DEADLINE, wait_for
from tests.concurrency.test_trees import refs_of


class Plain(pykka.ThreadingActor):
    """A user's actor that knows nothing of supervisors."""

    use_daemon_thread = True
    notes: ClassVar[list[Any]] = []
    fail_starts: ClassVar[list[Exception]] = []

    def __init__(self, name: str = "plain") -> None:
        super().__init__()
        self.name = name

    def on_start(self) -> None:
        self.notes.append("start")
        if self.fail_starts:
            raise self.fail_starts.pop()

    def on_stop(self) -> None:
        self.notes.append("stop")

    def on_failure(self, kind: Any, value: Any, trace: Any) -> None:
        self.notes.append((kind, trace is not None))

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message() if callable(message) else (self.name, message)


@pytest.fixture(autouse=True)
def clean() -> None:
    Plain.notes.clear()
    Plain.fail_starts.clear()


def child(**keys: Any) -> ChildSpec:
    return ChildSpec("plain", Plain, **keys)


def supervised(*children: Any, **keys: Any) -> Any:
    return Supervisor.start_link(list(children) or [Plain], strategy="one_for_one", **keys)


def is_new(sup: Any, child_id: Any, old: Any) -> bool:
    """Tells whether the child runs again, with another reference."""
    ref = refs_of(sup)[child_id]
    return isinstance(ref, pykka.ActorRef) and ref is not old


def hold(entered: threading.Event, gate: threading.Event) -> None:
    """Keeps the actor in its handler until the gate opens."""
    entered.set()
    gate.wait(DEADLINE)


def hooks_of(ref: Any) -> set[str]:
    """Returns what the instance has in place of its class's methods."""
    actor = ref._actor_weakref()
    # A copy in one step: the actor's own thread takes hooks out at this moment.
    here = {} if actor is None else vars(actor).copy()
    return {name for name in here if hasattr(Plain, name)}


# ---- as children -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [Plain, (Plain, "named"), ChildSpec("Plain", Plain.start)])
def test_forms_of_a_child(form: Any) -> None:
    """A class, a tuple and a specification do; the reference is Pykka's own, the class the same."""
    with supervised(form) as sup:
        ref = refs_of(sup)["Plain"]
        assert type(ref) is pykka.ActorRef
        assert ref.actor_class is Plain
        assert pykka.ActorRegistry.get_by_class(Plain) == [ref]
        expected = "named" if isinstance(form, tuple) else "plain"
        assert ref.ask("hi", timeout=DEADLINE) == (expected, "hi")
        assert ref.proxy().name.get(timeout=DEADLINE) == expected
        assert sup.count_children().active == 1
    assert not ref.is_alive()
    assert Plain.notes == ["start", "stop"]
    wait_for(lambda: not hooks_of(ref))


def test_crash_in_tell_restarts() -> None:
    """Its supervisor and its monitors see the very exception; a new one is started."""
    with supervised() as sup:
        ref = refs_of(sup)["Plain"]
        watch = monitor(ref)
        error = ValueError("boom")
        ref.tell(error)
        reason = watch.wait(DEADLINE).reason
        assert isinstance(reason, Crashed)
        assert reason.exception is error
        assert error.__traceback__ is None
        wait_for(lambda: is_new(sup, "Plain", ref))
        assert refs_of(sup)["Plain"].ask(1, timeout=DEADLINE) == ("plain", 1)
    assert Plain.notes == ["start", (ValueError, True), "start", "stop"]


def test_crash_in_ask_is_pykkas() -> None:
    """The asker gets the exception and the actor lives, as its author expects of Pykka."""
    with supervised() as sup:
        ref = refs_of(sup)["Plain"]
        with pytest.raises(ValueError, match="boom"):
            ref.ask(ValueError("boom"), timeout=DEADLINE)
        assert refs_of(sup)["Plain"] is ref
        assert ref.is_alive()


def test_report_of_a_crash() -> None:
    """It is told as that of any actor: by names and types."""
    seen: list[Any] = []
    event = ("supervisors", "actor", "crashed")
    telemetry.attach("foreign", event, lambda _e, _m, metadata, _c: seen.append(metadata))
    try:
        with supervised() as sup:
            ref = refs_of(sup)["Plain"]
            watch = monitor(ref)
            ref.tell(ValueError("s3cret"))
            watch.wait(DEADLINE)
    finally:
        telemetry.detach("foreign")
    (report,) = seen
    assert report["path"].endswith("/Plain")
    assert (report["error"], report["message_type"]) == ("ValueError", "ValueError")
    assert report["state_type"] == "Plain"
    assert "s3cret" not in repr(report)


def test_start_fails() -> None:
    """An exception in on_start fails the supervisor's start, with the cause; nothing is left."""
    error = ValueError("no")
    Plain.fail_starts.append(error)
    with pytest.raises(StartError) as caught:
        supervised(GenServer, Plain)
    assert caught.value.child_id == "Plain"
    cause: Any = caught.value
    while cause.__cause__ is not None:
        cause = cause.__cause__
    assert cause is error


def test_init_fails() -> None:
    """So does one in __init__, which runs in the supervisor."""
    with pytest.raises(StartError) as caught:
        supervised(ChildSpec("bad", Plain, kwargs={"colour": 1}))
    assert caught.value.child_id == "bad"


def test_failing_restarts_are_tried_again() -> None:
    """A restart whose on_start raises is attempted again within the budget."""
    with supervised(max_restarts=5) as sup:
        ref = refs_of(sup)["Plain"]
        Plain.fail_starts.extend([ValueError("1"), ValueError("2")])
        ref.tell(ValueError("boom"))
        wait_for(lambda: is_new(sup, "Plain", ref))
    assert Plain.notes.count("start") == 4


def test_own_stop_is_normal() -> None:
    """A transient child that stops itself is not restarted; its monitor sees Normal()."""
    with supervised(child(restart="transient")) as sup:
        ref = refs_of(sup)["plain"]
        watch = monitor(ref)
        assert ref.stop(timeout=DEADLINE)
        assert watch.wait(DEADLINE).reason == Normal()
        wait_for(lambda: refs_of(sup)["plain"] is None)
        assert sup.restart_child("plain").is_alive()


def test_stop_order_is_pykkas_stop() -> None:
    """A supervisor's order runs on_stop, comes after what is queued, and is seen as Shutdown()."""
    with supervised() as sup:
        ref = refs_of(sup)["Plain"]
        watch, entered, gate = monitor(ref), threading.Event(), threading.Event()
        ref.tell(partial(hold, entered, gate))
        assert entered.wait(DEADLINE)
        queued = ref.ask("queued", block=False)
        gate.set()
        sup.terminate_child(ref)
        assert watch.wait(DEADLINE).reason == Shutdown()
        assert queued.get(timeout=DEADLINE) == ("plain", "queued")
        sup.terminate_child("Plain")
    assert Plain.notes == ["start", "stop"]


def test_failing_on_stop_is_no_restart() -> None:
    """What on_stop raises is the reason; an ordered end is not restarted for it."""
    error = ValueError("late")

    class Bad(Plain):
        def on_stop(self) -> None:
            raise error

    with supervised(Bad) as sup:
        watch = monitor(refs_of(sup)["Bad"])
        sup.terminate_child("Bad")
        reason = watch.wait(DEADLINE).reason
        assert isinstance(reason, Crashed)
        assert reason.exception is error
        assert refs_of(sup)["Bad"] is None


# ---- that will not stop ------------------------------------------------------------------------


def test_abandoned() -> None:
    """One that does not stop in time is told as abandoned, listed and replaced; then it returns."""
    with supervised(child(shutdown=0.01)) as sup:
        ref = refs_of(sup)["plain"]
        watch, entered, gate = monitor(ref), threading.Event(), threading.Event()
        ref.tell(partial(hold, entered, gate))
        assert entered.wait(DEADLINE)
        waiting = ref.ask("never", block=False)
        sup.terminate_child("plain")
        assert watch.wait(DEADLINE).reason == Abandoned()
        assert not ref.is_alive()
        (entry,) = [e for e in unstopped() if e.path.endswith("/plain")]
        assert any("gate.wait" in line for line in entry.stack)
        assert sup.restart_child("plain") is not ref
        gate.set()
        with pytest.raises(pykka.ActorDeadError):
            waiting.get(timeout=DEADLINE)
        wait_for(lambda: not unstopped())
    # The abandoned one ran no hook any more.
    assert Plain.notes == ["start", "start", "stop"]


def test_abandoned_in_on_start() -> None:
    """A supervisor whose kill meets on_start says so."""
    entered, gate = threading.Event(), threading.Event()

    class Slow(Plain):
        def on_start(self) -> None:
            entered.set()
            gate.wait(DEADLINE)

    pool = DynamicSupervisor.start_link()
    answer = pool.ask(_start_request(Slow), block=False)
    assert entered.wait(DEADLINE)
    pool.process.kill()
    gate.set()
    with pytest.raises(Exception, match="Supervisor"):
        answer.get(timeout=DEADLINE)
    # Children do not outlive it, although Pykka stops one only behind its on_start.
    wait_for(lambda: not pykka.ActorRegistry.get_by_class(Slow))


def _start_request(cls: Any) -> Any:
    from supervisors._machines.vocabulary import RequestVerb
    from supervisors._runtime.supervising import SupervisorRequest

    return SupervisorRequest(RequestVerb.START_CHILD, ChildSpec("slow", cls))


def test_brutal_kill_between_messages() -> None:
    """An idle one ends at once, without on_stop."""
    with supervised(child(shutdown=BRUTAL_KILL)) as sup:
        ref = refs_of(sup)["plain"]
        ref.ask("idle", timeout=DEADLINE)
        wait_for(lambda: hooks_of(ref))
        watch = monitor(ref)
        sup.terminate_child("plain")
        assert watch.wait(DEADLINE).reason in {Killed(), Abandoned()}
        wait_for(lambda: not hooks_of(ref) - {"on_stop", "on_failure"})
    assert Plain.notes == ["start"]


def test_killed_with_its_tree() -> None:
    """It has nobody below it, and ends as every child."""
    sup = supervised()
    plain = next(iter(refs_of(sup).values()))
    watch = monitor(plain)
    kill_tree(sup.process)
    assert watch.wait(timeout=DEADLINE).reason == Killed()
    assert plain.actor_stopped.wait(DEADLINE)


@pytest.mark.parametrize("where", ["tell", "ask", "start"])
def test_system_exit_ends_one(where: str) -> None:
    """Pykka would stop every actor of the process; a supervised one ends alone."""
    with supervised(GenServer, child(restart="temporary")) as sup:
        other, ref = refs_of(sup)["GenServer"], refs_of(sup)["plain"]
        if where == "start":
            Plain.fail_starts.append(SystemExit(3))  # type: ignore[arg-type]
            with pytest.raises(StartError):
                sup.start_child(Plain)
        else:
            watch = monitor(ref)
            if where == "tell":
                ref.tell(SystemExit(3))
            else:
                with pytest.raises(pykka.ActorDeadError):
                    ref.ask(SystemExit(3), timeout=DEADLINE)
            reason = watch.wait(DEADLINE).reason
            assert isinstance(reason, Crashed)
            assert isinstance(reason.exception, SystemExit)
        assert other.is_alive()
        assert sup.is_alive()


# ---- dynamic supervisors, starts of one's own, names -------------------------------------------


def test_dynamic_supervisor() -> None:
    """Children are started with extra arguments, restarted alone and terminated by reference."""
    with DynamicSupervisor.start_link(extra_args=("extra",)) as pool:
        one, two = pool.start_child(Plain), pool.start_child((Plain,))
        assert one.ask(1, timeout=DEADLINE) == ("extra", 1)
        pool.terminate_child(one)
        assert not one.is_alive()
        with pytest.raises(ChildNotFoundError):
            pool.terminate_child(pykka.ActorRef(Plain()))
        two.tell(ValueError("boom"))
        wait_for(lambda: isinstance(pool.which_children()[0].ref, pykka.ActorRef))
        wait_for(lambda: pool.which_children()[0].ref is not two)
        assert pool.count_children().active == 1


def test_a_start_of_its_own() -> None:
    """A class with its own start() is started by it, and supervised from there."""

    class Own(Plain):
        @classmethod
        def start(cls, *args: Any, **kwargs: Any) -> Any:
            cls.notes.append("own")
            return super().start("own")

    with supervised(Own) as sup:
        ref = refs_of(sup)["Own"]
        assert Plain.notes[0] == "own"
        watch = monitor(ref)
        ref.tell(ValueError("boom"))
        assert isinstance(watch.wait(DEADLINE).reason, Crashed)
        wait_for(lambda: is_new(sup, "Own", ref))


def test_names() -> None:
    """A child's name leads to Pykka's reference, and is free when it has ended."""
    with supervised(child(name="who")) as sup:
        ref = refs_of(sup)["plain"]
        assert whereis("who") is ref
        with pytest.raises(StartError) as caught:
            supervised(child(name="who"))
        assert isinstance(caught.value.__cause__, AlreadyStartedError)
        assert caught.value.__cause__.ref is ref
        sup.terminate_child("plain")
        assert whereis("who") is None


# ---- links and monitors ------------------------------------------------------------------------


class Watcher(GenServer):
    """Notes what handle_info gets."""

    def init(self, notes: list[Any], trap: bool = True) -> None:
        self.notes, self.trap_exit = notes, trap

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request(self)

    def handle_info(self, message: Any) -> None:
        self.notes.append(message)


def test_monitor_of_a_running_actor() -> None:
    """One that nobody supervises can be watched, more than once, and let go again."""
    ref = Plain.start()
    notes: list[Any] = []
    watcher = Watcher.start(notes)
    first, second = monitor(ref), monitor(ref)
    watcher.call(lambda actor: actor.monitor(ref) and None)
    assert second.cancel()
    ref.tell(ValueError("boom"))
    assert isinstance(first.wait(DEADLINE).reason, Crashed)
    wait_for(lambda: notes)
    assert notes[0].ref is ref
    assert monitor(ref).wait(DEADLINE).reason == NoProc()
    wait_for(lambda: not hooks_of(ref))
    watcher.stop()


def test_system_exit_of_a_watched_actor() -> None:
    """Nobody supervises it, so it goes Pykka's way, and its monitor is told the truth."""
    ref, other = Plain.start(), Plain.start()
    watch = monitor(ref)
    ref.tell(SystemExit(3))
    reason = watch.wait(DEADLINE).reason
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, SystemExit)
    wait_for(lambda: not other.is_alive())


def test_no_report_of_a_watched_actor() -> None:
    """Pykka has logged its crash; only for who supervises it is it told again."""
    seen: list[Any] = []
    telemetry.attach(
        "watched", ("supervisors", "actor", "crashed"), lambda *args: seen.append(args)
    )
    ref = Plain.start()
    watch = monitor(ref)
    ref.tell(ValueError("boom"))
    watch.wait(DEADLINE)
    telemetry.detach("watched")
    assert seen == []


def test_monitor_against_the_end() -> None:
    """Whenever the monitor comes, it fires, and never calls a crash a normal end."""
    for _ in range(50):
        ref = Plain.start()
        ref.tell(ValueError("boom"))
        reason = monitor(ref).wait(DEADLINE).reason
        assert isinstance(reason, Crashed | NoProc)


def test_links() -> None:
    """An end crosses a link in both directions, and not after unlink()."""
    notes: list[Any] = []
    watcher = Watcher.start(notes)
    one, two, three = Plain.start(), Plain.start(), Plain.start()
    for ref in (one, two, three):
        watcher.call(lambda actor, ref=ref: actor.link(ref))
    watcher.call(lambda actor: actor.unlink(three))
    one.tell(ValueError("boom"))
    wait_for(lambda: notes)
    assert notes[0].ref is one
    assert isinstance(notes[0].reason, Crashed)
    watch = monitor(two)
    watcher.stop(Shutdown())
    assert watch.wait(DEADLINE).reason == Shutdown()
    assert three.is_alive()
    three.stop()


def test_every_ask_is_answered() -> None:
    """Askers from many threads, while the actor crashes and is restarted, all get an answer."""
    with supervised(max_restarts=100) as sup:
        outcomes: list[Any] = []

        def ask() -> None:
            for number in range(20):
                ref = refs_of(sup)["Plain"]
                try:
                    if number % 10 == 5:
                        ref.tell(ValueError("boom"))
                    outcomes.append(ref.ask(number, timeout=DEADLINE))
                except (pykka.ActorDeadError, AttributeError) as error:
                    outcomes.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert len(outcomes) == 80
        assert not any(isinstance(outcome, pykka.Timeout) for outcome in outcomes)

"""Children started and ended in the thread that asks: what others do meanwhile, and at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pykka
import pytest

from supervisors import (
    IGNORE,
    AlreadyStartedError,
    ChildNotFoundError,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Killed,
    MaxChildrenError,
    NoProcError,
    Normal,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    introspect,
    telemetry,
    unstopped,
    whereis,
)
from supervisors._runtime import starting
from supervisors._runtime.actor_list import enlist
from tests.concurrency.test_handover import DEADLINE, in_thread


class Waiting(GenServer):
    """Its init says that it is there, and waits."""

    def init(self, there: threading.Event, go: threading.Event, outcome: Any = None) -> Any:
        there.set()
        assert go.wait(DEADLINE)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request


class Asking:
    """A start_child that another thread is in the middle of."""

    def __init__(self, parent: Any, outcome: Any = None, **keys: Any) -> None:
        there, self.go = threading.Event(), threading.Event()
        self.found: list[Any] = []

        def ask() -> None:
            spec = Waiting.child_spec(there, self.go, outcome, **keys)
            try:
                self.found.append(parent.start_child(spec))
            except Exception as error:  # noqa: BLE001  looked at by the test
                self.found.append(error)

        self.thread = threading.Thread(target=ask)
        self.thread.start()
        assert there.wait(DEADLINE)

    def end(self) -> Any:
        """Let init return; return what start_child returned or raised."""
        self.go.set()
        self.thread.join(DEADLINE)
        return self.found[0]


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        (IGNORE, type(None)),
        (Stop(Normal()), StartError),
        (RuntimeError("no"), StartError),
        ("nonsense", StartError),
    ],
)
@pytest.mark.contract("S92")
def test_a_start_that_comes_to_nothing(outcome: Any, found: type) -> None:
    """A failure leaves nothing behind, and the asker is told of it."""
    with DynamicSupervisor.start_link() as parent:
        got = Asking(parent, outcome).end()
        assert type(got) is found
        assert parent.count_children().specs == 0
        assert parent.start_child(GenServer).is_alive()


def test_others_wait_for_the_start() -> None:
    """A request that comes during an init is answered after it, as in OTP."""
    with Supervisor.start_link([], strategy="one_for_one") as parent:
        asking = Asking(parent)
        children = parent.ask(_request("which_children"), block=False)
        assert not children.done()
        ref = asking.end()
        assert [info.ref for info in children.get(timeout=DEADLINE)] == [ref]


def _request(verb: str) -> Any:
    from supervisors._machines.vocabulary import RequestVerb
    from supervisors._runtime.supervising import SupervisorRequest

    return SupervisorRequest(RequestVerb(verb))


def test_a_supervisor_stops_in_the_middle_of_a_start() -> None:
    """The deadline holds though an init hangs in an asker's thread, who is told in the end."""
    parent = DynamicSupervisor.start()
    asking = Asking(parent)
    parent.stop_within(0.2)
    assert not parent.is_alive()
    assert isinstance(asking.end(), NoProcError | StartError)
    pause = threading.Event()
    while unstopped():
        pause.wait(0.001)


def test_a_supervisor_is_killed_in_the_middle_of_a_start() -> None:
    """The child does not outlive it, and who asked is told."""
    ended = threading.Event()
    parent = DynamicSupervisor.start()
    asking = Asking(parent)
    ref = next(ref for ref in _living() if ref.actor_class is Waiting)
    ref.monitor(call=lambda _: ended.set())
    parent.process.kill()
    assert isinstance(asking.end(), NoProcError)
    assert ended.wait(DEADLINE)
    assert not ref.is_alive()


def _living() -> list[Any]:
    from pykka import ActorRegistry

    return ActorRegistry.get_all()


def test_a_suspended_supervisor_starts_nothing() -> None:
    """What is asked of it waits until it is resumed."""
    with DynamicSupervisor.start_link() as parent:
        found: list[Any] = []
        introspect.suspend(parent)
        thread = threading.Thread(target=lambda: found.append(parent.start_child(GenServer)))
        thread.start()
        assert introspect.get_status(parent) is not None
        assert found == []
        introspect.resume(parent)
        thread.join(DEADLINE)
        assert found[0].is_alive()


def test_a_trace_that_begins_during_an_init_shows_the_start() -> None:
    """Who watches a supervisor sees the news of a child, though it was asked for before."""
    with DynamicSupervisor.start_link() as parent:
        steps: list[introspect.TraceEvent] = []
        asking = Asking(parent)
        introspect.trace(parent, steps.append)
        ref = asking.end()
        introspect.trace(parent, None)
        assert ref.is_alive()
    assert [type(step.message).__name__ for step in steps[:2]] == ["ChildStarted"] * 2


def test_a_start_and_an_end_are_reported() -> None:
    """Telemetry tells of a child that was started in the thread that asked."""
    seen: list[Any] = []
    event = ("supervisors", "child", "started")
    telemetry.attach("asking", event, lambda _, __, data, ___: seen.append(data))
    try:
        with DynamicSupervisor.start_link() as parent:
            ref = in_thread(lambda: parent.start_child(GenServer))
    finally:
        telemetry.detach("asking")
    assert [(data["ref"], data["requested"], data["child"]) for data in seen] == [
        (ref, True, "GenServer")
    ]


def test_what_ends_with_a_child_is_told() -> None:
    """Monitors and links hear of an end in the asker's thread; a restart follows as ever."""
    with DynamicSupervisor.start_link(max_restarts=10) as parent:
        first, second = (parent.start_child(Linked) for _ in range(2))
        second.call(first)
        watch = first.monitor()
        downs = second.monitor()
        in_thread(lambda: parent.terminate_child(first))
        assert watch.wait(DEADLINE).reason == Shutdown()
        assert downs.wait(DEADLINE).reason == Shutdown()
        pause = threading.Event()
        while [info.ref for info in parent.which_children() if info.ref is second]:
            pause.wait(0.001)
        assert parent.count_children().active == 1


class Linked(GenServer):
    """Links itself to whom it is told."""

    def handle_call(self, request: Any, sender: Any) -> None:
        self.link(request)


@pytest.mark.contract("S107", "S108")
def test_many_ask_at_once() -> None:
    """Whoever asks, and wherever it is done, no child is lost and none is counted twice."""
    bound = 8
    parent = DynamicSupervisor.start(max_children=bound, max_restarts=10**6)
    left: list[Any] = []

    def run(seed: int) -> None:
        chance = random.Random(seed)
        mine: list[Any] = []
        for _ in range(400):
            if mine and chance.random() < 0.5:
                ref = mine.pop(chance.randrange(len(mine)))
                with_errors(partial(parent.terminate_child, ref), ChildNotFoundError)
                assert not ref.is_alive()
            else:
                ref = with_errors(lambda: parent.start_child(Idle), MaxChildrenError)
                if ref is not None:
                    assert ref.call(seed) == seed
                    mine.append(ref)
            assert parent.count_children().specs <= bound
        left.extend(mine)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    run(5)
    for thread in threads:
        thread.join(DEADLINE)
    assert {info.ref for info in parent.which_children()} == set(left)
    parent.stop()
    assert not any(ref.is_alive() for ref in left)


class Idle(GenServer):
    """Answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request


def with_errors(act: Callable[[], Any], *kinds: type[Exception]) -> Any:
    """Returns what `act` returns, or None where it raises one of these."""
    try:
        return act()
    except kinds:
        return None


def test_a_class_that_publishes_something_else_is_asked() -> None:
    """What is known of a bare class is not taken for a subclass, or one with its own child_spec."""

    class Own(GenServer):
        @classmethod
        def child_spec(cls, *args: Any, **keys: Any) -> ChildSpec:
            return super().child_spec(*args, **keys | {"restart": "temporary"})

    class Asked(GenServer):
        @classmethod
        def child_spec(cls, *args: Any, **keys: Any) -> ChildSpec:
            return super().child_spec().with_(restart="transient")

    with DynamicSupervisor.start_link() as parent:
        for cls, restart in ((GenServer, "permanent"), (Own, "temporary"), (Asked, "transient")):
            refs = [in_thread(partial(parent.start_child, cls)) for _ in range(2)]
            assert [parent.get_childspec(ref).restart for ref in refs] == [restart] * 2


@pytest.mark.contract("S125")
def test_a_child_with_a_name() -> None:
    """The name leads to it while it lives, is refused to others, and is free after it."""
    with DynamicSupervisor.start_link() as parent:

        def act() -> tuple[Any, ...]:
            ref = parent.start_child(GenServer.child_spec(name="asked for"))
            found = whereis("asked for")
            with pytest.raises(AlreadyStartedError) as caught:
                parent.start_child(GenServer.child_spec(name="asked for"))
            parent.terminate_child(ref)
            return found is ref, caught.value.ref is ref, whereis("asked for")

        assert in_thread(act) == (True, True, None)
        assert parent.count_children().specs == 0


@pytest.mark.parametrize("first", ["killed", "listed"])
@pytest.mark.contract("S127")
def test_a_child_killed_under_its_name_before_its_init(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds it by then ends it; the start fails, and nothing of it is left."""
    register = enlist

    def kill(ref: Any) -> None:
        if first == "listed":
            register(ref)
        whereis("early").process.kill()
        if first == "killed":
            register(ref)

    with DynamicSupervisor.start_link() as parent:

        def act() -> Any:
            with pytest.raises(StartError) as caught:
                parent.start_child(GenServer.child_spec(name="early"))
            return caught.value.reason

        with monkeypatch.context() as patched:
            patched.setattr(starting, "enlist", kill)
            assert in_thread(act) == Killed()
        assert whereis("early") is None
        assert [ref for ref in pykka.ActorRegistry.get_all() if "early" in str(ref)] == []
        assert parent.count_children().specs == 0
        assert in_thread(lambda: parent.start_child(GenServer.child_spec(name="early"))).is_alive()

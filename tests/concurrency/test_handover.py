"""Turns run where they were caused, and nobody notices but for the speed."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    Abandoned,
    ChildSpec,
    Continue,
    DynamicSupervisor,
    GenServer,
    Killed,
    NoProcError,
    Normal,
    Stop,
    Supervisor,
    System,
    introspect,
    telemetry,
    unstopped,
    whereis,
)
from supervisors._runtime.doing import IDLE
from supervisors.testing import settle

DEADLINE = 30.0


def in_thread(act: Callable[[], Any]) -> Any:
    """Returns what `act` returned, or raises what it raised, in a thread that is not the main."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(act())
        except Exception as error:  # noqa: BLE001  raised again below
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(DEADLINE)
    assert found, "it hangs"
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


class Noting(GenServer):
    """Notes the threads that its callbacks run in."""

    def init(self, notes: dict[str, threading.Thread]) -> None:
        """Notes where it starts."""
        self.notes = notes
        notes["init"] = threading.current_thread()

    def handle_call(self, request: Any, sender: Any) -> threading.Thread:
        """Answers where it handles."""
        return threading.current_thread()


class Ending(Noting):
    """Notes where it ends, too."""

    def terminate(self, reason: Any) -> None:
        """Notes where it ends."""
        self.notes["terminate"] = threading.current_thread()


def test_the_main_thread_runs_nothing() -> None:
    """Neither init nor handlers nor terminate run in the main thread, whoever starts and stops."""
    notes: dict[str, threading.Thread] = {}
    ref = Ending.start(notes)
    handled = ref.ask("where")
    ref.stop()
    with Supervisor.start_link([Ending.child_spec(notes)], strategy="one_for_one") as app:
        app.terminate_child("Ending")
        app.restart_child("Ending")
    assert threading.main_thread() not in {*notes.values(), handled}


def test_a_waiting_caller_runs_the_init() -> None:
    """A start without a time-out runs init in the thread that waits; a bounded one does not."""
    notes: dict[str, threading.Thread] = {}

    def start(**options: Any) -> bool:
        ref = Noting.start(notes, **options)
        ref.stop()
        return notes["init"] is threading.current_thread()

    def start_child() -> bool:
        with DynamicSupervisor.start_link() as crowd:
            crowd.start_child(Noting.child_spec(notes))
            return notes["init"] is threading.current_thread()

    assert in_thread(start)
    assert in_thread(start_child)
    assert not in_thread(lambda: start(start_timeout=DEADLINE))
    assert not in_thread(lambda: start(dispatcher="thread"))


def test_handlers_and_terminate_never_run_in_the_caller() -> None:
    """An asker and a stopper run none of the actor's handlers and terminate themselves."""

    def run() -> set[threading.Thread]:
        notes: dict[str, threading.Thread] = {}
        ref = Ending.start(notes)
        ran = {ref.ask("where")}
        ref.stop()
        return {thread for thread in (*ran, notes["terminate"]) if thread is here()}

    here = threading.current_thread
    assert in_thread(run) == set()


@pytest.mark.contract("S166")
def test_an_asker_is_released_by_a_kill() -> None:
    """A kill in the middle of a call ends the wait of an untimed ask in any thread at once."""
    entered, release = threading.Event(), threading.Event()

    class Stuck(GenServer):
        def handle_call(self, request: Any, sender: Any) -> None:
            entered.set()
            release.wait(DEADLINE)

    ref = Stuck.start()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            ref.ask("hang")
        except NoProcError as error:
            caught.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    assert entered.wait(DEADLINE)
    watch = ref.monitor()
    ref.exit(Killed())
    asker.join(DEADLINE)
    assert (len(caught), watch.wait(DEADLINE).reason) == (1, Abandoned())
    release.set()
    pause = threading.Event()
    while unstopped():
        pause.wait(0.001)


@pytest.mark.contract("S166")
@pytest.mark.parametrize("stop", [True, False], ids=["stops", "raises"])
def test_an_asker_is_released_by_a_kill_that_meets_the_end_of_the_handler(stop: bool) -> None:
    """A handler that stops or raises after the kill, but before it was told, leaves nobody."""
    entered, release = threading.Event(), threading.Event()

    class Leaving(GenServer):
        def handle_call(self, request: Any, sender: Any) -> Any:
            entered.set()
            release.wait(DEADLINE)
            if stop:
                return Stop(Normal(), reply="never")
            raise ValueError

    ref = Leaving.start()
    process = ref.process

    def let_it_leave(*_: Any) -> None:
        release.set()
        while process.handling is not IDLE:
            threading.Event().wait(0.001)

    telemetry.attach("leaving", ("supervisors", "actor", "abandoned"), let_it_leave)
    try:
        reply = ref.ask("hang", block=False)
        assert entered.wait(DEADLINE)
        ref.exit(Killed())
        with pytest.raises(NoProcError):
            reply.get(timeout=DEADLINE)
    finally:
        telemetry.detach("leaving")


@pytest.mark.contract("S77")
def test_a_terminate_that_hangs_does_not_hold_who_ordered_it() -> None:
    """terminate_child from a plain thread returns when the child's patience ends."""
    release = threading.Event()

    class Hanging(GenServer):
        def terminate(self, reason: Any) -> None:
            release.wait(DEADLINE)

    with Supervisor.start_link(
        [ChildSpec("a", start=Hanging, shutdown=0.05), Noting.child_spec({}, id="b")],
        strategy="one_for_one",
    ) as app:
        in_thread(lambda: app.terminate_child("a"))
        assert {child.id: child.ref is None for child in app.which_children()} == {
            "a": True,
            "b": False,
        }
        release.set()
    pause = threading.Event()
    while unstopped():
        pause.wait(0.001)


@pytest.mark.contract("S158", "S161")
def test_who_waits_for_a_start_comes_before_handle_continue() -> None:
    """A handle_continue that blocks holds neither the starter nor the supervisor."""
    release = threading.Event()

    class Slow(GenServer):
        def init(self) -> Any:
            return Continue("go on")

        def handle_continue(self, continuation: Any) -> None:
            release.wait(DEADLINE)

    with Supervisor.start_link([], strategy="one_for_one") as app:
        first = in_thread(lambda: app.start_child(Slow.child_spec(id=1)))
        second = in_thread(lambda: app.start_child(Slow.child_spec(id=2)))
        assert first.is_alive()
        assert second.is_alive()
        assert len(app.which_children()) == 2
        release.set()


def test_a_crash_loop_leaves_others_their_turn() -> None:
    """Children that crash at once again and again hold nobody up."""
    answered = threading.Event()

    class Looping(GenServer):
        def init(self) -> Any:
            return Continue("crash")

        def handle_continue(self, continuation: Any) -> None:
            if not answered.is_set():
                raise RuntimeError

    class Quiet(GenServer):
        def handle_call(self, request: Any, sender: Any) -> Any:
            return request

    quiet = Quiet.start()
    children = [Looping.child_spec(id=number, name=("looping", number)) for number in range(4)]
    with Supervisor.start_link(children, strategy="one_for_one", max_restarts=10**9) as app:
        for number in range(50):
            assert quiet.call(number, timeout=DEADLINE) == number
            assert len(app.which_children()) == 4
        answered.set()
        assert [whereis(("looping", 9)), quiet.stop()] == [None, True]


def replaced_within_a_handler(name: str, start: Callable[[], Any]) -> bool:
    """Kills the actor of this name and stays until there is another, without a library's wait."""
    first, pause = whereis(name), threading.Event()
    start()
    for _ in range(2000):
        if whereis(name) not in {None, first}:
            return True
        pause.wait(0.001)
    return False


@pytest.mark.parametrize("kill", [True, False], ids=["kills", "stops"])
@pytest.mark.parametrize("where", ["handler", "init", "init in the caller"])
def test_a_handler_that_ends_another_does_not_hold_the_supervisor(where: str, kill: bool) -> None:
    """The ended actor is replaced while the handler, or init, that ended it still runs."""

    class Killing(GenServer):
        def init(self, at_once: bool) -> None:
            self.replaced = at_once and self.kill()

        def kill(self) -> bool:
            victim = whereis("victim")
            end = partial(victim.exit, Killed()) if kill else victim.stop
            return replaced_within_a_handler("victim", end)

        def handle_call(self, request: Any, sender: Any) -> bool:
            return self.replaced or self.kill()

    victims = [Noting.child_spec({}, name="victim")]
    with Supervisor.start_link(victims, strategy="one_for_one"):
        if where == "init in the caller":
            ref = in_thread(lambda: Killing.start(True))
        else:
            ref = Killing.start(where == "init")
        assert ref.ask("replaced")
        ref.stop()


def test_inits_that_start_actors_may_nest_deeply() -> None:
    """However deep starts are nested, each init is run by somebody."""

    class Nested(GenServer):
        def init(self, depth: int) -> None:
            self.inner = Nested.start(depth - 1) if depth else None

        def terminate(self, reason: Any) -> None:
            if self.inner is not None:
                self.inner.stop()

    assert in_thread(lambda: Nested.start(40)).stop()


def test_what_a_caller_runs_has_a_context_of_its_own() -> None:
    """An init in the caller's thread neither sees nor changes the caller's context variables."""
    variable = ContextVar("variable", default="untouched")
    seen: list[str] = []

    class Setting(GenServer):
        def init(self) -> None:
            seen.append(variable.get())
            variable.set("the actor's")

    def start() -> str:
        variable.set("the caller's")
        Setting.start().stop()
        return variable.get()

    assert in_thread(start) == "the caller's"
    assert seen == ["untouched"]


def test_the_object_is_made_in_the_context_of_the_caller() -> None:
    """As in Pykka, __init__ runs in the starter's thread; it sees the starter's variables."""
    variable = ContextVar("variable", default="nobody's")
    seen: list[str] = []

    class Made(GenServer):
        def __init__(self) -> None:
            super().__init__()
            seen.append(variable.get())

    def start() -> Any:
        variable.set("the caller's")
        return Made.start().stop()

    assert in_thread(start)
    assert seen == ["the caller's"]


def test_an_init_may_run_an_event_loop_though_its_caller_does() -> None:
    """A start in a coroutine fails no init that runs a loop of its own."""

    class Looping(GenServer):
        def init(self) -> None:
            asyncio.run(asyncio.sleep(0))

    async def start() -> Any:
        return Looping.start()

    assert in_thread(lambda: asyncio.run(start())).stop()


def test_a_caller_deep_in_calls_ends_no_supervisor() -> None:
    """Who has nearly used up its recursion limit still gets a child, started with a fresh stack."""

    class Calling(GenServer):
        def init(self) -> None:
            self.depth = deepen(600, lambda: 600)

    def deepen(depth: int, act: Callable[[], Any]) -> Any:
        return deepen(depth - 1, act) if depth else act()

    with DynamicSupervisor.start_link() as crowd:
        ref = in_thread(lambda: deepen(600, lambda: crowd.start_child(Calling)))
        assert ref.is_alive()
        assert crowd.count_children().active == 1


def test_a_kill_deep_in_calls_is_told_to_all() -> None:
    """Wherever in a kill the recursion limit is met, the supervisor and monitors hear of it."""

    def deepen(depth: int, act: Callable[[], Any]) -> Any:
        return deepen(depth - 1, act) if depth else act()

    def kill(depth: int, victim: Any) -> None:
        with suppress(RecursionError):
            deepen(depth, lambda: victim.exit(Killed()))

    limit = sys.getrecursionlimit()
    spec = ChildSpec("x", start=GenServer, restart="temporary")
    crowd = DynamicSupervisor.start_link()
    met = 0
    for depth in range(limit - 80, limit):
        victim = crowd.start_child(spec)
        monitor = victim.monitor()
        in_thread(partial(kill, depth, victim))
        if not victim.is_alive():
            met += 1
            assert monitor.wait(timeout=DEADLINE).reason == Killed()
    assert 0 < met < 80
    crowd.stop(timeout=DEADLINE)


def test_a_supervisor_is_not_told_of_an_end_that_was_its_own_doing() -> None:
    """It hears of an end once: by news, or because it ended the child in its own turn."""
    told: list[Any] = []
    with DynamicSupervisor.start_link() as crowd:
        ref, actor = crowd.start_child(Noting.child_spec({})), crowd.process.actor
        actor._otp_child_ended = lambda *news: told.append(news)
        crowd.terminate_child(ref)
        assert (told, ref.is_alive(), crowd.count_children().specs) == ([], False, 0)
        del actor._otp_child_ended


def test_stop_runs_nothing_of_others_in_the_context_of_the_caller() -> None:
    """What a monitor calls at the end sees none of the context variables of who stops the actor."""
    variable = ContextVar("variable", default="untouched")
    seen: list[str] = []

    def stop() -> Any:
        variable.set("the caller's")
        ref = GenServer.start()
        ref.monitor(lambda _: seen.append(variable.get()))
        return ref.stop()

    assert in_thread(stop)
    assert seen == ["untouched"]


def test_stop_calls_back_who_asked_in_no_context_of_the_caller() -> None:
    """Who asked and was not answered is called back where the actor ends, with no variable set."""
    variable = ContextVar("variable", default="untouched")
    seen: list[str] = []

    class Silent(GenServer):
        def handle_call(self, request: Any, sender: Any) -> Any:
            return NO_REPLY if request == "open" else request

    ref = Silent.start()
    future = ref.ask("open", block=False)
    assert ref.ask("next", timeout=DEADLINE) == "next"
    settle(timeout=DEADLINE)
    future.add_done_callback(lambda _: seen.append(variable.get()))

    def stop() -> Any:
        variable.set("the caller's")
        return ref.stop()

    assert in_thread(stop)
    assert seen == ["untouched"]


@pytest.mark.contract("S190")
def test_a_suspended_supervisor_obeys_its_own_supervisor() -> None:
    """A supervisor stops its children, suspended or not, when the one above it stops it."""
    inner = ChildSpec(
        "inner",
        start=Supervisor,
        args=([Noting.child_spec({})],),
        kwargs={"strategy": "one_for_one"},
        type="supervisor",
    )
    app = Supervisor.start_link([inner], strategy="one_for_one")
    held = app.which_children()[0].ref
    introspect.suspend(held)
    assert app.stop(timeout=DEADLINE)
    assert not held.is_alive()


def test_a_handler_and_an_init_may_own_a_system() -> None:
    """A System that is entered inside a pooled actor starts, works and stops."""

    def own() -> Any:
        with System([Noting.child_spec({}, name="owned")], strategy="one_for_one"):
            owned = whereis("owned")
            return owned.call("where") is not threading.main_thread()

    class Owning(GenServer):
        def init(self) -> None:
            self.worked = own()

        def handle_call(self, request: Any, sender: Any) -> bool:
            return bool(self.worked and own())

    in_caller = in_thread(Owning.start)
    assert in_caller.ask("own", timeout=DEADLINE)
    in_pool = Owning.start()
    assert in_pool.ask("own", timeout=DEADLINE)
    assert [in_caller.stop(), in_pool.stop()] == [True, True]

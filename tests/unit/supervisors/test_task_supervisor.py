"""Task supervisors, stepped by hand: who is tied to whom, what is refused, who is told."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    ChildCounts,
    ChildNotFoundError,
    ChildSpec,
    ChildSpecError,
    Crashed,
    Exit,
    GenServer,
    Killed,
    MaxChildrenError,
    NoProcError,
    Normal,
    Supervisor,
    TaskSupervisor,
    callers,
    cancelled,
    whereis,
)
from supervisors._runtime.current import current
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import boom, probe
from tests.unit.supervisors.stepped import Seen


@pytest.fixture
def crew(turns: ManualDispatcher) -> Any:
    """A task supervisor on the test's turns."""
    return TaskSupervisor.start_link(dispatcher=turns)


def reasons(ref: Any) -> Any:
    """Returns the reason that a monitor of this reference gets."""
    return ref.monitor().wait(1).reason


# ---- run ---------------------------------------------------------------------------------------


@pytest.mark.contract("S177")
def test_a_crash_ends_the_caller(crew: Any, turns: ManualDispatcher) -> None:
    """A linked task that raises ends the actor that started it, with the same reason."""
    ref, _ = probe(turns)
    watch = ref.monitor()
    ref.tell(lambda self: setattr(self, "task", crew.run(boom, dispatcher=turns)))
    reason = watch.wait(1).reason
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, ValueError)
    assert crew.count_children().specs == 0
    assert crew.stop()


@pytest.mark.contract("S177")
def test_a_trapping_caller(crew: Any, turns: ManualDispatcher) -> None:
    """It gets an Exit for the crash, lives on, and has the exception as the task's result."""
    ref, notes = probe(turns)
    ref.process.actor.trap_exit = True
    task = ref.call(lambda self: crew.run(boom, dispatcher=turns))
    turns.run_until_idle()
    assert [(note.ref, type(note.reason)) for note in notes if isinstance(note, Exit)] == [
        (task.ref, Crashed)
    ]
    outcome = ref.call(lambda _: task.yield_(0))
    assert isinstance(outcome.error, ValueError)
    assert ref.stop()
    assert crew.stop()


@pytest.mark.contract("S177", "S178")
@pytest.mark.parametrize("linked", [True, False])
def test_the_callers_end(crew: Any, turns: ManualDispatcher, linked: bool) -> None:
    """The caller's crash ends a linked task before it runs; another one outlives its caller."""
    ran: list[Any] = []
    ref, _ = probe(turns)
    run = crew.run if linked else crew.run_nolink
    tasks: list[Any] = []

    def start_and_crash(_: Any) -> None:
        # The task begins only after this handler.
        crew.process.actor._otp_prepare = held(crew.process.actor._otp_prepare, ref)
        tasks.append(run(ran.append, 1, dispatcher=turns))

    ref.tell(start_and_crash)
    turns.run_until_idle()
    assert not ref.is_alive()
    assert ran == ([] if linked else [1])
    assert not tasks[0].ref.is_alive()
    assert crew.stop()


def held(prepare: Any, ref: Any) -> Any:
    """Returns a preparation after which the caller crashes at once."""

    def prepared(process: Any, spec: Any) -> None:
        prepare(process, spec)
        ref.process.finish(Crashed(ValueError("caller")))

    return prepared


@pytest.mark.contract("S177")
def test_a_caller_that_is_dead_already(crew: Any, turns: ManualDispatcher) -> None:
    """A linked task whose caller has crashed meanwhile never runs."""
    ran: list[Any] = []
    ref, _ = probe(turns)
    process = ref.process
    ref.stop(ValueError())
    current.process = process
    task = crew.run(ran.append, 1, dispatcher=turns)
    current.process = None
    turns.run_until_idle()
    assert (ran, task.done(), task.ref.is_alive()) == ([], True, False)
    assert crew.stop()


@pytest.mark.contract("S177")
def test_a_plain_thread_is_never_hit(crew: Any, turns: ManualDispatcher) -> None:
    """Outside an actor the crash is in the result and nowhere else."""
    task = crew.run(boom, dispatcher=turns)
    turns.run_until_idle()
    with pytest.raises(ValueError, match="boom"):
        task.result(1)
    assert crew.is_alive()
    assert crew.stop()


@pytest.mark.contract("S178")
def test_nolink(crew: Any, turns: ManualDispatcher) -> None:
    """The crash of a task without a link reaches its caller only when that asks for the result."""
    ref, _ = probe(turns)
    task = ref.call(lambda self: crew.run_nolink(boom, dispatcher=turns))
    turns.run_until_idle()
    assert ref.is_alive()
    assert isinstance(ref.call(lambda _: task.yield_(0)).error, ValueError)
    assert task.owner is ref
    assert ref.stop()
    assert crew.stop()


def test_arguments(crew: Any, turns: ManualDispatcher) -> None:
    """The function gets them as they are given; the words of run() are its own."""

    def show(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    task = crew.run(show, 1, [2], three=3, name="n", restart="r", dispatcher=turns)
    assert task.result(1) == ((1, [2]), {"three": 3, "name": "n", "restart": "r"})
    bound = functools.partial(show, shutdown="mine", dispatcher="mine too")
    assert crew.run(bound, dispatcher=turns).result(1) == (
        (),
        {"shutdown": "mine", "dispatcher": "mine too"},
    )
    assert crew.stop()


@pytest.mark.parametrize(("wrong", "said"), [(3, "not a int"), (GenServer, "is an actor")])
def test_what_is_no_function(crew: Any, wrong: Any, said: str) -> None:
    """It is refused in the caller."""
    for attempt in (
        crew.run,
        crew.run_nolink,
        crew.start_child,
        lambda fn: crew.map(fn, []),
    ):
        with pytest.raises(ChildSpecError, match=said):
            attempt(wrong)
    assert crew.stop()


def test_bad_shutdown(crew: Any) -> None:
    """It is refused in the caller, as in any child specification."""
    for attempt in (
        crew.run,
        crew.run_nolink,
        crew.start_child,
        lambda fn, **k: crew.map(fn, [], **k),
    ):
        with pytest.raises(ChildSpecError, match="shutdown must be"):
            attempt(print, shutdown=-1)
    assert crew.stop()


# ---- start_child -------------------------------------------------------------------------------


@pytest.mark.contract("S179", "S63")
def test_start_child(turns: ManualDispatcher) -> None:
    """It is called once, whatever comes of it, and that costs the supervisor nothing."""
    ran: list[Any] = []
    crew = TaskSupervisor.start_link(max_restarts=0, dispatcher=turns)

    def fail() -> None:
        ran.append("x")
        boom()

    refs = [crew.start_child(fail, dispatcher=turns) for _ in range(5)]
    assert crew.start_child(ran.append, "ok", dispatcher=turns) is not None
    turns.run_until_idle()
    assert sorted(ran) == ["ok", *"xxxxx"]
    assert [ref.is_alive() for ref in refs] == [False] * 5
    assert crew.count_children() == ChildCounts(0, 0, 0, 0)
    assert crew.stop()


@pytest.mark.contract("S179")
def test_restart_types(turns: ManualDispatcher) -> None:
    """A transient task is called again until it returns, a permanent one whenever it returns."""
    crew = TaskSupervisor.start_link(dispatcher=turns)
    ran: list[str] = []

    def fail_twice() -> None:
        ran.append("t")
        if len(ran) < 3:
            boom()

    crew.start_child(fail_twice, restart="transient", dispatcher=turns)
    turns.run_until_idle()
    assert ran == ["t"] * 3
    watch = crew.monitor()
    crew.start_child(ran.append, "p", restart="permanent", dispatcher=turns)
    turns.run_until_idle()
    # Two restarts before, one more within the intensity, and one too many.
    assert ran == ["t"] * 3 + ["p"] * 2
    assert type(watch.wait(1).reason).__name__ == "GaveUp"


@pytest.mark.contract("S179")
def test_start_child_has_no_link(crew: Any, turns: ManualDispatcher) -> None:
    """The caller does not hear of the end, and a bad restart type is refused."""
    ref, notes = probe(turns)
    ref.process.actor.trap_exit = True
    ref.call(lambda _: crew.start_child(boom, dispatcher=turns) and None)
    turns.run_until_idle()
    assert notes == ["init", "call"]
    with pytest.raises(ChildSpecError, match="restart must be one of"):
        crew.start_child(boom, restart="never")
    assert ref.stop()
    assert crew.stop()


# ---- bounds and ends ---------------------------------------------------------------------------


@pytest.mark.contract("S182")
def test_max_children(turns: ManualDispatcher) -> None:
    """Beyond it nothing is started, by any of the ways; a task that ended frees its slot."""
    crew = TaskSupervisor.start_link(max_children=0, dispatcher=turns)
    for attempt in (
        crew.run,
        crew.run_nolink,
        crew.start_child,
        lambda fn, **keys: next(crew.map(fn, [1], **keys)),
    ):
        with pytest.raises(MaxChildrenError, match="max_children=0 is reached"):
            attempt(print, dispatcher=turns)
    assert crew.stop()
    crew = TaskSupervisor.start_link(max_children=1, dispatcher=turns)
    for number in range(5):
        # Who has the result finds the slot free.
        assert crew.run(abs, number, dispatcher=turns).result(1) == number
    assert crew.stop()


@pytest.mark.contract("S109", "S182")
def test_the_supervisor_is_told_first(crew: Any, turns: ManualDispatcher) -> None:
    """Before anybody has the result, the news of the end is on its way to the supervisor."""
    news: list[list[str]] = []
    actor = crew.process.actor

    def prepare(process: Any, spec: Any) -> None:
        type(actor)._otp_prepare(actor, process, spec)
        mailbox = crew.process.mailbox.user
        process.actor.job.reply.add_done_callback(
            lambda _: news.append([type(item).__name__ for item in mailbox])
        )

    actor._otp_prepare = prepare
    for function in (int, boom):
        crew.run(function, dispatcher=turns)
        turns.run_until_idle()
    assert [names[-1] for names in news] == ["ChildExited"] * 2
    assert crew.stop()


@pytest.mark.contract("S186")
def test_terminate_child(crew: Any, turns: ManualDispatcher) -> None:
    """A task is found by its ref, or as a Task, until it has ended."""
    # A task that was told to stop before it could run.
    crew.process.actor._otp_prepare = stopped(crew.process.actor._otp_prepare)
    tasks = [crew.run_nolink(boom, dispatcher=turns) for _ in range(2)]
    del crew.process.actor._otp_prepare
    for name in (tasks[0], tasks[1].ref):
        crew.terminate_child(name)
        for gone in (name, "boom"):
            with pytest.raises(ChildNotFoundError):
                crew.terminate_child(gone)
    assert [type(task.yield_(0).error) for task in tasks] == [NoProcError] * 2
    assert crew.stop()


def stopped(prepare: Any) -> Any:
    """Returns a preparation after which the task does not run by itself."""

    def prepared(process: Any, spec: Any) -> None:
        prepare(process, spec)
        process.actor._otp_after_start = lambda: None

    return prepared


@pytest.mark.contract("S183")
def test_custom_shutdown(crew: Any, turns: ManualDispatcher) -> None:
    """What is given with a task is in its specification, for the supervisor to keep to."""
    crew.process.actor._otp_prepare = stopped(crew.process.actor._otp_prepare)
    for shutdown in (BRUTAL_KILL, None, 2.0):
        for start in (crew.run, crew.run_nolink, crew.start_child):
            task = start(boom, shutdown=shutdown, dispatcher=turns)
            ref = getattr(task, "ref", task)
            assert crew.get_childspec(ref).shutdown == shutdown
            watch = ref.monitor()
            crew.terminate_child(ref)
            assert (watch.wait(1).reason == Killed()) is (shutdown is BRUTAL_KILL)
    assert crew.get_childspec(crew.run(boom, dispatcher=turns).ref).shutdown == 5.0
    assert crew.stop()


def test_a_task_takes_no_messages(crew: Any, turns: ManualDispatcher) -> None:
    """What is sent to it is a dead letter; who asks gets an error."""
    crew.process.actor._otp_prepare = stopped(crew.process.actor._otp_prepare)
    ref = crew.start_child(boom, dispatcher=turns)
    ref.tell("x")
    with pytest.raises(Exception, match="handle_call"):
        ref.call("x")
    assert ref.is_alive()
    assert crew.stop()
    assert not ref.is_alive()


def test_cancelled(crew: Any, turns: ManualDispatcher) -> None:
    """A function that runs sees that it was told to stop; a plain thread never is."""
    seen: list[bool] = []

    def look() -> str:
        seen.append(cancelled())
        assert current.process is not None
        current.process.actor_ref.stop(block=False)
        seen.append(cancelled())
        return "done"

    task = crew.run(look, dispatcher=turns)
    assert task.result(1) == "done"
    assert seen == [False, True]
    assert cancelled() is False
    assert crew.stop()


# ---- who is told -------------------------------------------------------------------------------


@pytest.mark.contract("S185")
def test_callers(crew: Any, turns: ManualDispatcher, seen: Seen) -> None:
    """A task knows who had it started, through other tasks, and the report of its crash says so."""
    seen.of(("supervisors", "actor", "crashed"))
    chains: list[Any] = []

    def inner() -> None:
        chains.append(callers())
        boom()

    def outer() -> None:
        chains.append(callers())
        crew.start_child(inner, dispatcher=turns)

    ref, _ = probe(turns, name="boss")
    first = ref.call(lambda _: crew.run_nolink(outer, dispatcher=turns)).ref
    turns.run_until_idle()
    assert chains == [(ref,), (first, ref)]
    assert [event[2]["callers"] for event in seen.events] == [f"{first} < {ref}"]
    assert crew.run(callers, dispatcher=turns).result(1) == ()
    assert callers() == ()
    assert [list(crew.map(lambda _: callers(), [1], dispatcher=turns))] == [[()]]
    ref.tell(boom)
    turns.run_until_idle()
    assert "callers" not in seen.events[-1][2]
    assert crew.stop()


def test_names_are_shown_and_arguments_are_not(
    crew: Any, turns: ManualDispatcher, seen: Seen
) -> None:
    """A crash is reported with the function's name; its arguments are in no text."""
    seen.of(("supervisors", "actor", "crashed"), ("supervisors", "child", "terminated"))

    def leak(secret: str) -> None:
        raise ValueError(secret)

    task = crew.run_nolink(leak, "hunter2", dispatcher=turns)
    turns.run_until_idle()
    said = repr([task, task.yield_(0), seen.events])
    assert "leak" in said
    assert "hunter2" not in said
    assert seen.events[0][2]["path"].endswith("leak")
    assert crew.stop()


def test_a_task_that_exits_the_program(crew: Any, turns: ManualDispatcher) -> None:
    """A SystemExit ends the task alone; its owner is told, not ended."""

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(NoProcError) as caught:
        crew.run(leave, dispatcher=turns).result(1)
    assert isinstance(caught.value.reason, Crashed)
    assert crew.stop()


# ---- the supervisor itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"extra_args": ()}, "unknown option 'extra_args' of a task supervisor"),
        ({"max_childs": 1}, "'max_childs' of a task supervisor .did you mean 'max_children'"),
        ({"auto_shutdown": "any_significant"}, "has no auto_shutdown"),
        ({"max_children": -1}, "0 or more"),
    ],
)
def test_bad_options(options: dict[str, Any], said: str) -> None:
    """Each is refused in the caller."""
    for attempt in (TaskSupervisor.start_link, TaskSupervisor.start, TaskSupervisor.child_spec):
        with pytest.raises(ChildSpecError, match=said):
            attempt(**options)


def test_as_a_child(turns: ManualDispatcher) -> None:
    """It goes into another supervisor, has a name, and stops with it."""
    specs = [
        TaskSupervisor.child_spec(name="crew", max_children=3, dispatcher=turns),
        ChildSpec("plain", TaskSupervisor, type="supervisor", kwargs={"dispatcher": turns}),
    ]
    sup = Supervisor.start_link(specs, strategy="one_for_one", dispatcher=turns)
    assert whereis("crew").run(abs, -1, dispatcher=turns).result(1) == 1
    assert whereis("crew").describe().dynamic
    assert [info.type for info in sup.which_children()] == ["supervisor"] * 2
    assert sup.stop()
    crew = TaskSupervisor.start(dispatcher=turns)
    watch = crew.monitor()
    assert crew.stop()
    assert watch.wait(1).reason == Normal()

"""Tasks, stepped by hand: the one result, its one owner, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import gc
import weakref
from datetime import timedelta
from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    CallTimeout,
    Killed,
    NoProcError,
    Shutdown,
    TaskAwaitError,
    TaskOutcome,
    TaskSupervisor,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import boom, probe


@pytest.fixture
def crew(turns: ManualDispatcher) -> Any:
    """A task supervisor on the test's turns."""
    return TaskSupervisor.start_link(dispatcher=turns)


class Held:
    """A task whose function runs when the test says so."""

    def __init__(self, crew: Any, turns: ManualDispatcher, value: Any = "value") -> None:
        actor = crew.process.actor

        def prepare(process: Any, spec: Any) -> None:
            type(actor)._otp_prepare(actor, process, spec)
            self.begin = process.actor._otp_after_start
            process.actor._otp_after_start = lambda: None

        actor._otp_prepare = prepare
        self.ran: list[Any] = []

        def work() -> Any:
            self.ran.append(1)
            return value

        self.task = crew.run(work, dispatcher=turns)
        del actor._otp_prepare


@pytest.fixture
def held(crew: Any, turns: ManualDispatcher) -> Held:
    """A task that has not run yet."""
    return Held(crew, turns)


# ---- once, by the owner ------------------------------------------------------------------------


@pytest.mark.contract("S180")
@pytest.mark.parametrize("way", ["result", "yield_", "shutdown"])
def test_once(crew: Any, turns: ManualDispatcher, way: str) -> None:
    """The result is given once, be it a value or an error; then every way to it is closed."""
    good, bad = (crew.run(fn, dispatcher=turns) for fn in (int, boom))
    turns.run_until_idle()
    if way == "result":
        assert good.result(1) == 0
        with pytest.raises(ValueError, match="boom"):
            bad.result(1)
    else:
        assert getattr(good, way)(1).value == 0
        assert isinstance(getattr(bad, way)(1).error, ValueError)
    for task in (good, bad):
        for again in (task.result, task.yield_, task.shutdown):
            with pytest.raises(TaskAwaitError, match="gave its result already"):
                again()
        assert task.done()
    assert crew.stop()


@pytest.mark.contract("S180")
def test_only_the_owner(crew: Any, turns: ManualDispatcher) -> None:
    """Another actor cannot take it, nor a plain thread what is an actor's; it is not lost by it."""
    owner, _ = probe(turns, name="owner")
    other, _ = probe(turns, name="other")
    of_owner = owner.call(lambda _: crew.run(int, "1", dispatcher=turns))
    of_thread = crew.run(int, "2", dispatcher=turns)

    def refused(task: Any) -> list[str]:
        texts = []
        for way in (task.result, task.yield_, task.shutdown):
            with pytest.raises(TaskAwaitError) as caught:
                way()
            texts.append(str(caught.value))
        return texts

    assert all("belongs to Probe ('owner')" in text for text in refused(of_owner))
    assert all("belongs to Probe ('owner')" in t for t in other.call(lambda _: refused(of_owner)))
    assert all("belongs to plain threads" in t for t in owner.call(lambda _: refused(of_thread)))
    assert (of_owner.owner, of_thread.owner) == (owner, None)
    assert owner.call(lambda _: of_owner.result(1)) == 1
    assert of_thread.result(1) == 2
    for ref in (owner, other, crew):
        assert ref.stop()


@pytest.mark.contract("S180")
@pytest.mark.parametrize("timeout", [0, 0.1, timedelta(seconds=0.1)])
def test_timeout(held: Held, crew: Any, timeout: Any) -> None:
    """It gives the result up: the task goes on, and what it returns is kept by nobody."""

    class Value:
        pass

    held = Held(crew, crew.process.dispatcher, Value())
    with pytest.raises(CallTimeout):
        held.task.result(timeout)
    assert held.task.ref.is_alive()
    with pytest.raises(TaskAwaitError, match="was given up"):
        held.task.result()
    reply = held.task.ref.process.actor.job.reply
    assert not reply._callbacks, "a waiter was left behind"
    held.begin()
    assert held.ran == [1]
    assert isinstance(reply.get(), Value)
    gone = weakref.ref(reply)
    del reply, held.begin
    crew.count_children()
    gc.collect()
    assert gone() is None
    assert crew.stop()


@pytest.mark.contract("S180")
def test_an_error_that_is_a_timeout(crew: Any, turns: ManualDispatcher) -> None:
    """A CallTimeout that the function raised is its outcome."""

    def slow() -> None:
        raise CallTimeout(3.0)

    with pytest.raises(CallTimeout, match=r"3\.0"):
        crew.run(slow, dispatcher=turns).result(1)
    outcome = crew.run(slow, dispatcher=turns).yield_(1)
    assert isinstance(outcome.error, CallTimeout)
    assert crew.stop()


@pytest.mark.contract("S180")
def test_await(crew: Any, turns: ManualDispatcher, held: Held) -> None:
    """In a coroutine it is the same result, once, and giving the wait up gives it up too."""
    done = crew.run(int, "7", dispatcher=turns)
    failed = crew.run(boom, dispatcher=turns)
    turns.run_until_idle()

    async def main() -> Any:
        with pytest.raises(ValueError, match="boom"):
            await failed
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(held.task, 0.001)
        for task in (failed, held.task):
            with pytest.raises(TaskAwaitError):
                await task
        return await done

    assert asyncio.run(main()) == 7
    held.begin()
    assert crew.stop()


# ---- yield_ and shutdown -----------------------------------------------------------------------


@pytest.mark.contract("S181")
def test_yield(held: Held, crew: Any) -> None:
    """Nothing on a time-out, as often as asked; then the outcome, and result() would do too."""
    for timeout in (0, 0.1, timedelta(0)):
        assert held.task.yield_(timeout) is None
    assert repr(held.task).endswith("work running>")
    held.begin()
    assert repr(held.task).endswith("work ended>")
    outcome = held.task.yield_(0)
    assert (outcome.ok, outcome.value, outcome.unwrap()) == (True, "value", "value")
    assert repr(outcome) == "TaskOutcome(value=<str>)"
    assert repr(held.task).endswith("work awaited>")
    assert crew.stop()


@pytest.mark.contract("S181")
def test_result_after_yield(held: Held, crew: Any) -> None:
    """A yield_ in vain leaves the result where it is."""
    assert held.task.yield_(0) is None
    held.begin()
    assert held.task.result(0) == "value"
    assert crew.stop()


def test_a_none_is_an_outcome(crew: Any, turns: ManualDispatcher) -> None:
    """A function that returned None has an outcome all the same."""
    outcome = crew.run(print, end="", dispatcher=turns).yield_(1)
    assert isinstance(outcome, TaskOutcome)
    assert (outcome.ok, outcome.value) == (True, None)
    error: TaskOutcome[int] = TaskOutcome(None, KeyError("secret"))
    with pytest.raises(KeyError):
        error.unwrap()
    assert "secret" not in repr(error)
    assert not error.ok
    assert crew.stop()


@pytest.mark.contract("S181")
@pytest.mark.parametrize("timeout", [0, 1.0, None, BRUTAL_KILL])
def test_shutdown_of_one_that_ended(crew: Any, turns: ManualDispatcher, timeout: Any) -> None:
    """The result that was there already is returned, and so is the error."""
    good = crew.run(int, "7", dispatcher=turns)
    bad = crew.run(boom, dispatcher=turns)
    turns.run_until_idle()
    assert good.shutdown(timeout).value == 7
    assert isinstance(bad.shutdown(timeout).error, ValueError)
    assert crew.stop()


@pytest.mark.contract("S181")
@pytest.mark.parametrize(
    ("timeout", "reason"), [(1.0, Shutdown()), (None, Shutdown()), (BRUTAL_KILL, Killed())]
)
def test_shutdown_before_it_ran(held: Held, crew: Any, timeout: Any, reason: Any) -> None:
    """It never runs, ends for the fitting reason, and there is no outcome."""
    watch = held.task.ref.monitor()
    assert held.task.shutdown(timeout) is None
    assert watch.wait(0).reason == reason
    assert held.ran == []
    assert crew.count_children().specs == 0
    assert crew.stop()


@pytest.mark.contract("S181", "S183")
def test_shutdown_takes_the_tasks_own_time(crew: Any, turns: ManualDispatcher) -> None:
    """Without a timeout that which the task was started with is kept to."""
    actor = crew.process.actor
    ends = []
    for shutdown in (BRUTAL_KILL, 1.0):

        def prepare(process: Any, spec: Any) -> None:
            type(actor)._otp_prepare(actor, process, spec)
            process.actor._otp_after_start = lambda: None

        actor._otp_prepare = prepare
        task = crew.run(int, shutdown=shutdown, dispatcher=turns)
        watch = task.ref.monitor()
        task.shutdown()
        ends.append(watch.wait(0).reason)
    assert ends == [Killed(), Shutdown()]
    assert crew.stop()


def test_shutdown_by_an_actor(crew: Any, turns: ManualDispatcher) -> None:
    """An actor that shuts a linked task down does not end with it."""
    ref, _ = probe(turns)

    def act(_: Any) -> Any:
        held = Held(crew, turns)
        return held.task.shutdown(1.0)

    assert ref.call(act) is None
    turns.run_until_idle()
    assert ref.is_alive()
    assert ref.stop()
    assert crew.stop()


def test_bad_timeouts(held: Held, crew: Any) -> None:
    """A wrong time is refused, and the result is still to be had."""
    with pytest.raises(ValueError, match="0 or more"):
        held.task.shutdown(-1)
    held.begin()
    assert held.task.result(0) == "value"
    assert crew.stop()


def test_ended_by_others(held: Held, crew: Any) -> None:
    """A task that somebody ended has no result; the error says how it ended."""
    crew.terminate_child(held.task)
    with pytest.raises(NoProcError) as caught:
        held.task.result(0)
    assert caught.value.reason == Shutdown()
    other = Held(crew, crew.process.dispatcher)
    other.task.ref.exit(Killed())
    assert other.task.shutdown(0) is None
    assert crew.stop()


# ---- facts -------------------------------------------------------------------------------------


def test_done_callbacks(held: Held, crew: Any) -> None:
    """They are called once the task has ended, before or after the result was taken."""
    called: list[Any] = []
    held.task.add_done_callback(called.append)
    assert (called, held.task.done()) == ([], False)
    held.begin()
    assert (called, held.task.done()) == ([held.task], True)
    assert held.task.result(0) == "value"
    held.task.add_done_callback(called.append)
    assert called == [held.task] * 2
    assert crew.stop()

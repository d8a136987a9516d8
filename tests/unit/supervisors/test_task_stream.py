"""`TaskSupervisor.map`, stepped by hand: lazy, bounded, in order, and clean at its end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from supervisors import Killed, MaxChildrenError, NoProcError, Normal, TaskSupervisor
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import probe


@pytest.fixture
def crew(turns: ManualDispatcher) -> Any:
    """A task supervisor on the test's turns."""
    return TaskSupervisor.start_link(dispatcher=turns)


class Source:
    """Endless items that know how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count():
            self.taken += 1
            yield number


@pytest.mark.contract("S184")
@pytest.mark.parametrize("ordered", [True, False])
def test_all_results(turns: ManualDispatcher, crew: Any, ordered: bool) -> None:
    """Every item has its result; in order, if that is asked for."""
    for bound in (None, 1, 3, 100):
        results = list(
            crew.map(
                lambda n: n * n, range(10), max_concurrency=bound, ordered=ordered, dispatcher=turns
            )
        )
        if not ordered:
            results.sort()
        assert results == [n * n for n in range(10)]
    assert list(crew.map(abs, [], dispatcher=turns)) == []
    assert crew.count_children().specs == 0
    assert crew.stop()


@pytest.mark.contract("S184")
@pytest.mark.parametrize("ordered", [True, False])
def test_lazy_and_bounded(turns: ManualDispatcher, crew: Any, ordered: bool) -> None:
    """No item is taken before a result is asked for, and never more than the bound ahead."""
    source = Source()
    ran: list[int] = []
    stream = crew.map(ran.append, source, max_concurrency=3, ordered=ordered, dispatcher=turns)
    turns.run_until_idle()
    assert (source.taken, ran) == (0, [])
    for yielded in range(1, 5):
        next(stream)
        turns.run_until_idle()
        assert source.taken <= yielded + 2
        assert len(ran) == source.taken
    stream.close()
    assert crew.count_children().specs == 0
    assert list(stream) == []
    assert crew.stop()


@pytest.mark.contract("S184")
def test_a_function_that_raises(turns: ManualDispatcher, crew: Any) -> None:
    """The consumer gets it in its turn, after the results before it; then all is over."""
    stream = crew.map(lambda n: 1 // (n - 2), Source(), max_concurrency=2, dispatcher=turns)
    assert [next(stream), next(stream)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert list(stream) == []
    assert crew.count_children().specs == 0
    assert crew.stop()


@pytest.mark.contract("S184")
def test_items_that_raise(turns: ManualDispatcher, crew: Any) -> None:
    """So does what the items raise; tasks that were started are ended."""

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("items")

    with pytest.raises(LookupError, match="items"):
        list(crew.map(abs, items(), max_concurrency=3, dispatcher=turns))
    assert crew.count_children().specs == 0
    assert crew.stop()


@pytest.mark.contract("S184")
def test_a_consumer_that_stops_or_raises(turns: ManualDispatcher, crew: Any) -> None:
    """What it does not need any more is ended, and nothing more is started."""
    source = Source()
    for result in crew.map(abs, source, max_concurrency=2, dispatcher=turns):
        if result == 3:
            break
    taken = source.taken
    assert taken <= 5
    stream = crew.map(abs, source, max_concurrency=2, dispatcher=turns)
    with pytest.raises(LookupError), closing(stream):
        for _ in stream:
            raise LookupError
    assert source.taken <= taken + 2
    assert crew.count_children().specs == 0
    assert turns.run_until_idle() == 0
    assert crew.stop()


def hold(crew: Any, *items: int) -> None:
    """Has the tasks of these items, if any are given, else all tasks, not run by themselves."""
    actor = crew.process.actor

    def prepare(process: Any, spec: Any) -> None:
        type(actor)._otp_prepare(actor, process, spec)
        if not items or process.actor.job.args[0] in items:
            process.actor._otp_after_start = lambda: None

    actor._otp_prepare = prepare


@pytest.mark.contract("S184")
@pytest.mark.parametrize("reason", [Killed(), Normal(), ValueError()])
def test_a_consumer_that_ends(turns: ManualDispatcher, crew: Any, reason: Any) -> None:
    """The tasks of an actor do not outlive it, though somebody keeps the stream."""
    hold(crew, 1, 2)
    ref, _ = probe(turns)
    stream = crew.map(abs, Source(), max_concurrency=3, dispatcher=turns)
    assert ref.call(lambda _: next(stream)) == 0
    turns.run_until_idle()
    assert crew.count_children().active == 2
    if isinstance(reason, Killed):
        ref.exit(reason)
    else:
        ref.stop(reason)
    turns.run_until_idle()
    assert crew.count_children().specs == 0
    stream.close()
    assert crew.stop()


@pytest.mark.contract("S184")
def test_a_consumer_keeps_nothing(turns: ManualDispatcher, crew: Any) -> None:
    """Tasks that ended leave no watch on the actor that consumed them."""
    ref, notes = probe(turns)
    stream = crew.map(abs, range(20), max_concurrency=2, dispatcher=turns)
    assert ref.call(lambda _: list(stream)) == list(range(20))
    turns.run_until_idle()
    assert not ref.process._monitors
    assert notes == ["init", "call"]
    assert ref.stop()
    assert crew.stop()


@pytest.mark.contract("S182")
def test_max_children(turns: ManualDispatcher) -> None:
    """A supervisor that is full raises at the consumer, and what was started is ended."""
    crew = TaskSupervisor.start_link(max_children=1, dispatcher=turns)
    assert list(crew.map(abs, range(5), max_concurrency=1, dispatcher=turns)) == [0, 1, 2, 3, 4]
    assert crew.stop()
    with pytest.raises(NoProcError):
        next(crew.map(abs, [1], dispatcher=turns))


@pytest.mark.parametrize("bound", [0, -1, 1.5, True, "2"])
def test_bad_bound(crew: Any, bound: Any) -> None:
    """It is refused at once."""
    with pytest.raises(ValueError, match="max_concurrency must be a whole number"):
        crew.map(abs, [], max_concurrency=bound)
    assert crew.stop()


def test_full(turns: ManualDispatcher) -> None:
    """Tasks beyond max_children are refused in the middle of a stream too."""
    crew = TaskSupervisor.start_link(max_children=1, dispatcher=turns)
    hold(crew)
    with pytest.raises(MaxChildrenError):
        next(crew.map(abs, [1, 2], max_concurrency=2, dispatcher=turns))
    assert crew.count_children().specs == 0
    assert crew.stop()

"""A signal's handler that raises anywhere in a push, or where its answer is read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import phoenix_actors
from phoenix_actors.errors import ConnectionLost, QueueFull
from phoenix_actors.link.future import push_books
from phoenix_actors.link.topic import Topic
from phoenix_actors.message import ChannelState
from phoenix_actors.transport.own_lock import is_mine
from supervisors import Normal, Reply
from tests.striking import strike_in_life_at
from tests.unit.phoenix_actors.link.link_bench import Handle, LinkBench, QuickHandle

_CLIENT = str(Path(phoenix_actors.__file__).parent)


class Struck:
    """A joined channel, and what became of its pushes."""

    def __init__(self) -> None:
        self.bench = LinkBench()
        self.handle = self.bench.open(QuickHandle())
        self.topic: Topic = self.bench.joined("t")[0]
        # The first one makes the head.
        self.ask()
        self.handle.sent.clear()

    def ask(self) -> object:
        """Pushes, and reads the answer, as a caller does."""
        future = self.topic.push("e", {"n": 1}, 60.0)
        self.answer()
        return future.get(timeout=0)

    def answer(self) -> None:
        """The server answers what was sent last."""
        join_ref, ref = self.handle.sent[-1][:2]
        text = f'["{join_ref}","{ref}","t","phx_reply",{{"status":"ok","response":{{}}}}]'
        if not self.bench.reader.lone_text(text.encode()):
            raise AssertionError("the reader thread has nothing to do")

    def settle(self) -> None:
        """What was sent is answered, where the connection still stands, else lost."""
        wire = self.bench.wire
        if self.handle.aborted or not wire.pending():
            self.bench.lose(ConnectionLost(None, "interrupted"))
        else:
            self.answer()


@pytest.mark.contract("C181")
def test_an_interrupted_push_has_an_end() -> None:
    """No push waits for its time-out, what is counted was sent, and the next one goes."""
    run = Struck()
    for step in itertools.count():
        struck = True
        counted = run.bench.session.counters["pushes"]
        run.handle.sent.clear()
        try:
            struck = strike_in_life_at(step, run.ask, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            sent, lane = len(run.handle.sent), run.bench.wire.outbox.lane
            assert lane is not None
            told = f"struck at step {step}"
            assert not is_mine(lane.writing), told
            assert (len(lane), lane.unfinished) == (0, None), told
            pushes = run.bench.session.counters["pushes"] - counted
            if run.handle.aborted:
                assert sent <= pushes == 1, told
            else:
                assert sent == pushes, told
            run.settle()
            assert run.bench.wire.pending() == 0, told
            books = push_books(run.bench.session.counters.snapshot())
            assert books["waiting"] == 0, (told, books)
            run.bench.close()
            run = Struck()
        if not struck:
            break
    assert step > 40
    run.bench.close()


def first() -> LinkBench:
    """The first push of its event."""
    bench = LinkBench()
    bench.open(QuickHandle())
    bench.joined("t")
    return bench


def looked_at() -> LinkBench:
    """Somebody wants counts by topic."""
    bench = first()
    bench.session.count_traffic()
    return bench


def slow() -> LinkBench:
    """The transport does not say whether it can send without waiting."""
    bench = LinkBench()
    bench.open(Handle())
    bench.joined("t")
    return bench


def half_sent() -> LinkBench:
    """The socket takes a part of the frame."""
    bench = LinkBench()
    handle = bench.open(QuickHandle())
    bench.joined("t")
    handle.says = [False]
    return bench


def between_lives() -> LinkBench:
    """No actor serves the topic."""
    bench = LinkBench()
    bench.topic("t")
    return bench


def joining() -> LinkBench:
    """The server has not answered the join."""
    bench = LinkBench()
    bench.attach(bench.topic("t"))
    return bench


def full(overflow: str) -> LinkBench:
    """As many pushes wait as may."""
    bench = LinkBench(max_pending_messages=1, overflow=overflow)
    topic = bench.topic("t")
    bench.attach(topic)
    topic.push("e", {}, 60.0)
    return bench


@pytest.mark.contract("C181")
@pytest.mark.parametrize(
    "begin",
    [
        first,
        looked_at,
        slow,
        half_sent,
        between_lives,
        joining,
        pytest.param(lambda: full("error"), id="full, error"),
        pytest.param(lambda: full("drop_oldest"), id="full, drop_oldest"),
        pytest.param(lambda: full("drop_newest"), id="full, drop_newest"),
    ],
    ids=lambda begin: getattr(begin, "__name__", None),
)
def test_the_books_of_pushes_that_go_the_long_way(begin: Callable[[], LinkBench]) -> None:
    """An interrupted one is counted with its end, or not at all."""
    for step in itertools.count():
        bench = begin()
        topic = bench.session.topic("t")
        assert topic is not None
        push = partial(topic.push, "e", {"n": 1}, 60.0)
        struck = True
        try:
            struck = strike_in_life_at(step, push, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            pass
        except QueueFull:
            # As without a strike.
            struck = False
        bench.lose(ConnectionLost(None, "over"))
        topic.leave(None)
        topic.close()
        books = push_books(bench.session.counters.snapshot())
        assert books["waiting"] == bench.wire.pending() == 0, (step, books)
        bench.close()
        if not struck:
            break
    assert step > 30


@pytest.mark.contract("C81", "C181")
def test_a_push_that_is_dropped_for_another_one_is_told() -> None:
    """Wherever the other one was interrupted: it was taken out of what waits to be written."""
    for step in itertools.count():
        bench = LinkBench(max_pending_messages=2, overflow="drop_oldest")
        handle = bench.open(QuickHandle())
        topic = bench.joined("t")[0]
        outbox, handle.says = bench.wire.outbox, [None] * 9
        assert outbox.lane is not None
        outbox.lane.writable = lambda: False
        # Nor does the writer come that far.
        outbox._ring = lambda lane: None  # type: ignore[method-assign]
        futures = [topic.push("e", {}, None) for _ in range(2)]
        struck = True
        try:
            push = partial(topic.push, "e", {}, None)
            struck = strike_in_life_at(step, push, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            pass
        else:
            assert [future.done() for future in futures] == [False, True], step
        bench.lose(ConnectionLost(None, "over"))
        assert [future.done() for future in futures] == [True, True], step
        topic.leave(None)
        books = push_books(bench.session.counters.snapshot())
        assert books["waiting"] == bench.wire.pending() == 0, (step, books)
        bench.close()
        if not struck:
            break
    assert step > 100


@pytest.mark.contract("C83", "C181")
@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("begin", [first, joining, between_lives])
def test_whoever_waits_for_a_topic_hears_of_its_end(
    begin: Callable[[], LinkBench], again: bool
) -> None:
    """Wherever leave() was interrupted: by the next one, or by the end of the client."""
    for step in itertools.count():
        bench = begin()
        topic = bench.session.topic("t")
        assert topic is not None
        futures = [topic.push("e", {}, None) for _ in range(2)]
        struck = True
        try:
            leave = partial(topic.leave, None)
            struck = strike_in_life_at(step, leave, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            pass
        left = topic.leave(None) if again else None
        for core in bench.wire.cores():
            topic.actor_ended(core.actor, Normal())
        bench.close()
        assert [future.done() for future in futures] == [True, True], step
        assert left is None or left.done(), step
        if not struck:
            break
    assert step > 60


@pytest.mark.contract("C83", "C181")
@pytest.mark.parametrize("end", ["of the actor", "of the channel"])
@pytest.mark.parametrize("begin", [first, joining])
def test_whoever_waits_hears_of_an_end_that_is_told_twice(
    begin: Callable[[], LinkBench], end: str
) -> None:
    """Who kills, and is interrupted in telling of the end, has that told once more."""
    for step in itertools.count():
        bench = begin()
        topic = bench.session.topic("t")
        assert topic is not None
        core, stream = topic.core, topic.listeners.stream(None)
        waiter = stream.take()
        assert core is not None
        assert isinstance(waiter, Reply)
        futures = [topic.push("e", {}, None) for _ in range(2)]
        if end == "of the actor":
            tell = partial(topic.actor_ended, core.actor, Normal())
        else:
            futures = []
            tell = partial(topic.core_ended, core)
        struck = True
        try:
            struck = strike_in_life_at(step, tell, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            tell()
        assert all(future.done() for future in futures), step
        if end == "of the channel":
            assert topic.joined_once.done(), step
            assert (waiter.done(), stream.take()) == (True, None), step
        bench.close()
        if not struck:
            break
    assert step > 40


@pytest.mark.contract("C80", "C83")
def test_whoever_waits_hears_of_the_loss_of_a_connection() -> None:
    """Who kills the Socket actor, and is interrupted, has that told once more."""
    for step in itertools.count():
        bench = first()
        topic = bench.session.topic("t")
        assert topic is not None
        assert topic.core is not None
        pushed, ping = topic.push("e", {}, None), bench.wire.ping(None)
        shut = partial(bench.wire.shut, ConnectionLost(None, "over"))
        struck = True
        try:
            struck = strike_in_life_at(step, shut, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            shut()
        assert (pushed.done(), ping.done()) == (True, True), step
        assert topic.core.state is ChannelState.ERRORED, step
        bench.close()
        if not struck:
            break
    assert step > 40

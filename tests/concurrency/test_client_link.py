"""The link of a client between real threads: writers, hooks, timers, races at the seams."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest

from phoenix_actors.errors import ChannelClosed, ConnectionLost, PushTimeout, QueueFull
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.notices import Notices
from phoenix_actors.link.outbox import Outbox
from phoenix_actors.link.scheduling import may_wait
from supervisors import Reply
from tests.e2e.rig import DEADLINE, Log, eventually
from tests.unit.phoenix_actors.link.link_bench import LinkBench

pytestmark = pytest.mark.usefixtures("no_leaks", "fast_switching")


def run(*targets: Any) -> None:
    """Runs functions in threads of their own, all at once, to their ends."""
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads)


class Pipe:
    """A connection whose readiness changes with every look."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.inside = 0
        self.looks = 0

    def send_text(self, data: str) -> None:
        """Takes a frame; never two at a time."""
        self.inside += 1
        assert self.inside == 1
        self.took.append(data)
        self.inside -= 1

    def send_binary(self, data: bytes) -> None:
        """Not used."""

    def writable(self) -> bool:
        """Says no every now and then."""
        self.looks += 1
        return self.looks % 7 != 0

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Does nothing."""

    def abort(self) -> None:
        """Does nothing."""


@pytest.mark.contract("C77", "C78")
def test_every_frame_is_written_once() -> None:
    """From many threads and the writer: no frame is lost or doubled, each thread's order kept."""
    pipe, sizes = Pipe(), Counters()
    outbox = Outbox("phoenix-writer", lambda sent, _: sizes.add("sent", len(sent)), lambda *_: None)
    outbox.open(pipe)

    def put(thread: int) -> None:
        for number in range(300):
            outbox.put(f"{thread}:{number}")
            if number % 3:
                outbox.flush()
            else:
                outbox.ring()

    run(*(partial(put, thread) for thread in range(6)))
    eventually(lambda: len(pipe.took), lambda count: count == 1800)
    for thread in range(6):
        mine = [frame for frame in pipe.took if frame.startswith(f"{thread}:")]
        assert mine == [f"{thread}:{number}" for number in range(300)]
    writer = outbox.close()
    assert writer is not None
    writer.join(DEADLINE)
    assert (writer.is_alive(), sizes["sent"]) == (False, 1800)


@pytest.mark.contract("C81")
def test_who_waits_for_room_gets_it() -> None:
    """With a bound of 5 and 8 threads nobody is refused as long as the writer writes."""
    pipe = Pipe()
    outbox = Outbox("phoenix-writer", lambda *_: None, lambda *_: None)
    outbox.open(pipe)
    refused: list[int] = []

    def put(thread: int) -> None:
        for number in range(100):
            if not outbox.wait_below(5, DEADLINE):
                refused.append(number)
            outbox.put(f"{thread}:{number}")
            outbox.ring()

    run(*(partial(put, thread) for thread in range(8)))
    eventually(lambda: len(pipe.took), lambda count: count == 800)
    outbox.close()
    assert refused == []


def test_connections_that_change_under_way() -> None:
    """Frames of one connection never come out of another."""
    outbox = Outbox("phoenix-writer", lambda *_: None, lambda *_: None)
    pipes = [Pipe() for _ in range(20)]
    over = threading.Event()

    def change() -> None:
        for number, pipe in enumerate(pipes):
            outbox.open(pipe)
            outbox.put(str(number))
            outbox.ring()
        over.set()

    def flush() -> None:
        while not over.is_set():
            outbox.flush()

    run(change, flush, flush)
    outbox.close()
    assert all(set(pipe.took) <= {str(number)} for number, pipe in enumerate(pipes))


def test_notices_run_in_order_on_one_thread() -> None:
    """A deed may post another, and waiting for the end inside one does not deadlock."""
    notices, seen = Notices("notices"), list[object]()

    def first() -> None:
        notices.post(lambda: seen.append(threading.current_thread().name))
        seen.append(notices.join(10.0))

    notices.post(first)
    for number in range(100):
        notices.post(partial(seen.append, number))
    assert notices.join(10.0)
    assert [item for item in seen if type(item) is int] == list(range(100))
    assert seen[0] is False
    assert seen.count("notices") == 1


def test_notices_without_deeds() -> None:
    """There is no thread to wait for."""
    assert Notices("idle").join(0.0)


def test_counting_from_many_threads() -> None:
    """No count is lost."""
    counters = Counters()

    def count() -> None:
        for _ in range(1000):
            counters.add("x")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert counters["x"] == 8000
    assert counters.snapshot() == {"x": 8000}


@pytest.mark.contract("C75", "C71", "C155")
def test_time_outs() -> None:
    """They are told where nobody may wait, with the push's own numbers."""
    bench = LinkBench()
    bench.open()
    topic, _, _ = bench.joined("t")
    log = Log()

    def told(reply: Reply) -> None:
        log.add("told", may_wait(), reply.exception())

    topic.push("never", {}, 3600.0)
    topic.push("soon", {}, 0.2).add_done_callback(told)
    _, waiting, error = log.wait("told")
    assert not waiting
    assert isinstance(error, PushTimeout)
    assert (error.topic, error.event, error.timeout, error.ref) == ("t", "soon", 0.2, "3")
    assert bench.wire.pending() == 1
    bench.wire.shut(ConnectionLost(None, "over"))


def test_lives_that_come_and_go() -> None:
    """While the actor is replaced again and again each push ends, and orders are kept."""
    bench = LinkBench(max_pending_messages=10_000)
    handle = bench.open()
    topic = bench.topic("t")
    over = threading.Event()
    outcomes: dict[int, list[Any]] = {thread: [] for thread in range(4)}

    def live() -> None:
        for _ in range(50):
            actor, _ = bench.attach(topic)
            bench.accept(topic)
            actor.end()
        bench.attach(topic)
        bench.accept(topic)
        over.set()

    def push(thread: int) -> None:
        number = 0
        while not over.is_set() or number < 20:
            outcomes[thread].append(topic.push("e", {"t": thread, "n": number}, None))
            number += 1

    run(live, *(partial(push, thread) for thread in range(4)))
    eventually(lambda: len(bench.wire.outbox), lambda count: count == 0)
    bench.wire.outbox.close()
    sent = [frame[4] for frame in handle.sent if frame[3] == "e"]
    for thread, futures in outcomes.items():
        numbers = [payload["n"] for payload in sent if payload["t"] == thread]
        assert numbers == list(range(len(futures)))
        errors = [future.exception() for future in futures if future.done()]
        assert all(isinstance(error, ChannelClosed) for error in errors)
    assert bench.wire.pending() == sum(
        not future.done() for futures in outcomes.values() for future in futures
    )
    bench.close()


def test_losses_and_pushes() -> None:
    """However they fall together, no push is left without an end once the wire is shut."""
    # Each rejoin sends what has waited for it, so more would only take longer.
    bench = LinkBench(max_pending_messages=200)
    bench.open()
    topic, _, _ = bench.joined("t")
    over = threading.Event()
    futures: list[Reply] = []

    def lose() -> None:
        for _ in range(100):
            bench.lose(ConnectionLost(1006))
            bench.open()
            bench.accept(topic)
        over.set()

    def push() -> None:
        while not over.is_set():
            try:
                futures.append(topic.push("e", {}, None))
            except QueueFull:
                continue

    run(lose, push, push)
    bench.close()
    assert all(future.done() for future in futures)


def test_leaving_and_restarting_at_once() -> None:
    """A leave that meets the end of the actor, or the begin of the next, always comes through."""
    for _ in range(50):
        bench = LinkBench()
        bench.open()
        topic, actor, _ = bench.joined("t")
        left: list[Reply] = []

        def live(bench: LinkBench = bench, actor: Any = actor, topic: Any = topic) -> None:
            actor.end()
            successor = type(actor)()
            successor.topic = topic
            if not successor.serves(topic):
                topic.abandon()
            else:
                successor.end()

        run(live, lambda topic=topic, left=left: left.append(topic.leave(None)))
        assert left[0].done()
        assert topic.closed
        assert bench.session.topics() == []
        assert bench.wire.cores() == []
        bench.close()


@pytest.mark.contract("C81", "C181")
def test_blocked_pushes_go_out_when_the_channel_is_joined() -> None:
    """Eight threads push more than may wait; all of it goes out, each thread's in its order."""
    bench = LinkBench(max_pending_messages=2, overflow="block")
    topic = bench.topic("t")

    def push(thread: int) -> None:
        for number in range(20):
            topic.push("e", {"t": thread, "n": number}, DEADLINE)

    threads = [threading.Thread(target=push, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    # All of them wait before there is an actor, and the rest before there is a connection.
    eventually(lambda: len(topic.room._waiters) == 8)
    bench.attach(topic)
    handle = bench.open()
    bench.accept(topic)
    for thread in threads:
        thread.join(DEADLINE)
    bench.wire.outbox.flush()
    pushed = [frame[4] for frame in handle.sent if frame[3] == "e"]
    for thread_number in range(8):
        numbers = [item["n"] for item in pushed if item["t"] == thread_number]
        assert numbers == list(range(20))
    assert bench.session.counters["pushes"] == bench.session.counters["pushes_sent"] == 160
    bench.close()


class QuickPipe(Pipe):
    """One that sends several at once; every now and then it takes nothing, or needs help."""

    def send_now(self, messages: Any) -> bool | None:
        """Takes frames, or tells that it does not."""
        self.looks += 1
        if self.looks % 7 == 0:
            return None
        self.send_all(messages)
        return self.looks % 5 != 0

    def send_all(self, messages: Any) -> None:
        """Takes frames."""
        for message in messages:
            self.send_text(message)


@pytest.mark.contract("C41", "C43", "C181")
def test_pushes_that_go_straight_and_others() -> None:
    """From many threads, answered by another: refs grow on the wire, and the books are right."""
    bench = LinkBench()
    del bench.wire.outbox.ring  # a real writer
    pipe = bench.open(QuickPipe())
    topic, _, core = bench.joined("t")
    futures: list[Any] = []
    pushed = threading.Event()

    def push(first: int) -> None:
        for number in range(first, first + 50):
            future = topic.push("e", {"n": number}, 60.0)
            futures.append(future)

    def answer() -> None:
        answered = 1
        while not pushed.is_set() or answered < len(pipe.took):
            refs = [json.loads(text)[1] for text in pipe.took[answered:]]
            answered += len(refs)
            texts = [
                f'["{core.sent_ref}","{ref}","t","phx_reply",{{"status":"ok"}}]'.encode()
                for ref in refs
            ]
            if texts:
                assert bench.reader.some_texts(texts) is None

    reader = threading.Thread(target=answer)
    reader.start()
    run(*(partial(push, 1000 * number) for number in range(6)))
    eventually(lambda: len(pipe.took) == 301)
    pushed.set()
    reader.join(DEADLINE)
    numbers = [json.loads(text)[4].get("n") for text in pipe.took[1:]]
    assert [int(json.loads(text)[1]) for text in pipe.took] == [*range(1, 302)]
    for first in range(0, 6000, 1000):
        assert [n for n in numbers if n // 1000 * 1000 == first] == [*range(first, first + 50)]
    assert all(future.get(timeout=DEADLINE).status == "ok" for future in futures)
    counters = bench.session.counters
    names = ("pushes", "pushes_sent", "push_replied", "frames_sent")
    assert [counters[name] for name in names] == [300, 300, 300, 301]
    assert counters.straight_pushes > 0
    bench.close()

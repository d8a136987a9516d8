"""Pushes that go straight to the wire, and their answers, come to the same as by the long way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phoenix_actors.errors import (
    ChannelClosed,
    ConnectionLost,
    EncodeError,
    NotConnected,
    PushTimeout,
    WouldDeadlock,
)
from phoenix_actors.link.future import PushFuture, push_books
from phoenix_actors.machines.channel_events import FrameArrived
from phoenix_actors.message import Frame, PushReply
from supervisors import Reply
from supervisors._runtime.timers import timers
from tests.e2e.rig import listening
from tests.unit.phoenix_actors.link.link_bench import Handle, LinkBench, QuickHandle

Push = Callable[..., Any]


class Straight:
    """A joined channel on a handle that takes frames at once, and one push that made the head."""

    def __init__(self, handle: Any = None, **options: Any) -> None:
        self.bench = LinkBench(**options)
        self.handle = self.bench.open(handle or QuickHandle())
        self.topic, self.actor, core = self.bench.joined("t")
        self.join_ref = core.machine.join_ref
        self.writers = 0
        self.bench.wire.outbox._ring = self._ring  # type: ignore[method-assign]
        self.first = self.push(0)
        self.handle.sent.clear()

    def _ring(self, lane: Any) -> None:
        self.writers += 1

    def push(self, n: Any, timeout: float | None = None) -> Any:
        """Pushes a number."""
        return self.topic.push("e", {"n": n}, timeout)

    def answer(self, future: Any, status: str = "ok", response: Any = None) -> None:
        """The server answers the push that was sent last, or this one."""
        ref = str(self.bench.wire._pushes._last) if isinstance(future, PushFuture) else future
        reply = {"status": status, "response": response}
        frame = f'["{self.join_ref}","{ref}","t","phx_reply",{_json(reply)}]'
        assert self.bench.reader.some_texts([frame.encode()]) is None

    def sent(self) -> list[Any]:
        """The numbers, and other events, that went out."""
        return [frame[4].get("n", frame[3]) for frame in self.handle.sent]

    def counted(self, *names: str) -> list[int]:
        """What was counted."""
        return [self.bench.session.counters[name] for name in names]


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


@pytest.fixture
def run() -> Iterator[Straight]:
    """One that is closed at the end."""
    straight = Straight()
    yield straight
    straight.bench.close()


def of_both_ways(deed: Callable[[Straight], object]) -> list[Any]:
    """What was sent and counted, by the long way and straight."""
    seen: list[Any] = []
    for handle in (Handle(), QuickHandle()):
        straight = Straight(handle)
        deed(straight)
        # The books say of a push that goes straight that it was counted so.
        went = straight.bench.session.counters.straight_pushes > 0
        assert went is isinstance(handle, QuickHandle)
        seen.append((handle.sent, straight.bench.session.counters.snapshot()))
        seen.append(straight.bench.session.response_times.snapshot()["count"])
        straight.bench.close()
    return seen


@pytest.mark.contract("C26", "C41", "C181")
def test_both_ways_come_to_the_same() -> None:
    """Frames, refs, counts and durations."""

    def deed(straight: Straight) -> None:
        for payload in ({"n": 1}, {"n": [1.5, {"é": None}]}, None, {}):
            straight.answer(straight.topic.push("e", payload, 10.0))
        straight.answer(straight.push(7), "error", {"reason": "no"})
        straight.answer("999")
        straight.push(8)

    straight = of_both_ways(deed)
    assert straight[:2] == straight[2:]
    assert [frame[1] for frame in straight[0][0]] == ["3", "4", "5", "6", "7", "8"]
    assert straight[1] == 4


@pytest.mark.contract("C48")
def test_an_answer_is_settled_once(run: Straight) -> None:
    """The second one is nobody's, and counts as unmatched once."""
    future = run.push(1)
    run.answer(future, response={"id": 5})
    assert future.get() == PushReply("ok", {"id": 5})
    run.answer(future)
    assert run.bench.wire._pushes.unmatched == 1
    assert run.counted("push_replied", "frames_received") == [1, 3]


def test_an_answer_that_is_not_ok_names_its_push(run: Straight) -> None:
    """By topic, event and ref."""
    future = run.push(1)
    run.answer(future, "error", {"reason": "full"})
    reply = future.get()
    assert (reply.status, reply.topic, reply.event, reply.ref) == ("error", "t", "e", "3")


@pytest.mark.contract("C181")
def test_an_answer_that_comes_second_does_not_count(run: Straight) -> None:
    """Another thread may end a push in the very moment in which it is answered."""
    future = run.push(1)
    assert future.fail(PushTimeout("t", "e", 1.0, "3"))
    run.answer(future)
    assert run.counted("push_replied", "push_timeouts") == [0, 1]
    with pytest.raises(PushTimeout):
        future.get()


def test_who_is_called_back_must_not_wait(run: Straight) -> None:
    """It runs where the answers are read."""
    refused: list[str] = []

    def wait(_: Any) -> None:
        try:
            Reply().get()
        except WouldDeadlock:
            refused.append("refused")

    future = run.push(1)
    future.add_done_callback(wait)
    run.answer(future)
    assert refused == ["refused"]


@pytest.mark.contract("C43", "C81")
@pytest.mark.parametrize("says", [False, None])
def test_what_is_not_sent_at_once_waits(says: bool | None) -> None:
    """In part, or not at all; the pushes behind wait for it, and the writer goes on with it."""
    run = Straight(max_pending_messages=3)
    run.handle.says = [says]
    futures = [run.push("é"), run.push(2), run.push(3)]
    outbox = run.bench.wire.outbox
    assert (len(outbox), outbox.below(3), run.writers > 0) == (3, False, True)
    assert outbox.lane is not None
    assert outbox.lane.octets == sum(len(_text(n, ref)) for n, ref in (("é", 3), (2, 4), (3, 5)))
    assert run.counted("pushes", "pushes_sent", "frames_sent") == [4, 1, 2]
    outbox._write(outbox.lane, None)
    assert (run.sent(), len(outbox), outbox.lane.octets) == (["é", 2, 3], 0, 0)
    assert run.counted("pushes", "pushes_sent", "frames_sent") == [4, 4, 5]
    assert not any(future.done() for future in futures)
    run.bench.close()


def _text(n: Any, ref: int) -> bytes:
    number = f'"{n}"' if isinstance(n, str) else n
    return f'["1","{ref}","t","e",{{"n":{number}}}]'.encode()


@pytest.mark.contract("C43")
def test_it_does_not_overtake(run: Straight) -> None:
    """What waits goes out before it, and what others push meanwhile behind it."""
    run.bench.wire.outbox.put('["1","99","t","queued",{}]')
    run.push(1)
    assert run.sent() == ["queued", 1]
    others: list[Any] = []

    def meanwhile() -> None:
        other = threading.Thread(target=lambda: others.append(run.push(3)))
        other.start()
        other.join(10)

    run.handle.meanwhile = meanwhile
    run.push(2)
    assert run.sent() == ["queued", 1, 2, 3]
    assert len(others) == 1


@pytest.mark.contract("C43")
def test_it_waits_for_nobody_who_writes(run: Straight) -> None:
    """Its frame is written by that one."""
    lane = run.bench.wire.outbox.lane
    assert lane is not None
    held, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with lane.writing:
            held.set()
            give_back.wait(10)

    writer = threading.Thread(target=hold)
    writer.start()
    assert held.wait(10)
    run.push(1)
    assert (run.sent(), len(lane)) == ([], 1)
    give_back.set()
    writer.join(10)
    run.push(2)
    assert run.sent() == [1, 2]


@pytest.mark.contract("C80")
def test_a_send_that_fails_ends_the_connection(run: Straight) -> None:
    """The push fails when the loss is told, and does not count as sent."""
    run.handle.error = OSError()
    future = run.push(1)
    assert (run.handle.aborted, future.done()) == (True, False)
    assert run.counted("pushes", "pushes_sent", "send_errors") == [2, 1, 1]
    run.bench.lose(ConnectionLost(1006, "gone"))
    with pytest.raises(ConnectionLost):
        future.get()
    books = push_books(run.bench.session.counters.snapshot())
    assert (books["lost"], books["waiting"]) == (2, 0)


@pytest.mark.contract("C80", "C181")
def test_a_connection_lost_in_the_middle_of_a_send_ends_the_push(run: Straight) -> None:
    """By its future, as every push that was entered; it raises nothing in its caller."""

    def lose() -> None:
        run.handle.error = NotConnected()
        run.bench.lose(ConnectionLost(1006, "gone"))

    run.handle.meanwhile = lose
    future = run.push(1)
    with pytest.raises(ConnectionLost):
        future.get(timeout=0)
    assert run.counted("pushes", "pushes_sent", "push_refused") == [2, 1, 0]
    books = push_books(run.bench.session.counters.snapshot())
    assert (books["lost"], books["waiting"]) == (2, 0)


def test_an_interrupted_send_ends_the_connection(run: Straight) -> None:
    """The frame may be sent; the way out is free again."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    run.handle.meanwhile = interrupt
    lane = run.bench.wire.outbox.lane
    assert lane is not None
    with pytest.raises(KeyboardInterrupt):
        run.push(1)
    assert run.handle.aborted
    assert (lane.writing._is_owned(), len(lane)) == (False, 0)


def test_an_interrupt_before_the_send_ends_nothing(run: Straight) -> None:
    """The way out is free again, and the next push goes."""
    pushes: Any = run.bench.wire.straight._pushes

    class Interrupting:
        def enter(self, *of: Any) -> None:
            pushes.enter(*of)
            raise KeyboardInterrupt

        withdraw = pushes.withdraw

    run.bench.wire.straight._pushes = Interrupting()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        run.push(1)
    run.bench.wire.straight._pushes = pushes
    assert run.bench.wire.pending() == 1
    run.push(2)
    assert (run.sent(), run.handle.aborted) == ([2], False)
    assert run.counted("pushes", "pushes_sent") == [2, 2]


@pytest.mark.contract("C77")
@pytest.mark.parametrize("joined", [True, False])
def test_a_handler_in_the_middle_of_a_push_takes_no_way_out(run: Straight, joined: bool) -> None:
    """It gives back no lock that is not its own, and its frame stands behind the other."""
    lane, topic, core = run.bench.wire.outbox.lane, run.topic, run.topic.core
    assert lane is not None
    assert core is not None
    if not joined:
        # A head is known by topic and event; the channel has to join again.
        core.feed(FrameArrived(Frame(run.join_ref, None, "t", "phx_error", {}), 1, 1))
        run.handle.sent.clear()
    with lane.writing:
        # As the thread of a push, or of a write, that has the way out and has not sent yet.
        topic.push("e", {"n": 1}, None)
        assert lane.writing._is_owned()
        assert (run.sent(), len(lane)) == ([], int(joined))
    run.bench.wire.outbox.flush()
    assert run.sent() == [1] * joined


@pytest.mark.contract("C49")
def test_it_has_a_deadline(run: Straight) -> None:
    """The earliest is looked at in time; one without has none."""
    wire = run.bench.wire
    before = timers.clock.now()
    assert wire._push_timer is None
    run.push(1)
    assert wire._push_timer is None
    run.push(2, 50.0)
    assert before + 50.0 <= wire.push_timer_at <= timers.clock.now() + 50.0
    run.push(3, 100.0)
    assert wire.push_timer_at <= timers.clock.now() + 50.0
    run.push(4, 20.0)
    assert wire.push_timer_at <= timers.clock.now() + 20.0


@pytest.mark.contract("C26")
@pytest.mark.parametrize("payload", [{"n": {1, 2}}, {"n": float("nan")}, {"n": "\ud800"}])
def test_what_cannot_be_sent_is_refused(run: Straight, payload: Any) -> None:
    """Before anything was done: no ref is drawn, nothing is counted."""
    with pytest.raises(EncodeError):
        run.topic.push("e", payload, None)
    assert (run.sent(), run.counted("pushes")) == ([], [1])
    assert run.bench.wire.next_ref() == "3"


@pytest.mark.contract("C83")
def test_nothing_is_pushed_once_it_is_left(run: Straight) -> None:
    """The leave stands behind what was pushed before."""
    run.push(1)
    run.topic.leave(None)
    with pytest.raises(ChannelClosed):
        run.push(2)
    assert run.sent() == [1, "phx_leave"]


def test_a_channel_that_sleeps_pushes_too(run: Straight) -> None:
    """Its machine is not made for that."""
    core = run.topic.core
    assert core is not None
    core.give_back()
    assert isinstance(core._machine, int)
    run.answer(run.push(1))
    assert isinstance(core._machine, int)
    assert run.handle.sent == [[run.join_ref, "3", "t", "e", {"n": 1}]]


def test_who_listens_is_told(run: Straight) -> None:
    """Events of a push and of its answer, from the moment on at which somebody listens."""
    with listening(("message", "sent"), ("message", "received"), ("push", "stop")) as log:
        future = run.push(1)
        run.answer(future)
    assert sorted(item[0] for item in log.items) == [
        "message.received",
        "message.sent",
        "push.stop",
    ]
    hooked: list[Any] = []
    run.bench.session.hooks.message.add(hooked.append)
    run.answer(run.push(2))
    assert len(hooked) == 1


def test_what_is_sent_does_not_wait(run: Straight) -> None:
    """The way out is empty at once, who waits for that is told, and the channel is in use."""
    waiting = Reply()
    run.bench.wire.outbox.waiters.append((1, None, waiting))
    topic: Any = run.topic
    topic.idle_since = 1.0
    run.push(1)
    assert (len(run.bench.wire.outbox), waiting.done(), topic.idle_since) == (0, True, None)
    assert run.bench.session.counters.straight_pushes == 1


def test_a_long_frame_is_for_the_writer(run: Straight) -> None:
    """A socket may not take it at once."""
    run.push("x" * 20_000)
    assert (run.sent(), run.writers) == ([], 1)


def test_a_ping_is_no_push(run: Straight) -> None:
    """Its answer has no place among those to pushes."""
    before = run.bench.session.counters["bytes_received"]
    pong = run.bench.wire.ping(10.0)
    ref = run.bench.wire._pushes._last
    answer = f'[null,"{ref}","phoenix","phx_reply",{{"status":"ok","response":{{}}}}]'.encode()
    assert run.bench.reader.some_texts([answer]) is None
    assert pong.get() == PushReply("ok", {})
    assert run.counted("push_replied") == [0]
    assert run.counted("bytes_received") == [before + len(answer)]
    assert run.bench.session.response_times.snapshot()["count"] == 0


def test_answers_are_counted_by_their_bytes(run: Straight) -> None:
    """One by one, and several at once."""
    before = run.bench.session.counters["bytes_received"]
    run.answer(run.push(1))
    (_, one) = run.counted("push_replied", "bytes_received")
    assert one - before == len('["1","3","t","phx_reply",{"status": "ok", "response": null}]')
    futures = [run.push(n) for n in range(3)]
    texts = [
        f'["1","{ref}","t","phx_reply",{{"status":"{status}"}}]'.encode()
        for ref, status in ((4, "ok"), (5, "error"), (6, "ok"), (7, "ok"))
    ]
    assert run.bench.reader.some_texts(texts) is None
    assert [future.get().status for future in futures] == ["ok", "error", "ok"]
    assert run.counted("push_replied", "bytes_received") == [4, one + sum(map(len, texts))]
    assert run.bench.wire._pushes.unmatched == 1


def test_traffic_that_is_looked_at_is_counted(run: Straight) -> None:
    """Pushes and answers of the topic, also several at once."""
    run.answer(run.push(0))
    traffic = run.bench.session.count_traffic()
    run.answer(run.push(1))
    run.push(2)
    run.push(3)
    text = '["1","%d","t","phx_reply",{"status":"ok"}]'
    run.bench.reader.some_texts([(text % ref).encode() for ref in (5, 6)])
    (counted,) = traffic.of(["t"])
    assert (counted.pushed, counted.received) == (3, 3)


class Meanwhile:
    """The lock of a topic, before which something happens once."""

    def __init__(self, lock: Any, happens: Callable[[], object]) -> None:
        self._lock, self._happens = lock, happens

    def __enter__(self) -> None:
        happens, self._happens = self._happens, bool
        happens()
        self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)


@pytest.mark.contract("C125", "C80")
@pytest.mark.parametrize("what", ["half a frame", "the end"])
def test_what_comes_before_a_push_that_has_looked_for_the_way_out(run: Straight, what: str) -> None:
    """It is looked for once more where nothing comes between: the push stands behind it."""
    lane = run.bench.wire.outbox.lane
    assert lane is not None

    def happens() -> None:
        if what == "half a frame":
            lane.sending, lane.octets, lane.unfinished = 1, 3, ([("[1]", None, 3)], [])
        else:
            run.bench.wire.outbox.close()

    run.topic.lock = Meanwhile(run.topic.lock, happens)
    future = run.push(1)
    assert run.handle.sent == []
    run.bench.lose(ConnectionLost(1006, "x"))
    assert isinstance(future.exception(), ConnectionLost)


@pytest.mark.contract("C125")
def test_a_channel_of_a_former_wire_sends_nothing_on_the_next(run: Straight) -> None:
    """Its join_ref is none of that connection."""
    former = run.bench.wire
    run.bench.new_wire()
    handle = run.bench.open(QuickHandle())
    run.push(1)
    assert handle.sent == []
    former.shut(ConnectionLost(None, "over"))


def test_traffic_is_noted(run: Straight) -> None:
    """A push, its answer, and answers that come together: what the statistics say of idleness."""
    wire = run.bench.wire
    for act in (
        lambda: run.push(1),
        lambda: run.answer(run.first),
        lambda: run.bench.reader._straight.answers([], 0, 0),
    ):
        wire.last_active = -1.0
        act()
        assert wire.last_active > 0.0

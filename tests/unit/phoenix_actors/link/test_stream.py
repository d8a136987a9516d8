"""Messages as an iterator, and the listeners of a topic."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest

from phoenix_actors.errors import InvalidOption, WouldDeadlock
from phoenix_actors.link.listeners import Listeners
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.link.stream import MAX_WAITING, MessageStream
from phoenix_actors.message import Frame, Message
from supervisors import GenServer, Reply
from supervisors.testing import ManualDispatcher

# Stands for a topic: all that is asked of it is what users hold.
TOPIC: Any = SimpleNamespace(facade="channel")


def message(number: int) -> Message:
    """Returns a message."""
    return Message("t", "e", number)


def test_messages_in_order_until_the_timeout() -> None:
    """What waits is given; with nothing left within the timeout the iteration ends."""
    stream = MessageStream(0.0, lambda _: None)
    for number in range(3):
        stream.put(message(number))
    assert [item.payload for item in stream] == [0, 1, 2]
    stream.put(message(3))
    assert [item.payload for item in stream] == [3]


def test_who_waits_is_one_at_most() -> None:
    """One that has given up, as at each time-out, is not kept; nor is one that was woken."""
    stream = MessageStream(0.0, lambda _: None)
    stream.take()
    waiter = stream.take()
    assert stream.waiting == [waiter]
    stream.put(message(1))
    assert stream.waiting == []
    assert isinstance(waiter, Reply)
    assert waiter.done()


def test_a_closed_stream_gives_what_it_has() -> None:
    """Then it ends, without waiting, and takes no more."""
    closed: list[MessageStream] = []
    stream = MessageStream(None, closed.append)
    stream.put(message(1))
    stream.close()
    stream.put(message(2))
    assert [item.payload for item in stream] == [1]
    assert closed == [stream]


@pytest.mark.contract("C82")
def test_a_stream_that_nobody_reads_is_bounded() -> None:
    """The oldest messages are dropped, and counted."""
    stream = MessageStream(0.0, lambda _: None)
    for number in range(MAX_WAITING + 5):
        stream.put(message(number))
    assert stream.dropped == 5
    assert next(stream).payload == 5


def test_no_waiting_on_the_reader_thread() -> None:
    """What is there is given; a wait is refused."""
    stream = MessageStream(None, lambda _: None)
    stream.put(message(1))
    with no_waiting_here():
        assert next(stream).payload == 1
        with pytest.raises(WouldDeadlock, match="messages"):
            next(stream)


# -- listeners


class Subscriber(GenServer):
    """Keeps the messages it is sent."""

    def init(self) -> None:
        """Begins with none."""
        self.got: list[Message] = []

    def handle_info(self, message: Message) -> None:
        """Keeps it."""
        self.got.append(message)

    def handle_call(self, request: object, sender: object) -> list[Message]:
        """Answers them."""
        return self.got


def test_everybody_gets_the_message() -> None:
    """Handlers of its event get the payload, streams and subscribers the message."""
    manual = ManualDispatcher()
    listeners, seen = Listeners("t"), list[object]()
    ref = Subscriber.start(dispatcher=manual)
    listeners.on("e", seen.append)
    listeners.on("other", seen.append)
    stream = listeners.stream(0.0)
    listeners.subscribe(ref, {"e": lambda payload: seen.append(("own", payload))})
    listeners.deliver(Frame("1", None, "t", "e", {"n": 1}), TOPIC)
    expected = Message("t", "e", {"n": 1}, None, "1", "channel")
    assert seen == [{"n": 1}, ("own", {"n": 1})]
    assert list(stream) == [expected]
    assert ref.ask("got") == [expected]
    ref.stop()


def test_subscriptions_end_with_their_actor() -> None:
    """Its own handlers go too; the last one's end is told, once."""
    manual = ManualDispatcher()
    listeners, seen = Listeners("t"), list[object]()
    one, other = Subscriber.start(dispatcher=manual), Subscriber.start(dispatcher=manual)
    listeners.subscribe(one, {"e": seen.append})
    listeners.subscribe(other, {})
    assert listeners.unsubscribe(one) is False
    listeners.deliver(Frame(None, None, "t", "e", 1), TOPIC)
    assert seen == []
    assert not listeners.deserted
    assert listeners.unsubscribe(other) is True
    assert listeners.deserted
    assert listeners.unsubscribe(other) is False
    one.stop()
    other.stop()


def test_taking_over() -> None:
    """Only from subscribers that are all dead, and not once the topic is being left."""
    manual = ManualDispatcher()
    listeners, seen = Listeners("t"), list[object]()
    former, successor = Subscriber.start(dispatcher=manual), Subscriber.start(dispatcher=manual)
    assert not listeners.take_over(successor, {})  # nobody ever subscribed
    listeners.subscribe(former, {"e": lambda _: seen.append("former")})
    assert not listeners.take_over(successor, {})
    assert not listeners.take_over(former, {})
    former.stop()
    assert listeners.take_over(successor, {"e": lambda _: seen.append("successor")})
    assert listeners.subscribers == (successor,)
    listeners.deliver(Frame(None, None, "t", "e", 1), TOPIC)
    assert seen == ["successor"]
    # The news of the former one's end comes late, and means nothing any more.
    assert listeners.unsubscribe(former) is False
    successor.stop()
    assert listeners.unsubscribe(successor) is True
    assert not listeners.take_over(former, {})


def test_closed_listeners() -> None:
    """Streams end, those made afterwards at once."""
    listeners = Listeners("t")
    stream = listeners.stream(None)
    listeners.close()
    assert list(stream) == list(listeners.stream(None)) == []


def test_a_stream_that_nobody_has_keeps_nothing() -> None:
    """Breaking out of the loop is enough: there is nobody any more, and the next message tells."""
    listeners = Listeners("t")
    frame = Frame(None, None, "t", "e", 1)
    stream = listeners.stream(0.0)
    listeners.deliver(frame, TOPIC)
    assert repr(stream) == "<MessageStream open waiting=1 dropped=0>"
    for _ in stream:
        break
    assert listeners
    del stream
    gc.collect()
    assert not listeners
    listeners.deliver(frame, TOPIC)
    assert not listeners._streams
    kept = listeners.stream(0.0)
    listeners.deliver(frame, TOPIC)
    assert [message.payload for message in kept] == [1]


@pytest.mark.parametrize("way", ["another one ends", "another one begins"])
def test_nobody_has_to_send_for_streams_that_nobody_has_to_be_forgotten(way: str) -> None:
    """A channel without messages keeps none of those that come and go."""
    listeners = Listeners("t")
    other = listeners.stream(0.0)
    for _ in range(3):
        listeners.stream(0.0)
    if way == "another one ends":
        other.close()
        assert listeners._streams == ()
    else:
        another = listeners.stream(0.0)
        assert [held() for held, _ in listeners._streams] == [other, another]


def _wait(listeners: Listeners) -> list[Any]:
    """Waits as a task does that nobody keeps; returns where it puts what it then takes."""
    taken: list[Any] = []
    stream = listeners.stream(None)
    waiter = stream.take()
    assert isinstance(waiter, Reply)
    waiter.add_done_callback(lambda _: taken.append(stream.take()))
    return taken


def test_who_waits_keeps_the_stream_though_nobody_else_does() -> None:
    """As a task that only its message would wake; behind the message nobody has it any more."""
    listeners = Listeners("t")
    frame = Frame(None, None, "t", "e", 1)
    taken = _wait(listeners)
    gc.collect()
    listeners.deliver(frame, TOPIC)
    assert [message.payload for message in taken] == [1]
    gc.collect()
    listeners.deliver(frame, TOPIC)
    assert len(taken) == 1
    assert not listeners._streams


def test_the_end_wakes_who_waits_though_nobody_else_has_the_stream() -> None:
    """Or it would wait for ever."""
    listeners = Listeners("t")
    taken = _wait(listeners)
    gc.collect()
    listeners.close()
    assert taken == [None]


@pytest.mark.contract("C147")
@pytest.mark.parametrize("event", [5, None, b"e", "phx_reply", "phx_close", "phx_error"])
def test_events_that_are_none(event: object) -> None:
    """A handler that would never be called is refused, with what is called instead."""
    with pytest.raises(InvalidOption):
        Listeners("t").on(event, print)  # type: ignore[arg-type]

"""A topic over the lives of its actors and connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phoenix_actors.errors import (
    ChannelClosed,
    ConnectError,
    ConnectionLost,
    JoinCancelled,
    JoinError,
    JoinRejected,
    QueueFull,
)
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.machines.channel_events import FrameArrived
from phoenix_actors.message import ChannelState, ConnectionStatus, Frame, Left, ServerError
from supervisors import Normal
from tests.e2e.rig import listening
from tests.unit.phoenix_actors.link.link_bench import Actor, LinkBench


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client with nothing open."""
    bench = LinkBench()
    yield bench
    bench.close()


# -- joining


@pytest.mark.contract("C42", "C63")
def test_a_join_waits_for_the_connection(bench: LinkBench) -> None:
    """It is sent when one opens, and its answer reaches the actor and whoever waits."""
    topic = bench.topic("t", {"x": 1})
    waiting = topic.joined_once
    actor, _ = bench.attach(topic)
    handle = bench.open()
    assert handle.sent == [["1", "1", "t", "phx_join", {"x": 1}]]
    assert topic.state is ChannelState.JOINING
    bench.accept(topic, {"hello": 1})
    assert waiting.get() == topic.response == {"hello": 1}
    assert topic.joined_once.done()
    assert actor.named() == ["Joined"]
    assert (topic.state, topic.join_count) == ("joined", 1)


@pytest.mark.contract("C48", "C54")
def test_the_end_of_an_earlier_actor_fails_no_push_of_the_new_channel(bench: LinkBench) -> None:
    """The topic is joined anew while the actor that left it ends; each has its own pushes."""
    handle = bench.open()
    former, actor, _ = bench.joined("t")
    lost = former.push("e", {}, None)
    pushed = []

    def ending(message: object) -> None:
        if type(message).__name__ == "Ended":
            pushed.append(bench.joined("t")[0].push("e", {"new": True}, None))
            actor.end(Normal())

    actor.cast = ending  # type: ignore[method-assign]
    former.leave(None)
    bench.receive("1", handle.sent[-1][1], "t", "phx_reply", {"status": "ok", "response": {}})
    with pytest.raises(ChannelClosed):
        lost.get(timeout=0)
    assert not pushed[0].done()
    bench.receive("4", "5", "t", "phx_reply", {"status": "ok", "response": {}})
    assert pushed[0].get(timeout=0).status == "ok"


@pytest.mark.contract("C61", "C124")
def test_all_topics_are_joined_in_their_order(bench: LinkBench) -> None:
    """On each connection, by one join each, with a new join_ref."""
    topics = [bench.topic(f"t{number}") for number in range(5)]
    for topic in topics:
        bench.attach(topic)
    for _ in range(2):
        handle = bench.open()
        assert [frame[2:4] for frame in handle.sent] == [
            [topic.name, "phx_join"] for topic in topics
        ]
        for topic in topics:
            bench.accept(topic)
        bench.lose(ConnectionLost(1006))
    assert [topic.join_count for topic in topics] == [2] * 5


@pytest.mark.contract("C56", "C58")
def test_a_refused_join(bench: LinkBench) -> None:
    """It is raised, and the topic is not wanted any more."""
    bench.open()
    topic = bench.topic("t")
    actor, _ = bench.attach(topic)
    payload = {"status": "error", "response": {"reason": "no"}}
    bench.receive("1", "1", "t", "phx_reply", payload)
    with pytest.raises(JoinRejected):
        topic.joined_once.get()
    assert bench.session.topic("t") is None
    assert actor.named() == ["JoinFailed", "Ended"]
    with pytest.raises(ChannelClosed):
        topic.push("e", {}, None)


@pytest.mark.contract("C116")
def test_a_join_after_the_client_gave_up(bench: LinkBench) -> None:
    """It fails at once with the error that ended the attempts."""
    bench.session.set_gave_up(ConnectError("no"))
    topic = bench.topic("t")
    Actor().serves(topic)
    with pytest.raises(ConnectError):
        topic.joined_once.get()
    assert topic.closed


@pytest.mark.contract("C116")
def test_a_push_after_the_client_gave_up(bench: LinkBench) -> None:
    """It waits for nothing, as those that waited then; after the next connection it is sent."""
    bench.open()
    topic, _, _ = bench.joined("t")
    bench.lose(ConnectionLost(1006))
    waiting = topic.push("a", {}, None)
    bench.session.set_gave_up(ConnectError("no"))
    bench.wire.given_up(ConnectError("no"))
    for push in (waiting, topic.push("b", {}, None)):
        with pytest.raises(ConnectError):
            push.get(timeout=0)
    bench.session.set_status(ConnectionStatus.CONNECTING, bench.wire)
    topic.push("c", {}, None)
    handle = bench.open()
    bench.accept(topic)
    assert [frame[3] for frame in handle.sent] == ["phx_join", "c"]


# -- lives of the actor


@pytest.mark.contract("C168", "C44")
def test_the_next_life_joins_again(bench: LinkBench) -> None:
    """Pushes in flight fail, those made between two lives go out in order behind the rejoin."""
    handle = bench.open()
    topic, actor, _ = bench.joined("t")
    flying = topic.push("a", {}, None)
    actor.end()
    assert isinstance(flying.exception(), ChannelClosed)
    futures = [topic.push("b", {"n": number}, None) for number in range(3)]
    assert topic.state is ChannelState.CLOSED
    del handle.sent[:]
    bench.attach(topic)
    futures.append(topic.push("b", {"n": 3}, None))
    assert [frame[3] for frame in handle.sent] == ["phx_join"]
    bench.accept(topic)
    assert [frame[4] for frame in handle.sent[1:]] == [{"n": number} for number in range(4)]
    join_ref = handle.sent[0][0]
    assert {frame[0] for frame in handle.sent} == {join_ref}
    assert topic.join_count == 2
    assert not any(future.done() for future in futures)


def test_a_life_that_ends_while_joining(bench: LinkBench) -> None:
    """Who waits for the join is not told of it: the next life goes on with that."""
    bench.open()
    topic = bench.topic("t")
    actor, _ = bench.attach(topic)
    actor.end()
    waiting = topic.joined_once
    assert not waiting.done()
    bench.attach(topic)
    bench.accept(topic)
    assert waiting.get() == {}


def test_the_news_of_an_older_life(bench: LinkBench) -> None:
    """When it comes late, the pushes of the present life are not touched."""
    bench.open()
    topic, former, _ = bench.joined("t")
    stray = topic.push("a", {}, None)
    bench.attach(topic)
    bench.accept(topic)
    future = topic.push("b", {}, None)
    former.end()
    assert isinstance(stray.exception(), ChannelClosed)
    assert not future.done()
    assert topic.state is ChannelState.JOINED


def test_an_actor_of_another_manager(bench: LinkBench) -> None:
    """One that a former manager started is turned away."""
    topic = bench.topic("t")
    topic.manager = "another"
    assert not Actor().serves(topic)
    dead = Actor()
    dead.process = None
    assert not dead.serves(topic)


@pytest.mark.contract("C53")
def test_an_actor_of_a_forgotten_topic(bench: LinkBench) -> None:
    """Restarted after a successor joined the topic anew, it does not take that channel away."""
    bench.open()
    former, actor, _ = bench.joined("t")
    actor.end()
    bench.session.forget(former)
    successor, _, _ = bench.joined("t")
    assert not Actor().serves(former)
    assert successor.state is ChannelState.JOINED
    former.leave(None)
    assert successor.state is ChannelState.JOINED


def test_no_wire_between_two_lives_of_the_socket(bench: LinkBench) -> None:
    """Nothing is joined and nothing fails; pushes wait for the next wire."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    bench.session.close_wire(bench.wire)
    bench.wire.shut(ConnectionLost(None, "gone"))
    actor.end()
    assert Actor().serves(topic)
    assert topic.core is None
    future = topic.push("e", {}, None)
    bench.new_wire()
    bench.attach(topic)
    handle = bench.open()
    bench.accept(topic)
    assert [frame[3] for frame in handle.sent] == ["phx_join", "e"]
    assert not future.done()


@pytest.mark.contract("C81")
def test_early_pushes_are_bounded() -> None:
    """As many are kept as the option allows."""
    bench = LinkBench(max_pending_messages=2)
    topic = bench.topic("t")
    for _ in range(2):
        topic.push("e", {}, None)
    with pytest.raises(QueueFull):
        topic.push("e", {}, None)


# -- the end


@pytest.mark.contract("C85", "C43", "C88")
def test_leaving(bench: LinkBench) -> None:
    """phx_leave goes out once, with the join_ref; its reply ends the channel."""
    handle = bench.open()
    topic, actor, _ = bench.joined("t")
    flying = topic.push("e", {}, None)
    del handle.sent[:]
    left, again = topic.leave(None), topic.leave(None)
    assert [frame[0:1] + frame[3:] for frame in handle.sent] == [["1", "phx_leave", {}]]
    assert bench.session.topic("t") is None
    assert not left.done()
    bench.receive("1", handle.sent[0][1], "t", "phx_reply", {"status": "ok", "response": {}})
    assert left.done()
    assert again.done()
    assert isinstance(flying.exception(), ChannelClosed)
    assert actor.named() == ["Joined", "Closed", "Ended"]
    assert actor.got[1].reason == Left()
    assert topic.closed


@pytest.mark.contract("C86")
def test_leaving_between_two_lives(bench: LinkBench) -> None:
    """The server, which still has the channel, is told; no actor attaches any more."""
    handle = bench.open()
    topic, actor, _ = bench.joined("t")
    early = topic.push("e", {}, None)
    actor.end()
    kept = topic.push("e", {}, None)
    del handle.sent[:]
    left = topic.leave(None)
    assert left.done()
    assert [frame[0:1] + frame[3:4] for frame in handle.sent] == [["1", "phx_leave"]]
    assert not Actor().serves(topic)
    assert all(isinstance(future.exception(), ChannelClosed) for future in (early, kept))
    with pytest.raises(ChannelClosed):
        topic.push("e", {}, None)


def test_an_actor_that_ends_while_leaving(bench: LinkBench) -> None:
    """The leave is over, and so is the topic."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    left = topic.leave(None)
    actor.end()
    assert left.done()
    assert topic.closed
    assert list(topic.listeners.stream(None)) == []


def test_closed_by_the_server(bench: LinkBench) -> None:
    """When the actor hears of its end the topic is free already, for who hears of that in turn."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    wanted: list[tuple[str, object]] = []

    def cast(message: object) -> None:
        wanted.append((type(message).__name__, bench.session.topic("t")))

    actor.cast = cast  # type: ignore[method-assign]
    bench.receive("1", None, "t", "phx_close", {})
    assert wanted == [("Closed", topic), ("Ended", None)]
    assert topic.closed


def test_giving_way_to_a_new_join(bench: LinkBench) -> None:
    """A topic joined anew while it is being left: the old one ends at once, behind its leave."""
    handle = bench.open()
    topic, actor, _ = bench.joined("t")
    left = topic.leave(None)
    again = bench.topic("t")
    bench.attach(again)
    assert left.done()
    assert topic.closed
    assert [frame[3] for frame in handle.sent] == ["phx_join", "phx_leave", "phx_join"]
    bench.accept(again)
    assert again.state is ChannelState.JOINED
    assert actor.got[1].reason == Left()
    # The answer to the leave means nothing to the new one.
    bench.receive("1", handle.sent[1][1], "t", "phx_reply", {"status": "ok", "response": {}})
    bench.receive("1", None, "t", "phx_close", {})
    assert again.state is ChannelState.JOINED


def test_giving_way_before_the_leave(bench: LinkBench) -> None:
    """The new join may be quicker than the one who leaves; its leave goes first all the same."""
    handle = bench.open()
    topic, _, _ = bench.joined("t")
    flying = topic.push("e", {}, None)
    bench.session.forget(topic)
    again = bench.topic("t")
    bench.attach(again)
    assert [frame[3] for frame in handle.sent] == ["phx_join", "e", "phx_leave", "phx_join"]
    assert isinstance(flying.exception(), ChannelClosed)
    assert topic.leave(None).done()
    assert bench.session.topic("t") is again


def test_abandoning(bench: LinkBench) -> None:
    """A topic that is given up answers whoever waits, and the server, with its error."""
    handle = bench.open()
    topic = bench.topic("t")
    actor, _ = bench.attach(topic)
    actor.end()
    early = topic.push("e", {}, None)
    topic.abandon(JoinError("t", "was given up"))
    topic.abandon(JoinError("t", "twice"))
    with pytest.raises(JoinError, match="was given up"):
        topic.joined_once.get()
    assert [frame[3] for frame in handle.sent] == ["phx_join", "phx_leave"]
    assert isinstance(early.exception(), ChannelClosed)
    assert bench.session.topics() == []


def test_nothing_is_sent_for_a_join_of_a_former_connection(bench: LinkBench) -> None:
    """The server forgot that channel with the connection."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    bench.lose(ConnectionLost(1006))
    handle = bench.open()
    actor.end()
    del handle.sent[:]
    topic._own_uses().last_join = (bench.wire, 1, "1")
    topic.abandon()
    assert handle.sent == []


def test_the_end_of_the_client(bench: LinkBench) -> None:
    """Joins are cancelled, streams end, and nothing can be wanted any more."""
    topic = bench.topic("t")
    stream = topic.listeners.stream(None)
    waiting = bench.session.when(lambda: False)
    bench.session.end()
    with pytest.raises(JoinCancelled):
        topic.joined_once.get()
    assert list(stream) == []
    for future in (waiting, bench.session.when(lambda: False)):
        with pytest.raises(LookupError):
            future.get()
    with pytest.raises(LookupError):
        bench.session.want(topic)


# -- messages and telemetry


@pytest.mark.contract("C91", "C80")
def test_what_the_server_says_about_the_channel(bench: LinkBench) -> None:
    """phx_error is told to the actor, fails pushes, and is no message of the user's."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    future = topic.push("e", {}, None)
    bench.receive("1", None, "t", "news", {"n": 1})
    bench.receive("1", "1", "t", "phx_error", {"reason": "channel_crash"})
    assert actor.named() == ["Joined", "Frame", "Closed"]
    assert actor.got[2].reason == ServerError({"reason": "channel_crash"})
    assert isinstance(future.exception(), ChannelClosed)
    assert topic.state is ChannelState.ERRORED


@pytest.mark.contract("C186")
def test_each_join_has_its_left(bench: LinkBench) -> None:
    """A loss, a crash of the actor and a leave are told once each, with their reasons."""
    names = [("channel", "joined"), ("channel", "left"), ("channel", "closed")]
    with listening(*names) as log:
        bench.open()
        topic, actor, _ = bench.joined("t")
        bench.lose(ConnectionLost(1006))
        bench.open()
        bench.accept(topic)
        actor.end()
        bench.attach(topic)
        bench.accept(topic)
        topic.leave(None)
        bench.receive(topic.core.machine.join_ref, None, "t", "phx_close", {})  # type: ignore[union-attr]
    told = [(item[0].removeprefix("channel."), item[2].get("reason")) for item in log.items]
    assert [name for name, _ in told] == ["joined", "left", "closed"] * 3
    assert [reason for name, reason in told if name == "left"] == [
        "ConnectionLost",
        "Crashed",
        "Left",
    ]


def test_an_end_of_the_actor_that_is_no_crash(bench: LinkBench) -> None:
    """Its pushes say why it ended."""
    bench.open()
    topic, actor, _ = bench.joined("t")
    future = topic.push("e", {}, None)
    actor.end(Normal())
    error = future.exception()
    assert isinstance(error, ChannelClosed)
    assert error.reason == Normal()


def test_pushes_where_nobody_may_wait(bench: LinkBench) -> None:
    """On the reader thread a push is queued for the writer."""
    handle = bench.open()
    topic, _, _ = bench.joined("t")
    del handle.sent[:]
    bench.wire.outbox.ring = lambda: None  # type: ignore[method-assign]
    with no_waiting_here():
        topic.push("e", {}, None)
    assert (handle.sent, len(bench.wire.outbox)) == ([], 1)


@pytest.mark.contract("C56")
def test_who_joins_gets_the_reason_whoever_closes_the_topic(bench: LinkBench) -> None:
    """The actor of a refused join may end before the answer is given."""
    bench.open()
    topic = bench.topic("t")
    _, core = bench.attach(topic)
    joined_once, join_ref = topic.joined_once, core.machine.join_ref
    refusal = {"status": "error", "response": {"reason": "full"}}
    frame = Frame(join_ref, join_ref, "t", "phx_reply", refusal)
    deeds = core.take_in([FrameArrived(frame, bench.generation)])
    topic.close()
    for deed in deeds:
        deed()
    assert isinstance(joined_once.exception(), JoinRejected)

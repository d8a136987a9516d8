"""Joins whose channel actor the joining thread starts itself, interrupted wherever that may be."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from phoenix_actors import ChannelActor, ChannelState, JoinCancelled, JoinTimeout, SocketClient
from phoenix_actors.actors import channel_start
from phoenix_actors.telemetry import MESSAGE_SENT
from phoenix_actors.testing import PhoenixServer
from phoenix_actors.transport.memory import MemoryPeer, MemoryTransport
from supervisors import GenServer, telemetry
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.shield import _state
from supervisors.introspect import TraceEvent, resume, suspend, trace
from tests.concurrency.conftest import DEADLINE
from tests.striking import handling, strike_in_life_at

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no setitimer"),
    pytest.mark.skipif(
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler,
        reason="SIGINT is ignored, or handled by who runs the tests",
    ),
    # What is raised in the callback of a weak reference is lost, as of a thread's in `threading`.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored.*WeakSet:pytest.PytestUnraisableExceptionWarning"
    ),
]

STORM = 300
# Seconds in which a topic is joined that is not lost.
SOON = 4.0


class Cut(KeyboardInterrupt):
    """What the signal's handler raises, as Ctrl-C does."""


class Starting(ChannelActor):
    """Has an init, which is a user's code."""

    def init(self) -> None:
        self.thread = threading.get_ident()


class Joining(GenServer):
    """Joins what it is asked to."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        client, topic = request
        return client.join(topic).state


def respond(peer: MemoryPeer, data: str | bytes) -> None:
    """Says ok to everything."""
    join_ref, ref, topic, _, _ = json.loads(data)
    answer = {"status": "ok", "response": {}}
    peer.send_text(json.dumps([join_ref, ref, topic, "phx_reply", answer]))


@pytest.fixture(params=["memory", "socket"])
def client(request: pytest.FixtureRequest) -> Iterator[SocketClient]:
    """A client that is connected, and which ends in time."""
    with PhoenixServer() as server:
        yield from started(
            *(("ws://h/socket", MemoryTransport(respond)))
            if request.param == "memory"
            else (server.url, None)
        )


def started(url: str, transport: Any) -> Iterator[SocketClient]:
    """A client of this server."""
    # What is raised in the finalizer of a former test's client would be lost, as said above.
    gc.collect()
    client = SocketClient.start_link(
        url=url,
        transport=transport,
        backoff=[0.001],
        rejoin_backoff=[0.001],
        # No topic is to come back by its time-out; one that is not needed any more may be left.
        join_timeout=2 * SOON,
    )
    client.wait_connected(DEADLINE)
    yield client
    assert client.stop(timeout=DEADLINE)
    assert not _state.up


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Which topics' actors were started in one step, and in which threads."""
    made: list[tuple[str, int]] = []
    start = channel_start._start

    def noted(manager: Any, what: Any) -> Any:
        made.append((what[0].name, threading.get_ident()))
        return start(manager, what)

    monkeypatch.setattr(channel_start, "_start", noted)
    return made


def assert_it_works(client: SocketClient, topic: str) -> bool:
    """The topic is joined in the end, or can be joined; tells whether it was wanted still."""
    channel = client.channel(topic)
    wanted = channel is not None
    if channel is None:
        channel = client.join(topic, timeout=DEADLINE)
    until(lambda: channel.state is ChannelState.JOINED)
    channel.leave()
    return wanted


def assert_each_has_its_actor(client: SocketClient) -> None:
    """The manager has an actor for each topic that is wanted, and no other."""

    def same() -> bool:
        stats = client.channel_manager.stats()
        return bool(stats["topics"] == stats["actors"] == len(client.joined_channels()))

    until(same)


def until(condition: Callable[[], bool]) -> None:
    """Waits until it holds."""
    end, pause = time.monotonic() + SOON, threading.Event()
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.001)


@pytest.mark.parametrize("handlers", [1, 2])
def test_an_exception_wherever_it_may_come(client: SocketClient, handlers: int) -> None:
    """The topic has its actor and is joined, or nobody wants it; to join it then works."""

    def strike(*_: object) -> None:
        raise Cut

    kept, number, more = [0, 0], 0, True
    signum = signal.SIGINT if handlers == 1 else signal.SIGALRM
    with handling(signum, signal.default_int_handler if handlers == 1 else strike):
        while more:
            topic = f"room:{number}"
            try:
                more = strike_in_life_at(number, partial(client.join, topic), signum)
            except KeyboardInterrupt:
                pass
            else:
                assert not more, "it was lost"
            kept[assert_it_works(client, topic)] += 1
            number += 1
            client.wait_connected(DEADLINE)
    # Some before the step, and some in it and behind it.
    assert min(kept) > 20
    assert_each_has_its_actor(client)


def test_a_handler_that_joins(client: SocketClient) -> None:
    """Whatever it interrupts, both joins are answered; it must not wait for that itself."""
    begin, begun = client._joiner().begin, []
    number, more = 0, True

    def join(*_: object) -> None:
        begun.append(begin(f"room:other-{number}", {}, None, None, {}, None).name)

    with handling(signal.SIGALRM, join):
        while more:
            topic = f"room:{number}"
            more = strike_in_life_at(number, partial(client.join, topic), signal.SIGALRM)
            assert begun == [f"room:other-{number}"] * more
            for each in (topic, *begun):
                assert assert_it_works(client, each)
            begun.clear()
            number += 3
    assert number > 200
    assert_each_has_its_actor(client)


def test_a_storm(client: SocketClient) -> None:
    """Exceptions at any time of many joins: no topic is without its actor, and nothing hangs."""
    struck: list[object] = []
    chance, topics = random.Random(7), 0

    def strike(*_: object) -> None:
        struck.append(None)
        raise Cut

    def join_until_struck() -> None:
        nonlocal topics
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.002))
        # What is raised in the callback of a weak reference is lost.
        while not struck:
            topics += 1
            client.join(f"room:{topics}")

    with handling(signal.SIGALRM, strike):
        for _ in range(STORM):
            client.wait_connected(DEADLINE)
            before = topics
            struck.clear()
            with suppress(Cut):
                join_until_struck()
            for number in range(before + 1, topics + 1):
                assert_it_works(client, f"room:{number}")
    assert_each_has_its_actor(client)


def test_who_starts_the_actor(client: SocketClient, starts: list[tuple[str, int]]) -> None:
    """A plain thread, the main one, or an actor's that joins; from an event loop, a worker."""
    me, others = threading.get_ident(), []

    def join() -> None:
        others.append(threading.get_ident())
        client.join("room:thread")

    client.join("room:main")
    thread = threading.Thread(target=join)
    thread.start()
    thread.join(DEADLINE)
    joining = Joining.start()
    assert joining.ask((client, "room:actor"), timeout=DEADLINE) is ChannelState.JOINED
    joining.stop()

    async def in_a_loop() -> None:
        client.join("room:loop")

    asyncio.run(in_a_loop())
    assert [topic for topic, _ in starts] == [
        *("room:main", "room:thread", "room:actor", "room:loop"),
    ]
    threads = [thread for _, thread in starts]
    assert threads[:2] == [me, *others]
    assert threads[3] != me


def test_what_runs_code_of_a_users_is_started_by_the_manager(
    client: SocketClient, starts: list[tuple[str, int]]
) -> None:
    """An init, a function that gives params, and who listens to starts; each topic is joined."""
    me, told = threading.get_ident(), []
    channel = client.join("room:init", channel=Starting)
    assert channel.state is ChannelState.JOINED
    assert starts == []
    client.join("room:params", lambda: {"a": 1})
    event = ("supervisors", "child", "started")
    telemetry.attach("told", event, lambda *_: told.append(threading.get_ident()))
    try:
        client.join("room:told")
    finally:
        telemetry.detach("told")
    assert [topic for topic, _ in starts] == ["room:params", "room:told"]
    assert me not in [thread for _, thread in starts]
    assert told
    assert me not in told


def test_params_are_encoded_outside_of_the_step(client: SocketClient) -> None:
    """What a mapping of a user's does when it is read may be interrupted."""
    seen: list[bool] = []

    class Params(dict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            seen.append(_state.up)
            return super().__iter__()

        def keys(self) -> Any:
            seen.append(_state.up)
            return super().keys()

    client.join("room:a", Params(a=1))
    assert seen
    assert not any(seen)


def test_a_manager_that_is_suspended_is_told(
    client: SocketClient, starts: list[tuple[str, int]]
) -> None:
    """Then the topic is joined when the manager goes on."""
    manager: Any = client.session.manager
    suspend(manager.actor_ref, timeout=DEADLINE)
    joined: list[Any] = []
    thread = threading.Thread(target=lambda: joined.append(client.join("room:a")))
    thread.start()
    until(lambda: bool(manager.mailbox.user))
    assert (starts, joined) == ([], [])
    resume(manager.actor_ref, timeout=DEADLINE)
    thread.join(DEADLINE)
    assert [channel.state for channel in joined] == [ChannelState.JOINED]
    assert [topic for topic, _ in starts] == ["room:a"]


@pytest.mark.parametrize("client", ["memory"], indirect=True)
def test_a_name_that_is_taken(client: SocketClient) -> None:
    """A topic called as a component is joined; the component is found under that name still."""
    socket = client._component("socket")
    assert client.join("socket").state is ChannelState.JOINED
    assert client._component("socket") is socket


@pytest.mark.parametrize("client", ["memory"], indirect=True)
def test_what_cannot_be_started_in_one_step_is_started_by_the_manager(
    client: SocketClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the topic was that manager's for a moment."""
    monkeypatch.setattr(channel_start, "start_in_turn", lambda *_: UNDONE)
    assert client.join("room:a", timeout=SOON).state is ChannelState.JOINED
    assert_each_has_its_actor(client)


@pytest.mark.parametrize("client", ["memory"], indirect=True)
def test_a_topic_has_one_actor(client: SocketClient, starts: list[tuple[str, int]]) -> None:
    """Also where it is joined anew before its join was sent, as by a subscriber's successor."""
    client.disconnect()
    with pytest.raises(JoinTimeout):
        client.join("room:a", timeout=0.0)
    topic, manager = client.session.topic("room:a"), client.session.manager
    assert topic is not None
    assert manager is not None
    assert topic.prepared is not None
    assert channel_start.start_channel_here(manager, topic)
    assert len(starts) == 2
    assert_each_has_its_actor(client)


@pytest.mark.parametrize("client", ["memory"], indirect=True)
def test_who_traces_the_manager_sees_what_it_is_asked_for(client: SocketClient) -> None:
    """Then it is asked for each start by a message."""
    seen: list[TraceEvent] = []
    manager: Any = client.session.manager
    trace(manager.actor_ref, seen.append, timeout=DEADLINE)
    client.join("room:a", timeout=DEADLINE)
    assert seen


def test_who_listens_to_what_is_sent_is_told_outside_of_the_step(client: SocketClient) -> None:
    """Signals are not put off while code of a user's runs."""
    up: list[bool] = []
    telemetry.attach("up", MESSAGE_SENT, lambda *_: up.append(_state.up))
    try:
        client.join("room:a")
    finally:
        telemetry.detach("up")
    assert up
    assert not any(up)


def test_a_leave_that_comes_in_the_middle_of_the_start(
    client: SocketClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The actor ends, who joins is told, and nothing is left of the topic."""
    begin = ChannelActor._phx_begin_life

    def leave_first(actor: Any, after: Any) -> bool:
        topic = actor._phx_topic
        monkeypatch.undo()
        topic.leave(DEADLINE)
        return begin(actor, after)

    monkeypatch.setattr(ChannelActor, "_phx_begin_life", leave_first)
    with pytest.raises(JoinCancelled):
        client.join("room:a")
    assert client.channel("room:a") is None
    assert_each_has_its_actor(client)

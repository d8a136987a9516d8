"""Channel classes, subscribers, and actors of an application around a client."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest

from phoenix_actors import (
    AlreadyJoined,
    Channel,
    ChannelActor,
    ChannelClosed,
    ChannelState,
    JoinCancelled,
    Message,
    SocketClient,
    WouldDeadlock,
)
from supervisors import ChildSpec, GenServer, Shutdown, Stop, Supervisor, whereis
from tests.e2e.rig import DEADLINE, QUICK, Connect, Log, Phoenix, Telling, eventually, listening


class Member(GenServer):
    """An application actor that joins a topic, and tells a log what comes."""

    def init(self, client: Any, topic: str, log: Log) -> None:
        """Joins from inside the actor, which makes it the subscriber."""
        self.log = log
        self.channel = whereis(client).join(
            topic, on={"pushed": lambda payload: log.add("on", payload)}
        )
        log.add("joined", self.channel)

    def handle_info(self, message: Any) -> None:
        """Tells of messages."""
        assert isinstance(message, Message)
        self.log.add("message", message.event, message.payload)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Pushes and waits for the reply."""
        return self.channel.push("echo", request).get(timeout=DEADLINE).response

    def handle_cast(self, message: Any) -> None:
        """Raises."""
        raise RuntimeError(message)


# -- classes


@pytest.mark.contract("C162", "C163", "C153")
def test_a_class_gets_everything(client: SocketClient) -> None:
    """Join, messages, calls, casts and close reach one actor, which pushes and waits itself."""
    log = Log()
    channel = client.join("room:a", {"x": 1}, channel=(Telling, log))
    assert log.wait("join") == ("join", 1, {"joined": "room:a", "params": {"x": 1}})
    assert channel.ask("who", timeout=DEADLINE) == ("Telling", "room:a", "who")
    assert channel.call(("push", "echo", {"n": 1})) == {"n": 1}
    channel.tell("told")
    log.wait("cast", "told")
    channel.push("push_me", {"n": 2})
    log.wait("message", "pushed", {"n": 2})
    ref = channel.ref
    assert ref is not None
    assert client.registry.lookup("room:a") == [(ref, None)]


@pytest.mark.contract("C155")
def test_waiting_inside_a_handler(phoenix: Phoenix, client: SocketClient) -> None:
    """Push and wait, join and leave other topics, ask other channels: all work in a handler."""

    class Busy(Telling):
        def handle_message(self, event: str, payload: Any) -> None:
            other = self.client.join("room:other", channel=(Telling, self.log))
            echoed = self.push("echo", payload).get(timeout=DEADLINE).response
            asked = other.ask(("push", "echo", echoed), timeout=DEADLINE)
            other.leave()
            self.log.add("done", asked, self.client.ping(DEADLINE) > 0)

    log = Log()
    client.join("room:a", channel=(Busy, log)).push("push_me", {"n": 1})
    assert log.wait("done") == ("done", {"n": 1}, True)
    assert phoenix.channels() == {"room:a": 1}


@pytest.mark.contract("C164")
def test_topic_map(connect: Connect) -> None:
    """Exact key, then the longest pattern, then the default class; tuples bring arguments."""
    log = Log()

    class Rooms(Telling):
        pass

    class Specials(Telling):
        pass

    class Lobby(Telling):
        pass

    class Others(Telling):
        pass

    client = connect(
        topic_channel_map={
            "room:*": (Rooms, log),
            "room:special:*": ChildSpec("any", start=Specials, args=(log,)),
            "room:lobby": (Lobby, log),
        },
        default_channel_module=(Others, log),
    )
    expected = {
        "room:1": "Rooms",
        "room:special:1": "Specials",
        "room:lobby": "Lobby",
        "counter:1": "Others",
    }
    for topic, name in expected.items():
        assert client.join(topic).ask("x", timeout=DEADLINE)[0] == name
    assert client.join("room:own", channel=ChannelActor).state is ChannelState.JOINED


@pytest.mark.contract("C168")
def test_a_class_that_raises_starts_anew(phoenix: Phoenix, client: SocketClient) -> None:
    """A fresh actor joins again; other channels and the connection do not notice."""
    log, calm = Log(), Log()
    channel = client.join("room:a", channel=(Telling, log))
    client.join("room:b", channel=(Telling, calm))
    first = log.wait("init")[1]
    phoenix.control.broadcast("room:a", "poison", {})
    second = log.wait("init", count=2)[1]
    assert log.wait("terminate") == ("terminate", "Crashed")
    log.wait("join", 2)
    assert first is not second
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert channel.ref is second
    eventually(phoenix.channels, lambda topics: topics == {"room:a": 1, "room:b": 1})
    phoenix.control.broadcast("room:b", "hello", {})
    calm.wait("message", "hello")
    assert len(calm.named("init")) == 1
    assert phoenix.transports() == 1


@pytest.mark.contract("C168")
def test_on_handlers_and_streams_survive(phoenix: Phoenix, client: SocketClient) -> None:
    """What the user listens with belongs to the topic and not to a life of its actor."""
    log = Log()
    channel = client.join("room:a", channel=(Telling, log))
    heard = Log()
    channel.on("hello", lambda payload: heard.add(payload["n"]))
    stream = channel.messages(timeout=DEADLINE)
    phoenix.control.broadcast("room:a", "poison", {})
    log.wait("join", 2)
    phoenix.control.kill_sockets()
    log.wait("join", 3)
    phoenix.control.broadcast("room:a", "hello", {"n": 1})
    heard.wait(1)
    assert [next(stream).event for _ in range(2)] == ["poison", "hello"]
    assert heard.items == [(1,)]


@pytest.mark.contract("C168")
def test_a_restart_budget_per_topic(phoenix: Phoenix, connect: Connect) -> None:
    """A channel that keeps raising is closed and reported; the server is left with no ghost."""

    class Doomed(Telling):
        def handle_join(self, response: Any) -> None:
            self.log.add("join")
            raise RuntimeError("every time")

    client = connect(channel_max_restarts=2)
    log, calm = Log(), Log()
    client.join("room:calm", channel=(Telling, calm))
    before = {info.id: info.ref for info in client.which_children()}
    with listening(("channel", "gave_up")) as reports:
        channel = client.join("room:doomed", channel=(Doomed, log))
        assert reports.wait("channel.gave_up")[2]["topic"] == "room:doomed"
    assert len(log.named("init")) == 3
    eventually(lambda: client.channel("room:doomed") is None)
    with pytest.raises(ChannelClosed):
        channel.push("echo", {})
    eventually(phoenix.channels, lambda topics: topics == {"room:calm": 1})
    assert len(calm.named("init")) == 1
    assert {info.id: info.ref for info in client.which_children()} == before
    # It can be joined again, by a class that behaves.
    assert client.join("room:doomed").state is ChannelState.JOINED


def test_a_budget_used_up_before_the_join(connect: Connect) -> None:
    """A join whose actor dies again and again raises that it was given up."""

    class Doomed(Telling):
        def init(self, log: Log) -> None:
            super().init(log)
            self.send_after(0.0, "now")

        def handle_info(self, message: Any) -> None:
            raise RuntimeError("every time")

    client = connect(channel_max_restarts=1, auto_connect=False)
    with pytest.raises(JoinCancelled, match="given up"):
        client.join("room:doomed", channel=(Doomed, Log()))
    assert client.channel("room:doomed") is None


def test_join_in_the_init_of_a_channel(client: SocketClient) -> None:
    """It would wait for itself, so it raises at once."""

    class Nested(Telling):
        def init(self, log: Log) -> None:
            try:
                self.client.join("room:inner")
            except WouldDeadlock as refused:
                log.add("refused", refused.operation)
            super().init(log)

    log = Log()
    client.join("room:outer", channel=(Nested, log))
    log.wait("refused")
    assert client.channel("room:inner") is None


@pytest.mark.contract("C155")
def test_push_in_the_init_of_its_channel(client: SocketClient) -> None:
    """The channel joins behind its init, so to wait for the answer raises; the push goes on."""
    other = client.join("room:other")

    class Early(Telling):
        def init(self, log: Log) -> None:
            super().init(log)
            self.log.add("other", other.push("echo", 1, timeout=None).get().response)
            self.early = self.push("echo", 2, timeout=None)
            for wait in (self.early.get, self.early.result, self.early.map(str).get):
                try:
                    wait()
                except WouldDeadlock as refused:
                    log.add("refused", str(refused))

        def handle_join(self, response: Any) -> None:
            self.log.add("answered", self.early.get(timeout=DEADLINE).response)

    log = Log()
    client.join("room:a", channel=(Early, log))
    assert log.wait("answered") == ("answered", 2)
    assert log.named("other") == [(1,)]
    assert ["handle_join()" in text for (text,) in log.named("refused")] == [True] * 3


@pytest.mark.contract("C155")
def test_messages_in_a_handler_of_the_channel(client: SocketClient) -> None:
    """The next one would come behind the handler, so it raises; where it may end, it waits."""

    class Iterating(Telling):
        def handle_call(self, request: Any, sender: Any) -> Any:
            channel = client.channel(self.topic)
            assert channel is not None
            assert list(channel.messages(timeout=0)) == []
            with pytest.raises(WouldDeadlock, match="handle_message"):
                next(channel.messages())
            stream = other.messages()
            other.push("push_me", {"i": 1})
            return next(stream).event

    other = client.join("room:other")
    channel = client.join("room:a", channel=(Iterating, Log()))
    assert channel.ask("now", timeout=DEADLINE) == "pushed"


def test_directives_of_channel_handlers(phoenix: Phoenix, client: SocketClient) -> None:
    """A handler of messages may answer Stop, as every handler of a GenServer may."""

    class Once(Telling):
        def handle_message(self, event: str, payload: Any) -> Any:
            return Stop()

    log = Log()
    client.join("room:a", channel=(Once, log)).push("push_me", {})
    log.wait("terminate", "Normal")
    eventually(phoenix.channels, lambda topics: topics == {})


# -- listed topics and look-up


@pytest.mark.contract("C167")
def test_join_channels(phoenix: Phoenix, connect: Connect) -> None:
    """Listed topics are joined on the first connect and once on each later one."""
    log = Log()
    client = connect(
        join_channels=["room:a", ("room:b", {"x": 1})], default_channel_module=(Telling, log)
    )
    log.wait("join", 1, count=2)
    assert phoenix.channels() == {"room:a": 1, "room:b": 1}
    with pytest.raises(AlreadyJoined) as already:
        client.join("room:b")
    assert already.value.channel.response["params"] == {"x": 1}
    phoenix.control.kill_sockets()
    log.wait("join", 2, count=2)
    assert len(log.named("join")) == 4


@pytest.mark.contract("C170")
def test_looking_up_channels(client: SocketClient) -> None:
    """channel() gives the live one or None; joined_channels() topic, status and params."""
    assert client.channel("room:a") is None
    channel = client.join("room:a", {"x": 1})
    assert client.channel("room:a") is channel
    assert client.joined_channels() == {"room:a": {"status": "joined", "params": {"x": 1}}}
    channel.leave()
    assert client.joined_channels() == {}


@pytest.mark.parametrize("policy", ["block", "drop_oldest"])
def test_a_bounded_mailbox_and_the_stash(connect: Connect, policy: str) -> None:
    """The mailbox's limit is not for the server's messages; what is stashed is handled again."""

    class Bounded(Telling):
        mailbox_limit = 1
        mailbox_overflow = "drop_newest"

        def handle_call(self, request: Any, sender: Any) -> Any:
            if request == "wait":
                assert gate.wait(DEADLINE)
            return self.unstash_all()

        def handle_message(self, event: str, payload: Any) -> None:
            if payload == {"n": 0} and not self.log.named("stashed"):
                self.log.add("stashed")
                self.stash()
            else:
                self.log.add("n", payload["n"])

    gate, log, heard = threading.Event(), Log(), Log()
    client = connect(inbound_overflow=policy)
    channel = client.join("room:a", channel=(Bounded, log), on={"pushed": heard.add})
    log.wait("join")
    busy: Any = channel.ask("wait", block=False)
    for n in range(10):
        channel.push("push_me", {"n": n})
    channel.push("echo", {}).get()
    gate.set()
    busy.get(timeout=DEADLINE)
    log.wait("n", 9)
    assert channel.ask("again", timeout=DEADLINE) == 1
    log.wait("n", 0)
    assert log.named("n") == [*((n,) for n in range(1, 10)), (0,)]
    assert len(heard.items) == 10
    core = client.session.topics()[0].core
    assert core is not None
    assert (len(core.inbound), core.inbound.bytes) == (0, 0)


# -- subscribers


def test_joining_inside_an_actor_subscribes_it(phoenix: Phoenix, client: SocketClient) -> None:
    """The actor gets each message in handle_info; with its end the topic is left."""
    log = Log()
    member = Member.start(client, "room:a", log)
    assert member.ask({"n": 1}, timeout=DEADLINE) == {"n": 1}
    log.wait("joined")[1].push("push_me", {"n": 2})
    log.wait("message", "pushed", {"n": 2})
    member.stop()
    eventually(phoenix.channels, lambda topics: topics == {})
    eventually(lambda: client.channel("room:a") is None)


def test_another_subscriber(phoenix: Phoenix, client: SocketClient) -> None:
    """`subscriber=` names the actor that gets the messages."""

    class Listener(GenServer):
        def init(self, log: Log) -> None:
            self.log = log

        def handle_info(self, message: Any) -> None:
            self.log.add(message.event)

    log = Log()
    listener = Listener.start(log)
    client.join("room:a", subscriber=listener).push("push_me", {})
    log.wait("pushed")
    listener.stop()
    eventually(phoenix.channels, lambda topics: topics == {})


def test_a_plain_pykka_subscriber(phoenix: Phoenix, client: SocketClient) -> None:
    """It gets the messages by tell(); with its end the topic is left, and its successor joins."""

    class Plain(pykka.ThreadingActor):
        def __init__(self, log: Log) -> None:
            super().__init__()
            self.log = log

        def on_receive(self, message: Any) -> Any:
            if message == "poison":
                raise RuntimeError(message)
            if message == "join":
                return client.join("room:a")
            self.log.add(message.event, message.payload)
            return None

    for end in ("stop", "poison"):
        log = Log()
        plain = Plain.start(log)
        channel: Any = plain.ask("join", timeout=DEADLINE)
        channel.push("push_me", {"n": 1})
        log.wait("pushed", {"n": 1})
        plain.stop() if end == "stop" else plain.tell(end)
        eventually(phoenix.channels, lambda topics: topics == {})
        eventually(lambda: client.channel("room:a") is None)


def test_a_subscriber_that_lives_is_not_pushed_out(connect: Connect) -> None:
    """While it lives, another actor's join, and a second one of its own, raise AlreadyJoined."""

    class Again(GenServer):
        def handle_call(self, request: Any, sender: Any) -> Any:
            try:
                return whereis("shared").join("room:a")
            except AlreadyJoined as already:
                return already

    connect(name="shared")
    one, other = Again.start(), Again.start()
    channel = one.ask("join", timeout=DEADLINE)
    for ref in (one, other):
        assert ref.ask("join", timeout=DEADLINE).channel is channel
    one.stop()
    other.stop()


def test_a_restarted_subscriber_takes_over(phoenix: Phoenix, connect: Connect) -> None:
    """Its successor gets a channel that works, whichever of leave and join comes first."""
    connect(name="shared")
    log = Log()
    member = ChildSpec("member", start=Member, args=("shared", "room:a", log))
    with Supervisor.start_link([member], strategy="one_for_one", max_restarts=100) as top:
        for life in range(1, 11):
            channel = log.wait("joined", count=life)[1]
            assert channel.push("echo", {"n": life}).get().response == {"n": life}
            eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})
            channel.push("push_me", {"n": life})
            log.wait("message", "pushed", {"n": life})
            log.wait("on", {"n": life})
            top.which_children()[0].ref.tell("poison")
        log.wait("joined", count=11)
    # Handlers of former lives went with these: each message was told once.
    assert len(log.named("on")) == 10
    eventually(phoenix.channels, lambda topics: topics == {})


# -- under a supervisor


def test_a_client_in_a_supervisor(phoenix: Phoenix) -> None:
    """child_spec() puts it in a tree; killed it begins anew and joins its listed topics."""
    spec = SocketClient.child_spec(
        **{**QUICK, "url": phoenix.url, "name": "supervised", "join_channels": ["room:a"]}
    )
    with Supervisor.start_link([spec], strategy="one_for_one"):
        client = whereis("supervised")
        client.wait_connected(DEADLINE)
        eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})
        client.stop()
        eventually(lambda: whereis("supervised") not in (None, client))
        whereis("supervised").wait_connected(DEADLINE)
        eventually(phoenix.channels, lambda topics: topics == {"room:a": 1})
        assert phoenix.transports() == 1
    eventually(phoenix.transports, lambda count: count == 0)


def test_a_client_that_counts(phoenix: Phoenix) -> None:
    """A significant one ends its supervisor with it; ended, it is known as disconnected."""
    spec = SocketClient.child_spec(
        name="counts", url=phoenix.url, restart="temporary", shutdown=2.0, significant=True
    )
    assert (spec.shutdown, spec.type) == (2.0, "supervisor")
    app = Supervisor.start_link([spec], strategy="one_for_one", auto_shutdown="any_significant")
    end, client = app.monitor(), whereis("counts")
    client.wait_connected(DEADLINE)
    client.stop()
    assert end.wait(DEADLINE).reason == Shutdown()
    assert (client.status, client.connected) == ("disconnected", False)


def test_the_seeds_functions(connect: Connect) -> None:
    """Channel.join, push, push_async and leave on the class, the client given by its name."""
    connect(name="by name")
    log = Log()
    response, channel = Channel.join("by name", "room:a", {"x": 1})
    assert response["params"] == {"x": 1}
    channel.on("pushed", lambda payload: log.add(payload["n"]))
    assert Channel.push(channel, "echo", {"n": 1}).response == {"n": 1}
    Channel.push_async(channel, "push_me", {"n": 2})
    log.wait(2)
    Channel.leave(channel)
    assert channel.state is ChannelState.CLOSED


def test_many_actors_of_one_client(phoenix: Phoenix, connect: Connect) -> None:
    """Twenty actors join a topic each, push and wait in their handlers, all at once."""
    connect(name="crowd")
    log = Log()
    members: list[Any] = [None] * 20

    def start(number: int) -> None:
        members[number] = Member.start("crowd", f"room:{number}", log)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    replies = [
        member.ask({"n": number}, block=False)
        for number, member in enumerate(members)
        for _ in range(5)
    ]
    assert sorted(reply.get(timeout=DEADLINE)["n"] for reply in replies) == sorted([*range(20)] * 5)
    assert phoenix.count() == 20
    for member in members:
        member.stop()
    eventually(phoenix.count, lambda count: count == 0)

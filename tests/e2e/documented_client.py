"""Cases 1 to 33 of `test_documented.py`: the client, its channels, messages and connection."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors import (
    AlreadyJoined,
    Channel,
    ChannelActor,
    ConnectError,
    ConnectionStatus,
    InvalidOption,
    Message,
    SocketClient,
)
from supervisors import Killed, NoProcError, Supervisor, whereis
from tests.e2e.documented import NOWHERE, case, who
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, Telling, eventually, listening

# -- core


@case(1)
def start_link(phoenix: Phoenix, connect: Connect) -> None:
    """It starts a supervisor with everything below it, and raises for a bad option."""
    client = connect()
    assert {"socket", "channel_manager"} <= {child.id for child in client.which_children()}
    with pytest.raises(InvalidOption):
        connect(no_such_option=1)


@case(2)
def url(phoenix: Phoenix, connect: Connect) -> None:
    """It is required and checked."""
    with pytest.raises(InvalidOption, match="url is required"):
        SocketClient.start_link()
    assert connect(url=phoenix.url).get_state("url") == phoenix.url


@case(3)
def auto_connect(phoenix: Phoenix, connect: Connect) -> None:
    """It connects at the start unless told not to."""
    assert connect().connected
    idle = connect(auto_connect=False)
    assert idle.status is ConnectionStatus.DISCONNECTED
    assert phoenix.transports() == 1


@case(4)
def params(phoenix: Phoenix, connect: Connect) -> None:
    """They reach connect/3; a function is asked for each attempt."""
    numbers = iter(range(1, 10))
    client = connect(params=lambda: {"attempt": next(numbers), "word": "a&b=c é"})
    assert who(client)["params"]["attempt"] == "1"
    phoenix.control.kill_sockets()
    eventually(lambda: (client.channel("room:a") or client).join_count == 2)  # type: ignore[union-attr]
    assert who(client)["params"] == {"attempt": "2", "word": "a&b=c é", "vsn": "2.0.0"}


@case(5)
def headers(phoenix: Phoenix, connect: Connect) -> None:
    """They go with the upgrade; one that cannot be sent is refused at the start."""
    assert connect(headers=[("x-client", "7")]).connected
    with pytest.raises(InvalidOption, match="line break"):
        connect(headers={"x-client": "7\r\nx-evil: 1"})


@case(6)
def reconnect(phoenix: Phoenix, connect: Connect) -> None:
    """It comes back after a loss; with False it does not."""
    log = Log()
    client, once = connect(), connect(reconnect=False)
    once.on_close(lambda *_: log.add("closed"))
    phoenix.control.kill_sockets()
    client.wait_connected(DEADLINE)
    log.wait("closed")
    eventually(lambda: client.connected and phoenix.transports() == 1)
    assert not once.connected


@case(7)
def reconnect_interval(phoenix: Phoenix, connect: Connect) -> None:
    """No wait between attempts is longer."""
    with listening(("reconnection", "attempt")) as log:
        connect(url=NOWHERE, auto_connect=False, backoff=None, reconnect_interval=0.01).connect()
        log.wait("reconnection.attempt", count=6)
    assert all(item[0]["delay_seconds"] <= 0.015 for item in log.named("reconnection.attempt"))


@case(8)
def vsn(phoenix: Phoenix, connect: Connect) -> None:
    """It decides what is spoken."""
    for version in ("1.0.0", "2.0.0"):
        assert who(connect(vsn=version))["vsn"] == version


@case(9)
def name(phoenix: Phoenix, connect: Connect) -> None:
    """The client is found by it; unnamed ones live side by side."""
    client = connect(name="documented")
    assert whereis("documented") is client
    assert connect() is not connect()


@case(10)
@case(52)
def registry_name(phoenix: Phoenix, connect: Connect) -> None:
    """The client's registry is found by it, and in it the components."""
    client = connect(name="documented", registry_name="documented-registry")
    client.join("room:a")
    registry = whereis("documented-registry")
    assert registry is client.registry
    assert registry.lookup("socket")
    assert registry.lookup("room:a")


@case(11)
def in_a_supervision_tree(phoenix: Phoenix, connect: Connect) -> None:
    """It is a child as any other, and is started anew."""
    spec = SocketClient.child_spec(name="documented", url=phoenix.url)
    with Supervisor.start_link([spec], strategy="one_for_one"):
        first = whereis("documented")
        first.wait_connected(DEADLINE)
        first.exit(Killed())
        second = eventually(
            lambda: whereis("documented"), lambda ref: ref is not None and ref is not first
        )
        second.wait_connected(DEADLINE)


@case(12)
def connect_(phoenix: Phoenix, connect: Connect) -> None:
    """It connects; a client that is not there is an error."""
    client = connect(auto_connect=False)
    client.connect()
    client.connect()
    client.wait_connected(DEADLINE)
    assert phoenix.transports() == 1
    client.stop()
    with pytest.raises(NoProcError):
        client.connect()


@case(13)
def disconnect(phoenix: Phoenix, connect: Connect) -> None:
    """It closes and stays closed until connect()."""
    client = connect()
    client.disconnect()
    eventually(phoenix.transports, lambda count: count == 0)
    assert client.status is ConnectionStatus.DISCONNECTED
    client.connect()
    client.wait_connected(DEADLINE)


@case(14)
def connected(phoenix: Phoenix, connect: Connect) -> None:
    """It is a boolean, for a stopped client too."""
    client = connect()
    assert client.connected is True
    client.stop()
    assert client.connected is False


@case(15)
def push(phoenix: Phoenix, connect: Connect) -> None:
    """It sends a message on a joined topic and returns it; the server takes it."""
    client = connect()
    channel = client.join("counter:a")
    message = Message.push("counter:a", "seq", {"n": 1})
    assert client.push(message) is message
    channel.push("seq", {"n": 2}).get()
    assert phoenix.control.dump("counter:a") == [{"n": 1}, {"n": 2}]


@case(16)
def get_state(phoenix: Phoenix, connect: Connect) -> None:
    """It gives everything known."""
    client = connect()
    client.join("room:a", {"p": 1})
    state = client.get_state()
    assert state["status"] == "connected"
    assert state["joined_channels"] == {"room:a": {"status": "joined", "params": {"p": 1}}}


@case(17)
def get_one_value(phoenix: Phoenix, connect: Connect) -> None:
    """It gives one value; None for what is unknown."""
    client = connect(vsn="1.0.0")
    assert (client.get_state("vsn"), client.get_state("nonsense")) == ("1.0.0", None)


@case(18)
def put_state(phoenix: Phoenix, connect: Connect) -> None:
    """It keeps a value of one's own; new params count from the next connect."""
    client = connect(params={"word": "old"})
    client.put_state("custom_data", {"key": "value"})
    assert client.get_state("custom_data") == {"key": "value"}
    client.put_state("params", {"word": "new"})
    client.disconnect()
    client.connect()
    assert who(client)["params"]["word"] == "new"


# -- channels


@case(19)
def channel_join(phoenix: Phoenix, connect: Connect) -> None:
    """It gives the response and the channel; a second one leaves the first undisturbed."""
    client = connect()
    response, channel = Channel.join(client, "room:a", {"user": "al"})
    assert response == {"joined": "room:a", "params": {"user": "al"}}
    with pytest.raises(AlreadyJoined) as taken:
        Channel.join(client, "room:a")
    assert taken.value.channel is channel
    assert channel.push("echo", 1).get().response == 1


@case(20)
def channel_leave(phoenix: Phoenix, connect: Connect) -> None:
    """The server's channel is gone when it returns."""
    channel = connect().join("room:a")
    Channel.leave(channel)
    assert channel.state == "closed"
    eventually(phoenix.channels, lambda topics: topics == {})


@case(21)
def channel_push(phoenix: Phoenix, connect: Connect) -> None:
    """It waits for the reply, and an error reply is one."""
    channel = connect().join("room:a")
    assert Channel.push(channel, "echo", {"n": 1}).response == {"n": 1}
    assert Channel.push(channel, "fail", {"n": 1}).status == "error"


@case(22)
def channel_push_async(phoenix: Phoenix, connect: Connect) -> None:
    """It does not wait."""
    channel = connect().join("counter:a")
    Channel.push_async(channel, "seq_noreply", {"n": 1})
    channel.push("seq", {"n": 2}).get()
    assert len(phoenix.control.dump("counter:a")) == 2


@case(23)
def handle_message(phoenix: Phoenix, connect: Connect) -> None:
    """A class gets event and payload, join and close, and never the protocol's own events."""
    log = Log()
    channel = connect().join("room:a", channel=(Telling, log))
    log.wait("join")
    channel.push("push_me", {"n": 1})
    log.wait("message", "pushed", {"n": 1})
    phoenix.control.kill_channels()
    log.wait("join", 2)
    channel.leave()
    log.wait("close")
    eventually(lambda: len(log.named("close")) == 2)
    assert log.named("message") == [("pushed", {"n": 1})]


@case(24)
def callbacks_of_a_gen_server(phoenix: Phoenix, connect: Connect) -> None:
    """init, handle_call, handle_cast, handle_info and terminate are there as well."""
    log = Log()

    class Whole(Telling):
        def handle_info(self, message: Any) -> None:
            log.add("info", message)

    channel = connect().join("room:a", channel=(Whole, log))
    assert channel.ask("hello") == ("Whole", "room:a", "hello")
    assert channel.ref is not None
    channel.tell("cast")
    channel.ref.send_info("info")
    log.wait("cast", "cast")
    log.wait("info", "info")
    channel.leave()
    log.wait("terminate")
    assert len(log.named("init")) == 1


@case(25)
@case(53)
def topic_channel_map(phoenix: Phoenix, connect: Connect) -> None:
    """Exact topics, the longest pattern, then the default."""

    class Named(ChannelActor):
        def handle_call(self, request: Any, sender: Any) -> Any:
            return type(self).__name__

    rooms, one, default = (type(kind, (Named,), {}) for kind in ("Rooms", "One", "Default"))
    client = connect(
        topic_channel_map={"room:*": rooms, "room:one": one}, default_channel_module=default
    )
    kinds = [client.join(topic).ask("kind") for topic in ("room:a", "room:one", "counter:a")]
    assert kinds == ["Rooms", "One", "Default"]


# -- messages


@case(26)
def message_join(phoenix: Phoenix, connect: Connect) -> None:
    """A join message."""
    message = Message.join("room:a", {"user": "al"})
    assert (message.topic, message.event, message.payload) == ("room:a", "phx_join", {"user": "al"})


@case(27)
def message_leave(phoenix: Phoenix, connect: Connect) -> None:
    """A leave message."""
    assert Message.leave("room:a").event == "phx_leave"


@case(28)
def message_push(phoenix: Phoenix, connect: Connect) -> None:
    """A message of an event."""
    message = Message.push("room:a", "new_message", {"body": "hi"})
    assert (message.event, message.payload) == ("new_message", {"body": "hi"})


@case(29)
def message_structure(phoenix: Phoenix, connect: Connect) -> None:
    """What comes has topic, event, payload, refs and its channel."""
    channel = connect().join("room:a")
    messages = channel.messages(timeout=DEADLINE)
    channel.push("push_me", {"n": 1})
    message = next(messages)
    assert (message.topic, message.event, message.payload) == ("room:a", "pushed", {"n": 1})
    assert (message.join_ref, message.ref, message.channel) == ("1", None, channel)


@case(30)
def register_message_hook(phoenix: Phoenix, connect: Connect) -> None:
    """A function, or an object with handle_message, sees every message."""
    log = Log()

    class Handler:
        def handle_message(self, message: Message, client: SocketClient) -> Message:
            log.add("hook", message.event)
            return message

    client = connect()
    client.register_message_hook(Handler())
    client.join("room:a").push("push_me", {})
    log.wait("hook", "pushed")


# -- the connection


@case(31)
def connection_states(phoenix: Phoenix, connect: Connect) -> None:
    """They are told in their order."""
    with listening(("socket", "status_change")) as log:
        client = connect(auto_connect=False)
        assert client.get_state("status") == "disconnected"
        client.connect()
        client.wait_connected(DEADLINE)
        assert client.get_state("status") == "connected"
    changes = [item[1]["new_status"] for item in log.named("socket.status_change")]
    assert changes == ["connecting", "connected"]


@case(32)
def max_reconnect_attempts(phoenix: Phoenix, connect: Connect) -> None:
    """After so many failures the client gives up."""
    client = connect(url=NOWHERE, auto_connect=False, max_reconnect_attempts=2, backoff=[0.01])
    with listening(("reconnection", "attempt")) as log:
        client.connect()
        with pytest.raises(ConnectError):
            client.wait_connected(DEADLINE)
    assert len(log.items) == 2


@case(33)
def connection_events(phoenix: Phoenix, connect: Connect) -> None:
    """Hooks tell them, so nobody has to ask every five seconds."""
    log = Log()
    client = connect(auto_connect=False)
    client.on_open(lambda: log.add("open"))
    client.on_close(lambda code, reason, clean: log.add("close", code, clean))
    client.connect()
    log.wait("open")
    client.disconnect()
    assert log.wait("close") == ("close", 1000, True)

"""How channels end, by whoever ends them, and what is left at the server: nothing."""

from __future__ import annotations

import threading

import pytest

from phoenix_actors import (
    ChannelClosed,
    ChannelState,
    ClientStopped,
    ConnectionLost,
    Left,
    PushReply,
    ServerClosed,
    ServerError,
    SocketClient,
)
from tests.e2e.rig import (
    DEADLINE,
    GONE,
    LONG_POLL,
    WEBSOCKET,
    Connect,
    Log,
    Phoenix,
    Telling,
    eventually,
)

TRANSPORTS = [WEBSOCKET, LONG_POLL]


@pytest.mark.contract("C85")
def test_leave(phoenix: Phoenix, client: SocketClient) -> None:
    """It returns when the server has let go; the class is told once, then it ends."""
    log = Log()
    channel = client.join("room:a", channel=(Telling, log))
    channel.leave()
    assert phoenix.channels() == {}
    assert channel.state is ChannelState.CLOSED
    assert log.wait("close") == ("close", Left())
    assert log.wait("terminate") == ("terminate", "Normal")
    assert client.channel("room:a") is None
    assert len(log.named("close")) == 1


@pytest.mark.contract("C88")
def test_leave_twice(client: SocketClient) -> None:
    """The second one, and one from another thread, is harmless."""
    channel = client.join("room:a")
    threads = [threading.Thread(target=channel.leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    channel.leave()


@pytest.mark.contract("C86")
def test_leave_without_a_connection(phoenix: Phoenix, connect: Connect) -> None:
    """It closes here at once, and no connection brings the topic back."""
    client = connect(join_channels=["room:a", "room:b"], auto_connect=False)
    channel = client.channel("room:a")
    assert channel is not None
    channel.leave()
    assert channel.state is ChannelState.CLOSED
    client.connect()
    eventually(phoenix.channels, lambda topics: topics == {"room:b": 1})


def test_join_straight_after_leave(phoenix: Phoenix, client: SocketClient) -> None:
    """A topic can be joined again at once, by a new channel, as often as one likes."""
    for number in range(30):
        channel = client.join("room:again", {"n": number})
        assert channel.response["params"] == {"n": number}
        assert channel.push("echo", {"n": number}).get().response == {"n": number}
        channel.leave()
    assert phoenix.channels() == {}


def test_join_while_another_thread_leaves(phoenix: Phoenix, client: SocketClient) -> None:
    """The new channel works and is the only one, whichever frame was first on the wire."""
    for number in range(20):
        former = client.join("room:race")
        leaving = threading.Thread(target=former.leave)
        leaving.start()
        eventually(lambda: client.channel("room:race") is None)
        channel = client.join("room:race")
        assert channel.push("echo", {"n": number}).get().response == {"n": number}
        leaving.join(DEADLINE)
        assert phoenix.channels() == {"room:race": 1}
        channel.leave()


def test_leave_inside_a_handler(phoenix: Phoenix, client: SocketClient) -> None:
    """A channel's own handler may leave it and goes on to its end."""

    class Leaving(Telling):
        def handle_message(self, event: str, payload: object) -> None:
            self.client.channel(self.topic).leave()
            self.log.add("left")

    log = Log()
    channel = client.join("room:a", channel=(Leaving, log))
    channel.push("push_me", {})
    log.wait("left")
    log.wait("close", Left())
    log.wait("terminate", "Normal")
    assert phoenix.channels() == {}
    assert client.channel("room:a") is None


@pytest.mark.contract("C90", "C169")
def test_the_server_closes(phoenix: Phoenix, client: SocketClient) -> None:
    """phx_close ends the channel: it is told, not joined again, and free to be joined anew."""
    log = Log()
    channel = client.join("room:a", channel=(Telling, log))
    assert channel.push("stop_reply", {"bye": 1}).get() == PushReply("ok", {"bye": 1})
    assert log.wait("close") == ("close", ServerClosed())
    log.wait("terminate", "Normal")
    assert client.channel("room:a") is None
    assert phoenix.channels() == {}
    with pytest.raises(ChannelClosed):
        channel.push("echo", {})
    assert client.join("room:a").state is ChannelState.JOINED


@pytest.mark.contract("C91", "C169", "C60")
def test_the_server_crashes(phoenix: Phoenix, client: SocketClient) -> None:
    """phx_error fails pushes in flight and is told; the channel joins again by itself."""
    log = Log()
    channel = client.join("room:a", channel=(Telling, log))
    waiting = channel.push("slow_echo", {"ms": 60_000})
    phoenix.control.kill_channels("room:a")
    with pytest.raises(ChannelClosed) as closed:
        waiting.get()
    assert isinstance(closed.value.reason, ServerError)
    assert isinstance(log.wait("close")[1], ServerError)
    assert log.wait("join", 2)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert phoenix.channels() == {"room:a": 1}
    # The same actor went on: nothing of its own was wrong.
    assert len(log.named("init")) == 1


@pytest.mark.contract("C169")
def test_the_client_stops(phoenix: Phoenix, connect: Connect) -> None:
    """Every channel is told ClientStopped, and ends; the server has nothing left."""
    client, logs = connect(), [Log() for _ in range(5)]
    for number, log in enumerate(logs):
        client.join(f"room:{number}", channel=(Telling, log))
    client.stop()
    for log in logs:
        assert log.named("close") == [(ClientStopped(),)]
        assert len(log.named("terminate")) == 1
    eventually(phoenix.transports, lambda count: count == 0)
    assert phoenix.channels() == {}


@pytest.mark.contract("C169", "C123", "C94")
def test_the_connection_is_lost(phoenix: Phoenix, client: SocketClient, transport: str) -> None:
    """A joined channel is told ConnectionLost and rejoins; one that was left is told nothing."""
    log, gone = Log(), Log()
    client.join("room:a", channel=(Telling, log))
    client.join("room:b", channel=(Telling, gone)).leave()
    gone.wait("terminate")
    phoenix.control.kill_sockets()
    reason = log.wait("close")[1]
    assert isinstance(reason, ConnectionLost)
    assert reason.code == GONE[transport]
    log.wait("join", 2)
    assert gone.named("close") == [(Left(),)]


def test_an_actor_that_stops_itself(phoenix: Phoenix, client: SocketClient) -> None:
    """A channel actor that ends by its own choice leaves its topic; nobody starts it again."""

    class Finishing(Telling):
        def handle_message(self, event: str, payload: object) -> None:
            self.stop()

    log = Log()
    channel = client.join("room:a", channel=(Finishing, log))
    channel.push("push_me", {})
    log.wait("terminate", "Normal")
    eventually(phoenix.channels, lambda topics: topics == {})
    eventually(lambda: client.channel("room:a") is None)
    with pytest.raises(ChannelClosed):
        channel.push("echo", {})
    ref = client.join("room:a").ref
    assert ref is not None
    ref.stop()
    eventually(phoenix.channels, lambda topics: topics == {})


def test_streams_end_with_the_channel(client: SocketClient) -> None:
    """messages() gives what came and stops when the topic was left."""
    channel = client.join("room:a")
    stream = channel.messages()
    channel.push("push_me", {"n": 1})
    first = next(stream)
    assert (first.topic, first.event, first.payload) == ("room:a", "pushed", {"n": 1})
    assert first.channel is channel
    threading.Thread(target=channel.leave).start()
    assert list(stream) == []
    assert list(channel.messages()) == []

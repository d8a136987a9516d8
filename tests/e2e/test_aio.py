"""The client for asyncio: every verb, cancelled calls, and a loop that never waits."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

import phoenix_actors
from phoenix_actors import (
    DROP,
    AlreadyJoined,
    ChannelClosed,
    ConnectError,
    InvalidOption,
    JoinRejected,
    JoinTimeout,
    Message,
    NotConnected,
    NotJoined,
    PushTimeout,
    SocketClient,
    aio,
)
from phoenix_actors.transport import TransportHandle
from phoenix_actors.transport.websocket import WebSocketTransport
from supervisors import NoProcError, whereis
from tests.e2e.rig import DEADLINE, QUICK, Connect, Log, Phoenix, Telling, eventually

T = TypeVar("T")


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Runs a scenario on a loop of its own; fails it after a generous deadline."""
    return asyncio.run(asyncio.wait_for(scenario, 3 * DEADLINE))


async def until(look: Callable[[], bool]) -> None:
    """Waits until it holds, and lets the loop go on meanwhile; the scenario's deadline ends it."""
    while not look():  # noqa: ASYNC110  what is looked at has no event
        await asyncio.sleep(0.01)


# -- the verbs


def test_every_verb(phoenix: Phoenix) -> None:
    """Start, join, push, messages, ping, state, leave, disconnect, stop."""

    async def scenario() -> None:
        async with aio.SocketClient.start_link(**QUICK, url=phoenix.url, name="aio") as client:
            await client.wait_connected()
            assert client.connected
            assert client.status == "connected"
            assert repr(client) == "<aio.SocketClient 'aio' connected>"
            channel = await client.join("room:a", {"x": 1})
            assert channel.response == {"joined": "room:a", "params": {"x": 1}}
            assert (channel.topic, channel.state, channel.join_count) == ("room:a", "joined", 1)
            assert repr(channel) == "<aio.Channel 'room:a' joined>"
            reply = await channel.push("echo", {"n": 1})
            assert (reply.status, reply.response) == ("ok", {"n": 1})
            assert (await channel.push("fail", b"\x00\x01")).status == "error"
            messages = channel.messages()
            sent = Message.push("room:a", "push_me", {"n": 2})
            assert await client.push(sent) is sent
            message = await anext(messages)
            assert (message.event, message.payload) == ("pushed", {"n": 2})
            assert await client.ping() > 0
            client.put_state("color", "red")
            assert (client.get_state("color"), client.get_state("name")) == ("red", "aio")
            assert list(client.joined_channels()) == ["room:a"]
            again = client.channel("room:a")
            assert again is not None
            assert again.sync is channel.sync
            await channel.leave()
            assert (channel.state, client.channel("room:a")) == ("closed", None)
            with pytest.raises(ChannelClosed):
                await channel.push("echo")
            await client.disconnect()
            assert client.status == "disconnected"
            await client.connect()
            await client.wait_connected()
        assert await client.stop() is False

    run(scenario())
    assert whereis("aio") is None


def test_every_hook(phoenix: Phoenix) -> None:
    """They are those of the other client, run where those run, and are removed by off()."""

    async def scenario() -> None:
        log = Log()
        async with aio.SocketClient.start_link(
            **QUICK, url=phoenix.url, auto_connect=False
        ) as client:
            client.on_open(lambda: log.add("open"))
            client.on_close(lambda code, *_: log.add("close", code))
            client.on_error(lambda error: log.add("error", type(error).__name__))
            every = client.on_message(lambda message: log.add("message", message.event))
            client.register_message_hook(
                lambda message: DROP if message.payload == {"drop": 1} else message
            )
            await client.connect()
            channel = await client.join("room:a")
            await asyncio.to_thread(log.wait, "message", "phx_reply")
            every.off()
            channel.on("pushed", lambda payload: log.add("pushed", payload))
            await channel.send("push_me", {"drop": 1})
            await channel.send("push_me", {"drop": 0})
            await asyncio.to_thread(log.wait, "pushed", {"drop": 0})
            channel.off("pushed")
            async with asyncio.timeout(DEADLINE):
                messages = channel.messages()
                await channel.send("push_me", {"drop": 2})
                # The one before may be on its way still: callbacks run first.
                while (payload := (await anext(messages)).payload) == {"drop": 0}:
                    pass
                assert payload == {"drop": 2}
            client.put_state("auth_token", "refused")
            await client.disconnect()
            await client.connect()
            await asyncio.to_thread(log.wait, "error", "AuthTokenIgnored")
        assert log.named("open") == [()]
        assert log.named("close") == [(1000,)]
        assert log.named("pushed") == [({"drop": 0},)]
        assert log.named("message") == [("phx_reply",)]

    run(scenario())


def test_awaiting_starts_as_well(phoenix: Phoenix) -> None:
    """Then the block that stops it is the user's own; a second start of the name says so."""

    async def scenario() -> None:
        client = await aio.SocketClient.start_link(url=phoenix.url, auto_connect=False)
        async with client:
            with pytest.raises(NotConnected):
                await client.ping()
        with pytest.raises(InvalidOption):
            await aio.SocketClient.start_link(url=phoenix.url, colour="red")

    run(scenario())


def test_a_client_that_runs_may_be_used(connect: Connect) -> None:
    """By reference or by name; so may its channels."""
    client = connect(name="shared")
    channel = client.join("room:a")

    async def scenario() -> Any:
        assert aio.SocketClient(client).sync is client
        assert aio.SocketClient("shared").sync is client
        with pytest.raises(NoProcError):
            aio.SocketClient("nobody")
        return (await aio.Channel(channel).push("echo", [1])).response

    assert run(scenario()) == [1]


def test_the_package_gives_the_module() -> None:
    """It is imported when it is asked for."""
    assert phoenix_actors.aio is aio


def test_replies_come_while_others_wait(client: SocketClient) -> None:
    """A hundred pushes at once, a channel that is slow, and a ping in between."""

    async def scenario() -> None:
        mine = aio.SocketClient(client)
        slow, quick = await asyncio.gather(mine.join("room:slowly"), mine.join("room:a"))
        waiting = asyncio.create_task(slow.push("slow_echo", {"ms": 300}))
        replies = await asyncio.gather(*(quick.push("echo", n) for n in range(100)))
        assert [reply.response for reply in replies] == list(range(100))
        assert await mine.ping() > 0
        assert not waiting.done()
        assert (await waiting).status == "ok"

    run(scenario())


def test_a_reply_may_be_ignored(client: SocketClient) -> None:
    """`send` gives a future once the frame is on its way."""

    async def scenario() -> None:
        channel = await aio.SocketClient(client).join("room:a")
        await channel.send("no_reply")
        future = await channel.send("echo", 1)
        assert (await future).response == 1

    run(scenario())


def test_handlers_run_on_actors(client: SocketClient) -> None:
    """Those of `on`, of classes and of presences; `ask` and `tell` reach the actor."""
    log = Log()

    async def scenario() -> None:
        mine = aio.SocketClient(client)
        channel = await mine.join("presence:a", {"name": "al"}, channel=(Telling, log))
        told = asyncio.Event()
        loop, threads = asyncio.get_running_loop(), list[threading.Thread]()

        def tell(*_: Any) -> None:
            threads.append(threading.current_thread())
            loop.call_soon_threadsafe(told.set)

        mine.presence("presence:a").on_leave(tell)
        await channel.push("update", {"mood": "good"})
        await told.wait()
        subscription = channel.on("presence_diff", tell)
        told.clear()
        await channel.push("untrack")
        await told.wait()
        subscription.off()
        assert threading.current_thread() not in threads
        assert await channel.ask("hello") == ("Telling", "presence:a", "hello")
        channel.tell("news")
        await until(lambda: mine.presence("presence:a").list() == [])

    run(scenario())
    log.wait("cast", "news")


# -- messages


def test_messages_end_with_the_channel(client: SocketClient) -> None:
    """What waits is still taken; a timeout ends the iteration too."""

    async def scenario() -> None:
        channel = await aio.SocketClient(client).join("room:a")
        messages = channel.messages()
        assert (await channel.push("flood", {"n": 250, "size": 1})).status == "ok"
        await channel.push("echo")
        taken = [await anext(messages) for _ in range(250)]
        assert [message.payload["i"] for message in taken] == list(range(1, 251))
        behind = channel.messages()
        await channel.send("push_me", {"last": True})
        assert (await anext(behind)).payload == {"last": True}
        await channel.leave()
        assert [message.payload for message in await _all(messages)] == [{"last": True}]
        assert await _all(behind) == []
        other = await aio.SocketClient(client).join("room:b")
        assert await _all(other.messages(timeout=0.01)) == []
        assert messages.dropped == 0

    run(scenario())


async def _all(messages: aio.MessageStream) -> list[Message]:
    return [message async for message in messages]


def test_a_cancelled_wait_loses_no_message(client: SocketClient) -> None:
    """The next one gets it."""

    async def scenario() -> None:
        channel = await aio.SocketClient(client).join("room:a")
        messages = channel.messages()
        for n in range(20):
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            await channel.send("push_me", {"n": n})
            if n % 2:
                await channel.push("echo")
            waiting.cancel()
            # At an even number it was cancelled before the message came, or just then.
            (result,) = await asyncio.gather(waiting, return_exceptions=True)
            message = result if isinstance(result, Message) else await anext(messages)
            assert message.payload == {"n": n}

    run(scenario())


def test_a_stream_that_nobody_has_closes_itself(client: SocketClient) -> None:
    """Breaking out of the loop is enough."""

    async def scenario() -> None:
        channel = await aio.SocketClient(client).join("room:a")

        def streams() -> int:
            return len(channel.sync._topic.listeners._streams)

        await channel.send("push_me", {"n": 1})
        async for _ in channel.messages():
            assert streams() == 1
            break
        gc.collect()
        await until(lambda: streams() == 0)
        kept = channel.messages()
        kept.close()
        assert (streams(), await _all(kept)) == (0, [])

    run(scenario())


# -- cancelled calls


def test_a_cancelled_join_is_left(phoenix: Phoenix, client: SocketClient) -> None:
    """Here and on the server, whenever its answer comes."""

    async def scenario() -> None:
        mine = aio.SocketClient(client)
        joining = asyncio.create_task(mine.join("room:slow", timeout=DEADLINE))
        await until(lambda: mine.channel("room:slow") is not None)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
        assert mine.joined_channels() == {}
        await mine.join("room:a")

    run(scenario())
    eventually(phoenix.channels, lambda channels: channels == {"room:a": 1})


def test_a_cancelled_push_disturbs_nobody(client: SocketClient) -> None:
    """Its reply goes nowhere, those behind it come."""

    async def scenario() -> None:
        channel = await aio.SocketClient(client).join("room:a")
        slow = asyncio.create_task(channel.push("slow_echo", {"ms": 100}))
        await asyncio.sleep(0)
        slow.cancel()
        assert (await channel.push("echo", 1)).response == 1
        assert slow.cancelled()

    run(scenario())


# -- errors


def test_errors_are_those_of_the_client(client: SocketClient) -> None:
    """AlreadyJoined has a channel for asyncio."""

    async def scenario() -> None:
        mine = aio.SocketClient(client)
        with pytest.raises(JoinRejected, match="room:private"):
            await mine.join("room:private")
        channel = await mine.join("room:a")
        with pytest.raises(AlreadyJoined) as already:
            await mine.join("room:a")
        assert isinstance(already.value.channel, aio.Channel)
        assert already.value.channel.sync is channel.sync
        with pytest.raises(PushTimeout):
            await channel.push("no_reply", timeout=0.05)
        with pytest.raises(NotJoined):
            await mine.push(Message.push("room:other", "echo"))
        with pytest.raises(NotJoined):
            mine.presence("room:other")
        with pytest.raises(InvalidOption):
            await channel.push("echo", timeout=-1)

    run(scenario())


def test_waiting_to_be_connected_ends(no_leaks: None) -> None:
    """With the last attempt's error as cause, or with the error of a client that gave up."""

    async def scenario() -> None:
        url = "ws://127.0.0.1:1/socket"
        async with aio.SocketClient.start_link(url=url, backoff=[0.01]) as client:
            with pytest.raises(TimeoutError) as late:
                await client.wait_connected(timeout=0.2)
            assert isinstance(late.value.__cause__, ConnectError)
            assert client.sync.session._watchers == []
            with pytest.raises(JoinTimeout) as unanswered:
                await client.join("room:a", timeout=0.01)
            assert isinstance(unanswered.value.__cause__, ConnectError)
        async with aio.SocketClient.start_link(url=url, reconnect=False) as client:
            with pytest.raises(ConnectError) as gave_up:
                await client.wait_connected(timeout=DEADLINE)
            assert not isinstance(gave_up.value, TimeoutError)

    run(scenario())


class Unlucky(WebSocketTransport):
    """The built-in transport, but its first attempt fails."""

    def __init__(self) -> None:
        self.attempts = 0

    def open(self, *args: Any) -> Any:
        """Opens, but for the first time."""
        self.attempts += 1
        if self.attempts == 1:
            raise ConnectError("on purpose")
        return super().open(*args)


def test_connecting_again_forgets_the_failure(connect: Connect) -> None:
    """After a client has given up, connect() begins anew."""
    client = connect(transport=Unlucky(), reconnect=False, auto_connect=False)

    async def scenario() -> None:
        mine = aio.SocketClient(client)
        await mine.connect()
        with pytest.raises(ConnectError):
            await mine.wait_connected(DEADLINE)
        await mine.connect()
        await mine.wait_connected(DEADLINE)

    run(scenario())


# -- the loop never waits


class Watched(WebSocketTransport):
    """The built-in transport; notes who sends, and can hold senders up."""

    def __init__(self) -> None:
        self.senders: set[threading.Thread] = set()
        self.gate = threading.Event()
        self.gate.set()

    def open(self, *args: Any) -> Any:
        """Opens and wraps."""
        return WatchedHandle(super().open(*args), self)


class WatchedHandle:
    """One connection of it."""

    def __init__(self, handle: TransportHandle, watched: Watched) -> None:
        self._handle, self._watched = handle, watched

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def writable(self) -> bool:
        """Says that sending takes no time, whether that is so or not."""
        return True

    def send_text(self, data: str) -> None:
        """Sends, once it may."""
        self._watched.senders.add(threading.current_thread())
        assert self._watched.gate.wait(DEADLINE)
        self._handle.send_text(data)


def test_the_loop_waits_neither_for_the_peer_nor_for_room(connect: Connect) -> None:
    """It never writes itself; where the queue is full, the push waits and the loop does not."""
    watched = Watched()
    client = connect(transport=watched, max_pending_messages=2)

    async def scenario() -> None:
        mine = aio.SocketClient(client)
        channel = await mine.join("room:a")
        await mine.ping()
        watched.gate.clear()
        pushes = [asyncio.create_task(channel.push("echo", n)) for n in range(6)]
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not any(push.done() for push in pushes)
        leaving = asyncio.create_task(mine.join("room:b"))
        await asyncio.sleep(0)
        watched.gate.set()
        replies = await asyncio.gather(*pushes)
        assert [reply.response for reply in replies] == list(range(6))
        await (await leaving).leave()

    run(scenario())
    assert threading.current_thread() not in watched.senders

"""Long poll in place of a WebSocket that does not get through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors import HandshakeRefused, SocketClient
from phoenix_actors.transport.websocket import WebSocketTransport
from tests.e2e.middlebox import Mode, middlebox
from tests.e2e.rig import DEADLINE, WEBSOCKET, Connect, Log, Phoenix, Telling, eventually, listening

if TYPE_CHECKING:
    from phoenix_actors import TransportEvents, TransportOptions

# Clients begin with the WebSocket, whatever other tests run over.
TRANSPORTS = [WEBSOCKET]

# Seconds that the WebSocket gets; and so many that its time is not what is waited for.
SHORT = 0.4
LONG = 60.0


def carrier(client: SocketClient, topic: str = "room:who") -> str:
    """Returns what carries the frames, as the server sees it."""
    channel = client.channel(topic) or client.join(topic)
    return str(channel.push("whoami").get(timeout=DEADLINE).unwrap()["transport"])


@pytest.mark.contract("C138")
def test_a_websocket_that_is_refused(phoenix: Phoenix, connect: Connect) -> None:
    """Long poll takes its place at once, in the same attempt."""
    names: list[tuple[str, ...]] = [("transport", "fallback"), ("transport", "connected")]
    names += [("connection", "start"), ("connection", "established", "stop")]
    with middlebox(phoenix.url, Mode.REFUSE) as box, listening(*names) as told:
        client = connect(url=box.url, longpoll_fallback=LONG, reconnect=False)
        assert carrier(client) == "longpoll"
        assert client.ping(DEADLINE)
        assert box.upgrades() == 1
        assert told.named("transport.fallback")[0][1] == {"error": "HandshakeRefused"}
        client.stop()
        # What carries the frames, where something is open.
        kinds = [
            (name, told_of[1].get("transport"))
            for name in ("connection.start", "transport.connected", "connection.established.stop")
            for told_of in told.named(name)
        ]
        assert kinds == [
            ("connection.start", "FallbackTransport"),
            ("transport.connected", "LongPollTransport"),
            ("connection.established.stop", "LongPollTransport"),
        ]


def test_a_disconnect_while_the_websocket_opens(phoenix: Phoenix, connect: Connect) -> None:
    """Nothing takes the place of what nobody wants any more, and nothing tells that it did."""
    with middlebox(phoenix.url, Mode.SWALLOW) as box, listening(("transport", "fallback")) as told:
        client = connect(url=box.url, longpoll_fallback=LONG, auto_connect=False)
        client.connect()
        eventually(box.upgrades, lambda count: count == 1)
        client.disconnect()
        client.stop()
        assert (told.items, box.paths) == ([], ["/socket/websocket"])


@pytest.mark.contract("C138")
def test_a_websocket_that_does_not_open(phoenix: Phoenix, connect: Connect) -> None:
    """Long poll takes its place after the limit, not after connect_timeout."""
    with middlebox(phoenix.url, Mode.SWALLOW) as box:
        started = time.monotonic()
        client = connect(url=box.url, longpoll_fallback=SHORT)
        assert SHORT <= time.monotonic() - started < 5.0
        assert carrier(client) == "longpoll"
        client.stop()


@pytest.mark.contract("C138")
def test_without_the_option_there_is_no_long_poll(phoenix: Phoenix, connect: Connect) -> None:
    """The refusal is reported, and nothing else is tried."""
    with middlebox(phoenix.url, Mode.REFUSE) as box:
        client = connect(url=box.url, auto_connect=False, max_reconnect_attempts=2,
                         refusal_backoff=[0.01])  # fmt: skip
        client.connect()
        with pytest.raises(HandshakeRefused):
            client.wait_connected(DEADLINE)
        assert box.paths == ["/socket/websocket"] * 3
    assert phoenix.transports() == 0


class _Deaf:
    """A WebSocket whose messages arrive nowhere, as behind some proxies."""

    def __init__(self) -> None:
        self.opened = 0

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> Any:
        """Opens a real one."""
        self.opened += 1
        return _DeafHandle(WebSocketTransport().open(url, options, events))


class _DeafHandle:
    def __init__(self, handle: Any) -> None:
        self.close, self.abort, self.join = handle.close, handle.abort, handle.join

    def send_text(self, data: str) -> None:
        """Loses it."""

    def send_binary(self, data: bytes) -> None:
        """Loses it."""


@pytest.mark.contract("C138")
def test_a_websocket_that_opens_and_answers_no_ping(phoenix: Phoenix, connect: Connect) -> None:
    """It is given up after the limit, and channels are joined over long poll."""
    deaf, told = _Deaf(), Log()
    client = connect(transport=deaf, longpoll_fallback=SHORT)
    client.on_close(lambda *how: told.add("closed", *how))
    channel = client.join("room:a", channel=(Telling, Log()))
    assert carrier(client, "room:a") == "longpoll"
    assert channel.join_count == 1
    assert told.wait("closed")[1:] == (1006, "aborted", False)
    assert deaf.opened == 1


@pytest.mark.contract("C146")
def test_a_websocket_that_answered_once_is_kept(phoenix: Phoenix, connect: Connect) -> None:
    """However long it is refused later, long poll is not tried; it heals by itself."""
    with middlebox(phoenix.url, Mode.PASS) as box:
        client = connect(url=box.url, longpoll_fallback=SHORT, refusal_backoff=[0.02])
        assert carrier(client) == "websocket"
        eventually(lambda: "healthy=True" in repr(client.session.transport))
        box.mode = Mode.REFUSE
        phoenix.control.kill_sockets()
        eventually(box.upgrades, lambda count: count >= 5)
        box.mode = Mode.PASS
        client.wait_connected(DEADLINE)
        assert carrier(client) == "websocket"
        assert set(box.paths) == {"/socket/websocket"}
        client.stop()


def test_a_fallback_is_kept_until_connect(phoenix: Phoenix, connect: Connect) -> None:
    """Reconnects go straight to long poll; connect() after disconnect() tries the WebSocket."""
    with middlebox(phoenix.url, Mode.REFUSE) as box:
        client = connect(url=box.url, longpoll_fallback=LONG)
        channel = client.join("room:who")
        box.mode = Mode.PASS
        phoenix.control.kill_sockets()
        eventually(lambda: channel.join_count, lambda count: count == 2)
        assert carrier(client) == "longpoll"
        assert box.upgrades() == 1
        client.disconnect()
        client.connect()
        client.wait_connected(DEADLINE)
        eventually(lambda: channel.join_count, lambda count: count == 3)
        assert carrier(client) == "websocket"
        assert box.upgrades() == 2
        client.stop()


def test_where_both_are_refused_the_error_says_so(phoenix: Phoenix, connect: Connect) -> None:
    """And the next attempt begins with the WebSocket again."""
    with middlebox(phoenix.url, Mode.PASS) as box:
        client = connect(
            url=box.url, longpoll_fallback=LONG, params={"token": "bad"}, auto_connect=False,
            max_reconnect_attempts=1, refusal_backoff=[0.01],
        )  # fmt: skip
        client.connect()
        with pytest.raises(HandshakeRefused) as caught:
            client.wait_connected(DEADLINE)
        assert caught.value.status == 403
        assert box.paths == ["/socket/websocket", "/socket/longpoll"] * 2


def test_the_way_that_works_is_left_alone(phoenix: Phoenix, connect: Connect) -> None:
    """With the option on, a WebSocket that gets through is all there is."""
    with middlebox(phoenix.url, Mode.PASS) as box:
        client = connect(url=box.url, longpoll_fallback=SHORT)
        eventually(lambda: "healthy=True" in repr(client.session.transport))
        assert carrier(client) == "websocket"
        assert box.paths == ["/socket/websocket"]
        client.stop()

"""A client over long poll, and a server that restarts, forgets, drops or stands behind a proxy."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import LongPollTransport, SocketClient
from phoenix_actors import telemetry as names
from phoenix_actors.testing import PhoenixServer, Reply, ServerChannel
from supervisors import telemetry
from tests.e2e.middlebox import Mode, middlebox
from tests.e2e.rig import DEADLINE, Connect, Log, eventually, started
from tests.integration.proxies import connect_proxy

WINDOW = 1.5
SECRET = "SWORDFISH"  # noqa: S105  looked for


class Porter(ServerChannel):
    """Tells whether a token is the one."""

    async def handle_in(self, event: str, payload: Any) -> Reply:
        """Compares; `event` is not looked at."""
        return Reply.ok({"same": self.socket.auth_token == payload.get("token")})


@pytest.fixture
def server(no_leaks: None) -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer(longpoll_window=WINDOW) as running:
        yield running


@pytest.fixture
def poll(server: PhoenixServer) -> Iterator[Connect]:
    """Starts clients over long poll: `poll(**options)` waits until it is connected."""
    clients: list[SocketClient] = []

    def poll(**options: Any) -> SocketClient:
        told = {"url": server.url, "transport": LongPollTransport(), **options}
        client = started(clients, **told)
        client.wait_connected(DEADLINE)
        return client

    yield poll
    for client in clients:
        client.stop()


# -- healing


@pytest.mark.contract("C110", "C124")
def test_a_server_that_restarts(server: PhoenixServer, poll: Connect) -> None:
    """All channels are joined again, each once, and pushes work."""
    client = poll()
    channels = [client.join(f"room:{number}") for number in range(20)]
    server.restart()
    eventually(lambda: [channel.join_count for channel in channels], lambda n: n == [2] * 20)
    assert [channel.push("echo", {}).get(timeout=DEADLINE).status for channel in channels] == [
        "ok"
    ] * 20
    assert len(server.stats()["by_topic"]) == 20


@pytest.mark.contract("C139", "C80")
def test_a_session_that_the_server_forgot(server: PhoenixServer, poll: Connect) -> None:
    """It is told 410: pushes in flight fail, the channel comes back in a new session."""
    client = poll()
    closed = Log()
    client.on_close(closed.add)
    channel = client.join("room:a")
    waiting = channel.push("no_reply", {}, timeout=3600.0)
    server.kill_sockets()
    assert type(waiting.exception(timeout=DEADLINE)).__name__ == "ConnectionLost"
    assert closed.wait(3410) == (3410, "the session is gone", False)
    eventually(lambda: channel.join_count, lambda count: count == 2)
    assert channel.push("echo", {"n": 1}).get(timeout=DEADLINE).response == {"n": 1}


@pytest.mark.contract("C110")
def test_a_tcp_connection_that_is_cut(server: PhoenixServer, poll: Connect) -> None:
    """Nobody knows what became of the poll under way, so its session is given up.

    A connection that is cut between two polls is replaced, so this one is cut until it counts.
    """
    with middlebox(server.url, Mode.REFUSE) as box:
        client = poll(url=box.url)
        closed = Log()
        client.on_close(closed.add)
        channel = client.join("room:a")

        def cut() -> list[Any]:
            box.cut()
            return closed.items

        assert eventually(cut)[0][::2] == (1006, False)
        eventually(lambda: channel.join_count, lambda count: count >= 2)
        assert channel.push("echo", {"n": 1}).get(timeout=DEADLINE).response == {"n": 1}
        client.stop()


@pytest.mark.contract("C139")
def test_a_stalled_server_is_given_up(server: PhoenixServer, poll: Connect) -> None:
    """A poll that is not answered in longpoll_timeout ends the session; it heals later."""
    client = poll(transport_opts={"longpoll_timeout": 3.0})
    closed = Log()
    client.on_close(closed.add)
    channel = client.join("room:a")
    server.stall()
    assert closed.wait(1006)[1] == "the poll was not answered within 3.0 seconds"
    server.resume()
    eventually(lambda: channel.join_count, lambda count: count == 2)


@pytest.mark.contract("C112")
def test_a_refusal_is_retried(server: PhoenixServer) -> None:
    """With params that are asked for anew."""
    tokens = ["good", "bad", "bad"]
    failed = Log()
    clients: list[SocketClient] = []
    client = started(
        clients,
        url=server.url,
        transport=LongPollTransport(),
        params=lambda: {"token": tokens.pop()},
        refusal_backoff=[0.02],
        auto_connect=False,
    )
    client.on_error(lambda error: failed.add(getattr(error, "status", error)))
    client.connect()
    client.wait_connected(DEADLINE)
    assert failed.items == [(403,), (403,)]
    assert [shake.status for shake in server.handshakes()] == [403, 403, 200]
    client.stop()


# -- rules


@pytest.mark.contract("C144")
def test_there_are_no_heartbeats(server: PhoenixServer, poll: Connect) -> None:
    """Polls do what they are for; a ping of the user's is answered."""
    client = poll(heartbeat_interval=0.02, heartbeat_timeout=0.05)
    channel = client.join("room:a")
    for number in range(10):
        assert channel.push("slow_echo", {"ms": 20}).get(timeout=DEADLINE).status == "ok", number
    assert [frame.event for _, frame in server.frames() if frame.topic == "phoenix"] == []
    assert client.ping(DEADLINE) > 0
    assert server.connections_total == 1


@pytest.mark.contract("C145")
@pytest.mark.usefixtures("no_leaks")
def test_disconnect_ends_the_poll_within_a_second() -> None:
    """Though the server would let it wait for 10 s; and a stopped client leaves nothing."""
    with PhoenixServer() as server:
        client = SocketClient.start_link(url=server.url, transport=LongPollTransport())
        client.wait_connected(DEADLINE)
        client.join("room:a")
        begun = time.monotonic()
        client.disconnect()
        eventually(lambda: str(client.status), lambda status: status == "disconnected")
        assert time.monotonic() - begun < 1.0
        client.connect()
        client.wait_connected(DEADLINE)
        begun = time.monotonic()
        client.stop()
        assert time.monotonic() - begun < 1.0


@pytest.mark.contract("C140", "C77")
def test_pushes_arrive_once_in_their_order(server: PhoenixServer, poll: Connect) -> None:
    """However many go together."""
    channel = poll(max_pending_messages=2000).join("counter:order")
    futures = [channel.push("seq", {"i": number}) for number in range(1000)]
    assert [future.get(timeout=DEADLINE).status for future in futures] == ["ok"] * 1000
    assert server.dump("counter:order") == [{"i": number} for number in range(1000)]


@pytest.mark.contract("C40")
def test_binary_frames(server: PhoenixServer, poll: Connect) -> None:
    """Any bytes arrive; those that are UTF-8 come back."""
    channel = poll().join("room:a")
    data = bytes(range(256)) * 40
    channel.push("no_reply", data)
    assert channel.push("binary_echo", "grüße\x00".encode()).get(timeout=DEADLINE).response == (
        "grüße\x00".encode()
    )
    assert data in [frame.payload for _, frame in server.frames()]


@pytest.mark.contract("C142")
@pytest.mark.usefixtures("no_leaks")
def test_the_auth_token_reaches_the_channel() -> None:
    """In its header, while a param called token stays a param."""
    channels = {"door:*": Porter}
    carrier = LongPollTransport()
    with (
        PhoenixServer(auth_token=True, channels=channels, longpoll_window=WINDOW) as server,
        SocketClient.start_link(
            url=server.url, auth_token=SECRET, params={"token": "mine"}, transport=carrier
        ) as client,
    ):
        client.wait_connected(DEADLINE)
        answer = client.join("door:a").push("ask", {"token": SECRET}).get(timeout=DEADLINE)
        assert answer.response == {"same": True}
        assert server.connect_params()[0].params == {"token": "mine", "vsn": "2.0.0"}


@pytest.mark.contract("C16")
def test_nobody_tells_the_tokens(
    server: PhoenixServer, poll: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a log line, a repr, a state, an error or an event."""
    caplog.set_level(logging.DEBUG)
    told = Log()
    events = [value for name, value in vars(names).items() if name.isupper() and name[0] != "_"]
    telemetry.attach_many("token", events, lambda *event: told.add(str(event)))
    client = poll(auth_token=SECRET, params={"token": SECRET}, headers={"X-Key": SECRET})
    failed = Log()
    client.on_error(lambda error: failed.add(repr(error), str(error)))
    client.join("room:a").push("echo", {"secret": SECRET}).get(timeout=DEADLINE)
    server.refuse_connections(403, body=SECRET.encode())
    server.kill_sockets()
    eventually(lambda: failed.items)
    telemetry.detach("token")
    shown = [repr(client), repr(client.session), str(client.get_state()), str(failed.items)]
    shown += [str(told.items), repr(server.handshakes())]
    shown += [record.getMessage() for record in caplog.records]
    assert [text for text in shown if SECRET in text or "SFMyNTY" in text] == []


@pytest.mark.contract("C175")
def test_behind_a_proxy(server: PhoenixServer, poll: Connect) -> None:
    """Polls and posts go through it."""
    with connect_proxy() as proxy:
        client = poll(transport_opts={"proxy": f"http://127.0.0.1:{proxy.port}"})
        channel = client.join("room:a")
        assert channel.push("echo", {"n": 1}).get(timeout=DEADLINE).response == {"n": 1}
        assert len(proxy.asked) == 2
        client.stop()

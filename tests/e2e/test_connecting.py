"""URL, params, and the life of a connection, as the server sees them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phoenix_actors import ConnectError, ConnectionStatus, HandshakeRefused, SocketClient
from tests.e2e.rig import DEADLINE, Connect, Log, Phoenix, eventually

PARAMS: dict[str, Any] = {
    "spaced": "a b",
    "plus": "a+b",
    "and": "a&b=c",
    "percent": "100%41",
    "accent": "é",
    "empty": "",
}


def who(client: SocketClient, topic: str = "room:who") -> dict[str, Any]:
    """Returns what the server knows of the client."""
    channel = client.channel(topic) or client.join(topic)
    answer: dict[str, Any] = channel.push("whoami").get().unwrap()
    return answer


# -- URL and params


@pytest.mark.contract("C6", "C5")
def test_params_arrive_unchanged(connect: Connect) -> None:
    """Every character of a param reaches connect/3, and vsn is always told."""
    known = who(connect(params=PARAMS))
    assert {key: known["params"][key] for key in PARAMS} == PARAMS
    assert (known["params"]["vsn"], known["vsn"]) == ("2.0.0", "2.0.0")


@pytest.mark.contract("C7")
def test_nested_params(connect: Connect) -> None:
    """Mappings, lists and booleans are written as Plug reads them; None is left out."""
    given = {"room": {"id": 7, "tags": ["a", "b"]}, "admin": True, "none": None}
    params = who(connect(params=given))["params"]
    assert params["room"] == {"id": "7", "tags": ["a", "b"]}
    assert params["admin"] == "true"
    assert "none" not in params


@pytest.mark.contract("C1", "C3")
def test_a_short_url_with_a_query(phoenix: Phoenix, connect: Connect) -> None:
    """`/socket` is completed, the query survives, params follow, vsn is the option's."""
    short = phoenix.url.removesuffix("/websocket")
    params = who(connect(url=f"{short}?kept=1&vsn=9.9.9", params={"added": "2"}))["params"]
    assert params == {"kept": "1", "added": "2", "vsn": "2.0.0"}


@pytest.mark.contract("C2")
def test_an_http_url(phoenix: Phoenix, connect: Connect) -> None:
    """An http endpoint is opened as ws."""
    client = connect(url="http" + phoenix.url.removeprefix("ws"))
    assert phoenix.transports() == 1
    assert client.connected


@pytest.mark.contract("C4")
def test_a_vsn_in_params_changes_nothing(connect: Connect) -> None:
    """The option vsn decides, whatever the params say."""
    known = who(connect(params={"vsn": "1.0.0"}))
    assert (known["params"]["vsn"], known["vsn"]) == ("2.0.0", "2.0.0")


@pytest.mark.contract("C8")
def test_params_of_a_function_are_asked_for_each_time(phoenix: Phoenix, connect: Connect) -> None:
    """A params function runs again for a reconnect."""
    attempts: list[int] = []

    def params() -> dict[str, int]:
        attempts.append(1)
        return {"attempt": len(attempts)}

    client = connect(params=params)
    assert who(client)["params"]["attempt"] == "1"
    phoenix.control.kill_sockets()
    eventually(lambda: len(attempts), lambda count: count == 2)
    assert who(client)["params"]["attempt"] == "2"


@pytest.mark.contract("C9")
def test_a_params_function_that_raises_fails_the_attempt(connect: Connect) -> None:
    """Its error is the cause of the attempt's, and the next attempt is made."""
    problems = [ValueError("no token yet")]
    failed = Log()

    def params() -> dict[str, str]:
        if problems:
            raise problems.pop()
        return {"user_id": "al"}

    client = connect(params=params, auto_connect=False)
    client.on_error(lambda error: failed.add("failed", error))
    client.connect()
    client.wait_connected(DEADLINE)
    error = failed.wait("failed")[1]
    assert isinstance(error, ConnectError)
    assert isinstance(error.__cause__, ValueError)
    assert who(client)["id"] == "user:al"


@pytest.mark.contract("C9")
def test_a_params_function_that_blocks_fails_the_attempt(connect: Connect) -> None:
    """It has connect_timeout; meanwhile, and until it returns, everybody else goes on."""
    release = threading.Event()
    calls = Log()

    def params() -> dict[str, str]:
        calls.add("called")
        if len(calls.items) == 1:
            release.wait(DEADLINE)
        return {}

    client = connect(params=params, auto_connect=False, transport_opts={"connect_timeout": 0.05})
    failed = Log()
    client.on_error(lambda error: failed.add(type(error).__name__))
    client.connect()
    failed.wait("ConnectTimeout")
    # No second thread hangs in a function that has not returned from the first call.
    failed.wait("ConnectError")
    assert len(calls.items) == 1
    release.set()
    client.wait_connected(DEADLINE)


# -- refusals


@pytest.mark.contract("C112", "C115")
def test_403_is_a_typed_error(connect: Connect) -> None:
    """What connect/3 refuses is a HandshakeRefused with the status, and nothing hangs."""
    client = connect(params={"token": "bad"}, reconnect=False, auto_connect=False)
    client.connect()
    with pytest.raises(HandshakeRefused) as refused:
        client.wait_connected(DEADLINE)
    assert refused.value.status == 403
    assert client.status is ConnectionStatus.DISCONNECTED


@pytest.mark.contract("C112")
def test_a_refusal_is_retried_with_new_params(connect: Connect) -> None:
    """After a 403 the params function runs again; its next answer is let in."""
    tokens = iter(["bad", "good"])
    client = connect(
        params=lambda: {"token": next(tokens)}, refusal_backoff=[0.02], auto_connect=False
    )
    client.connect()
    client.wait_connected(DEADLINE)
    assert who(client)["params"]["token"] == "good"  # noqa: S105  no secret


# -- connect and disconnect


@pytest.mark.contract("C105")
def test_connect_is_idempotent(phoenix: Phoenix, connect: Connect) -> None:
    """Any number of calls from any thread make one connection."""
    client = connect(auto_connect=False)
    threads = [threading.Thread(target=client.connect) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    client.wait_connected(DEADLINE)
    client.connect()
    assert client.ping(DEADLINE) > 0
    assert phoenix.transports() == 1


@pytest.mark.websocket_only("a server is not told of the end of a session")
@pytest.mark.contract("C117")
def test_disconnect_stays_disconnected(phoenix: Phoenix, connect: Connect) -> None:
    """Nothing reconnects after disconnect(), not even a retry that was due in a moment."""
    client = connect(backoff=[0.2])
    losses = Log()
    client.on_close(lambda *ending: losses.add("lost", *ending))
    phoenix.control.kill_sockets()
    losses.wait("lost")
    client.disconnect()
    assert client.status is ConnectionStatus.DISCONNECTED
    # The retry would have come by now, and with it a second ping of the same length.
    with pytest.raises(TimeoutError):
        client.wait_connected(0.5)
    assert phoenix.transports() == 0


@pytest.mark.contract("C119")
def test_disconnect_twice_or_without_a_connection(phoenix: Phoenix, connect: Connect) -> None:
    """It is harmless, and the hook runs once for one connection."""
    client = connect(auto_connect=False)
    closed = Log()
    client.on_close(lambda *ending: closed.add("closed", *ending))
    client.disconnect()
    client.connect()
    client.wait_connected(DEADLINE)
    client.disconnect()
    client.disconnect()
    eventually(phoenix.transports, lambda count: count == 0)
    closed.wait("closed")
    client.stop()
    assert closed.items == [("closed", 1000, "", True)]


@pytest.mark.websocket_only("a server is not told of the end of a session")
@pytest.mark.contract("C120")
def test_disconnect_and_connect_at_once(phoenix: Phoenix, connect: Connect) -> None:
    """There is exactly one connection afterwards, the topics are back, and it heals by itself."""
    client = connect()
    channel = client.join("room:again")
    for _ in range(5):
        client.disconnect()
        client.connect()
    client.wait_connected(DEADLINE)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert phoenix.transports() == 1
    phoenix.control.kill_sockets()
    eventually(phoenix.channels, lambda topics: topics == {"room:again": 1})
    assert channel.push("echo", {"n": 2}).get().response == {"n": 2}


@pytest.mark.websocket_only("a server is not told of the end of a session")
@pytest.mark.contract("C121")
def test_connect_during_backoff_tries_now(phoenix: Phoenix, connect: Connect) -> None:
    """connect() does not wait for the timer of the next attempt."""
    client = connect(backoff=[3600.0], reconnect_interval=3600.0)
    lost = Log()
    client.on_close(lambda *ending: lost.add("lost"))
    phoenix.control.kill_sockets()
    lost.wait("lost")
    client.connect()
    client.wait_connected(DEADLINE)
    assert phoenix.transports() == 1


@pytest.mark.contract("C154")
def test_status_is_told_in_order(connect: Connect) -> None:
    """Who waits for the connection finds it usable, and each state is seen once."""
    client = connect(auto_connect=False)
    assert client.status is ConnectionStatus.DISCONNECTED
    client.connect()
    assert client.status in (ConnectionStatus.CONNECTING, ConnectionStatus.CONNECTED)
    client.wait_connected(DEADLINE)
    assert client.status is ConnectionStatus.CONNECTED
    assert client.ping(DEADLINE) > 0
    client.disconnect()
    assert client.status is ConnectionStatus.DISCONNECTED
    assert not client.connected


@pytest.mark.contract("C160")
def test_two_clients_share_nothing(phoenix: Phoenix, connect: Connect) -> None:
    """One client's state, topics and disconnect mean nothing to the other."""
    one, other = connect(name="one"), connect(name="other")
    one.join("room:shared")
    other.join("room:shared")
    one.put_state("key", 1)
    assert other.get_state("key") is None
    one.disconnect()
    eventually(phoenix.channels, lambda topics: topics == {"room:shared": 1})
    shared = other.channel("room:shared")
    assert shared is not None
    assert shared.push("echo", {"n": 1}).get().response == {"n": 1}
    assert one.status is ConnectionStatus.DISCONNECTED


@pytest.mark.contract("C157")
def test_a_stopped_client_leaves_nothing(phoenix: Phoenix, connect: Connect) -> None:
    """When stop() returns the threads of the connection have ended; after disconnect() as well."""

    def ours() -> list[str]:
        names = [thread.name for thread in threading.enumerate()]
        return [name for name in names if name.startswith("phoenix-")]

    for _ in range(20):
        client = connect()
        client.join("room:brief").push("echo", {"n": 1}).get()
        assert ours()
        client.disconnect()
        assert ours() == []
        client.connect()
        client.wait_connected(DEADLINE)
        client.stop()
        assert ours() == []
    eventually(phoenix.transports, lambda count: count == 0)


@pytest.mark.contract("C152")
def test_ping(connect: Connect) -> None:
    """It gives the seconds of a round trip, and says so when there is no connection."""
    client = connect()
    assert 0 < client.ping(DEADLINE) < DEADLINE
    client.disconnect()
    with pytest.raises(ConnectionError):
        client.ping()

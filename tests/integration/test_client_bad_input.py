"""What is wrong is said at once, by a typed error whose text says what to do."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import (
    ChannelActor,
    ConnectError,
    ConnectTimeout,
    EncodeError,
    HandshakeRefused,
    InvalidOption,
    InvalidURL,
    JoinRejected,
    PhoenixError,
    SocketClient,
)
from phoenix_actors.testing import PhoenixServer
from supervisors import AlreadyStartedError, ChildSpec, GenServer, whereis
from tests.e2e.rig import DEADLINE, QUICK, Connect, Log

URL = "ws://127.0.0.1:1/socket"


@pytest.fixture
def closed_port(no_leaks: None) -> str:
    """A URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"ws://127.0.0.1:{listening.getsockname()[1]}/socket"


@pytest.fixture
def silent_port(no_leaks: None) -> Iterator[str]:
    """A URL where connections are taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/socket"


def copied(error: Any) -> Any:
    """Returns what an error is in another process."""
    return pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes


# -- options


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "ftp://h/x",
        "ws://",
        "ws://h:port/",
        "ws://h:99999/",
        "ws://a@h/",
        "ws://h/#x",
    ],
)
def test_an_invalid_url(url: str) -> None:
    """It is refused before anything is started, and is a ValueError too."""
    threads = threading.active_count()
    for start in (SocketClient.start_link, SocketClient.child_spec):
        with pytest.raises(InvalidURL, match="give one like ws://") as invalid:
            start(url=url)
        assert isinstance(invalid.value, ValueError)
    assert threading.active_count() == threads


def test_no_url() -> None:
    """The one option that is required is named."""
    with pytest.raises(InvalidOption, match="url is required"):
        SocketClient.start_link()


def test_an_unknown_option() -> None:
    """It is refused with what was probably meant, and with all choices."""
    with pytest.raises(InvalidOption) as unknown:
        SocketClient.start_link(url=URL, heartbeat_intervall=5)
    assert "did you mean 'heartbeat_interval'? choose one of" in str(unknown.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("heartbeat_interval", "soon"),
        ("join_timeout", -1),
        ("params", ["a"]),
        ("headers", {"bad name": "x"}),
        ("headers", {"x": "a\r\nb"}),
        ("backoff", []),
        ("vsn", "3.0.0"),
        ("vsn", "1.0.1"),
        ("reconnect", "yes"),
        ("max_pending_messages", 0),
        ("overflow", "drop"),
        ("topic_channel_map", {"a*b": ChannelActor}),
        ("topic_channel_map", {"room:*": GenServer}),
        ("default_channel_module", "ChatChannel"),
        ("join_channels", "room:a"),
        ("transport", object()),
        ("auth_token", b"secret"),
        ("json_library", "secret"),
    ],
)
def test_a_wrong_value(option: str, value: Any) -> None:
    """The error names the option and never holds a value that may be secret."""
    with pytest.raises(InvalidOption) as wrong:
        SocketClient.start_link(url=URL, **{option: value})
    assert wrong.value.option.startswith(option)
    assert isinstance(wrong.value, ValueError)
    assert "secret" not in str(wrong.value)


def test_a_taken_name(connect: Connect) -> None:
    """The holder is in the error, and goes on."""
    first = connect(name="taken")
    with pytest.raises(AlreadyStartedError) as taken:
        connect(name="taken", auto_connect=False)
    assert taken.value.ref is first
    assert whereis("taken") is first
    assert first.ping(DEADLINE) > 0


def test_listed_topics_that_cannot_be_joined(server: PhoenixServer, no_leaks: None) -> None:
    """Params that cannot be sent fail the start, and no client is left."""
    options = {**QUICK, "name": "listed", "join_channels": [("room:a", {"x": {1, 2}})]}
    with pytest.raises(EncodeError):
        SocketClient.start_link(url=server.url, **options)
    assert whereis("listed") is None


# -- servers


@pytest.mark.contract("C190", "C191")
def test_a_server_that_is_not_there(closed_port: str) -> None:
    """wait_connected times out with the last attempt's error as its cause."""
    with SocketClient.start_link(url=closed_port, **QUICK) as client:
        failed = Log()
        client.on_error(failed.add)
        with pytest.raises(TimeoutError) as late:
            client.wait_connected(0.3)
        assert isinstance(late.value, ConnectTimeout)
        cause = late.value.__cause__
        assert isinstance(cause, ConnectError)
        assert isinstance(cause.__cause__, ConnectionRefusedError)
        assert "check the URL and whether the server runs" in str(cause)
        assert copied(cause).url == cause.url
        assert client.session.gave_up is None


def test_giving_up_on_a_server_that_is_not_there(closed_port: str) -> None:
    """With max_reconnect_attempts, or without reconnect, the error itself is raised."""
    for options in ({"max_reconnect_attempts": 2}, {"reconnect": False}):
        with SocketClient.start_link(url=closed_port, **QUICK, **options) as client:
            with pytest.raises(ConnectError) as failed:
                client.wait_connected(DEADLINE)
            assert isinstance(failed.value, ConnectionError)
            assert not isinstance(failed.value, TimeoutError)
            with pytest.raises(ConnectError):
                client.join("room:a")


@pytest.mark.contract("C122")
def test_a_server_that_says_nothing(silent_port: str) -> None:
    """The whole attempt has connect_timeout."""
    options = {**QUICK, "reconnect": False, "transport_opts": {"connect_timeout": 0.1}}
    with (
        SocketClient.start_link(url=silent_port, **options) as client,
        pytest.raises(ConnectTimeout) as late,
    ):
        client.wait_connected(DEADLINE)
    assert late.value.timeout == 0.1


@pytest.mark.contract("C117", "C157")
def test_stop_during_an_attempt(silent_port: str) -> None:
    """An attempt that hangs is dropped at once, by disconnect() and by stop()."""
    client = SocketClient.start_link(url=silent_port, **QUICK)
    with pytest.raises(TimeoutError):
        client.wait_connected(0.05)
    client.disconnect()
    assert not [name for name in _threads() if name.startswith("phoenix-")]
    client.connect()
    with pytest.raises(TimeoutError):
        client.wait_connected(0.05)
    client.stop()
    assert not [name for name in _threads() if name.startswith("phoenix-")]


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.mark.contract("C114")
@pytest.mark.parametrize("status", [301, 403, 404, 500])
def test_a_refusal(server: PhoenixServer, connect: Connect, status: int) -> None:
    """The error knows the status, and says it."""
    server.refuse_connections(status)
    client = connect(auto_connect=False, reconnect=False)
    client.connect()
    with pytest.raises(HandshakeRefused, match=str(status)) as refused:
        client.wait_connected(DEADLINE)
    assert refused.value.status == status


# -- joins and pushes


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("",), "topic"),
        ((None,), "topic"),
        (("room:a", [1]), "params"),
        (("room:a", "params"), "params"),
    ],
)
def test_a_join_that_makes_no_sense(
    connect: Connect, arguments: tuple[Any, ...], option: str
) -> None:
    """It is refused before anything is sent, by an error that names the argument."""
    client = connect()
    with pytest.raises(InvalidOption) as wrong:
        client.join(*arguments)
    assert wrong.value.option == option
    assert client.joined_channels() == {}


@pytest.mark.parametrize("channel", [GenServer, "ChatChannel", (), ChildSpec("x", start=print)])
def test_a_class_that_is_no_channel(connect: Connect, channel: Any) -> None:
    """It is refused, with what would be right."""
    client = connect(auto_connect=False)
    with pytest.raises(InvalidOption, match="must be a ChannelActor class"):
        client.join("room:a", channel=channel)
    assert client.joined_channels() == {}


def test_a_name_for_a_topics_actor(connect: Connect) -> None:
    """It is refused: a topic's actor is found by its topic."""
    client = connect(auto_connect=False)
    with pytest.raises(InvalidOption, match="must not name the actor"):
        client.join("room:a", channel=ChildSpec("x", start=ChannelActor, name="mine"))


def test_wrong_time_outs(connect: Connect) -> None:
    """They are refused wherever they are given."""
    client = connect()
    channel = client.join("room:a")
    calls: list[Any] = [
        lambda: client.join("room:b", timeout=-1),
        lambda: client.wait_connected("soon"),  # type: ignore[arg-type]
        lambda: client.ping(-1),
        lambda: channel.push("echo", {}, timeout=-1),
        lambda: channel.leave(timeout="soon"),  # type: ignore[arg-type]
        lambda: channel.messages(timeout=-1),
    ]
    for call in calls:
        with pytest.raises(InvalidOption, match="timeout"):
            call()
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


def test_a_refused_topic(connect: Connect) -> None:
    """The error is a JoinRejected, names the topic, and pickles with the server's answer."""
    with pytest.raises(JoinRejected, match="'room:private' was refused") as rejected:
        connect().join("room:private")
    again = copied(rejected.value)
    assert (again.topic, again.response) == ("room:private", {"reason": "unauthorized"})
    assert isinstance(again, PhoenixError)


def test_a_subscriber_that_is_no_actor(connect: Connect) -> None:
    """The error names the option and the type; nothing is joined."""
    client = connect()
    with pytest.raises(InvalidOption, match="subscriber must be an actor's reference, not a obj"):
        client.join("room:a", subscriber=object())
    assert client.joined_channels() == {}


def test_handlers_that_are_none(connect: Connect) -> None:
    """A list of them, and one for what is no event of messages; nothing is joined."""
    client = connect()
    wrong: list[Any] = [[print], {5: print}, {"phx_close": print}, {"e": "f"}]
    for handlers in wrong:
        with pytest.raises(InvalidOption):
            client.join("room:a", on=handlers)
    assert client.joined_channels() == {}


def test_a_client_that_is_gone(connect: Connect) -> None:
    """Everything raises one kind of LookupError; stop() is harmless."""
    client = connect()
    channel = client.join("room:a")
    client.stop()
    calls: list[Any] = [
        client.connect,
        client.disconnect,
        client.wait_connected,
        client.ping,
        lambda: client.join("room:b"),
        lambda: client.channel("room:a"),
        lambda: client.get_state("status"),
        lambda: client.socket.ref,
        lambda: channel.ask("x"),
    ]
    for call in calls:
        with pytest.raises(LookupError):
            call()
    with pytest.raises(PhoenixError):
        channel.push("echo", {})
    channel.leave()
    assert (client.connected, client.stop()) == (False, False)
    assert repr(client) == "<SocketClient stopped>"

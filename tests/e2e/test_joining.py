"""Joining topics: what the caller gets, what the server has, and who else is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phoenix_actors import (
    AlreadyJoined,
    ChannelState,
    ConnectError,
    JoinCancelled,
    JoinError,
    JoinRejected,
    JoinTimeout,
    SocketClient,
)
from phoenix_actors.telemetry import CHANNEL_JOINED
from supervisors import telemetry
from tests.e2e.rig import DEADLINE, LONG_POLL, WEBSOCKET, Connect, Log, Phoenix, Telling, eventually

TRANSPORTS = [WEBSOCKET, LONG_POLL]


def test_a_join_returns_a_joined_channel(phoenix: Phoenix, client: SocketClient) -> None:
    """join() waits for the server, and the channel knows its answer."""
    channel = client.join("room:lobby", {"user": "al"})
    assert channel.response == {"joined": "room:lobby", "params": {"user": "al"}}
    assert channel.state is ChannelState.JOINED
    assert channel.join_count == 1
    assert phoenix.channels() == {"room:lobby": 1}


@pytest.mark.websocket_only("HTTP answers are read by who asked")
def test_who_waits_for_a_join_reads_the_answer(client: SocketClient) -> None:
    """A plain thread does, so that no other thread has to be woken for it."""
    told: list[threading.Thread] = []

    def joined(*_: object) -> None:
        told.append(threading.current_thread())

    telemetry.attach("who reads", CHANNEL_JOINED, joined)
    try:
        for number in range(20):
            client.join(f"room:{number}")
    finally:
        telemetry.detach("who reads")
    # Not each time: the reader thread may be about to look whether there is more.
    assert threading.current_thread() in told


@pytest.mark.contract("C25")
def test_a_topic_beyond_ascii(client: SocketClient) -> None:
    """Topic, event payload and response pass both ways as they are."""
    channel = client.join("room:é", {"ключ": "значение"})
    assert channel.response == {"joined": "room:é", "params": {"ключ": "значение"}}
    assert channel.push("echo", {"emoji": "🐦"}).get().response == {"emoji": "🐦"}


@pytest.mark.contract("C165")
def test_default_params_lie_below(connect: Connect) -> None:
    """default_channel_params are there unless the join says otherwise, for functions too."""
    client = connect(default_channel_params={"a": 1, "b": 1})
    assert client.join("room:1", {"b": 2}).response["params"] == {"a": 1, "b": 2}
    assert client.join("room:2", lambda: {"b": 3}).response["params"] == {"a": 1, "b": 3}


# -- refusals


@pytest.mark.contract("C56", "C58")
def test_a_refused_join(phoenix: Phoenix, client: SocketClient) -> None:
    """It raises what the server said, and the topic is not wanted any more."""
    with pytest.raises(JoinRejected) as rejected:
        client.join("room:private")
    assert rejected.value.topic == "room:private"
    assert rejected.value.response == {"reason": "unauthorized"}
    assert client.channel("room:private") is None
    assert client.joined_channels() == {}
    phoenix.control.kill_sockets()
    eventually(lambda: client.status, lambda status: status != "connected")
    client.wait_connected(DEADLINE)
    assert client.ping(DEADLINE) > 0
    assert phoenix.channels() == {}


@pytest.mark.contract("C57")
@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("nowhere:1", "unmatched topic"),
        ("room:crash_on_join", "join crashed"),
        ("room:private", "unauthorized"),
    ],
)
def test_the_reason_tells_refusals_apart(client: SocketClient, topic: str, reason: str) -> None:
    """What Phoenix itself refuses has a reason of its own."""
    with pytest.raises(JoinRejected) as rejected:
        client.join(topic)
    assert rejected.value.reason == reason


def test_a_refusal_is_told_to_the_class(client: SocketClient) -> None:
    """handle_join_error gets the response, and then the actor ends."""
    log = Log()
    with pytest.raises(JoinRejected):
        client.join("room:private", channel=(Telling, log))
    assert log.wait("join_error") == ("join_error", {"reason": "unauthorized"})
    log.wait("terminate")
    assert log.named("join") == []


# -- twice


@pytest.mark.contract("C53", "C51")
def test_a_second_join_gets_the_live_channel(phoenix: Phoenix, client: SocketClient) -> None:
    """AlreadyJoined carries the first channel, which goes on working."""
    first = client.join("room:once")
    with pytest.raises(AlreadyJoined) as already:
        client.join("room:once", {"other": "params"})
    assert already.value.channel is first
    assert first.push("echo", {"n": 1}).get().response == {"n": 1}
    assert phoenix.channels() == {"room:once": 1}
    assert first.join_count == 1


def test_many_threads_join_one_topic(phoenix: Phoenix, client: SocketClient) -> None:
    """One of them joins, each other gets its channel."""
    log = Log()

    def join() -> None:
        try:
            log.add("joined", client.join("room:rush"))
        except AlreadyJoined as already:
            log.add("already", already.channel)

    threads = [threading.Thread(target=join) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(log.named("joined")) == 1
    assert {item[1] for item in log.items} == {log.wait("joined")[1]}
    assert phoenix.channels() == {"room:rush": 1}


# -- time


@pytest.mark.websocket_only("the join takes longer than a window")
@pytest.mark.contract("C59")
def test_a_join_that_times_out_leaves_no_ghost(phoenix: Phoenix, connect: Connect) -> None:
    """The server is told to leave, and the topic is joined again since it is wanted."""
    client = connect(rejoin_backoff=[3600.0])
    with pytest.raises(JoinTimeout):
        client.join("room:slow", timeout=0.1)
    # The server answers nothing until its slow join is done; then it reads the leave.
    assert client.ping(DEADLINE) > 0
    eventually(phoenix.channels, lambda topics: topics == {})
    channel = client.channel("room:slow")
    assert channel is not None
    assert channel.state is ChannelState.ERRORED
    channel.leave()


@pytest.mark.contract("C63")
def test_a_join_waits_for_the_connection(phoenix: Phoenix, connect: Connect) -> None:
    """Asked for while disconnected it is sent on connect; its timeout runs meanwhile."""
    client = connect(auto_connect=False)
    with pytest.raises(JoinTimeout):
        client.join("room:late", timeout=0.05)
    joining = Log()
    thread = threading.Thread(target=lambda: joining.add(client.join("room:later")))
    thread.start()
    eventually(lambda: client.channel("room:later") is not None)
    client.connect()
    thread.join(DEADLINE)
    assert joining.items[0][0].state is ChannelState.JOINED
    # A topic whose join timed out is wanted until leave().
    eventually(phoenix.channels, lambda topics: set(topics) == {"room:late", "room:later"})


@pytest.mark.contract("C116")
def test_a_join_fails_when_the_client_gives_up(connect: Connect) -> None:
    """It gets the error of the last attempt, at once and not by its timeout."""
    client = connect(
        params={"token": "bad"},
        refusal_backoff=[0.1],
        max_reconnect_attempts=1,
        auto_connect=False,
    )
    failed = Log()

    def join(topic: str) -> None:
        try:
            client.join(topic, timeout=None)
        except ConnectError as error:
            failed.add(topic, error)

    thread = threading.Thread(target=join, args=("room:a",))
    thread.start()
    eventually(lambda: client.channel("room:a") is not None)
    client.connect()
    thread.join(DEADLINE)
    assert failed.wait("room:a")[1].status == 403
    with pytest.raises(ConnectError):
        client.wait_connected(DEADLINE)
    # The client has given up, so another one need not wait either.
    join("room:b")
    assert failed.wait("room:b")[1].status == 403


# -- handlers and functions


@pytest.mark.contract("C65")
def test_handlers_of_the_join_miss_nothing(client: SocketClient) -> None:
    """What the server sends inside its join reaches `on=` handlers and the class."""
    for number in range(10):
        log, topic = Log(), f"presence:{number}"
        client.join(
            topic,
            {"name": "al"},
            channel=(Telling, log),
            on={"presence_state": lambda payload, log=log: log.add("on", payload)},  # type: ignore[misc]
        )
        assert log.wait("on") == ("on", {})
        assert log.wait("message", "presence_state")[2] == {}
        assert "al" in log.wait("message", "presence_diff")[2]["joins"]


@pytest.mark.contract("C55", "C66")
def test_params_functions_run_for_each_join(phoenix: Phoenix, client: SocketClient) -> None:
    """A rejoin asks again; the class is told with the response and the count."""
    log = Log()
    channel = client.join(
        "room:params", lambda: {"n": len(log.named("join"))}, channel=(Telling, log)
    )
    assert log.wait("join", 1)[2]["params"] == {"n": 0}
    phoenix.control.kill_sockets()
    assert log.wait("join", 2)[2]["params"] == {"n": 1}
    assert channel.response["params"] == {"n": 1}
    assert channel.join_count == 2


def test_a_params_function_that_raises(phoenix: Phoenix, client: SocketClient) -> None:
    """The join raises an error whose cause is the function's; nothing is left behind."""

    def params() -> dict[str, Any]:
        raise LookupError("secret")

    with pytest.raises(JoinError) as failed:
        client.join("room:params", params)
    assert isinstance(failed.value.__cause__, LookupError)
    assert "secret" not in str(failed.value)
    assert client.channel("room:params") is None
    assert client.ping(DEADLINE) > 0
    assert phoenix.channels() == {}


def test_a_class_whose_init_raises(phoenix: Phoenix, client: SocketClient) -> None:
    """The join raises an error that says so, and nothing is left behind."""

    class Broken(Telling):
        def init(self, log: Log) -> None:
            raise ValueError("no good")

    with pytest.raises(JoinError, match=r"Broken did not start: ValueError") as failed:
        client.join("room:broken", channel=(Broken, Log()))
    assert failed.value.topic == "room:broken"
    assert client.channel("room:broken") is None
    assert client.ping(DEADLINE) > 0
    assert phoenix.channels() == {}
    assert client.join("room:broken").state is ChannelState.JOINED


# -- cut short


@pytest.mark.websocket_only("the join takes longer than a window")
@pytest.mark.contract("C87", "C161")
def test_leave_cuts_a_join_short(phoenix: Phoenix, client: SocketClient) -> None:
    """The waiting join raises JoinCancelled, and the server ends up without a channel."""
    log = Log()

    def join() -> None:
        try:
            client.join("room:slow")
        except JoinCancelled as cancelled:
            log.add("cancelled", cancelled.topic)

    thread = threading.Thread(target=join)
    thread.start()
    joining = eventually(lambda: client.channel("room:slow"))
    assert joining is not None
    joining.leave()
    thread.join(DEADLINE)
    assert log.items == [("cancelled", "room:slow")]
    assert client.ping(DEADLINE) > 0
    eventually(phoenix.channels, lambda topics: topics == {})
    assert joining.state is ChannelState.CLOSED


@pytest.mark.contract("C161")
def test_stop_cuts_a_join_short(connect: Connect) -> None:
    """The end of the client answers whoever waits for a topic, or for the connection."""
    client = connect(auto_connect=False)
    log = Log()

    def run(name: str, wait: Any) -> None:
        try:
            wait()
        except (JoinCancelled, LookupError) as error:
            log.add(name, type(error).__name__)

    threads = [
        threading.Thread(target=run, args=("join", lambda: client.join("room:a", timeout=None))),
        threading.Thread(target=run, args=("connected", lambda: client.wait_connected(None))),
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: client.channel("room:a") is not None)
    client.stop()
    for thread in threads:
        thread.join(DEADLINE)
    assert log.named("join") == [("JoinCancelled",)]
    assert log.named("connected") == [("NoProcError",)]

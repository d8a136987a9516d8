"""Channel actors and clients whose start takes long, goes wrong, or goes on by itself."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from phoenix_actors import (
    ChannelActor,
    EncodeError,
    InvalidOption,
    JoinTimeout,
    SocketClient,
)
from supervisors import Continue
from tests.e2e.rig import DEADLINE, Connect, Phoenix


class Continuing(ChannelActor):
    """Pushes and waits before any message."""

    def init(self) -> Any:
        return Continue("go")

    def handle_continue(self, continuation: Any) -> None:
        self.answer = self.push("echo", {"said": continuation}).get(timeout=DEADLINE).response

    def handle_call(self, request: Any, sender: Any) -> Any:
        return self.answer


class Slow(ChannelActor):
    """Takes its time to start."""

    def init(self, begun: threading.Event, gate: threading.Event) -> None:
        begun.set()
        gate.wait(DEADLINE)


def test_handle_continue_may_push_and_wait(client: SocketClient) -> None:
    """The join is on its way before the continuation runs, so its push is answered."""
    channel = client.join("room:a", channel=Continuing)
    assert channel.ask(None, timeout=DEADLINE) == {"said": "go"}


@pytest.mark.contract("C161")
def test_join_keeps_its_timeout_while_another_actor_starts(client: SocketClient) -> None:
    """A channel whose init takes long costs other joins their own timeout and no more."""
    begun, gate = threading.Event(), threading.Event()
    slow = {"channel": (Slow, begun, gate)}
    first = threading.Thread(target=client.join, args=("room:a",), kwargs=slow)
    first.start()
    try:
        assert begun.wait(DEADLINE)
        with pytest.raises(JoinTimeout):
            client.join("room:b", timeout=0.05)
    finally:
        gate.set()
        first.join(DEADLINE)
    assert not first.is_alive()


@pytest.mark.contract("C9")
def test_a_params_function_that_exits_fails_the_attempt(phoenix: Phoenix, connect: Connect) -> None:
    """Even SystemExit fails one attempt only: the next one is made, with what it gives then."""
    answers = iter([sys.exit, lambda: {"user_id": "7"}])

    def params() -> Any:
        return next(answers)()

    client = connect(params=params, auto_connect=False, backoff=[0.02])
    client.connect()
    client.wait_connected(DEADLINE)
    assert phoenix.control.stats()["ids"] == ["user:7"]


@pytest.mark.parametrize("event", [None, 5, b"e"])
def test_an_event_must_be_a_string(client: SocketClient, event: Any) -> None:
    """A push whose event is no string raises where it is made, and the channel goes on."""
    channel = client.join("room:a")
    with pytest.raises(EncodeError) as caught:
        channel.push(event)
    assert caught.value.field == "event"
    assert channel.push("echo", {"n": 1}).get(timeout=DEADLINE).response == {"n": 1}


def test_handlers_must_be_functions(client: SocketClient) -> None:
    """What cannot be called is refused where it is given, not at each message."""
    channel = client.join("room:a")
    nothing: Any = None
    with pytest.raises(InvalidOption, match="needs a function"):
        channel.on("shout", nothing)
    with pytest.raises(InvalidOption, match="needs a function"):
        client.on_open(nothing)


def test_the_topic_phoenix_is_not_joined(client: SocketClient) -> None:
    """The heartbeat's own topic is refused at once."""
    with pytest.raises(InvalidOption):
        client.join("phoenix")

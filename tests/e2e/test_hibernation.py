"""Idle channels give back memory and threads, and are woken by the next frame or message."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phoenix_actors import Channel, ChannelActor, SocketClient
from supervisors._runtime.mailbox import _GIL, NOTHING
from tests.e2e.rig import DEADLINE, Connect, Log, Telling, eventually

QUICK = {"hibernation_idle_timeout": 0.05, "hibernation_check_interval": 0.02}


def stats(client: SocketClient) -> dict[str, Any]:
    """What the manager counts."""
    return client.hibernation_manager.stats()


def asleep(client: SocketClient, count: int = 1) -> dict[str, Any]:
    """The stats once so many channels sleep."""
    return eventually(lambda: stats(client), lambda seen: seen["current_hibernated"] == count)


def lane(channel: Channel) -> Any:
    """The queue of the channel's actor."""
    ref = channel.ref
    assert ref is not None
    assert ref.process is not None
    return ref.process.mailbox.user


def ran_often(log: Log, count: int) -> list[Any]:
    """The handler's runs, once there are so many."""
    return eventually(lambda: log.named("ran"), lambda ran: len(ran) == count)


def seen_often(channel: Channel, count: int) -> None:
    """Waits until the actor has so many messages."""
    eventually(lambda: len(channel.call(None)) == count)


@pytest.mark.contract("C184")
def test_queues_are_given_back(connect: Connect) -> None:
    """What is counted as saved is gone, and the next frame finds everything as it was."""
    client = connect(**QUICK)
    log = Log()
    channel = client.join("room:a", on={"pushed": lambda payload: log.add("pushed", payload["n"])})
    for number in range(3):
        channel.push("push_me", {"n": number})
        log.wait("pushed", number)
        before = stats(client)["total_memory_saved"]
        seen = asleep(client)
        assert seen["total_memory_saved"] - before >= (760 if _GIL else 200)
        assert (lane(channel) is NOTHING) == _GIL  # without the GIL the lane is kept
        assert channel._topic.inbound is client.session.no_inbound
    assert stats(client)["total_hibernations"] == 3
    assert [n for (n,) in log.named("pushed")] == [0, 1, 2]


def test_a_thread_is_given_back(connect: Connect) -> None:
    """The next message gets another one."""

    class Threaded(Telling):
        dispatcher = "thread"

        def handle_message(self, event: str, payload: Any) -> None:
            self.log.add("ran", threading.current_thread())

    client = connect(**QUICK)
    log = Log()
    channel = client.join("room:a", channel=(Threaded, log))
    for number in range(3):
        channel.push("push_me", {})
        ran = ran_often(log, number + 1)
        asleep(client)
        ran[-1][0].join(DEADLINE)
        assert not ran[-1][0].is_alive()
    assert stats(client)["threads_given_back"] >= 3
    assert len({thread for (thread,) in log.named("ran")}) == 3


def test_what_holds_too_little_stays_awake(connect: Connect) -> None:
    """`hibernation_memory_threshold` is a number of bytes; hooks are called all the same."""

    class Hooked(ChannelActor):
        def init(self, log: Log) -> None:
            self.log = log

        def on_hibernate(self) -> None:
            self.log.add("asleep")

    client = connect(**QUICK, hibernation_memory_threshold=100_000)
    log = Log()
    client.join("room:a").push("push_me", {})
    client.join("room:b", channel=(Hooked, log))
    log.wait("asleep")
    seen = asleep(client)
    assert (seen["current_tracked"], seen["memory_threshold"]) == (2, 100_000)
    assert seen["oldest_idle_time"] > 0


@pytest.mark.contract("C184")
def test_nothing_is_lost_or_overtaken(connect: Connect) -> None:
    """However often the channel falls asleep between two messages, and whoever sends them."""

    class Counting(ChannelActor):
        def init(self) -> None:
            self.seen: list[int] = []

        def handle_message(self, event: str, payload: Any) -> None:
            self.seen.append(payload["n"])

        def handle_cast(self, message: int) -> None:
            self.seen.append(message)

        def handle_call(self, request: Any, sender: Any) -> Any:
            return self.seen

    client = connect(hibernation_idle_timeout=0.0001, hibernation_check_interval=0.0001)
    channel = client.join("room:a", channel=Counting)
    for number in range(100):
        if number % 2:
            channel.push("push_me", {"n": number})
        else:
            channel.tell(number)
        seen_often(channel, number + 1)
    assert channel.call(None) == list(range(100))
    assert stats(client)["total_hibernations"] > 3


def test_a_manager_that_is_killed_goes_on(connect: Connect) -> None:
    """Its successor finds the counts, and the channels that are idle."""
    client = connect(**QUICK)
    channel = client.join("room:a")
    channel.push("push_me", {})
    total = asleep(client)["total_hibernations"]
    former, socket = client.hibernation_manager.ref, client.socket.ref
    former.exit(RuntimeError("killed by the test"))
    # The components behind it are started anew, too; what is pushed before that may be lost.
    eventually(lambda: not (former.is_alive() or socket.is_alive()))
    assert stats(client)["total_hibernations"] >= total
    client.wait_connected(DEADLINE)
    eventually(lambda: channel.state == "joined")
    channel.push("push_me", {})
    eventually(lambda: stats(client)["total_hibernations"], lambda now: now > total)

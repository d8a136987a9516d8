"""A channel that has given its machine back, without threads."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from phoenix_actors import ConnectionLost
from phoenix_actors.link.core import ChannelCore
from phoenix_actors.link.topic import Topic
from phoenix_actors.message import ChannelState
from tests.unit.phoenix_actors.link.link_bench import Actor, Handle, LinkBench


class Asleep:
    """A joined channel that is asleep."""

    def __init__(self) -> None:
        self.bench = LinkBench()
        self.handle: Handle = self.bench.open()
        self.topic: Topic
        self.actor: Actor
        self.core: ChannelCore
        self.topic, self.actor, self.core = self.bench.joined("t")
        self.actor.got.clear()
        assert self.core.give_back() > 0
        assert isinstance(self.core._machine, int)

    @property
    def sleeps_on(self) -> bool:
        """Whether no machine was made."""
        return isinstance(self.core._machine, int)

    def texts(self, *frames: list[object]) -> None:
        """Frames come together."""
        self.bench.reader.texts([json.dumps(frame).encode() for frame in frames])


@pytest.fixture
def asleep() -> Iterator[Asleep]:
    """A joined channel that is asleep."""
    asleep = Asleep()
    yield asleep
    asleep.bench.close()


@pytest.mark.parametrize("join_ref", [None, "1"])
def test_messages_are_handed_on_without_a_machine(asleep: Asleep, join_ref: str | None) -> None:
    """One alone, and several together."""
    asleep.bench.receive(join_ref, None, "t", "one", {})
    asleep.texts([join_ref, None, "t", "two", {}], [join_ref, None, "t", "three", {}])
    assert [message.event for message in asleep.actor.got] == ["one", "two", "three"]
    assert asleep.sleeps_on


def test_a_push_needs_none_either(asleep: Asleep) -> None:
    """It goes out under the join_ref of the channel, and its answer comes back."""
    push = asleep.topic.push("shout", {}, 5.0)
    assert asleep.handle.sent[-1] == ["1", "2", "t", "shout", {}]
    asleep.bench.receive("1", "2", "t", "phx_reply", {"status": "ok", "response": {}})
    assert push.done()
    assert asleep.sleeps_on


@pytest.mark.contract("C45")
def test_what_is_stale_stays_so(asleep: Asleep) -> None:
    """Of another join, or of a connection that is not the present one."""
    asleep.bench.receive("0", None, "t", "old", {})
    asleep.texts(["0", None, "t", "old", {}], ["0", None, "t", "old", {}])
    assert asleep.core.give_back() >= 0
    generation = asleep.bench.generation
    asleep.bench.reader._generation = generation - 1
    asleep.bench.receive(None, None, "t", "old", {})
    asleep.texts([None, None, "t", "old", {}], [None, None, "t", "old", {}])
    assert asleep.actor.got == []
    assert asleep.bench.session.counters["frames_dropped_stale"] == 6


def test_a_loss_is_noticed(asleep: Asleep) -> None:
    """What concerns the state of the channel makes the machine anew."""
    asleep.bench.lose(ConnectionLost(1006, "gone"))
    assert asleep.topic.state is not ChannelState.JOINED
    assert not asleep.sleeps_on
    push = asleep.topic.push("shout", {}, 5.0)
    handle = asleep.bench.open()
    asleep.bench.accept(asleep.topic)
    assert [frame[3] for frame in handle.sent] == ["phx_join", "shout"]
    assert not push.done()

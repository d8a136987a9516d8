"""Which thread would wait for itself."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from phoenix_actors.link.scheduling import feeds_below, joins_below
from phoenix_actors.link.topic import Topic
from supervisors._runtime.current import current
from tests.unit.phoenix_actors.link.link_bench import LinkBench


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client whose connection is open."""
    bench = LinkBench()
    bench.open()
    yield bench
    bench.close()


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The actor that this thread is in."""
    process = SimpleNamespace(ended=False, initialised=True, actor=SimpleNamespace())
    monkeypatch.setattr(current.here, "process", process)
    return process


def waits(topic: Topic) -> tuple[bool, bool]:
    """Whether its first join, and its next message, would come behind this thread."""
    counters = topic.session.counters
    return joins_below(topic.name, counters), feeds_below(topic.listeners)


@pytest.mark.contract("C155")
def test_who_waits_in_a_channel_for_what_comes_behind_it(bench: LinkBench, process: Any) -> None:
    """It is refused, unless the actor was given up, or the topic is left, which ends it."""
    topic = process.actor._phx_topic = bench.topic("t")
    process.initialised = False
    assert waits(topic) == (True, True)
    assert waits(bench.topic("other")) == (False, False)
    bench.attach(topic)
    process.initialised = True
    assert waits(topic) == (False, True)
    process.ended = True
    assert waits(topic) == (False, False)
    process.ended = False
    topic.leave(None)
    assert not topic.closed
    assert waits(topic) == (False, False)

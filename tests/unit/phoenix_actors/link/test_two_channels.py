"""Two channels for one topic: the newer one leaves the older."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phoenix_actors.link.news import Closed
from phoenix_actors.link.topic import Topic
from phoenix_actors.message import ChannelState
from tests.unit.phoenix_actors.link.link_bench import LinkBench


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client with nothing open."""
    bench = LinkBench()
    yield bench
    bench.close()


@pytest.mark.contract("C52")
@pytest.mark.parametrize("joined", [True, False])
def test_the_newer_join_leaves_the_older(bench: LinkBench, joined: bool) -> None:
    """Joined or joining, the older is left before the newer joins, and its owner is told."""
    handle = bench.open()
    older = bench.topic("t")
    owner, core = bench.attach(older)
    if joined:
        bench.accept(older)
    bench.session.forget(older)
    newer = bench.topic("t")
    bench.attach(newer)
    assert handle.sent[1:] == [["1", "2", "t", "phx_leave", {}], ["3", "3", "t", "phx_join", {}]]
    closes = [message for message in owner.got if isinstance(message, Closed)]
    assert [type(close.reason).__name__ for close in closes] == ["Left"]
    assert core.machine.state is ChannelState.CLOSED
    bench.accept(newer)
    # What the server says about the older one, whose join_ref is old, changes nothing.
    bench.receive("1", "1", "t", "phx_close", {})
    assert _state(newer) is ChannelState.JOINED


def _state(topic: Topic) -> ChannelState:
    return topic.state

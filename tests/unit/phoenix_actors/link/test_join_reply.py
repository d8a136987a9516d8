"""The answer to a join, which who waits for it reads by a wire."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, cast

import pytest

from phoenix_actors.errors import JoinTimeout
from phoenix_actors.link.join_reply import JoinReply


class FakeWire:
    """A wire; something happens while somebody reads by it."""

    def __init__(self, meanwhile: Callable[[], object] = bool) -> None:
        self.meanwhile = meanwhile
        self.stopped = 0

    def read_for(self, reply: JoinReply, timeout: float | None) -> float | None:
        """Something happens."""
        self.meanwhile()
        return timeout

    def stop_reading(self) -> None:
        """Who reads is to look."""
        self.stopped += 1


def test_one_that_is_there_keeps_no_wire() -> None:
    """Topics that are joined share one, so what it kept would outlive their client."""
    reply = JoinReply()
    reply.settle({"id": 1})
    wire = FakeWire()
    kept = weakref.ref(wire)
    assert reply.read_and_get(cast("Any", wire), timeout=0) == {"id": 1}
    del wire
    gc.collect()
    assert kept() is None


@pytest.mark.contract("C59")
def test_who_reads_for_it_looks_when_it_has_failed() -> None:
    """The timer of a join that nobody answers is another thread; the read ends with it."""
    reply = JoinReply()
    wire = FakeWire(lambda: reply.fail(JoinTimeout("t", 1.0)))
    with pytest.raises(JoinTimeout):
        reply.read_and_get(cast("Any", wire), timeout=0)
    assert wire.stopped == 1


def test_who_reads_it_needs_nobody_to_say_so() -> None:
    """The server's answer is settled by the thread that has read it."""
    reply = JoinReply()
    wire = FakeWire(lambda: reply.settle({"id": 1}))
    assert reply.read_and_get(cast("Any", wire), timeout=0) == {"id": 1}
    assert wire.stopped == 0

"""The answer to a join, which who waits for it reads by a wire."""

from __future__ import annotations

import gc
import weakref
from typing import Any, cast

from phoenix_actors.link.join_reply import JoinReply


class FakeWire:
    """A wire by which nobody has to read."""


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

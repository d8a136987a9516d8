"""All channels join on a new connection: their frames go out together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.phoenix_actors.link.link_bench import Handle, LinkBench


class Together(Handle):
    """A connection that takes several frames at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sends: list[list[Any]] = []

    def send_now(self, frames: list[Any]) -> bool:
        """Takes them."""
        self.sends.append([json.loads(frame) for frame in frames])
        return True

    def send_all(self, frames: list[Any]) -> None:
        """Is the writer's, who is not wanted here."""
        raise AssertionError


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A link without a connection."""
    bench = LinkBench()
    yield bench
    bench.close()


@pytest.mark.contract("C61")
def test_joins_go_out_together_in_creation_order(
    bench: LinkBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few sends for many channels, and no writer thread."""
    monkeypatch.setattr("tests.unit.phoenix_actors.link.link_bench.Handle", Together)
    names = [f"room:{number}" for number in range(70)]
    for name in names:
        bench.attach(bench.topic(name))
    handle = bench.open()
    assert isinstance(handle, Together)
    assert [frame[2] for frames in handle.sends for frame in frames] == names
    assert [len(frames) for frames in handle.sends] == [32, 32, 6]
    lane = bench.wire.outbox.lane
    assert lane is not None
    assert lane.writer is None

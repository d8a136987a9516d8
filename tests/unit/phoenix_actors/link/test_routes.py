"""Routes that are remembered, and forgotten."""

from __future__ import annotations

import pytest

from phoenix_actors import InvalidOption
from phoenix_actors.link.routes import Routes
from supervisors.testing import ManualClock


def routes(clock: ManualClock, size: int = 10) -> Routes:
    """Routes of a map in which remembering pays."""
    entries = {f"{'x' * length}:*": length for length in range(1, 20)}
    return Routes(entries, "plain", size=size, ttl=5.0, clock=clock, sweep_interval=1.0)


@pytest.mark.contract("C179")
def test_a_route_is_remembered_for_its_time() -> None:
    """Then the sweep forgets it."""
    clock = ManualClock()
    table = routes(clock)
    assert [table.resolve("xx:1") for _ in range(3)] == [2, 2, 2]
    stats = table.stats()
    assert (stats["template_hits"], stats["template_misses"]) == (2, 1)
    clock.advance(5.0)
    assert table.sweep() == 0
    clock.advance(0.1)
    assert table.sweep() == 1
    stats = table.stats()
    assert (stats["template_size"], stats["template_evictions"]) == (0, 1)


@pytest.mark.contract("C179")
def test_the_oldest_goes_first() -> None:
    """No more are remembered than the size allows."""
    table = routes(ManualClock(), size=2)
    for topic in ("x:1", "x:2", "x:3", "x:1"):
        table.resolve(topic)
    stats = table.stats()
    assert (stats["template_size"], stats["template_evictions"]) == (2, 2)
    assert stats["template_misses"] == 4


def test_another_map() -> None:
    """Nothing of the former is left, and one that makes no sense changes nothing."""
    table = routes(ManualClock())
    assert table.resolve("xx:1") == 2
    table.replace({"xx:*": "new"})
    assert table.resolve("xx:1") == "new"
    with pytest.raises(InvalidOption):
        table.replace({"a*b": "bad"})
    assert table.resolve("xx:1") == "new"
    assert table.stats()["template_enabled"] is False

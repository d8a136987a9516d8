"""Payloads that are encoded once."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors.link.pool import EncodedPool
from supervisors.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


def test_without_a_key_nothing_is_kept(clock: ManualClock) -> None:
    """Each is encoded, and its uses count."""
    pool = EncodedPool(clock=clock)
    first, second = (pool.encode({"n": 1}, str) for _ in range(2))
    assert first is not second
    first.take()
    stats = pool.stats()
    assert (stats["misses"], stats["hits"], stats["pool_size"]) == (2, 1, 0)
    assert stats["oldest_pattern_age"] is None


@pytest.mark.contract("C179")
def test_what_is_kept_under_a_key(clock: ManualClock) -> None:
    """It is given again, its function not called, until it is too old."""
    pool = EncodedPool(size=10, max_age=5.0, clock=clock)
    calls: list[Any] = []

    def payload() -> dict[str, int]:
        calls.append(1)
        return {"n": len(calls)}

    first = pool.encode(payload, str, key="a")
    clock.advance(4.0)
    assert pool.encode(payload, str, key="a") is first
    stats = pool.stats()
    assert (stats["pool_hits"], stats["oldest_pattern_age"], len(calls)) == (1, 4.0, 1)
    assert stats["total_memory_bytes"] == stats["average_pattern_size"] > len(first.text)
    clock.advance(1.0)
    assert pool.encode(payload, str, key="a").text == "{'n': 2}"
    clock.advance(5.0)
    assert pool.sweep()[0] == 1
    assert pool.sweep() == (0, 0)
    assert pool.stats()["pool_size"] == 0


@pytest.mark.contract("C179")
def test_the_longest_unused_goes_first(clock: ManualClock) -> None:
    """No more are kept than the size allows; with 0 none."""
    pool = EncodedPool(size=2, clock=clock)
    kept = {key: pool.encode(key, str, key=key) for key in "ab"}
    pool.encode("a", str, key="a")
    pool.encode("c", str, key="c")
    assert pool.encode("a", str, key="a") is kept["a"]
    assert pool.encode("b", str, key="b") is not kept["b"]
    stats = pool.stats()
    assert (stats["pool_size"], stats["max_pool_size"], stats["removed"]) == (2, 2, 2)
    none = EncodedPool(size=0, clock=clock)
    none.encode("a", str, key="a")
    assert none.stats()["pool_size"] == 0

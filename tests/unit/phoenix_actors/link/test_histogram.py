"""Durations counted by size."""

from __future__ import annotations

import pytest

from phoenix_actors.link.histogram import Histogram


@pytest.mark.parametrize("seconds", [0.0, 0.00005, 0.0001, 0.0003, 0.01, 1.0, 50.0, 10_000.0])
def test_a_quantile_is_right_to_a_factor_of_two(seconds: float) -> None:
    """It is never less than the duration, never more than twice it, and never above the longest."""
    times = Histogram()
    times.add(seconds)
    assert times.quantile(0.5) == times.quantile(0.99) == seconds
    times.add(100_000.0)
    half = times.quantile(0.5)
    assert half is not None
    assert seconds <= half <= max(0.0001, 2 * seconds) or seconds > 50.0


def test_quantiles_of_many() -> None:
    """Each is the bucket that holds it; count, mean and maximum are exact."""
    times = Histogram()
    assert times.quantile(0.5) is None
    for number in range(1, 101):
        times.add(number / 1000)
    snapshot = times.snapshot()
    assert snapshot["count"] == 100
    assert snapshot["mean_seconds"] == pytest.approx(0.0505)
    assert snapshot["max_seconds"] == 0.1
    assert 0.050 <= times.quantile(0.5) <= 0.1  # type: ignore[operator]
    assert 0.095 <= times.quantile(0.95) <= 0.1  # type: ignore[operator]


def test_the_longest_since_the_last_time() -> None:
    """Asked twice, it is none."""
    times = Histogram()
    times.add(0.2)
    times.add(0.1)
    assert (times.recent_max(), times.recent_max()) == (0.2, None)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_what_is_counted_together_is_counted_once(count: int) -> None:
    """Whenever somebody looks, and however often."""
    times = Histogram()
    for number in range(count):
        times.add(0.001 * (number + 1))
        if number % 50 == 0:
            assert times.snapshot()["count"] == number + 1
    snapshot = times.snapshot()
    assert (snapshot, snapshot["count"]) == (times.snapshot(), count)
    assert snapshot["max_seconds"] == times.recent_max() == pytest.approx(0.001 * count)
    assert snapshot["mean_seconds"] == pytest.approx(0.0005 * (count + 1))
    assert len(times._fresh) < 64

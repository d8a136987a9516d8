"""The performance monitor of a client: numbers from the first second, collections, alerts."""

from __future__ import annotations

import json

import pytest

from phoenix_actors import InvalidOption
from tests.e2e.rig import Connect, eventually, listening

MONITOR = ("optimization", "performance_monitor_alerts_triggered")


@pytest.mark.contract("C185")
def test_everything_at_once_after_the_start(connect: Connect) -> None:
    """Before the first collection, connected or not, each answer has all its parts."""
    monitor = connect(auto_connect=False).performance_monitor
    metrics = monitor.get_metrics()
    for part in ("binary_pool", "route_cache", "hibernation", "transport", "system", "alerts"):
        assert part in metrics, part
    assert metrics["hibernation"]["total_hibernations"] == 0
    assert metrics["response_times"]["p95_seconds"] is None
    summary = monitor.get_summary()
    assert (summary["collections"], summary["data_points_retained"]) == (0, 0)
    assert 0 <= summary["uptime_ms"] < 60_000
    assert summary["current_metrics"]["status"] == "disconnected"
    assert json.loads(monitor.generate_report("json"))["transport"]["messages_sent"] == 0
    assert "system.memory_usage_mb: " in monitor.generate_report("text")


def test_the_numbers_move(connect: Connect) -> None:
    """Frames, bytes and response times of ten pushes."""
    client = connect()
    channel = client.join("room:a")
    for _ in range(10):
        channel.push("echo", {}).get()
    metrics = client.performance_monitor.get_metrics()
    assert metrics["transport"]["messages_sent"] >= 11
    assert metrics["transport"]["bytes_received"] > 100
    times = metrics["response_times"]
    assert times["count"] == 10
    assert 0 < times["p50_seconds"] <= times["p99_seconds"] <= times["max_seconds"] < 10


@pytest.mark.contract("C179", "C185")
def test_collections_and_alerts(connect: Connect) -> None:
    """Every interval a point is kept for the period, and what is too slow is told once."""
    with listening(MONITOR) as log:
        client = connect(
            collection_interval=0.02,
            retention_period=0.2,
            alert_thresholds={"response_time_ms": 300, "memory_usage_mb": None},
        )
        monitor = client.performance_monitor
        channel = client.join("room:a")
        channel.push("slow_echo", {"ms": 400}).get()
        told = log.wait(".".join(MONITOR))
        eventually(lambda: monitor.get_summary()["collections"] > 20)
    (alert,) = told[2]["alerts"]
    assert (alert["type"], alert["threshold"]) == ("response_time_ms", 300.0)
    assert alert["current_value"] >= 400
    assert len(log.items) == 1
    summary = monitor.get_summary()
    assert summary["alerts_triggered"] == 1
    assert 1 <= summary["data_points_retained"] <= 12
    assert summary["collection_interval"] == 0.02
    assert summary["alert_thresholds"]["response_time_ms"] == 300.0
    assert alert["message"] in monitor.generate_report("text")

    def quick() -> bool:
        channel.push("echo", {}).get()
        over: bool = monitor.get_metrics()["alerts"] == []
        return over

    # A quick answer ends the alert.
    eventually(quick)


@pytest.mark.contract("C182")
def test_switched_off(connect: Connect) -> None:
    """It collects nothing, and can still be asked."""
    client = connect(performance_monitor=False, collection_interval=0.01)
    client.join("room:a").push("slow_echo", {"ms": 50}).get()
    assert client.performance_monitor.get_summary()["collections"] == 0
    assert client.performance_monitor.get_metrics()["enabled"] is False


@pytest.mark.parametrize(
    "thresholds", [{"memory": 1}, {"memory_usage_mb": 0}, {"memory_usage_mb": "x"}, [1]]
)
def test_thresholds_that_make_no_sense(connect: Connect, thresholds: object) -> None:
    """They are refused at the start."""
    with pytest.raises(InvalidOption, match="alert_thresholds"):
        connect(alert_thresholds=thresholds, auto_connect=False)


@pytest.mark.contract("C179")
def test_options_of_pool_and_cache(connect: Connect) -> None:
    """They reach the running components, which sweep by themselves."""
    with listening(("optimization", "binary_pool_cleanup")) as log:
        client = connect(
            binary_pool_size=7,
            binary_max_age=0.02,
            binary_cleanup_interval=0.03,
            route_cache_size=9,
            route_cache_ttl=5,
            route_cleanup_interval=6,
        )
        channel = client.join("room:a")
        encoded = client.binary_pool.encode(lambda: {"n": 1}, key="one")
        assert channel.push("echo", encoded).get().response == {"n": 1}
        told = log.wait("optimization.binary_pool_cleanup")
    assert told[1]["patterns_removed"] >= 1
    pool, routes = client.binary_pool.stats(), client.route_cache.stats()
    assert (pool["max_pool_size"], pool["max_age"], pool["cleanup_interval"]) == (7, 0.02, 0.03)
    assert (routes["cache_size"], routes["ttl"], routes["cleanup_interval"]) == (9, 5.0, 6.0)

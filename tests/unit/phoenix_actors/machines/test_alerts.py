"""When an alert is triggered, and when it is over."""

from __future__ import annotations

import pytest

from phoenix_actors.machines.alerts import Alerts


@pytest.mark.contract("C185")
def test_a_value_that_trembles_triggers_once() -> None:
    """Only when it was back by a tenth of the threshold does the next crossing count."""
    alerts = Alerts({"message_queue_depth": 100.0})
    seen = []
    for number, value in enumerate([99.0, 100.0, 101.0, 95.0, 150.0, 91.0, 90.0, 101.0]):
        seen.append(len(alerts.check({"message_queue_depth": value}, now=float(number))))
    assert seen == [0, 0, 1, 0, 0, 0, 0, 1]
    assert alerts.triggered == 2
    (present,) = alerts.present
    assert (present.type, present.threshold, present.current_value) == (
        "message_queue_depth",
        100.0,
        101.0,
    )
    assert (present.severity, present.timestamp) == ("warning", 7.0)


def test_of_a_rate_less_is_worse() -> None:
    """It is over when the rate is a tenth better, or perfect."""
    alerts = Alerts({"cache_hit_rate": 0.95})
    assert [alert.severity for alert in alerts.check({"cache_hit_rate": 0.1}, 0.0)] == ["critical"]
    alerts.check({"cache_hit_rate": 0.99}, 1.0)
    assert len(alerts.present) == 1
    alerts.check({"cache_hit_rate": 1.0}, 2.0)
    assert alerts.present == []


def test_what_is_not_known_or_off() -> None:
    """None as value or threshold changes nothing."""
    alerts = Alerts({"response_time_ms": 10.0, "memory_usage_mb": None})
    assert alerts.check({"memory_usage_mb": 1e9}, 0.0) == []
    assert len(alerts.check({"response_time_ms": 11.0}, 1.0)) == 1
    alerts.check({"response_time_ms": None}, 2.0)
    assert len(alerts.present) == 1

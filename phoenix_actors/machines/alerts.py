"""When a measured value is worth an alert, and when it is over: thresholds with hysteresis.

A value that crosses its threshold triggers one alert, which is over when the value is back by a
tenth of the threshold. So a value that trembles around it does not trigger again and again. A value
that is not known (None) changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["Alert", "Alerts"]

# Of these a low value is a bad one.
_LOW_IS_BAD: Final = frozenset({"cache_hit_rate"})
_BACK: Final = 0.1


class Alert(msgspec.Struct, frozen=True):
    """One alert, as it was when it was triggered; `timestamp` is that of the caller."""

    type: str
    severity: str
    message: str
    threshold: float
    current_value: float
    timestamp: float


class Alerts:
    """The alerts of one client. Not thread-safe: its actor hands in the values.

    Args:
        thresholds: by name; None for one that is switched off.

    Example:
        >>> alerts = Alerts({"message_queue_depth": 100.0})
        >>> [alert.type for alert in alerts.check({"message_queue_depth": 101.0}, now=1.0)]
        ['message_queue_depth']
        >>> alerts.check({"message_queue_depth": 95.0}, now=2.0), len(alerts.present)
        ([], 1)
        >>> alerts.check({"message_queue_depth": 89.0}, now=3.0), len(alerts.present)
        ([], 0)
    """

    def __init__(self, thresholds: Mapping[str, float | None]) -> None:
        self._thresholds = thresholds
        self._present: dict[str, Alert] = {}
        self.triggered = 0

    @property
    def present(self) -> list[Alert]:
        """The alerts that are not over."""
        return list(self._present.values())

    def check(self, values: Mapping[str, float | None], now: float) -> list[Alert]:
        """Take in what was measured at `now`; return the alerts that it triggers."""
        new: list[Alert] = []
        for name, threshold in self._thresholds.items():
            value = values.get(name)
            if value is None or threshold is None:
                continue
            # From here on, for both kinds, what is above 0 is bad.
            excess = threshold - value if name in _LOW_IS_BAD else value - threshold
            if name in self._present:
                if excess <= -_BACK * threshold or (name in _LOW_IS_BAD and value >= 1.0):
                    del self._present[name]
            elif excess > 0:
                new.append(_alert(name, value, threshold, excess, now))
                self._present[name] = new[-1]
        self.triggered += len(new)
        return new


def _alert(name: str, value: float, threshold: float, excess: float, now: float) -> Alert:
    side = "below" if name in _LOW_IS_BAD else "above"
    severity = "critical" if excess > threshold / 2 else "warning"
    message = f"{name} is {value:g}, {side} its threshold {threshold:g}"
    return Alert(name, severity, message, threshold, value, now)

"""What counter channels record: it outlives channels and sockets. Only from the server's loop."""

from __future__ import annotations

from typing import Any

__all__ = ["Ledger"]


class Ledger:
    """Payloads in the order received and a running total, for each topic.

    Example:
        >>> ledger = Ledger()
        >>> ledger.record("counter:a", {"n": 1}), ledger.record("counter:a", {"n": 2})
        (1, 2)
        >>> ledger.add("counter:a", 5)
        5
        >>> ledger.forget("counter:a")
        >>> ledger.items("counter:a")
        []
    """

    def __init__(self) -> None:
        self._items: dict[str, list[Any]] = {}
        self._totals: dict[str, Any] = {}

    def record(self, topic: str, payload: Any) -> int:
        """Appends a payload and returns how many there are."""
        items = self._items.setdefault(topic, [])
        items.append(payload)
        return len(items)

    def items(self, topic: str) -> list[Any]:
        """Returns the payloads of a topic in the order received."""
        return list(self._items.get(topic, []))

    def add(self, topic: str, number: Any) -> Any:
        """Adds to the total of a topic and returns it."""
        self._totals[topic] = self._totals.get(topic, 0) + number
        return self._totals[topic]

    def forget(self, topic: str | None = None) -> None:
        """Forgets one topic, or all of them."""
        if topic is None:
            self._items.clear()
            self._totals.clear()
        else:
            self._items.pop(topic, None)
            self._totals.pop(topic, None)

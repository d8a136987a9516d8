"""Topic → channel class: the remembered route against the match made each time."""

from __future__ import annotations

from harness import Way, main

from phoenix_actors.link.routes import Routes
from phoenix_actors.machines.topic_map import TopicMap
from supervisors.clock import MonotonicClock


def ways(patterns: int) -> list[Way]:
    """Return the two ways for a map with so many wildcard patterns of different lengths."""
    entries = {f"{'x' * length}:*": length for length in range(1, patterns + 1)}
    topics = [f"{'x' * (number % patterns + 1)}:{number}" for number in range(100)]
    table = TopicMap(entries, None)
    routes = Routes(entries, None, size=1000, ttl=300.0, clock=MonotonicClock())

    def matched(count: int) -> None:
        for number in range(count):
            table.resolve(topics[number % 100])

    def remembered(count: int) -> None:
        for number in range(count):
            routes.resolve(topics[number % 100])

    return [Way("match each time", matched), Way("route cache", remembered)]


if __name__ == "__main__":
    main(
        "route of a topic",
        {f"{number} patterns": (20_000, ways(number)) for number in (1, 5, 20, 100)},
    )

"""The end of many children at once: twice as many are to take twice as long."""

from __future__ import annotations

import time

from actors import Ours
from harness import Way, main
from plain_thread import in_plain_thread

from supervisors import DynamicSupervisor


def stop(count: int) -> float:
    """Return the seconds, for each, that a dynamic supervisor takes to stop its children."""
    parent = DynamicSupervisor.start_link()
    for _ in range(count):
        parent.start_child(Ours)
    began = time.perf_counter()
    parent.stop()
    return (time.perf_counter() - began) / count


if __name__ == "__main__":
    way = in_plain_thread(Way("Ours", stop, measures=True))
    main(
        "stop of many children, for each",
        {f"one of {count:,}": (count, [way]) for count in (25_000, 50_000, 100_000)},
        rounds=3,
    )

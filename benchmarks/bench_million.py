"""A million idle actors in one process: what the start of each takes, of 100,000 and of all.

Takes 1.5 GB and up to a minute.
"""

from __future__ import annotations

import threading
import time

from bench_memory import Ours, in_fresh_process
from harness import main

from supervisors import DynamicSupervisor


def seconds(count: int) -> float:
    """Return the seconds, for each, that so many children take to start from a plain thread."""
    found: list[float] = []

    def start() -> None:
        parent = DynamicSupervisor.start_link()
        began = time.perf_counter()
        for _ in range(count):
            parent.start_child(Ours)
        found.append((time.perf_counter() - began) / count)
        alive = parent.count_children().active
        if alive != count:
            msg = f"{count} children were started, and {alive} live"
            raise RuntimeError(msg)
        parent.stop()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    return found[0]


if __name__ == "__main__":
    main(
        "start of idle actors, of each",
        {
            f"one of {count:,}": (count, [in_fresh_process("Ours", seconds)])
            for count in (100_000, 1_000_000)
        },
        rounds=1,
    )

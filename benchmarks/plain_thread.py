"""Runs a way in a plain thread, where callers that wait run supervisors and inits themselves."""

from __future__ import annotations

import threading
import time

from harness import Way

__all__ = ["in_plain_thread"]


def in_plain_thread(way: Way) -> Way:
    """Return the way, run in a thread of its own; the start of the thread is not counted."""

    def run(count: int) -> float:
        figures: list[float] = []

        def timed() -> None:
            began = time.perf_counter()
            figure = way.run(count)
            took = (time.perf_counter() - began) / count
            figures.append(float(figure) if way.measures else took)

        thread = threading.Thread(target=timed)
        thread.start()
        thread.join()
        return figures[0]

    return Way(way.name, run, measures=True)

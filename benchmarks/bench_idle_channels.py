"""Bytes of a joined channel that is idle, awake and hibernating: growth of a fresh process.

A process whose channels give memory back keeps it for what it does next and seldom returns it to
the operating system. So the figures of channels in the pool are what Python has allocated, by
tracemalloc, and only the last ones, with a thread for each channel, are the process's private
memory.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from bench_memory import in_fresh_process, private_bytes
from channels import Client, Ours, Threaded
from harness import BYTES, Aim, main

# Seconds until an idle channel is put to sleep; joining is over long before.
_IDLE = 1.0


def allocated() -> int:
    """Return what Python has allocated."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def process_memory() -> int:
    """Return what this process has for itself alone."""
    return private_bytes()


def growth(
    count: int, *, channel: Any, measure: Callable[[], int], message: bool, sleep: bool
) -> float:
    """Return by how much each channel grows the process; 50 are there before."""
    client = Client(
        hibernation_enabled=sleep,
        hibernation_idle_timeout=_IDLE,
        hibernation_check_interval=_IDLE,
    )
    try:
        kept = client.join(50, channel, "warm")
        if measure is allocated:
            tracemalloc.start()
        before = measure()
        kept += client.join(count, channel)
        if message:
            for number in range(count):
                client.send(f"room:{number}")
        if sleep:
            deadline = time.monotonic() + 60
            while client.client.hibernation_manager.stats()["current_hibernated"] < count:
                if time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(0.1)
            # Until the threads have ended and what they had is given back.
            time.sleep(1.0)
        time.sleep(0.2)
        return (measure() - before) / count
    finally:
        tracemalloc.stop()
        client.close()


def ways(channel: Any, measure: Callable[[], int], *, fresh: bool) -> list[Any]:
    """Return the ways for this class."""
    kinds = {"after a message": (True, False), "hibernating": (True, True)}
    if fresh:
        kinds = {"joined": (False, False), **kinds}
    return [
        in_fresh_process(
            name, partial(growth, channel=channel, measure=measure, message=message, sleep=sleep)
        )
        for name, (message, sleep) in kinds.items()
    ]


if __name__ == "__main__":
    joined = partial(growth, channel=Ours, measure=process_memory, message=False, sleep=False)
    main(
        "memory of a joined channel",
        {
            "in the pool, allocated": (1_000, ways(Ours, allocated, fresh=True)),
            "in the pool, process": (3_000, [in_fresh_process("joined", joined)]),
            "thread of its own, process": (
                600,
                ways(Threaded, process_memory, fresh=False),
            ),
        },
        unit=BYTES,
        rounds=1,
        aims={
            "in the pool, allocated": [
                Aim("joined", most=3_000),
                Aim("hibernating", most=1_536),
                Aim("hibernating", than="after a message", times=2.5),
            ],
            "thread of its own, process": [Aim("hibernating", than="after a message", times=5.0)],
        },
    )

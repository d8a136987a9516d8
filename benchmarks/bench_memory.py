"""Bytes of an idle actor: growth of a fresh process's private memory, Pykka's first."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pykka
from beam import beam
from harness import BYTES, Way, main

from supervisors import DynamicSupervisor, GenServer

# Pykka has a thread for each: more are near what a machine gives to one process.
_THREADS = 2_000


class Ours(GenServer):
    """Has one attribute."""

    def init(self) -> None:
        """Have it."""
        self.number = 1


class Theirs(pykka.ThreadingActor):
    """Has one attribute."""

    def __init__(self) -> None:
        """Have it."""
        super().__init__()
        self.number = 1


def private_bytes() -> int:
    """Return what this process has for itself alone."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def growth(start: Callable[[], Any], count: int) -> float:
    """Return by how much each grows the process; one is there before."""
    refs = [start()]
    before = private_bytes()
    refs += [start() for _ in range(count)]
    return (private_bytes() - before) / count


def ours(count: int) -> float:
    """Start children of one dynamic supervisor."""
    with DynamicSupervisor.start_link() as parent:
        return growth(lambda: parent.start_child(Ours), count)


def theirs(count: int) -> float:
    """Start actors on Pykka alone."""
    try:
        return growth(Theirs.start, min(count, _THREADS))
    finally:
        pykka.ActorRegistry.stop_all()


def in_fresh_process(name: str, measure: Callable[[int], float]) -> Way:
    """Return a way that runs in a process which has run nothing else."""

    def run(count: int) -> float:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            return fresh.submit(measure, count).result()

    return Way(name, run, measures=True)


if __name__ == "__main__":
    ways = [in_fresh_process("Theirs (of 2,000)", theirs), in_fresh_process("Ours", ours)]
    main(
        "memory: Pykka's ThreadingActor first",
        {"idle actor, one of 100,000": (100_000, [*ways, *beam("bytes")])},
        unit=BYTES,
        rounds=3,
    )

"""Supervisors of this library against the least one on Pykka alone (`children`), and OTP's."""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pykka
from actors import Ours
from beam import beam
from children import CRASH, OurChild, Started, TheirSupervisor
from harness import Way, main
from plain_thread import in_plain_thread

from supervisors import DynamicSupervisor, Supervisor


def their_children(*, terminate: bool) -> Way:
    """Ask the parent for children, or for their ends."""

    def run(count: int) -> float:
        parent = TheirSupervisor.start([])
        began = time.perf_counter()
        refs = [parent.ask("start") for _ in range(count)]
        started = time.perf_counter()
        for ref in refs:
            parent.ask(("terminate", ref))
        ended = time.perf_counter()
        parent.stop()
        return (ended - started if terminate else started - began) / count

    return Way("Theirs", run, measures=True)


def our_children(*, terminate: bool) -> Way:
    """Let a dynamic supervisor start children, or end them."""

    def run(count: int) -> float:
        with DynamicSupervisor.start_link() as parent:
            began = time.perf_counter()
            refs = [parent.start_child(Ours) for _ in range(count)]
            started = time.perf_counter()
            for ref in refs:
                parent.terminate_child(ref)
            ended = time.perf_counter()
        return (ended - started if terminate else started - began) / count

    return Way("Ours", run, measures=True)


def stop_children() -> Way:
    """Stop a dynamic supervisor and with it its children."""

    def run(count: int) -> float:
        parent = DynamicSupervisor.start_link()
        for _ in range(count):
            parent.start_child(Ours)
        began = time.perf_counter()
        parent.stop()
        return (time.perf_counter() - began) / count

    return Way("Ours", run, measures=True)


def their_restarts(size: int) -> Way:
    """Crash the first of so many children, on Pykka alone."""

    def parent(started: list[Started | None]) -> Any:
        return TheirSupervisor.start(started, all_at_once=size > 1)

    return Way("Theirs", lambda count: restarts(parent, size, count), measures=True)


def our_restarts(size: int) -> Way:
    """Crash the first of so many children, with a supervisor."""

    def parent(started: list[Started | None]) -> Any:
        children = [
            OurChild.child_spec(number, each, id=number) for number, each in enumerate(started)
        ]
        strategy = "one_for_all" if size > 1 else "one_for_one"
        return Supervisor.start_link(
            children, strategy=strategy, max_restarts=10_000, max_seconds=1.0
        )

    return Way("Ours", lambda count: restarts(parent, size, count), measures=True)


def logged(way: Way) -> Way:
    """Do the same while the lines that a crash has by default go to a file, with a pause before."""

    def run(count: int) -> float:
        with logging_to_a_file():
            return statistics.median(way.run(1) for _ in range(count))

    return replace(way, run=run)


@contextmanager
def logging_to_a_file() -> Iterator[None]:
    """Log as a program does that has called `logging.basicConfig`."""
    with tempfile.TemporaryDirectory() as folder:
        handler = logging.FileHandler(Path(folder, "log"))
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        logging.getLogger().addHandler(handler)
        logging.disable(logging.NOTSET)
        try:
            yield
        finally:
            logging.disable(logging.CRITICAL)
            logging.getLogger().removeHandler(handler)
            handler.close()


def restarts(start: Callable[[list[Started | None]], Any], size: int, count: int) -> float:
    """Return the median seconds from a crash of the first child to the start of the last."""
    first: Started = Started()
    last = first if size == 1 else Started()
    parent = start([first, *[None] * (size - 2), last][:size])
    samples = []
    _, ref = first.get()
    if size > 1:
        last.get()
    for _ in range(count):
        began = time.perf_counter()
        ref.tell(CRASH)
        _, newest = last.get()
        samples.append(time.perf_counter() - began)
        ref = newest if size == 1 else first.get()[1]
    parent.stop()
    return statistics.median(samples)


def in_both(name: str, *, terminate: bool, row: str) -> dict[str, tuple[int, list[Way]]]:
    """Return the rows of a request that waits: from the main thread and from a plain one."""
    ways = [their_children(terminate=terminate), our_children(terminate=terminate)]
    return {
        f"{name}, main thread": (500, [*ways, *beam(row)]),
        f"{name}, plain thread": (500, [*map(in_plain_thread, ways), *beam(row)]),
    }


if __name__ == "__main__":
    # What is measured is the restart, not the lines that tell of the crash; OTP's are off as well.
    # In one row both are written.
    logging.disable(logging.CRITICAL)
    main(
        "supervision: Pykka's ThreadingActor first; of 10,000 children, ours",
        {
            **in_both("start_child", terminate=False, row="start_child"),
            **in_both("terminate_child", terminate=True, row="terminate_child"),
            "crash to restarted, p50": (
                100,
                [their_restarts(1), our_restarts(1), *beam("restart")],
            ),
            "the same, logged to a file": (
                100,
                [logged(their_restarts(1)), logged(our_restarts(1)), *beam("restart_logged")],
            ),
            "one_for_all of 100, p50": (
                5,
                [their_restarts(100), our_restarts(100), *beam("one_for_all")],
            ),
            "stop of 10,000, each": (10_000, [stop_children(), *beam("stop_children")]),
            "stop of 20,000, each": (20_000, [stop_children(), *beam("stop_children")]),
        },
    )
    pykka.ActorRegistry.stop_all()

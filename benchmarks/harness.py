"""Times two or more ways of doing the same thing side by side, in one run, and shows the ratio.

Each round runs every way once, in an order that turns, so that what else the machine does falls on
all of them alike. The first way is the one the others are compared with. Printed is a table; with
`--json FILE` the figures go there too. Only ratios within one run mean anything.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Way", "main"]

ROUNDS = 9


@dataclass(frozen=True)
class Way:
    """One way of doing it: `run(count)` does it `count` times."""

    name: str
    run: Callable[[int], object]


def seconds_each(way: Way, count: int) -> float:
    """Return the seconds that one of `count` took."""
    gc.collect()
    began = time.perf_counter()
    way.run(count)
    return (time.perf_counter() - began) / count


def compare(ways: list[Way], count: int) -> dict[str, float]:
    """Return the median seconds of each way."""
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(ROUNDS):
        turn = number % len(ways)
        for way in ways[turn:] + ways[:turn]:
            taken[way.name].append(seconds_each(way, count))
    return {name: statistics.median(times) for name, times in taken.items()}


def main(title: str, cases: dict[str, tuple[int, list[Way]]]) -> None:
    """Run every case (its count and its ways) and print, or also write, the figures."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    print(f"\n{title} (Python {sys.version.split()[0]}, median of {ROUNDS} rounds)")
    for case, (count, ways) in cases.items():
        figures[case] = medians = compare(ways, count)
        floor = medians[ways[0].name]
        for way in ways:
            took = medians[way.name]
            ratio = floor / took
            print(f"  {case:<34} {way.name:<26} {took * 1e6:10.2f} µs  {ratio:8.2f} ×")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"title": title, "seconds": figures}, indent=2))

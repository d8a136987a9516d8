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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["BYTES", "SECONDS", "Aim", "Unit", "Way", "main"]

ROUNDS = 9


@dataclass(frozen=True)
class Way:
    """One way of doing it: `run(count)` does it `count` times.

    Where it `measures`, `run(count)` returns the figure of one itself, and is not timed.
    """

    name: str
    run: Callable[[int], Any]
    measures: bool = False


@dataclass(frozen=True)
class Unit:
    """What the figures are, as JSON has them, and how the table shows them."""

    name: str
    symbol: str
    scale: float


SECONDS = Unit("seconds", "µs", 1e6)
BYTES = Unit("bytes", "B", 1)


@dataclass(frozen=True)
class Aim:
    """What is aimed at: `way` takes `most` at most, or is `times` as fast as the way `than`."""

    way: str
    most: float | None = None
    than: str = ""
    times: float = 1.0

    def of(self, figures: Mapping[str, float], unit: Unit) -> dict[str, Any]:
        """Return the aim in words, what came of it, and whether that is enough; None: unknown."""
        ours, theirs = figures.get(self.way), figures.get(self.than)
        if self.most is not None:
            aim = f"{self.way}: at most {self.most * unit.scale:,.0f} {unit.symbol}"
            value = None if ours is None else ours * unit.scale
            reached = None if ours is None else ours <= self.most
        else:
            aim = f"{self.way}: at least {self.times:.2f} x {self.than}"
            value = None if ours is None or theirs is None else theirs / ours
            reached = None if value is None else value >= self.times
        return {"aim": aim, "value": value, "reached": reached}


def shown(aim: dict[str, Any]) -> str:
    """Return an aim and what came of it, as the table has it."""
    if aim["value"] is None:
        return f"aim {aim['aim']}: not measured"
    return f"aim {aim['aim']}: {aim['value']:,.2f}{'' if aim['reached'] else ', NOT reached'}"


def figure(way: Way, count: int) -> float:
    """Return the figure of one of `count`: the seconds it took, or what the way measured."""
    gc.collect()
    if way.measures:
        return float(way.run(count))
    began = time.perf_counter()
    way.run(count)
    return (time.perf_counter() - began) / count


def compare(ways: list[Way], count: int, rounds: int) -> dict[str, float]:
    """Return the median figure of each way."""
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(rounds):
        turn = number % len(ways)
        for way in ways[turn:] + ways[:turn]:
            taken[way.name].append(figure(way, count))
    return {name: statistics.median(figures) for name, figures in taken.items()}


def main(
    title: str,
    cases: dict[str, tuple[int, list[Way]]],
    *,
    unit: Unit = SECONDS,
    rounds: int = ROUNDS,
    aims: Mapping[str, list[Aim]] | None = None,
) -> None:
    """Run every case (its count and its ways) and print, or also write, the figures."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    results: dict[str, list[dict[str, Any]]] = {}
    written = {"title": title, unit.name: figures, "aims": results}
    print(f"\n{title} (Python {sys.version.split()[0]}, median of {rounds} rounds)")
    for case, (count, ways) in cases.items():
        figures[case] = medians = compare(ways, count, rounds)
        floor = medians[ways[0].name]
        for way in ways:
            took = medians[way.name]
            told = f"{took * unit.scale:10.2f} {unit.symbol:<2}"
            print(f"  {case:<34} {way.name:<26} {told}  {floor / took:8.2f} ×", flush=True)
        for aim in (aims or {}).get(case, ()):
            result = aim.of(medians, unit)
            results.setdefault(case, []).append(result)
            print(f"  {case:<34} {shown(result)}", flush=True)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(written, indent=2))

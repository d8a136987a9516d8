"""What the pytest plugin costs a run of tests that use none of its fixtures.

An empty test is run with the plugin and without it (`-p no:…`), by turns. Compared are the wall
time of the whole process and the processor time, which a busy machine disturbs less; and there is
what `-X importtime` says of the plugin's module. Aim: less than 20 ms of processor time.
Not for Windows.

    .venv/bin/python benchmarks/bench_pytest_plugin.py [--json FILE] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AIM_MS = 20.0
WITHOUT = ("-p", "no:phoenix_actors")
IMPORT = re.compile(r"\|\s+(\d+) \|\s+pytest_phoenix_actors$", re.MULTILINE)


def run(folder: str, *words: str) -> tuple[float, float]:
    """Runs the empty test; returns milliseconds of wall time and of processor time."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    before, began = _children(), time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    wall, spent = time.perf_counter() - began, _children() - before
    return wall * 1000, spent * 1000


def _children() -> float:
    """Returns the seconds of processor time that the processes waited for have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def import_time() -> float:
    """Returns the milliseconds that the import of the plugin's module takes after pytest's."""
    program = "import pytest, pytest_phoenix_actors"
    command = [sys.executable, "-X", "importtime", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(IMPORT.findall(done.stderr)[0]) / 1000


def main() -> int:
    """Prints a table; returns 1 when the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        Path(folder, "test_empty.py").write_text("def test_empty(): pass\n", encoding="utf-8")
        walls: list[float] = []
        processor: list[float] = []
        for number in range(arguments.rounds + 2):
            # Who goes first changes, and the first two rounds only fill caches.
            order = [(), WITHOUT] if number % 2 else [WITHOUT, ()]
            took = {words: run(folder, *words) for words in order}
            if number >= 2:
                wall, spent = (a - b for a, b in zip(took[()], took[WITHOUT], strict=True))
                walls.append(wall)
                processor.append(spent)
    result = {
        "wall_difference_ms": statistics.median(walls),
        "processor_difference_ms": statistics.median(processor),
        "import_ms": statistics.median(import_time() for _ in range(5)),
        "rounds": arguments.rounds,
    }
    for name, value in result.items():
        print(f"{name:<24} {value:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result), encoding="utf-8")
    return int(result["processor_difference_ms"] >= AIM_MS)


if __name__ == "__main__":
    sys.exit(main())

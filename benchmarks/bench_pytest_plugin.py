"""What the pytest plugin costs a run of tests that use none of its fixtures.

Two things are measured in processor time, which a busy machine disturbs less than wall time:

- its parts, in this process: `files`, pytest's look through the list of the distribution's files,
  which it takes for every distribution with a plugin, and `load`, the import of the plugin's module
  and its registration;
- whole runs of an empty test, with the plugin and without it (`-p no:…`, which saves `load` only),
  by turns.

Aim: `files` and `load` together take less than 20 ms. Not for Windows.

    .venv/bin/python benchmarks/bench_pytest_plugin.py [--json FILE] [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from _pytest.config import get_config

AIM_MS = 20.0
MODULE = "pytest_phoenix_actors"
WITHOUT = ("-p", "no:phoenix_actors")


def load() -> float:
    """Returns the milliseconds that import and registration take; the byte code is there."""
    sys.modules.pop(MODULE, None)
    manager = get_config().pluginmanager
    began = time.thread_time()
    manager.register(importlib.import_module(MODULE), "phoenix_actors")
    return (time.thread_time() - began) * 1000


def list_files() -> float:
    """Returns the milliseconds that the list of the distribution's files takes."""
    began = time.thread_time()
    names = [str(file) for file in metadata.distribution("phoenix-actors").files or []]
    took = (time.thread_time() - began) * 1000
    return took if names else 0.0


def whole_run(folder: str, *words: str) -> float:
    """Runs the empty test; returns the milliseconds of processor time."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main() -> int:
    """Prints a table; returns 1 when the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    load()
    took: dict[tuple[str, ...], list[float]] = {(): [], WITHOUT: []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        Path(folder, "test_empty.py").write_text("def test_empty(): pass\n", encoding="utf-8")
        whole_run(folder)
        for number in range(arguments.rounds):
            for words in [(), WITHOUT] if number % 2 else [WITHOUT, ()]:
                took[words].append(whole_run(folder, *words))
    result = {
        "load_ms": statistics.median(load() for _ in range(25)),
        "files_ms": statistics.median(list_files() for _ in range(25)),
        "run_with_ms": statistics.median(took[()]),
        "run_without_ms": statistics.median(took[WITHOUT]),
    }
    for name, value in result.items():
        print(f"{name:<16} {value:8.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result), encoding="utf-8")
    return int(result["load_ms"] + result["files_ms"] >= AIM_MS)


if __name__ == "__main__":
    sys.exit(main())

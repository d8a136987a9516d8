"""Times `import supervisors` and `import phoenix_actors`.

Each round starts one new interpreter per line, in an order that turns, so that what else the
machine does falls on all of them alike. Pykka and msgspec, which both packages need, are measured
beside. Byte code is written before, as pip does at an installation. `--python` names the Python of
another environment, such as a user's, where nothing but the distribution is installed: what is
installed beside can make an import longer (msgspec imports typing_extensions where that is there).

Two figures: the import as the new interpreter times it, and the whole process over a bare one,
which has the end of the interpreter too. The aims are for the import. Beside the median stands the
minimum: on a machine that does other things as well, it is the one that tells of the import.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["main"]

ROUNDS = 15
BARE = "pass"
LINES = {
    "bare Python": BARE,
    "pykka": "import pykka",
    "msgspec": "import msgspec",
    "pykka and msgspec": "import pykka, msgspec",
    "supervisors": "import supervisors",
    "its main names": "from supervisors import GenServer, Supervisor, monitor",
    "phoenix_actors": "import phoenix_actors",
}
# Milliseconds over bare Python.
# What is imported later than the package is part of the line that names it.
AIMS = {"supervisors": 60.0, "phoenix_actors": 120.0}


CODE = """
import time
began = time.perf_counter()
{line}
print(time.perf_counter() - began)
"""


def timed(python: str, line: str, *, write: bool = False) -> tuple[float, float]:
    """Return the milliseconds of the import, and of the new interpreter from start to end."""
    began = time.perf_counter()
    done = subprocess.run(
        [python, "-c", CODE.format(line=line)],
        check=True,
        cwd=Path(python).parent,
        env=environment(write=write),
        capture_output=True,
        text=True,
    )
    return float(done.stdout) * 1000, (time.perf_counter() - began) * 1000


def environment(*, write: bool) -> dict[str, str]:
    """Return this process's environment, where byte code is written or not."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept if write else {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def main() -> None:
    """Measure, and print or also write the table."""
    parser = argparse.ArgumentParser(description="import times")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    python = arguments.python
    for line in LINES.values():
        timed(python, line, write=True)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in LINES}
    names = list(LINES)
    for number in range(arguments.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            taken[name].append(timed(python, LINES[name]))
    figures = {
        name: [statistics.median(column) for column in zip(*pairs, strict=True)]
        for name, pairs in taken.items()
    }
    least = {
        name: [min(column) for column in zip(*pairs, strict=True)] for name, pairs in taken.items()
    }
    bare = figures["bare Python"][1]
    print(f"\nimport times (Python {sys.version.split()[0]}, median of {arguments.rounds} rounds)")
    for name, (took, process) in figures.items():
        fastest = f"(least {least[name][0]:6.1f})"
        over = f"process over bare Python {process - bare:6.1f} ms"
        aim = f"   aim of the import: {AIMS[name]:.0f} ms" if name in AIMS else ""
        print(f"  {name:<18} import {took:6.1f} ms {fastest}   {over}{aim}", flush=True)
    print(f"  bare Python takes {bare:.1f} ms from start to end")
    if arguments.json is not None:
        table = {
            name: {"import": took, "least": least[name][0], "process over bare": process - bare}
            for name, (took, process) in figures.items()
        }
        arguments.json.write_text(json.dumps({"title": "imports", "milliseconds": table}, indent=2))


if __name__ == "__main__":
    main()

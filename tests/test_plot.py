"""What `make bench` writes: JSON with every row and what was aimed at, and a drawing of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SVG = "{http://www.w3.org/2000/svg}"

PROGRAM = """
from harness import Aim, Way, main
def way(name, seconds):
    return Way(name, lambda _: seconds, measures=True)
main(
    "a & b",
    {
        "fast": (1, [way("theirs", 0.001), way("ours", 0.0001)]),
        "slow": (1, [way("ours, <p99>", 0.5)]),
    },
    rounds=1,
    aims={
        "fast": [
            Aim("ours", than="theirs", times=4.0),
            Aim("ours", most=0.00002),
            Aim("ours", than="nobody"),
        ],
    },
)
"""


def run(*arguments: str) -> str:
    """Runs Python among the benchmarks; returns what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def drawn(data: dict[str, Any], folder: Path) -> tuple[list[tuple[str, float]], list[str]]:
    """Draws; returns colour and length of each bar, and the texts."""
    file = folder / "figures.json"
    file.write_text(json.dumps(data))
    run("plot.py", str(file), "--out", str(folder / "drawn.svg"))
    root = ET.fromstring((folder / "drawn.svg").read_text())  # noqa: S314  our own
    bars = [
        (rect.attrib["fill"], float(rect.attrib["width"]))
        for rect in root.iter(f"{SVG}rect")
        if rect.attrib.get("x")
    ]
    return bars, [element.text or "" for element in root.iter(f"{SVG}text")]


def test_figures_aims_and_drawing(tmp_path: Path) -> None:
    """Each row is in the table, in the JSON and in the drawing, and so is each aim."""
    file = tmp_path / "bench_some.json"
    table = run("-c", PROGRAM, "--json", str(file))
    data = json.loads(file.read_text())
    assert data["seconds"] == {
        "fast": {"theirs": 0.001, "ours": 0.0001},
        "slow": {"ours, <p99>": 0.5},
    }
    assert [aim["reached"] for aim in data["aims"]["fast"]] == [True, False, None]
    said = (
        "aim ours: at least 4.00 x theirs: 10.00",
        "aim ours: at most 20 µs: 100.00, NOT reached",
        "aim ours: at least 1.00 x nobody: not measured",
    )
    assert run("plot.py", str(file)).strip() == str(file.with_suffix(".svg"))
    bars, texts = drawn(data, tmp_path)
    assert len(bars) == 3
    assert {"fast", "slow", "theirs", "ours", "ours, <p99>", "1 ms", "100 µs", "500 ms"} <= {*texts}
    for words in said:
        assert words in table
        assert words in texts


def test_bars_tell_ours_from_theirs_and_the_scale(tmp_path: Path) -> None:
    """On the logarithmic scale each power of ten is as long; on the other, lengths are ratios."""
    wide = {"title": "t", "seconds": {"a": {"ours": 0.001, "theirs": 0.01, "others": 0.1}}}
    bars, texts = drawn(wide, tmp_path)
    (ours, first), (theirs, second), (others, third) = bars
    assert ours != theirs == others
    assert second - first == pytest.approx(third - second, abs=0.2)
    assert second > first > 1
    assert "t; shorter is better, logarithmic scale" in texts
    near = {"title": "t", "bytes": {"a": {"ours": 1000, "theirs": 2000}}}
    (ours, first), (theirs, second) = drawn(near, tmp_path)[0]
    assert (ours != theirs, second) == (True, 2 * first)


def test_what_cannot_be_drawn_is_left_out(tmp_path: Path) -> None:
    """A benchmark may write something of its own."""
    file = tmp_path / "own.json"
    file.write_text('{"load_ms": 5.8}')
    assert "nothing that can be drawn" in run("plot.py", str(file))
    assert not file.with_suffix(".svg").exists()

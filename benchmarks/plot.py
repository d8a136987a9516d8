"""Draws the figures of a benchmark: one bar for each way, ours in another colour, as SVG.

    python benchmarks/plot.py .cache/bench_wire.json            writes .cache/bench_wire.svg
    python benchmarks/plot.py .cache/bench_wire.json --out docs/wire.svg

Shorter bars are better. Where the longest is more than 20 times the shortest, the scale is a
logarithmic one, and begins at the power of ten below the shortest.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from harness import BYTES, SECONDS, Unit, shown

__all__ = ["draw", "main"]

_WIDTH = 900
# Where bars begin and end, and what is kept free behind them for the figure.
_LEFT, _RIGHT = 330, 790
_BAR, _GAP, _TEXT = 14, 20, 11
_WIDE = 20.0
_OURS, _THEIRS, _INK, _FAINT = "#c2410c", "#94a3b8", "#334155", "#cbd5e1"
_PAGE = "#ffffff"
_UNITS = (SECONDS, Unit("milliseconds", "ms", 1.0), BYTES)


class Scale:
    """From a figure to a place on the drawing."""

    def __init__(self, figures: list[float]) -> None:
        """Span these figures."""
        low, self.high = min(figures), max(figures)
        self.logarithmic = low > 0 and self.high > _WIDE * low
        self.low = 10.0 ** (math.ceil(math.log10(low)) - 1) if self.logarithmic else 0.0

    def place(self, value: float) -> float:
        """Return how far a bar of this figure goes."""
        if self.logarithmic:
            part = math.log10(value / self.low) / math.log10(self.high / self.low)
        else:
            part = value / self.high if self.high else 0.0
        return _LEFT + part * (_RIGHT - _LEFT)

    def ticks(self) -> Iterator[float]:
        """Yield where lines are drawn: at powers of ten, or at the ends."""
        if not self.logarithmic:
            yield from (0.0, self.high)
            return
        value = self.low
        while value <= self.high:
            yield value
            value *= 10


def named(value: float, unit: Unit) -> str:
    """Return a figure as it is written beside its bar.

    >>> named(0.00001234, SECONDS), named(0.25, SECONDS), named(2048, BYTES)
    ('12.3 µs', '250 ms', '2,048 B')
    """
    if unit is SECONDS:
        for symbol, scale in (("s", 1.0), ("ms", 1e3)):
            if value * scale >= 1:
                return f"{value * scale:.3g} {symbol}"
    scaled = value * unit.scale
    return f"{scaled:,.0f} {unit.symbol}" if scaled >= 100 else f"{scaled:.3g} {unit.symbol}"


def text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> str:
    """Return a line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}"{style}>'
        f"{escape(words)}</text>"
    )


def bar(y: float, way: str, value: float, scale: Scale, unit: Unit) -> Iterator[str]:
    """Yield the parts of one bar."""
    end = scale.place(value)
    colour = _OURS if way.casefold().startswith("ours") else _THEIRS
    yield text(_LEFT - 8, y + _TEXT, way, anchor="end")
    width = max(1.0, end - _LEFT)
    yield f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
    yield text(end + 6, y + _TEXT, named(value, unit))


def draw(data: dict[str, Any]) -> str:
    """Return the drawing of what a benchmark has written."""
    unit = next(unit for unit in _UNITS if unit.name in data)
    figures: dict[str, dict[str, float]] = data[unit.name]
    aims: dict[str, list[dict[str, Any]]] = data.get("aims", {})
    every = [value for ways in figures.values() for value in ways.values()]
    scale = Scale(every or [1.0])
    parts, y = [], 44.0
    for case, ways in figures.items():
        parts.append(text(12, y + _TEXT, case, style=' font-weight="bold"'))
        y += _BAR + 4
        for way, value in ways.items():
            parts += bar(y, way, value, scale, unit)
            y += _BAR + 3
        for aim in aims.get(case, ()):
            parts.append(text(_LEFT, y + _TEXT, shown(aim), style=' font-style="italic"'))
            y += _BAR + 2
        y += _GAP - _BAR + 4
    lines = [
        f'<line x1="{scale.place(tick):.1f}" x2="{scale.place(tick):.1f}" y1="40" y2="{y:.0f}" '
        f'stroke="{_FAINT}"/>' + text(scale.place(tick), 36, named(tick, unit), anchor="middle")
        for tick in scale.ticks()
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 8:.0f}" '
        f'font-family="sans-serif" font-size="{_TEXT}">'
    )
    page = f'<rect width="100%" height="100%" fill="{_PAGE}"/>'
    kind = "logarithmic" if scale.logarithmic else "linear"
    title = text(
        12, 18, f"{data['title']}; shorter is better, {kind} scale", style=' font-size="13"'
    )
    return "\n".join((head, page, title, *lines, *parts, "</svg>")) + "\n"


def main() -> None:
    """Draw each file that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="where to write, for one file")
    arguments = parser.parse_args()
    if arguments.out is not None and len(arguments.files) > 1:
        parser.error("--out is for one file")
    for file in arguments.files:
        data = json.loads(file.read_text())
        if not any(unit.name in data for unit in _UNITS):
            print(f"{file}: nothing that can be drawn")
            continue
        drawing = draw(data)
        out = arguments.out or file.with_suffix(".svg")
        out.write_text(drawing)
        print(out)


if __name__ == "__main__":
    main()

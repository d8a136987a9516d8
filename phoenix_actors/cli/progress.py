"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from typing import Final, Self, TextIO

__all__ = ["Progress", "bar"]

# Seconds between two drawings.
_INTERVAL: Final = 0.1


def bar(done: int, total: int, seconds: float, width: int) -> str:
    """Return the bar as one line of at most `width` characters.

    Example:
        >>> bar(500, 2000, 2.0, 60)
        '[#######.....................]  25 % 500/2000, 250 a second'
    """
    share = done / total
    rate = f"{done / seconds:,.0f} a second" if seconds > 0 else ""
    text = f"] {share:4.0%} {done}/{total}, {rate}".replace("%", " %")
    room = max(0, min(width - len(text) - 1, 40))
    filled = int(share * room)
    return ("[" + "#" * filled + "." * (room - filled) + text)[:width]


class Progress:
    """Draws on a stream while the block runs, if it is a terminal, and wipes it out at the end."""

    def __init__(self, stream: TextIO | None, total: int, *, quiet: bool = False) -> None:
        """Count up to `total`."""
        self._stream = stream
        self._total = total
        self._shows = stream is not None and not quiet and stream.isatty()
        self._began = self._drawn = time.monotonic()

    def update(self, done: int) -> None:
        """Note how much is done; draws at most ten times a second."""
        now = time.monotonic()
        if self._shows and (now - self._drawn >= _INTERVAL or done == self._total):
            self._drawn = now
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r{bar(done, self._total, now - self._began, width)}\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            assert self._stream is not None  # noqa: S101  _shows is False without one
            self._stream.write(text)
            self._stream.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the bar out."""
        if self._shows:
            self._write("\r\x1b[K")

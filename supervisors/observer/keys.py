"""Single keys from a terminal, without an echo."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["keys_in", "read_keys", "single_keys"]

_NAMES: Final = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    " ": "space",
}
# A key with a sequence of its own, known or not, or a character.
_SEQUENCE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|.", re.DOTALL)


def keys_in(text: str) -> list[str]:
    r"""Return the names of the keys in what a terminal sent.

    Example:
        >>> keys_in("q\x1b[A\r\x1b")
        ['q', 'up', 'enter', 'escape']
    """
    found = []
    for sequence in _SEQUENCE.findall(text):
        name = _NAMES.get(sequence, sequence)
        if not name.startswith("\x1b"):
            found.append(name)
    return found


@contextmanager
def single_keys() -> Iterator[None]:
    """Have standard input give each key at once; put it back at the end."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    usual = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, usual)


def read_keys(wake: int, timeout: float) -> list[str]:
    """Wait up to `timeout` seconds for keys or for `wake` to be readable; return the keys.

    Raises:
        EOFError: the terminal is gone.
    """
    descriptor = sys.stdin.fileno()
    ready, _, _ = select.select([descriptor, wake], [], [], timeout)
    if wake in ready:
        os.read(wake, 4096)
    if descriptor not in ready:
        return []
    data = os.read(descriptor, 1024)
    if not data:
        raise EOFError
    return keys_in(data.decode("utf-8", "replace"))

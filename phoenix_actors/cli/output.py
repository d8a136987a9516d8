"""What is printed: results on standard output, notices on standard error, both safe to look at."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import suppress
from typing import Any, Final

__all__ = ["escape", "json_text", "notice", "put"]

_PROGRAM: Final = "phoenix-actors"


def escape(text: str) -> str:
    r"""Return text in which all that does not print is escaped as JSON does it.

    Control characters could steer the terminal: move the cursor, change its title, or run what it
    answers; marks of direction could make a text read as another one.

    Example:
        >>> print(escape("a\x1b[2Jb \x9b \u202e \U000e0001 é"))
        a\u001b[2Jb \u009b \u202e \udb40\udc01 é
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def json_text(value: Any) -> str:
    r"""Return a value as one line of JSON, safe to print; bytes become `{"$base64": "…"}`.

    Example:
        >>> json_text({"body": "hi", "data": b"\x00"})
        '{"body": "hi", "data": {"$base64": "AA=="}}'
    """
    return escape(json.dumps(value, ensure_ascii=False, default=_other))


def _other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$base64": base64.b64encode(value).decode("ascii")}
    return str(value)


def put(line: str) -> None:
    """Print a line of results at once; what the terminal's encoding lacks is escaped.

    Raises:
        BrokenPipeError: nobody reads it, or not any more.
        OSError: it cannot be written.
    """
    if sys.stdout is None:
        raise BrokenPipeError("standard output is closed")
    encoding = sys.stdout.encoding or "utf-8"
    data = line.encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(data + "\n")
    sys.stdout.flush()


def notice(text: str) -> None:
    """Print what a person wants to know, escaped, to standard error, if there is one."""
    with suppress(OSError, ValueError, AttributeError):
        encoding = sys.stderr.encoding or "utf-8"
        line = escape(f"{_PROGRAM}: {text}").encode(encoding, "backslashreplace").decode(encoding)
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

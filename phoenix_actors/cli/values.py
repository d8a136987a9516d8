"""Values from the command line, from files and from the environment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, Any, Final

__all__ = [
    "LIMIT",
    "bytes_of",
    "file_path",
    "header_pairs",
    "json_object",
    "json_of",
    "text_of",
    "token_of",
]

# Bytes of the longest value that is read: @/dev/zero has no end.
LIMIT: Final = 64 * 1024 * 1024


def bytes_of(text: str, what: str) -> bytes:
    """Return what a word stands for: itself, `@FILE` for a file's content, `-` for the input's.

    Raises:
        ValueError: the file cannot be read, or has more than 64 MiB.

    Example:
        >>> bytes_of('{"n": 1}', "PAYLOAD")
        b'{"n": 1}'
    """
    if text == "-":
        if sys.stdin is None:
            msg = f"{what} is to be read from standard input, which is closed"
            raise ValueError(msg)
        return _bounded(sys.stdin.buffer, what)
    if not text.startswith("@"):
        # Bytes that are no UTF-8 come from the shell as surrogates.
        return text.encode("utf-8", "surrogateescape")
    try:
        with Path(text[1:]).open("rb") as file:
            return _bounded(file, what)
    except OSError as error:
        msg = f"{what}: cannot read {text[1:]!r}: {error.strerror}"
        raise ValueError(msg) from None


def _bounded(file: IO[bytes], what: str) -> bytes:
    data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        msg = f"{what} has more than {LIMIT // 1024 // 1024} MiB"
        raise ValueError(msg)
    return data


def text_of(path: Path) -> str:
    """Return the text of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no UTF-8, or has more than 64 MiB.
    """
    with path.open("rb") as file:
        return _bounded(file, f"{str(path)!r}").decode("utf-8")


def file_path(path: str | None, what: str) -> str | None:
    """Return the path of a file that can be read, or None.

    Raises:
        ValueError: it cannot be read.
    """
    if path is not None:
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            msg = f"{what}: cannot read {path!r}: {error.strerror}"
            raise ValueError(msg) from None
    return path


def json_of(text: str, what: str) -> Any:
    """Return the JSON value that a word stands for; the error does not show it.

    Raises:
        ValueError: it is no JSON, or the file cannot be read.

    Example:
        >>> json_of("secret", "PAYLOAD")
        Traceback (most recent call last):
        ValueError: PAYLOAD is no JSON: Expecting value at column 1
    """
    try:
        return json.loads(bytes_of(text, what))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column" if error.lineno > 1 else "column"
        msg = f"{what} is no JSON: {error.msg} at {where} {error.colno}"
        raise ValueError(msg) from None
    except UnicodeDecodeError:
        msg = f"{what} is no JSON: it is not UTF-8"
        raise ValueError(msg) from None
    except RecursionError:
        msg = f"{what} cannot be read: it is nested too deep"
        raise ValueError(msg) from None


def json_object(text: str | None, what: str, variable: str) -> dict[str, Any]:
    """Return an object from the option, else from the environment's variable, else an empty one.

    Raises:
        ValueError: it is no JSON object.
    """
    if text is None:
        text, what = os.environ.get(variable), variable
    if not text:
        return {}
    value = json_of(text, what)
    if not isinstance(value, dict):
        msg = f'{what} must be a JSON object, such as {{"user": "alice"}}'
        raise ValueError(msg)
    return value


def token_of(file: str | None) -> str | None:
    """Return the token in a file, or in PHOENIX_AUTH_TOKEN, without white space around it.

    Raises:
        ValueError: the file cannot be read.
    """
    if file is not None:
        return bytes_of(f"@{file}", "--auth-token-file").decode("utf-8", "replace").strip()
    return os.environ.get("PHOENIX_AUTH_TOKEN", "").strip() or None


def header_pairs(texts: list[str]) -> list[tuple[str, str]]:
    """Return the headers in `NAME: VALUE`, or in files of such lines given as `@FILE`.

    Those of the environment's PHOENIX_HEADERS, one a line, come before them.

    Raises:
        ValueError: one has no colon; the error does not show it.

    Example:
        >>> header_pairs(["X-Tenant: 7"])
        [('X-Tenant', '7')]
    """
    pairs = _pairs(os.environ.get("PHOENIX_HEADERS", ""), "PHOENIX_HEADERS must be NAME: VALUE")
    for text in texts:
        lines = bytes_of(text, "--header").decode("utf-8", "replace")
        pairs += _pairs(lines, "--header must be NAME: VALUE, or @FILE with such lines")
    return pairs


def _pairs(lines: str, problem: str) -> list[tuple[str, str]]:
    pairs = []
    for line in lines.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            pairs.append((name.strip(), value.strip()))
        elif line.strip():
            raise ValueError(problem)
    return pairs

"""Values from the command line, from files and from the environment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["bytes_of", "header_pairs", "json_object", "json_of", "token_of"]


def bytes_of(text: str, what: str) -> bytes:
    """Return what a word stands for: itself, `@FILE` for a file's content, `-` for the input's.

    Raises:
        ValueError: the file cannot be read.

    Example:
        >>> bytes_of('{"n": 1}', "PAYLOAD")
        b'{"n": 1}'
    """
    if text == "-":
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        msg = f"{what}: cannot read {text[1:]!r}: {error.strerror}"
        raise ValueError(msg) from None


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

    Raises:
        ValueError: one has no colon; the error does not show it.

    Example:
        >>> header_pairs(["X-Tenant: 7"])
        [('X-Tenant', '7')]
    """
    pairs = []
    for text in texts:
        for line in bytes_of(text, "--header").decode("utf-8", "replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                pairs.append((name.strip(), value.strip()))
            elif line.strip():
                msg = "--header must be NAME: VALUE, or @FILE with such lines"
                raise ValueError(msg)
    return pairs

"""A JSON library of the user's: what it must have, and a trial that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from phoenix_actors.errors import InvalidOption

__all__ = ["JsonLibrary", "json_library"]

# The names that its two functions may have, the first pair that is there counts.
_PAIRS: Final = (("encode", "decode"), ("dumps", "loads"))
_TRIAL: Final = [None, "1", "room:é", "trial", {"list": [1, 0.5, True, None]}]


class JsonLibrary(msgspec.Struct, frozen=True):
    """The two functions of `json_library`: to text, or its UTF-8, and from text."""

    encode: Callable[[Any], Any]
    decode: Callable[[str], Any]
    name: str

    def __repr__(self) -> str:
        return f"<JsonLibrary {self.name}>"


def json_library(name: str, value: Any) -> JsonLibrary | None:
    """Return the functions of an object with encode and decode, or with dumps and loads (C29).

    They are tried on one frame: what writes no JSON, as `pickle` does, is refused here and not by
    the server.

    Example:
        >>> import json
        >>> json_library("json_library", json)
        <JsonLibrary json>
        >>> json_library("json_library", object())
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option json_library must have the functions encode \
and decode, or dumps and loads; object has not
    """
    if value is None or isinstance(value, JsonLibrary):
        return value
    shown = getattr(value, "__name__", type(value).__name__)
    for to_text, from_text in _PAIRS:
        encode, decode = getattr(value, to_text, None), getattr(value, from_text, None)
        if callable(encode) and callable(decode):
            library = JsonLibrary(encode, decode, str(shown))
            _try(name, library)
            return library
    problem = f"must have the functions encode and decode, or dumps and loads; {shown} has not"
    raise InvalidOption(name, problem)


def _try(name: str, library: JsonLibrary) -> None:
    """Write one frame and read it again."""
    try:
        text = library.encode(_TRIAL)
        if isinstance(text, bytes | bytearray):
            text = text.decode()
        fits = isinstance(text, str) and msgspec.json.decode(text) == _TRIAL == library.decode(text)
    except Exception as error:
        problem = f"cannot write and read JSON: {library.name} raised {type(error).__name__}"
        raise InvalidOption(name, problem) from error
    if not fits:
        raise InvalidOption(name, f"must write and read JSON as it is; {library.name} does not")

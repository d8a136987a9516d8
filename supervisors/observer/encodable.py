"""Encodes answers in which an application put what the encoders refuse."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

__all__ = ["Encoder", "encode"]

# What MessagePack and JavaScript's readers of JSON take as a whole number.
_LEAST, _MOST = -(2**63), 2**64 - 1


class Encoder(Protocol):
    """One of msgspec's."""

    def encode(self, value: Any, /) -> bytes:
        """Return the bytes of a value."""
        ...


def encode(encoder: Encoder, value: Any) -> bytes:
    r"""Return the bytes of a value; what has no encoding becomes what is nearest to it.

    That is a character of no encoding (a lone surrogate, as in a file name that is not UTF-8),
    which becomes "?", and a whole number of more than 64 bits, which becomes a float, or text where
    no float is so large.

    Example:
        >>> encode(msgspec.json.Encoder(), {"name": "a\udc80", "n": 2**64})
        b'{"name":"a?","n":1.8446744073709552e19}'
    """
    try:
        return encoder.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return encoder.encode(_mended(msgspec.to_builtins(value)))


def _mended(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case int() if not _LEAST <= value <= _MOST:
            try:
                return float(value)
            except OverflowError:
                return "a number of more than 1,000 bits"
        case list() | tuple():
            return [_mended(part) for part in value]
        case dict():
            return {_mended(key): _mended(part) for key, part in value.items()}
    return value

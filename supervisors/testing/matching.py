"""Which messages a test waits for: values with gaps, types, and predicates."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from supervisors._machines.patterns import ANY

__all__ = ["described", "fits"]


def fits(pattern: Any, value: Any) -> bool:
    """Tell whether a value is what a pattern describes.

    `ANY` fits everything, a class its instances, another callable what it returns true for; a dict
    fits one that has at least its keys, a list or tuple one of the same kind and length, a Struct
    or dataclass one of its class, item by item; everything else what it is equal to.

    Example:
        >>> fits({"id": int}, {"id": 7, "body": "hi"}), fits([1, ANY], [1, 2])
        (True, True)
        >>> fits(lambda text: text.endswith("!"), "hi!"), fits((1,), [1]), fits(1, True)
        (True, False, False)
    """
    if pattern is ANY or pattern is value:
        return True
    if isinstance(pattern, type):
        return isinstance(value, pattern)
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and fits(wanted, value[key]) for key, wanted in pattern.items()
        )
    if isinstance(pattern, tuple | list):
        same = type(pattern) is type(value) and len(pattern) == len(value)
        return same and all(map(fits, pattern, value))
    names = _fields(pattern)
    if names is not None:
        return type(pattern) is type(value) and all(
            fits(getattr(pattern, name), getattr(value, name)) for name in names
        )
    if isinstance(pattern, bool) is not isinstance(value, bool):
        return False
    if pattern == value:
        return True
    return callable(pattern) and bool(pattern(value))


def described(pattern: Any) -> str:
    """Return what a pattern describes, for the text of a failure.

    Example:
        >>> described(int), described({"id": ANY}), described(fits)
        ('an int', "{'id': ANY}", 'what fits() accepts')
    """
    if pattern is ANY:
        return "any message"
    if isinstance(pattern, type):
        article = "an" if pattern.__name__[:1].lower() in "aeiou" else "a"
        return f"{article} {pattern.__name__}"
    if callable(pattern) and hasattr(pattern, "__name__"):
        return f"what {pattern.__name__}() accepts"
    return repr(pattern)


def _fields(pattern: Any) -> list[str] | None:
    if isinstance(pattern, msgspec.Struct):
        return list(pattern.__struct_fields__)
    if dataclasses.is_dataclass(pattern) and not isinstance(pattern, type):
        return [field.name for field in dataclasses.fields(pattern)]
    return None

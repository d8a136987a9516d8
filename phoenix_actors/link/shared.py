"""Decoded payloads that keep little memory: one object for equal strings and numbers, thin dicts.

A stream of messages repeats itself: the same topic, event, symbols, states, prices. Each message
that an application keeps has copies of them. Here equal strings and floats become one object, and a
dict whose keys occurred before becomes one that shares the table of its keys with its like, as the
attributes of instances of one class do. All are what they were to whoever reads or changes them.

It costs time for each message, and pays for who keeps many: `share_decoded=True`. Both are measured
by `benchmarks/bench_parts.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from sys import getsizeof
from typing import Any, Final

from phoenix_actors.message import Frame

__all__ = ["SharedValues"]

# A longer string is not looked up: it repeats seldom, and its hash costs.
_LONGEST: Final = 64
# Values in one generation: with the next one too many, what was not met since the last time goes.
_GENERATION: Final = 16_384
# Shapes of dicts, and keys in one: CPython shares the table of up to 30.
_SHAPES: Final = 1024
_KEYS: Final = 30
# Items of a list that may have room for as many more.
_SHORT: Final = 8
_FLOAT: Final = getsizeof(1.5)
_STRING: Final = getsizeof("")


def _size(value: str | float) -> int:
    """Return the bytes of a string, taken for ASCII, or a float."""
    return _STRING + len(value) if isinstance(value, str) else _FLOAT


def _thin(shape: type, keys: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Return a dict that shares the table of its keys with others of this shape."""
    row = shape()
    for key, value in zip(keys, values, strict=True):
        setattr(row, key, value)
    thin: dict[str, Any] = row.__dict__
    return thin


def _shape_of(keys: tuple[str, ...]) -> type:
    """Return a class whose instances have these attributes."""
    shape = type("Row", (), {})
    _thin(shape, keys, keys)
    for _ in range(_KEYS):
        # CPython leaves room for more attributes in each of the first instances, less each time.
        shape()
    return shape


def _shares() -> bool:
    """Tell whether this interpreter makes such dicts, and smaller than others."""
    keys = ("one", "two", "three")
    thin = _thin(_shape_of(keys), keys, range(3))
    return sys.getsizeof(thin) < sys.getsizeof(dict(zip(keys, range(3), strict=True)))


_SHARES: Final = _shares()


class SharedValues:
    """The values of one client that are shared. Only for its reader thread.

    Example:
        >>> shared = SharedValues()
        >>> one, two = ({"symbol": "".join(["A", "B"]), "bid": float("1.5")} for _ in range(2))
        >>> one, two = shared.value(one), shared.value(two)
        >>> one == two == {"symbol": "AB", "bid": 1.5}, one["symbol"] is two["symbol"], one is two
        (True, True, False)
        >>> shared.stats()["shared_hits"], shared.stats()["bytes_saved"] > 0
        (4, True)
    """

    def __init__(self) -> None:
        """Start with none."""
        self._young: dict[Any, Any] = {}
        self._old: dict[Any, Any] = {}
        # Keys of a dict → the class whose instances' attributes it is to look like; None: as it is.
        self._shapes: dict[tuple[str, ...], tuple[type, int] | None] = {}
        self._hits = self._misses = self._evictions = self._saved = 0

    def frame(self, frame: Frame) -> Frame:
        """Return the frame with shared values; one that is nested very deep, as it is."""
        topic, event = self._scalar(frame.topic), self._scalar(frame.event)
        try:
            payload = self.value(frame.payload)
        except RecursionError:
            # The decoder goes deeper than these functions can; lists have equal values by now.
            payload = frame.payload
        return Frame(frame.join_ref, frame.ref, topic, event, payload)

    def value(self, value: Any) -> Any:
        """Return a decoded value with shared ones in it; a list is changed, and may be copied."""
        kind = type(value)
        if kind is dict:
            return self._row(value)
        if kind is list:
            for index, inner in enumerate(value):
                value[index] = self.value(inner)
            # The decoder leaves room for more in a short list; its copy has none.
            return value[:] if len(value) <= _SHORT else value
        return self._scalar(value) if kind is str or kind is float else value

    def _scalar(self, value: Any) -> Any:
        """Return the one object for a string or a float; these two are never equal."""
        known = self._young.get(value)
        if known is None:
            return self._meet(value)
        self._hits += 1
        self._saved += _size(value)
        return known

    def _meet(self, value: Any) -> Any:
        """Return the one object for a value that was not met in this generation."""
        if value == 0.0 or (type(value) is str and len(value) > _LONGEST):
            # 0.0 and -0.0 are equal, and not the same.
            return value
        known = self._old.get(value)
        if known is None:
            known = value
            self._misses += 1
        else:
            self._hits += 1
            self._saved += _size(value)
        self._young[value] = known
        if len(self._young) > _GENERATION:
            self._evictions += len(self._old)
            self._old, self._young = self._young, {}
        return known

    def _row(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Return the dict with shared values, and a shared table of keys if it can have that."""
        keys = tuple(plain)
        try:
            shape = self._shapes[keys]
        except KeyError:
            shape = self._shape(keys, plain)
        row = None if shape is None else shape[0]()
        find, hits, saved = self._young.get, 0, 0
        for key, inner in plain.items():
            kind = type(inner)
            if kind is str or kind is float:
                known = find(inner)
                if known is None:
                    known = self._meet(inner)
                    find = self._young.get
                else:
                    hits += 1
                    saved += _FLOAT if kind is float else _STRING + len(inner)
            elif kind is dict or kind is list:
                known = self.value(inner)
                find = self._young.get
            else:
                known = inner
            if row is None:
                plain[key] = known
            else:
                setattr(row, key, known)
        self._hits += hits
        self._saved += saved
        if row is None or shape is None:
            return plain
        self._hits += 1
        self._saved += shape[1]
        thin: dict[str, Any] = row.__dict__
        return thin

    def _shape(self, keys: tuple[str, ...], plain: dict[str, Any]) -> tuple[type, int] | None:
        """Return what dicts with these keys, met for the first time, are to look like.

        With it come the bytes that each saves.
        """
        self._misses += 1
        if len(self._shapes) >= _SHAPES:
            return None
        # Names with two underscores mean something to Python, such as __class__.
        fit = 0 < len(keys) <= _KEYS and not any(key.startswith("__") for key in keys)
        shape: tuple[type, int] | None = None
        if fit and _SHARES:
            cls = _shape_of(keys)
            shape = cls, getsizeof(plain) - getsizeof(_thin(cls, keys, keys))
        self._shapes[tuple(map(sys.intern, keys))] = shape
        return shape

    def stats(self) -> dict[str, int]:
        """Return the counts so far; bytes as `sys.getsizeof` has them.

        `bytes_saved` is what the messages so far would take more if somebody kept them all.
        """
        held = sum(sys.getsizeof(table) for table in (self._young, self._old, self._shapes))
        return {
            "shared_hits": self._hits,
            "shared_misses": self._misses,
            "shared_evictions": self._evictions,
            "shared_values": len(self._young) + len(self._old),
            "bytes_held": held,
            "bytes_saved": self._saved,
        }

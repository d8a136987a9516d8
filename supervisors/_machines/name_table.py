"""Unique keys and their owners.

Laws: a key has at most one owner; a refused registration leaves nothing behind (S144); releasing
an owner frees all its keys at once; keys are compared strictly, 1 and 1.0 differ (S141).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["NameTable"]

_O = TypeVar("_O", bound=Hashable)


class NameTable(Generic[_O]):
    """A table of unique keys. The caller holds whatever lock it needs.

    Example:
        >>> table = NameTable()
        >>> table.claim("a", owner=1), table.claim("a", owner=2), table.owner_of("a")
        (None, 1, 1)
        >>> table.release_owner(1), table.owner_of("a")
        (['a'], None)
    """

    __slots__ = ("_entries", "_keys")

    def __init__(self) -> None:
        """Start empty."""
        # The type is part of the key: True == 1 == 1.0 for a dictionary, but not here.
        self._entries: dict[tuple[type, Hashable], tuple[_O, Any]] = {}
        self._keys: dict[_O, dict[tuple[type, Hashable], None]] = {}

    def __len__(self) -> int:
        """Return the number of keys that are held."""
        return len(self._entries)

    def claim(self, key: Hashable, owner: _O, value: Any = None) -> _O | None:
        """Give the key to the owner: None when that worked, else the present owner."""
        strict = (type(key), key)
        entry = self._entries.get(strict)
        if entry is not None:
            return entry[0]
        self._entries[strict] = (owner, value)
        self._keys.setdefault(owner, {})[strict] = None
        return None

    def owner_of(self, key: Hashable) -> _O | None:
        """Return the owner of the key, or None."""
        entry = self._entries.get((type(key), key))
        return None if entry is None else entry[0]

    def entry(self, key: Hashable) -> tuple[_O, Any] | None:
        """Return owner and value of the key, or None."""
        return self._entries.get((type(key), key))

    def update(self, key: Hashable, owner: _O, value: Any) -> bool:
        """Replace the value of a key that this owner holds; tell whether it does."""
        strict = (type(key), key)
        entry = self._entries.get(strict)
        if entry is None or entry[0] != owner:
            return False
        self._entries[strict] = (owner, value)
        return True

    def release(self, key: Hashable, owner: _O) -> bool:
        """Free the key if this owner holds it; tell whether it did."""
        strict = (type(key), key)
        entry = self._entries.get(strict)
        if entry is None or entry[0] != owner:
            return False
        del self._entries[strict]
        keys = self._keys[owner]
        del keys[strict]
        if not keys:
            del self._keys[owner]
        return True

    def release_owner(self, owner: _O) -> list[Hashable]:
        """Free all keys of the owner and return them."""
        keys = self._keys.pop(owner, {})
        for strict in keys:
            del self._entries[strict]
        return [key for _, key in keys]

    def keys_of(self, owner: _O) -> list[Hashable]:
        """Return the keys of the owner, oldest first."""
        return [key for _, key in self._keys.get(owner, {})]

    def items(self) -> Iterator[tuple[Hashable, _O, Any]]:
        """Iterate over (key, owner, value), oldest first."""
        for (_, key), (owner, value) in self._entries.items():
            yield key, owner, value

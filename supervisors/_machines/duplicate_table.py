"""Keys with many owners, in the order of registration.

Laws: an owner may stand under a key any number of times (S132); releasing an owner takes out all
its entries at once; no key, and no owner, without an entry leaves a trace; keys are compared
strictly, as in the table of unique keys (S141).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

from supervisors._machines.name_table import Entry, strict

__all__ = ["DuplicateTable"]

_O = TypeVar("_O", bound=Hashable)


class DuplicateTable(Generic[_O]):
    """A table of keys that many may hold. The caller holds whatever lock it needs.

    Example:
        >>> table = DuplicateTable()
        >>> for owner in (1, 2, 1):
        ...     table.claim("a", owner)
        >>> [entry.owner for entry in table.entries("a")], table.keys_of(1)
        ([1, 2, 1], ['a', 'a'])
        >>> table.release("a", 1), len(table)
        (True, 1)
    """

    __slots__ = ("_all", "_by_key", "_by_owner")

    def __init__(self) -> None:
        """Start empty."""
        # Entries by their id(), unique while they stand here, and so in order of registration.
        self._all: dict[int, Entry] = {}
        self._by_key: dict[Hashable, dict[int, Entry]] = {}
        self._by_owner: dict[_O, dict[int, Entry]] = {}

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._all)

    def claim(self, key: Hashable, owner: _O, value: Any = None) -> None:
        """Add an entry; that always works."""
        entry, place = Entry(key, owner, value), strict(key)
        try:
            self._by_key.setdefault(place, {})[id(entry)] = entry
            self._by_owner.setdefault(owner, {})[id(entry)] = entry
            self._all[id(entry)] = entry
        except BaseException:
            # A signal's handler, for one, has raised between two steps.
            self.discard(entry)
            raise

    def entries(self, key: Hashable) -> list[Entry]:
        """Return the entries of the key, oldest first."""
        return list(self._by_key.get(strict(key), {}).values())

    def release(self, key: Hashable, owner: _O) -> bool:
        """Take out all entries of this owner under the key; tell whether there were any."""
        there, mine = self._by_key.get(strict(key), {}), self._by_owner.get(owner, {})
        few, many = sorted((there, mine), key=len)
        found = [entry for number, entry in few.items() if number in many]
        for entry in found:
            self.discard(entry)
        return bool(found)

    def discard(self, entry: Entry) -> bool:
        """Take out this very entry; False when it is gone."""
        _take_out(self._by_key, strict(entry.key), entry)
        there = self._all.pop(id(entry), None) is not None
        # The last step: by this it is found, if an exception has come in between.
        _take_out(self._by_owner, entry.owner, entry)
        return there

    def release_owner(self, owner: _O) -> list[Hashable]:
        """Take out all entries of the owner and return their keys.

        Once more, if an exception came in between.
        """
        found = list(self._by_owner.get(owner, {}).values())
        for entry in found:
            self.discard(entry)
        return [entry.key for entry in found]

    def keys_of(self, owner: _O) -> list[Hashable]:
        """Return the keys of the owner, one for each entry, oldest first."""
        return [entry.key for entry in self._by_owner.get(owner, {}).values()]

    def holds(self, owner: _O) -> bool:
        """Tell whether the owner has any key."""
        return owner in self._by_owner

    def owners(self) -> list[_O]:
        """Return everybody who has an entry."""
        return list(self._by_owner)

    def items(self) -> Iterator[Entry]:
        """Iterate over all entries, oldest first."""
        yield from self._all.values()


def _take_out(index: dict[Any, dict[int, Entry]], at: Any, entry: Entry) -> None:
    entries = index.get(at, {})
    if len(entries) > 1:
        entries.pop(id(entry), None)
    elif not entries or id(entry) in entries:
        index.pop(at, None)

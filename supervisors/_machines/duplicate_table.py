"""Keys with many owners, in the order of registration.

Laws: an owner may stand under a key any number of times (S132); releasing an owner takes out all
its entries at once; no key, and no owner, without an entry leaves a trace; keys are compared
strictly, as in the table of unique keys (S141).

As there, a finalizer or a signal's handler may use the table in the middle of a step of the same
thread. So who adds an entry looks at last whether it was taken out meanwhile; and an entry is taken
from its owner last, by whom it is found if that step was interrupted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

from supervisors._machines.name_table import Entry, strict
from supervisors._machines.shelves import put, take_out

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
        # An unhashable one is refused before anything is done.
        hash(place)
        try:
            self._all[id(entry)] = entry
            put(self._by_key, place, id(entry), entry)
            put(self._by_owner, owner, id(entry), entry)
            if id(entry) not in self._all:
                # Taken out from within this step, which found it by its key.
                self.discard(entry)
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
        found = [entry for entry in list(few.values()) if id(entry) in many]
        for entry in found:
            self.discard(entry)
        return bool(found)

    def discard(self, entry: Entry) -> bool:
        """Take out this very entry; False when it is gone."""
        take_out(self._by_key, strict(entry.key), id(entry))
        there = self._all.pop(id(entry), None) is not None
        # The last step: by this it is found, if an exception has come in between.
        take_out(self._by_owner, entry.owner, id(entry))
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
        return [entry.key for entry in list(self._by_owner.get(owner, {}).values())]

    def holds(self, owner: _O) -> bool:
        """Tell whether the owner has any key."""
        return bool(self._by_owner.get(owner))

    def owners(self) -> list[_O]:
        """Return everybody who has an entry."""
        return list(self._by_owner)

    def items(self) -> Iterator[Entry]:
        """Iterate over all entries, oldest first."""
        yield from list(self._all.values())

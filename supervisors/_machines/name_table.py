"""Unique keys and their owners.

Laws: a key has at most one owner; a refused registration leaves nothing behind (S144); releasing
an owner frees all its keys at once; keys are compared strictly, 1 and 1.0 differ (S141).

A finalizer, or a signal's handler, may use the table in the middle of a step of the same thread. So
who holds a key is what `_entries` says. `_keys` lists no less than that, or an end would not free
it; a key that it lists too many is not told, and goes with the end of its owner. To look and then
to write is one step where neither calls anything: nobody comes in between.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

__all__ = ["Entry", "NameTable", "strict"]

_O = TypeVar("_O", bound=Hashable)


def strict(key: Hashable) -> Hashable:
    """Return what stands for the key where 1, 1.0 and True differ, inside tuples too (S141).

    Example:
        >>> strict(1) == strict(1.0), strict(("room", 1)) == strict(("room", True))
        (False, False)
    """
    kind = type(key)
    if kind is str:
        # Equal to nothing but its like.
        return key
    if isinstance(key, tuple) and kind.__eq__ is tuple.__eq__:
        return kind, tuple(map(strict, key))
    if kind is frozenset and isinstance(key, frozenset):
        return kind, frozenset(map(strict, key))
    return kind, key


class Entry(msgspec.Struct, frozen=True):
    """One registration: the key as it was given, who holds it, and the value beside it.

    Each registration has an object of its own, so that it can be told from an equal one.
    """

    key: Any
    owner: Any
    value: Any


def _places(held: Entry | dict[Hashable, Any]) -> dict[Hashable, Any]:
    """Return what an owner holds as place → key."""
    return held if isinstance(held, dict) else {strict(held.key): held.key}


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
        self._entries: dict[Hashable, Entry] = {}
        # What each owner holds: its entry, or where there are several, place → key.
        self._keys: dict[_O, Entry | dict[Hashable, Any]] = {}

    def __len__(self) -> int:
        """Return the number of keys that are held."""
        return len(self._entries)

    def claim(self, key: Hashable, owner: _O, value: Any = None) -> _O | None:
        """Give the key to the owner: None when that worked, else the present owner."""
        # As strict, without its call.
        place, entry = key if type(key) is str else strict(key), Entry(key, owner, value)
        try:
            # In one step: a claim from within this one finds the key held, or free.
            held = self._entries.setdefault(place, entry)
            if held is not entry:
                holder: _O = held.owner
                return holder
            self._list(place, entry)
        except BaseException:
            # A signal's handler, for one, has raised between two steps.
            self.discard(entry)
            raise
        return None

    def _list(self, place: Hashable, entry: Entry) -> None:
        """Have the owner's key at this place be found by the owner."""
        listed, owner = self._keys, entry.owner
        while True:
            kept = listed.setdefault(owner, entry)
            if kept is entry:
                return
            keys = kept if type(kept) is dict else _places(kept)
            keys[place] = entry.key
            if owner in listed and listed[owner] is kept:
                listed[owner] = keys
                return

    def owner_of(self, key: Hashable) -> _O | None:
        """Return the owner of the key, or None."""
        entry = self._entries.get(strict(key))
        return None if entry is None else entry.owner

    def entries(self, key: Hashable) -> list[Entry]:
        """Return the entry of the key, or nothing."""
        entry = self._entries.get(strict(key))
        return [] if entry is None else [entry]

    def update(self, key: Hashable, owner: _O, value: Any) -> bool:
        """Replace the value of a key that this owner holds; tell whether it does."""
        place, entries, listed = strict(key), self._entries, self._keys
        entry = entries.get(place)
        if entry is None or entry.owner != owner:
            return False
        new = msgspec.structs.replace(entry, value=value)
        if place not in entries or entries[place] is not entry:
            return False
        entries[place] = new
        if owner in listed and listed[owner] is entry:
            listed[owner] = new
        return True

    def release(self, key: Hashable, owner: _O) -> bool:
        """Free the key if this owner holds it; tell whether it did."""
        entry = self._entries.get(strict(key))
        return entry is not None and entry.owner == owner and self.discard(entry)

    def discard(self, entry: Entry) -> bool:
        """Take out this very entry; False when it is gone, or was replaced."""
        place = strict(entry.key)
        if not self._drop(place, entry):
            return False
        self._unlist(place, entry.owner)
        return True

    def _drop(self, place: Hashable, entry: Entry) -> bool:
        entries = self._entries
        if place not in entries or entries[place] is not entry:
            return False
        del entries[place]
        return True

    def _unlist(self, place: Hashable, owner: _O) -> None:
        """Have nothing at this place be found by the owner, unless the owner holds it again."""
        listed = self._keys
        kept = listed.get(owner)
        if type(kept) is dict:
            kept.pop(place, None)
            entry = self._held_by(owner, place)
            if entry is not None:
                kept[place] = entry.key
            gone = not kept
        else:
            gone = kept is not None and place in _places(kept) and not self._held_by(owner, place)
        if gone and owner in listed and listed[owner] is kept:
            del listed[owner]

    def _held_by(self, owner: _O, place: Hashable) -> Entry | None:
        entry = self._entries.get(place)
        return entry if entry is not None and entry.owner == owner else None

    def release_owner(self, owner: _O) -> list[Hashable]:
        """Free all keys of the owner and return them; once more, if an exception came in between.

        The owner takes no new one meanwhile.
        """
        freed: list[Hashable] = []
        for place in list(_places(self._keys.get(owner, {}))):
            # Once, unless its value is replaced at this moment.
            while (entry := self._held_by(owner, place)) is not None:
                if self._drop(place, entry):
                    freed.append(entry.key)
        self._keys.pop(owner, None)
        return freed

    def keys_of(self, owner: _O) -> list[Hashable]:
        """Return the keys of the owner, oldest first."""
        places = list(_places(self._keys.get(owner, {})))
        held = [self._held_by(owner, place) for place in places]
        return [entry.key for entry in held if entry is not None]

    def holds(self, owner: _O) -> bool:
        """Tell whether the owner has any key."""
        return bool(self.keys_of(owner))

    def owners(self) -> list[_O]:
        """Return everybody who holds a key."""
        return list(filter(self.holds, list(self._keys)))

    def items(self) -> Iterator[Entry]:
        """Iterate over all entries, oldest first."""
        yield from list(self._entries.values())

"""Whose turn it is with each key: one holder, and behind it those who wait, first come first.

A turn is an object of the caller's, in the queue of one key, with an owner that may die. Laws:

- Each queue's first turn holds the lock, and no other does.
- A turn that leaves, holding or waiting, leaves once; the next one holds only if it held (S145).
- Queues of different keys know nothing of one another; an empty queue leaves no trace.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from supervisors._machines.name_table import strict
from supervisors._machines.shelves import first, put, take_out

__all__ = ["KeyLocks"]

_T = TypeVar("_T", bound=Hashable)


class KeyLocks(Generic[_T]):
    """The queues of all keys. The caller holds whatever lock it needs.

    Example:
        >>> locks = KeyLocks()
        >>> locks.join("a", "first", owner=1), locks.join("a", "second", owner=2)
        (True, False)
        >>> locks.leave("first"), locks.holder("a")
        ('second', 'second')
    """

    __slots__ = ("_owned", "_places", "_queues")

    def __init__(self) -> None:
        """Start without turns."""
        # Ordered dictionaries, since leaving from the middle and from the front must both be O(1).
        self._queues: dict[Hashable, OrderedDict[_T, None]] = {}
        self._places: dict[_T, tuple[Hashable, Hashable]] = {}
        self._owned: dict[Hashable, dict[_T, None]] = {}

    def __len__(self) -> int:
        """Return how many turns there are."""
        return len(self._places)

    def holder(self, key: Hashable) -> _T | None:
        """Return the turn that holds the lock of the key, or None."""
        return first(self._queues.get(strict(key), ()))

    def join(self, key: Hashable, turn: _T, owner: Hashable) -> bool:
        """Queue a new turn; tell whether it holds the lock at once."""
        place = strict(key)
        try:
            self._places[turn] = (place, owner)
            queue = put(self._queues, place, turn, None, OrderedDict)
            # The last step: the owner's end, from within this one, finds no half of it.
            put(self._owned, owner, turn, None)
            return first(queue) == turn
        except BaseException:
            # A signal's handler, for one, has raised between two steps.
            self.leave(turn)
            raise

    def leave(self, turn: _T) -> _T | None:
        """Take a turn out, if it is there; return the one that holds the lock by that.

        Once more, if an exception came in between; `holders` tells then who holds a lock.
        """
        found = self._places.get(turn)
        if found is None:
            return None
        place, owner = found
        before = first(self._queues.get(place, ()))
        take_out(self._queues, place, turn)
        take_out(self._owned, owner, turn)
        self._places.pop(turn, None)
        after = first(self._queues.get(place, ()))
        # Another turn may have left from within this step: then too this is who is next.
        return None if after == before else after

    def holders(self) -> list[_T]:
        """Return all turns that hold a lock."""
        held = map(first, list(self._queues.values()))
        return [turn for turn in held if turn is not None]

    def turns_of(self, owner: Hashable) -> list[_T]:
        """Return all turns of an owner."""
        return list(self._owned.get(owner, ()))

    def leave_all(self, owner: Hashable) -> list[_T]:
        """Take out all turns of an owner; return those that hold a lock by that."""
        nexts = [self.leave(turn) for turn in self.turns_of(owner)]
        # A turn of the owner's own may have come first for a moment.
        return [turn for turn in nexts if turn is not None and turn in self._places]

    def clear(self) -> list[_T]:
        """Take out all turns and return them."""
        turns = list(self._places)
        self._places.clear()
        self._queues.clear()
        self._owned.clear()
        return turns

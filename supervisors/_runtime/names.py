"""Names of processes: one book for plain names, and one for each registry.

A name is taken before the actor's init runs (S126) and free before any `Down` of its owner is
delivered (S128). Reading needs no message to anybody.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import msgspec

from supervisors._locks import new_rlock, soon
from supervisors._machines.name_table import Entry, NameTable
from supervisors._runtime.ties import Bonds
from supervisors.errors import ChildSpecError, NotUniqueError, SpecProblem, UnknownRegistryError

if TYPE_CHECKING:
    from supervisors._machines.duplicate_table import DuplicateTable
    from supervisors._runtime.process import Process

__all__ = ["NameBook", "Via", "book_and_key", "process_names", "registered"]
__all__ += ["unregister_name", "via", "whereis"]


class NameBook:
    """A table of unique names with a lock around it. Safe from any thread."""

    # Whether a key has one owner; only then can it stand for it in a via.
    unique = True

    def __init__(self) -> None:
        """Start empty."""
        # Reentrant: a key's own `__eq__`, a signal handler or a finalizer may look names up, or end
        # a named actor, in here.
        self._lock = new_rlock()
        self._table: NameTable[Process] | DuplicateTable[Process] = NameTable()
        # What each owner has that has names in no other book.
        self.alone = (self,)

    def claim(self, key: Hashable, owner: Process, value: Any = None) -> Process | None:
        """Give the name to a living owner: None when that worked, else the living holder.

        A dead holder whose names are about to be freed does not stand in the way (S135).
        """
        # Before it has the name, so that its end frees that, whatever is interrupted here.
        tied = owner.keep_names_in(self)
        with self._lock:
            holder = self._table.claim(key, owner, value)
            if holder is not None and holder.has_ended():
                self._table.release_owner(holder)
                holder = self._table.claim(key, owner, value)
        if holder is None and (owner.ended or not tied):
            self.release_owner(owner)
        return holder

    def claim_first(self, key: Hashable, owner: Process) -> Process | None:
        """As `claim`, and without a link, for an owner that nobody knows and nothing is tied to.

        Who finds it by the name may end it at once; that frees the name.
        """
        owner.bonds = Bonds(self.alone)
        with self._lock:
            holder = self._table.claim(key, owner)
        if holder is not None and holder.has_ended():
            return NameBook.claim(self, key, owner)
        return holder

    def owner_of(self, key: Hashable) -> Process | None:
        """Return the living owner, or None. Requires unique names."""
        # Without the lock: one look into a dictionary.
        table = self._table
        owner = table.owner_of(key) if isinstance(table, NameTable) else None
        return None if owner is None or owner.has_ended() else owner

    def release(self, key: Hashable, owner: Process) -> bool:
        """Free a name of this owner; tell whether it held it."""
        with self._lock:
            return self._table.release(key, owner)

    def release_owner(self, owner: Process) -> None:
        """Free all names of the owner, which has ended and so has none for anybody who looks."""
        soon(self._lock, lambda: self._table.release_owner(owner))

    def items(self) -> list[Entry]:
        """Return what living actors hold, oldest first."""
        with self._lock:
            entries = list(self._table.items())
        return [entry for entry in entries if not entry.owner.has_ended()]


process_names = NameBook()


class Via(msgspec.Struct, frozen=True):
    """A name inside a registry; made by `via()`."""

    registry: Any
    key: Any
    value: Any = None


def via(registry: Any, key: Hashable, value: Any = None) -> Via:
    """Name an actor by a key of a unique registry, wherever a `name=` is taken (S142).

    Args:
        registry: the registry's ref or its name.
        key: the key, any hashable.
        value: what `lookup` shows beside the ref.

    Example:
        >>> via("rooms", 42)
        Via(registry='rooms', key=42, value=None)
    """
    return Via(registry, key, value)


def book_and_key(name: Any) -> tuple[NameBook, Hashable, Any]:
    """Return the book a name belongs to, its key there, and the value that goes with it.

    Raises:
        ChildSpecError: for a name that is not hashable (S129).
        UnknownRegistryError: for a via into a registry that does not run.
        NotUniqueError: for a via into a registry of duplicate keys (S142).
    """
    book, key, value = process_names, name, None
    if isinstance(name, Via):
        book, key, value = _book_of(name.registry), name.key, name.value
    try:
        hash(key)
    except TypeError:
        text = f"a name must be hashable, not a {type(key).__name__}"
        raise ChildSpecError(SpecProblem.BAD_NAME, text, key) from None
    return book, key, value


def _book_of(registry: Any) -> NameBook:
    ref = registry if hasattr(registry, "actor_class") else whereis(registry)
    book = getattr(getattr(ref, "process", None), "name_book", None)
    if not isinstance(book, NameBook):
        raise UnknownRegistryError(registry)
    if not book.unique:
        what = "via()"
        raise NotUniqueError(what, registry)
    return book


def whereis(name: Any) -> Any:
    """Return the ref of the living actor of this name, or None (S130). Safe from any thread.

    Accepts a name, a `via(...)`, or a ref, which is given back while it lives.

    Example:
        >>> whereis("nobody") is None
        True
    """
    if hasattr(name, "actor_class"):
        return name if name.is_alive() else None
    try:
        book, key, _ = book_and_key(name)
    except UnknownRegistryError:
        return None
    owner = book.owner_of(key)
    return None if owner is None else owner.actor_ref


def unregister_name(name: Hashable) -> bool:
    """Free a plain name; tell whether it was held.

    Example:
        >>> unregister_name("nobody")
        False
    """
    owner = process_names.owner_of(name)
    return owner is not None and process_names.release(name, owner)


def registered() -> list[Hashable]:
    """Return all plain names that living actors hold.

    Example:
        >>> "nobody" in registered()
        False
    """
    return [entry.key for entry in process_names.items()]

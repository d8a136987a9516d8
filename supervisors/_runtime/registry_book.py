"""What a registry's actor keeps, and everybody reads without asking it.

A registrant is linked to the registry while it has a key there. The registry's own end closes the
book: waits for its locks end, and its registrants with it (S138), after a normal stop too, as
those of Elixir's Registry do.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from pykka import ActorDeadError

from supervisors._locks import new_lock
from supervisors._machines.duplicate_table import DuplicateTable
from supervisors._machines.name_table import Entry, NameTable, strict
from supervisors._runtime.key_locks import LockBook
from supervisors._runtime.names import NameBook, whereis
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.signals import end_link, link, send_exit, unlink
from supervisors.exits import Normal, Shutdown

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["KeyRegistered", "KeyUnregistered", "RegistryBook"]

_owner_of = attrgetter("owner")


class KeyRegistered(msgspec.Struct, frozen=True):
    """Sent to a registry's listeners, in `handle_info`: an actor has got a key (S140).

    Its repr names the type of the value, which may hold what a user sent.
    """

    registry: Any
    key: Any
    ref: Any
    value: Any = None

    def __repr__(self) -> str:
        """Show all but the value."""
        value = "None" if self.value is None else f"<{type(self.value).__name__}>"
        return (
            f"KeyRegistered(registry={self.registry}, key={self.key!r}, ref={self.ref}, "
            f"value={value})"
        )


class KeyUnregistered(msgspec.Struct, frozen=True):
    """Sent to a registry's listeners, in `handle_info`: an actor has given a key back (S140).

    Only for an explicit unregister. Who must hear of deaths monitors the `ref` of KeyRegistered.
    """

    registry: Any
    key: Any
    ref: Any


class RegistryBook(NameBook):
    """Keys, metadata and locks of one registry. Safe from any thread."""

    def __init__(
        self, keeper: Process, *, unique: bool = True, listeners: tuple[Any, ...] = ()
    ) -> None:
        """Start empty; `keeper` is the registry, `listeners` are names or refs."""
        super().__init__()
        self.unique = unique
        self._table = NameTable() if unique else DuplicateTable()
        self._keeper = keeper
        self._listeners = listeners
        # Held while an owner's link is made what its keys say; never inside `_lock`.
        self._tying = new_lock()
        self._meta: dict[Hashable, Any] = {}
        self.locks = LockBook(keeper, self)
        keeper.keep_names_in(self)

    # ---- keys ---------------------------------------------------------------------------------

    def claim(self, key: Hashable, owner: Process, value: Any = None) -> Process | None:
        """Give the key to a living owner: None when that worked, else the living holder."""
        holder = super().claim(key, owner, value)
        if holder is None and not owner.has_ended():
            self._tie(owner)
            self._tell(KeyRegistered(self._keeper.actor_ref, key, owner.actor_ref, value))
        return holder

    def entries(self, key: Hashable) -> list[Entry]:
        """Return what living actors hold under the key, oldest first."""
        with self._lock:
            entries = self._table.entries(key)
        return [entry for entry in entries if not entry.owner.has_ended()]

    def keys_of(self, owner: Process) -> list[Hashable]:
        """Return the keys of the owner, oldest first."""
        with self._lock:
            keys = self._table.keys_of(owner)
        return [] if owner.has_ended() else keys

    def update(self, key: Hashable, owner: Process, value: Any) -> bool:
        """Replace the value of a key of this owner; tell whether it holds it. For unique keys."""
        with self._lock:
            table = self._table
            return isinstance(table, NameTable) and table.update(key, owner, value)

    def release(self, key: Hashable, owner: Process) -> bool:
        """Free all entries of this owner under the key; tell whether there were any (S137)."""
        held = super().release(key, owner)
        if held:
            self._given_back(key, owner)
        return held

    def discard(self, key: Hashable, owner: Process, entries: list[Entry]) -> int:
        """Free these entries of this owner under the key; return how many were still there."""
        with self._lock:
            count = sum(map(self._table.discard, entries))
            left = owner in map(_owner_of, self._table.entries(key))
        if count and not left:
            self._given_back(key, owner)
        return count

    def release_owner(self, owner: Process) -> None:
        """Free all keys and locks of an actor that has ended; close with the registry itself."""
        super().release_owner(owner)
        self.locks.release_owner(owner)
        if owner is self._keeper:
            self._close()

    def _given_back(self, key: Hashable, owner: Process) -> None:
        self._tie(owner)
        self._tell(KeyUnregistered(self._keeper.actor_ref, key, owner.actor_ref))

    # ---- metadata -----------------------------------------------------------------------------

    def put_meta(self, key: Hashable, value: Any) -> None:
        """Keep a value under the key, instead of the one that was there."""
        with self._lock:
            self._meta[strict(key)] = value

    def meta(self, key: Hashable, default: Any) -> Any:
        """Return the value under the key, or the default."""
        return self._meta.get(strict(key), default)

    def delete_meta(self, key: Hashable) -> None:
        """Forget the value under the key, if there is one."""
        with self._lock:
            self._meta.pop(strict(key), None)

    # ---- ties ---------------------------------------------------------------------------------

    def _tie(self, owner: Process) -> None:
        """Link the owner while it has a key, and no longer (S137).

        Looked up anew under one lock, so that of two changes at once the later one decides.
        """
        keeper = self._keeper
        with self._tying:
            with self._lock:
                holds = self._table.holds(owner)
            if not holds:
                unlink(keeper, owner)
                return
            link(keeper, owner)
        if keeper.ended and isinstance(keeper.reason, Normal):
            # The book was closed before the owner stood in it.
            send_exit(owner, keeper.actor_ref, Shutdown())

    def _close(self) -> None:
        self.locks.close()
        keeper = self._keeper
        if isinstance(keeper.reason, Normal):
            # An abnormal end takes them along by their links, in a moment.
            with self._lock:
                owners = self._table.owners()
            for owner in owners:
                end_link(owner, keeper, Shutdown())

    def _tell(self, event: KeyRegistered | KeyUnregistered) -> None:
        for listener in self._listeners:
            # By name at each event: a listener that was restarted is found again.
            ref = whereis(listener)
            if isinstance(ref, ActorRef):
                ref.send_info(event)
            elif ref is not None:
                # A plain Pykka actor, which may end at this moment.
                with suppress(ActorDeadError):
                    ref.tell(event)

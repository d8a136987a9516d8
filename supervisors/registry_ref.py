"""What the world does with a registry: reads and writes of its table, none of them by message.

>>> from supervisors import ANY, GenServer, Registry
>>> class Member(GenServer):
...     def handle_cast(self, message):
...         pass
>>> rooms = Registry.start_link(keys="duplicate")
>>> alice, bob = Member.start(), Member.start()
>>> rooms.register("lobby", ("user", 31), owner=alice)
>>> rooms.register("lobby", ("guest", 17), owner=bob)
>>> rooms.match("lobby", ("user", ANY)) == [(alice, ("user", 31))]
True
>>> rooms.count_match("lobby", where=lambda value: value[1] < 18)
1
>>> rooms.dispatch("lobby", lambda entries: [ref.cast("hello") for ref, _ in entries])
>>> alice.stop(), bob.stop(), rooms.stop()
(True, True, True)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from supervisors._machines.patterns import ANY, matches
from supervisors._runtime.current import current
from supervisors._runtime.foreign import any_process_of
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.registry_book import KeyRegistered, KeyUnregistered, RegistryBook
from supervisors.child_spec import UNSET
from supervisors.errors import (
    AlreadyRegisteredError,
    NoProcError,
    NotUniqueError,
    UnknownRegistryError,
)

__all__ = ["KeyRegistered", "KeyUnregistered", "RegistryRef"]


class RegistryRef(ActorRef):
    """A reference to a registry. Its table is read and written without asking the registry's actor.

    Safe from any thread. An actor registers itself; a plain thread names the actor by `owner=`, and
    so does a plain Pykka actor, which may hold keys as any other.
    Functions that are given run in the caller, on what stood in the table a moment ago. Every
    method raises UnknownRegistryError once the registry has ended (S146), and TypeError for a key
    that cannot be hashed.

    Example:
        >>> from supervisors import GenServer, Registry
        >>> rooms, ref = Registry.start_link(), GenServer.start()
        >>> rooms.register("a", 1, owner=ref)
        >>> rooms.lookup("a") == [(ref, 1)], rooms.keys(ref), rooms.count()
        (True, ['a'], 1)
        >>> ref.stop(), rooms.lookup("a"), rooms.stop()
        (True, [], True)
    """

    @property
    def _book(self) -> RegistryBook:
        process = self.process
        book = None if process is None or process.ended else process.name_book
        if not isinstance(book, RegistryBook):
            raise UnknownRegistryError(self)
        return book

    # ---- registering --------------------------------------------------------------------------

    def register(self, key: Hashable, value: Any = None, owner: ActorRef | None = None) -> None:
        """Give the key to the calling actor, or to `owner`, with a value beside it.

        Where keys are duplicate this adds an entry, also to those the actor has there (S132).

        Raises:
            AlreadyRegisteredError: a living actor holds it: `.ref`; nothing was changed (S131).
            NoProcError: the owner is dead, or not named by a plain thread.
        """
        process = _owner(owner)
        holder = self._book.claim(key, process, value)
        if holder is not None:
            raise AlreadyRegisteredError(key, holder.actor_ref)
        if process.has_ended():
            raise process.gone()

    def unregister(self, key: Hashable, owner: ActorRef | None = None) -> None:
        """Take all entries of the calling actor, or `owner`, from the key; fine if none (S137)."""
        self._book.release(key, _owner(owner))

    def unregister_match(
        self,
        key: Hashable,
        value: Any = ANY,
        *,
        where: Callable[[Any], object] | None = None,
        owner: ActorRef | None = None,
    ) -> int:
        """Take those entries of the calling actor, or `owner`, that match() finds; return how many.

        Listeners hear of it when the actor has no entry left under the key.
        """
        process, book = _owner(owner), self._book
        found = [
            entry
            for entry in book.entries(key)
            if entry.owner is process and _fits(entry.value, value, where)
        ]
        return book.discard(key, process, found)

    def update_value(self, key: Hashable, fn: Callable[[Any], Any]) -> Any:
        """Replace the calling actor's value under the key by `fn(value)` and return it (S133).

        Raises:
            NoProcError: not called in an actor.
            NotUniqueError: the registry has duplicate keys.
            LookupError: the calling actor does not hold the key.
        """
        process, book = _owner(None), self._book
        if not book.unique:
            what = "update_value()"
            raise NotUniqueError(what, self)
        for entry in book.entries(key):
            if entry.owner is process:
                value = fn(entry.value)
                if book.update(key, process, value):
                    return value
        msg = f"{process.actor_ref} does not hold the key {key!r}: register() it first"
        raise LookupError(msg)

    # ---- reading ------------------------------------------------------------------------------

    def lookup(self, key: Hashable) -> list[tuple[Any, Any]]:
        """Return (ref, value) of each entry under the key, oldest first."""
        return [(entry.owner.actor_ref, entry.value) for entry in self._book.entries(key)]

    def dispatch(self, key: Hashable, fn: Callable[[list[tuple[Any, Any]]], object]) -> None:
        """Call `fn` with what lookup() returns, here, unless that is nothing (S139).

        What `fn` raises is raised here.
        """
        entries = self.lookup(key)
        if entries:
            fn(entries)

    def keys(self, ref: ActorRef) -> list[Hashable]:
        """Return the keys of an actor, oldest first; a key comes once for each entry."""
        book, process = self._book, any_process_of(ref, "keys")
        return [] if process is None else book.keys_of(process)

    def values(self, key: Hashable, ref: ActorRef) -> list[Any]:
        """Return the values that this actor has under the key, oldest first."""
        return [value for holder, value in self.lookup(key) if holder is ref]

    def count(self) -> int:
        """Return the number of entries of living actors, in all keys."""
        return len(self._book.items())

    def entries(self) -> list[tuple[Hashable, Any, Any]]:
        """Return (key, ref, value) of each entry, oldest first."""
        return [(entry.key, entry.owner.actor_ref, entry.value) for entry in self._book.items()]

    # ---- searching ----------------------------------------------------------------------------

    def match(
        self, key: Hashable, value: Any = ANY, *, where: Callable[[Any], object] | None = None
    ) -> list[tuple[Any, Any]]:
        """Return (ref, value) of the entries under the key whose value is of a pattern (S143).

        Args:
            key: one key, compared strictly.
            value: a pattern: `ANY`; a tuple or list of patterns, of the same length; a dict of
                patterns, for a dict with at least these keys; anything else for what is equal to
                it and of the same type.
            where: called with each value of the pattern; what it finds false is left out.
        """
        return [(ref, found) for ref, found in self.lookup(key) if _fits(found, value, where)]

    def count_match(
        self, key: Hashable, value: Any = ANY, *, where: Callable[[Any], object] | None = None
    ) -> int:
        """Return how many entries match() finds."""
        return len(self.match(key, value, where=where))

    def select(
        self,
        *,
        key: Any = ANY,
        ref: Any = ANY,
        value: Any = ANY,
        where: Callable[[Any, Any, Any], object] | None = None,
    ) -> list[tuple[Hashable, Any, Any]]:
        """Return (key, ref, value) of the entries of all keys that are of these patterns (S143).

        Args:
            key: a pattern as in match(), or a key.
            ref: the ref of one actor, or `ANY`.
            value: a pattern as in match().
            where: called with key, ref and value of those; what it finds false is left out.
        """
        return [
            entry
            for entry in self.entries()
            if matches((key, ref, value), entry) and (where is None or where(*entry))
        ]

    def count_select(
        self,
        *,
        key: Any = ANY,
        ref: Any = ANY,
        value: Any = ANY,
        where: Callable[[Any, Any, Any], object] | None = None,
    ) -> int:
        """Return how many entries select() finds."""
        return len(self.select(key=key, ref=ref, value=value, where=where))

    # ---- locks --------------------------------------------------------------------------------

    @contextmanager
    def lock(self, key: Hashable, timeout: float | timedelta | None = None) -> Iterator[None]:
        """Hold the lock of a key for a `with` block; those who want the same key wait (S145).

        Locks have keys of their own: no key need be registered, and registering waits for none.
        The lock is free again when the block is left, also by an exception, and when the actor
        that holds it ends in any way. Who waited longest is next. An actor of the pool that waits
        is replaced by a spare thread.

        Args:
            key: any hashable, compared strictly.
            timeout: seconds to wait; None waits for ever.

        Raises:
            CallTimeout: it was not free in time.
            LockHeldError: this actor, or thread, holds it already.
            NoProcError: the calling actor was ended while it waited.
            UnknownRegistryError: the registry ended while the caller waited.

        Example:
            >>> from supervisors import Registry
            >>> rooms = Registry.start_link()
            >>> with rooms.lock("lobby", timeout=1):
            ...     rooms.lookup("lobby")
            []
            >>> rooms.stop()
            True
        """
        locks = self._book.locks
        turn = locks.enter(key, timeout)
        try:
            yield
        finally:
            try:
                locks.leave(turn)
            except BaseException:
                locks.leave_again(turn)
                raise

    # ---- metadata -----------------------------------------------------------------------------

    def put_meta(self, key: Hashable, value: Any) -> None:
        """Keep a value of the registry itself; it goes with the registry (S146)."""
        self._book.put_meta(key, value)

    def meta(self, key: Hashable, default: Any = UNSET) -> Any:
        """Return what put_meta() kept.

        Raises:
            LookupError: there is nothing under the key, and no default was given.
        """
        value = self._book.meta(key, default)
        if value is UNSET:
            msg = f"{self} has no metadata under {key!r}: put_meta() it first, or give a default"
            raise LookupError(msg)
        return value

    def delete_meta(self, key: Hashable) -> None:
        """Forget what put_meta() kept; fine if there is nothing."""
        self._book.delete_meta(key)


def _owner(owner: ActorRef | None) -> Process:
    process = current.process if owner is None else any_process_of(owner, "register")
    if process is None and owner is None:
        problem = "is no actor: call this in the actor, or name it by owner=ref"
        raise NoProcError("the calling thread", problem=problem)
    if process is None:
        raise NoProcError(owner)
    return process


def _fits(value: Any, pattern: Any, where: Callable[[Any], object] | None) -> bool:
    return matches(pattern, value) and (where is None or bool(where(value)))

"""The locks of a registry's keys: who waits, and what the death of an actor sets free."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from datetime import timedelta
from typing import TYPE_CHECKING

from supervisors._locks import new_rlock, soon
from supervisors._machines.key_locks import KeyLocks
from supervisors._runtime.current import current
from supervisors._runtime.reply import Reply
from supervisors.clock import as_seconds
from supervisors.errors import LockHeldError, UnknownRegistryError

if TYPE_CHECKING:
    from supervisors._runtime.names import NameBook
    from supervisors._runtime.process import Process

__all__ = ["LockBook", "Turn"]


class Turn:
    """One wait for the lock of a key, and then the lock."""

    __slots__ = ("granted", "owner")

    def __init__(self, owner: Process | int) -> None:
        """Made by who waits: an actor, or a plain thread by its number."""
        self.owner = owner
        self.granted = Reply()


class LockBook:
    """The locks of one registry. Safe from any thread."""

    def __init__(self, keeper: Process, book: NameBook) -> None:
        """Start with every key free; `book` is told of the ends of the actors that come here."""
        # A finalizer, as of a generator that holds a lock, may give one back within a step.
        self._lock = new_rlock()
        self._locks: KeyLocks[Turn] = KeyLocks()
        self._keeper = keeper
        self._book = book
        self._closed = False

    def enter(self, key: Hashable, timeout: float | timedelta | None) -> Turn:
        """Wait for the lock of the key and return what leave() takes back."""
        seconds = as_seconds(timeout, "timeout")
        process = current.process
        turn = Turn(threading.get_ident() if process is None else process)
        try:
            held = self._join(key, turn)
            self._refuse_dead(process)
            if not held:
                turn.granted.get(timeout=seconds)
                self._refuse_dead(process)
        except BaseException:
            # Whatever ended the wait, its turn must not come, or must pass.
            self.leave(turn)
            raise
        return turn

    def _join(self, key: Hashable, turn: Turn) -> bool:
        """Queue the turn; tell whether it holds the lock at once."""
        with self._lock:
            if self._closed:
                raise UnknownRegistryError(self._keeper.actor_ref)
            holder = self._locks.holder(key)
            if holder is not None and holder.owner == turn.owner:
                raise LockHeldError(key)
            return self._locks.join(key, turn, turn.owner)

    def _refuse_dead(self, process: Process | None) -> None:
        """Have the end of the actor free its locks; raise where that has come already."""
        if process is not None and not process.keep_names_in(self._book):
            raise process.gone()

    def leave(self, turn: Turn) -> None:
        """Free the lock for the next one, or stop waiting; nothing if that was done already."""
        with self._lock:
            successor = self._locks.leave(turn)
        if successor is not None:
            successor.granted.settle(value=True)

    def leave_again(self, turn: Turn) -> None:
        """Do so after an exception in the middle of `leave`, as a signal's handler may raise."""
        self.leave(turn)
        with self._lock:
            holders = self._locks.holders()
        # Told twice harms nobody.
        for holder in holders:
            holder.granted.settle(value=True)

    def release_owner(self, owner: Process) -> None:
        """Free what an actor that has ended holds, and let its waits end (S145)."""
        # All that were found, also where a signal's handler has raised behind that.
        gone: list[Turn] = []

        def free() -> list[Turn]:
            gone.extend(self._locks.turns_of(owner))
            return self._locks.leave_all(owner)

        def free_again() -> list[Turn]:
            free()
            # Told twice harms nobody.
            return self._locks.holders()

        def tell(successors: list[Turn]) -> None:
            for turn in gone:
                turn.granted.fail(owner.gone())
            for turn in successors:
                turn.granted.settle(value=True)

        try:
            soon(self._lock, free, tell)
        except BaseException:
            soon(self._lock, free_again, tell)
            raise

    def close(self) -> None:
        """End all waits: the registry has ended."""
        with self._lock:
            self._closed = True
            turns = self._locks.clear()
        for turn in turns:
            turn.granted.fail(UnknownRegistryError(self._keeper.actor_ref))

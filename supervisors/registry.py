"""`Registry`: keys and the actors that hold them, freed when these end.

>>> from supervisors import GenServer
>>> rooms = Registry.start_link(name="doc-rooms")
>>> ref = GenServer.start(name=via("doc-rooms", 42))
>>> whereis(via("doc-rooms", 42)) is ref, rooms.lookup(42) == [(ref, None)]
(True, True)
>>> ref.stop(), rooms.lookup(42), rooms.stop()
(True, [], True)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Any, ClassVar

from supervisors._runtime.calling import start_and_wait, take_options
from supervisors._runtime.current import current
from supervisors._runtime.foreign import process_of
from supervisors._runtime.names import NameBook, via, whereis
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors.child_spec import UNSET, ChildSpec, refuse_unknown, word
from supervisors.errors import (
    AlreadyRegisteredError,
    NoProcError,
    NotAvailableError,
    SpecProblem,
    UnknownRegistryError,
)
from supervisors.gen_server import GenServer

__all__ = ["Keys", "Registry", "RegistryRef", "via", "whereis"]


_SPEC_KEYS = ("id", "name", "restart", "shutdown", "type", "significant")


class Keys(StrEnum):
    """Whether a key has one holder or many."""

    UNIQUE = "unique"
    DUPLICATE = "duplicate"


class RegistryRef(ActorRef):
    """A reference to a registry. Its table is read without asking the registry's actor.

    Safe from any thread. An actor registers itself; a plain thread names the actor by `owner=`.
    """

    @property
    def _book(self) -> NameBook:
        process = self.process
        book = None if process is None else process.name_book
        if book is None:
            raise UnknownRegistryError(self)
        return book

    def register(self, key: Hashable, value: Any = None, owner: ActorRef | None = None) -> None:
        """Give the key to the calling actor, or to `owner`.

        Raises:
            AlreadyRegisteredError: a living actor holds it: `.ref`; nothing was changed (S131).
            NoProcError: the owner is dead.
        """
        process = _owner(owner)
        holder = self._book.claim(key, process, value)
        if holder is not None:
            raise AlreadyRegisteredError(key, holder.actor_ref)

    def unregister(self, key: Hashable, owner: ActorRef | None = None) -> None:
        """Free the key if the calling actor, or `owner`, holds it; fine if not (S137)."""
        self._book.release(key, _owner(owner))

    def lookup(self, key: Hashable) -> list[tuple[Any, Any]]:
        """Return [(ref, value)] for the key, or []."""
        entry = self._book.entry(key)
        if entry is None or entry[0].has_ended():
            return []
        return [(entry[0].actor_ref, entry[1])]

    def dispatch(self, key: Hashable, fn: Callable[[list[tuple[Any, Any]]], object]) -> None:
        """Call `fn` with the key's entries, here, unless there are none (S139)."""
        entries = self.lookup(key)
        if entries:
            fn(entries)

    def keys(self, ref: ActorRef) -> list[Hashable]:
        """Return the keys of an actor, oldest first."""
        process = process_of(ref, "keys")
        return [] if process is None else self._book.keys_of(process)

    def values(self, key: Hashable, ref: ActorRef) -> list[Any]:
        """Return the values that this actor has under the key."""
        return [value for holder, value in self.lookup(key) if holder is ref]

    def count(self) -> int:
        """Return the number of keys that living actors hold."""
        return sum(not owner.has_ended() for _, owner, _ in self._book.items())

    def entries(self) -> list[tuple[Hashable, Any, Any]]:
        """Return (key, ref, value) of all that live, oldest first."""
        return [
            (key, owner.actor_ref, value)
            for key, owner, value in self._book.items()
            if not owner.has_ended()
        ]

    def update_value(self, key: Hashable, fn: Callable[[Any], Any]) -> Any:
        """Replace the calling actor's value under the key by `fn(value)` and return it (S133).

        Raises:
            NoProcError: not called in an actor.
            LookupError: the calling actor does not hold the key.
        """
        process = _owner(None)
        entry = self._book.entry(key)
        if entry is None or entry[0] is not process:
            msg = f"{process.actor_ref} does not hold the key {key!r}: register() it first"
            raise LookupError(msg)
        value = fn(entry[1])
        self._book.update(key, process, value)
        return value


def _owner(owner: ActorRef | None) -> Process:
    process = current.process if owner is None else process_of(owner, "register")
    if process is None:
        raise NoProcError(owner or "a plain thread, which cannot hold a key without owner=,")
    return process


class Registry(GenServer):
    """A table of unique keys as a supervised actor.

    Example:
        >>> Registry.start_link(keys="both")
        Traceback (most recent call last):
        supervisors.errors.ChildSpecError: keys must be one of 'unique', 'duplicate', not 'both'
    """

    ref_class: ClassVar[type[ActorRef]] = RegistryRef
    # Registrants are linked to it; their ends are no reason for it to end.
    trap_exit = True

    @classmethod
    def start_link(cls, *, keys: str = Keys.UNIQUE, name: Any = None, **options: Any) -> Any:
        """Start a registry, linked; return its ref.

        Args:
            keys: "unique".
            name: a name to register it under, by which `via()` finds it.
            **options: `start_timeout` and `dispatcher`, as for any actor.

        Raises:
            ChildSpecError: `keys` is neither "unique" nor "duplicate", or an option is unknown.
            NotAvailableError: `keys="duplicate"`, which is not part of this version.
        """
        return start_and_wait(cls, (), {**_checked(keys, options), "name": name}, linked=True)

    @classmethod
    def start(cls, *, keys: str = Keys.UNIQUE, name: Any = None, **options: Any) -> Any:
        """Start it without a link; takes and raises what start_link() does."""
        return start_and_wait(cls, (), {**_checked(keys, options), "name": name})

    @classmethod
    def child_spec(cls, *, keys: str = Keys.UNIQUE, **keywords: Any) -> ChildSpec:  # type: ignore[override]
        """Return how a supervisor starts this registry; takes the keys of a child specification.

        Raises:
            ChildSpecError, NotAvailableError: as start_link().
        """
        _checked(keys, {key: keywords[key] for key in keywords if key not in _SPEC_KEYS})
        name = keywords.get("name")
        keywords.setdefault("id", UNSET if name is None else name)
        return super().child_spec(**keywords)

    def init(self) -> None:
        """Open the table."""
        self._process.name_book = NameBook(keeper=self._process)

    def handle_info(self, message: Any) -> None:
        """Ignore the ends of registrants; their keys are free already (S134)."""


def _checked(keys: object, options: dict[str, Any]) -> dict[str, Any]:
    """Check what a registry is started with and return the options of every start."""
    if word(Keys, keys, SpecProblem.UNKNOWN_KEY, "keys") is Keys.DUPLICATE:
        msg = "Registry(keys='duplicate')"
        raise NotAvailableError(msg)
    taken, unknown = take_options(options)
    choices = ("keys", "name", "start_timeout", "dispatcher")
    refuse_unknown(unknown, choices, "option", "a registry")
    return taken.given()

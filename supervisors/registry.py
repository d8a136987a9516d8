"""`Registry`: keys and the actors that hold them, freed when these end.

>>> from supervisors import GenServer
>>> rooms = Registry.start_link(name="doc-rooms")
>>> ref = GenServer.start(name=via("doc-rooms", 42))
>>> whereis(via("doc-rooms", 42)) is ref, rooms.lookup(42) == [(ref, None)]
(True, True)
>>> ref.stop(), rooms.lookup(42), rooms.stop()
(True, [], True)

With `keys="duplicate"` a key has any number of holders, which `dispatch` reaches at once. What is
done with a registry is in `RegistryRef`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar

from supervisors._runtime.calling import start_and_wait, take_options
from supervisors._runtime.names import via, whereis
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.registry_book import RegistryBook
from supervisors.child_spec import UNSET, ChildSpec, refuse_unknown, word
from supervisors.errors import ChildSpecError, SpecProblem
from supervisors.gen_server import GenServer
from supervisors.registry_ref import RegistryRef

__all__ = ["Keys", "Registry", "via", "whereis"]


_SPEC_KEYS = ("id", "name", "restart", "shutdown", "type", "significant", "on_stuck")


class Keys(StrEnum):
    """Whether a key has one holder or many."""

    UNIQUE = "unique"
    DUPLICATE = "duplicate"


class Registry(GenServer):
    """A table of keys as a supervised actor; the table is read and written without asking it.

    An actor is linked to the registries it has keys in: when a registry ends, so do they (S138).

    Example:
        >>> from supervisors import GenServer
        >>> topics = Registry.start_link(keys="duplicate")
        >>> ref = GenServer.start()
        >>> topics.register("news", 1, owner=ref)
        >>> topics.register("news", 2, owner=ref)
        >>> topics.values("news", ref), topics.stop()
        ([1, 2], True)
        >>> Registry.start_link(keys="both")
        Traceback (most recent call last):
        supervisors.errors.ChildSpecError: keys must be one of 'unique', 'duplicate', not 'both'
    """

    ref_class: ClassVar[type[ActorRef]] = RegistryRef
    # Registrants are linked to it; their ends are no reason for it to end.
    trap_exit = True

    @classmethod
    def start_link(
        cls,
        *,
        keys: str = Keys.UNIQUE,
        name: Any = None,
        listeners: Iterable[Any] = (),
        **options: Any,
    ) -> Any:
        """Start a registry, linked; return its ref.

        Args:
            keys: "unique", or "duplicate" for keys that many actors hold, one of them many times.
            name: a name to register it under, by which `via()` finds it.
            listeners: names or refs of actors that get `KeyRegistered` and `KeyUnregistered` in
                `handle_info`, a plain Pykka actor by `tell`; a name that nobody has at that moment
                is passed over.
            **options: `start_timeout` and `dispatcher`, as for any actor.

        Raises:
            ChildSpecError: `keys` is neither "unique" nor "duplicate", an option is unknown, or a
                listener is no name.
        """
        given = _checked(keys, listeners, options)
        return start_and_wait(cls, (), {**given, "name": name}, linked=True)

    @classmethod
    def start(
        cls,
        *,
        keys: str = Keys.UNIQUE,
        name: Any = None,
        listeners: Iterable[Any] = (),
        **options: Any,
    ) -> Any:
        """Start it without a link; takes and raises what start_link() does."""
        return start_and_wait(cls, (), {**_checked(keys, listeners, options), "name": name})

    @classmethod
    def child_spec(  # type: ignore[override]
        cls, *, keys: str = Keys.UNIQUE, listeners: Iterable[Any] = (), **keywords: Any
    ) -> ChildSpec:
        """Return how a supervisor starts this registry; takes the keys of a child specification.

        Raises:
            ChildSpecError: as start_link().
        """
        options = {key: keywords[key] for key in keywords if key not in _SPEC_KEYS}
        name = keywords.get("name")
        keywords.setdefault("id", UNSET if name is None else name)
        return super().child_spec(**{**keywords, **_checked(keys, listeners, options)})

    def init(self, keys: str = Keys.UNIQUE, listeners: Iterable[Any] = ()) -> None:
        """Open the table."""
        unique = _kind(keys) is Keys.UNIQUE
        book = RegistryBook(self._process, unique=unique, listeners=_as_listeners(listeners))
        self._process.bound().name_book = book

    def handle_info(self, message: Any) -> None:
        """Ignore the ends of registrants; their keys are free already (S134)."""


def _checked(keys: object, listeners: object, options: dict[str, Any]) -> dict[str, Any]:
    """Check what a registry is started with and return the arguments of every start."""
    own = {"keys": _kind(keys), "listeners": _as_listeners(listeners)}
    taken, unknown = take_options(options)
    choices = ("keys", "name", "start_timeout", "dispatcher", "listeners")
    refuse_unknown(unknown, choices, "option", "a registry")
    return {**taken.given(), **own}


def _kind(keys: object) -> Keys:
    return word(Keys, keys, SpecProblem.UNKNOWN_KEY, "keys")


def _as_listeners(listeners: object) -> tuple[Any, ...]:
    if isinstance(listeners, str | bytes) or not isinstance(listeners, Iterable):
        text = f"listeners must be a list of names or refs, not a {type(listeners).__name__}"
        raise ChildSpecError(SpecProblem.BAD_NAME, text, listeners)
    found = tuple(listeners)
    for listener in found:
        if listener is None:
            text = "None is no name of a listener: give any other hashable, or a ref"
            raise ChildSpecError(SpecProblem.BAD_NAME, text)
        whereis(listener)
    return found

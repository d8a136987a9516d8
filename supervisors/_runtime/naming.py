"""Further names for actors that live, those of plain Pykka too."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from supervisors._runtime.foreign import any_process_of
from supervisors._runtime.names import book_and_key
from supervisors.errors import ChildSpecError, SpecProblem

if TYPE_CHECKING:
    import pykka

__all__ = ["register_name"]


def register_name(name: Hashable, ref: pykka.ActorRef[Any]) -> bool:
    """Give a living actor, of plain Pykka too, a (further) plain name; False when it is taken.

    Raises:
        ChildSpecError: None is no name, and a name must be hashable (S129).

    Example:
        >>> from supervisors import GenServer, whereis
        >>> ref = GenServer.start()
        >>> register_name("example-name", ref), whereis("example-name") is ref, ref.stop()
        (True, True, True)
        >>> whereis("example-name") is None
        True
    """
    if name is None:
        text = "None is no name: give any other hashable"
        raise ChildSpecError(SpecProblem.BAD_NAME, text)
    book, key, value = book_and_key(name)
    process = any_process_of(ref, "register_name")
    if process is None or book.claim(key, process, value) is not None:
        return False
    return not process.has_ended()

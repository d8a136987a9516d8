"""What an actor's state is to others, and what of it may be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from supervisors.exits import ExitReason

if TYPE_CHECKING:
    from supervisors._runtime.actor import Actor

__all__ = ["StatusParts", "attributes_of", "change_code", "format_parts", "replace_attributes"]

_OWN = frozenset({"_process", "_stopped_event"})


class StatusParts(msgspec.Struct, frozen=True):
    """What `format_status` may show: the content, which reports leave out by themselves.

    `state` is what `introspect.get_state()` returns. `message` and `reason` are those of a crash:
    the message that was being handled, None where it was none, and the exit reason. In
    `introspect.get_status()` both are None.
    """

    state: Any
    message: Any = None
    reason: ExitReason | None = None

    def __repr__(self) -> str:
        """Name the types, not the content."""
        return (
            f"StatusParts(state={type(self.state).__name__}, "
            f"message={type(self.message).__name__}, reason={self.reason!r})"
        )


def attributes_of(actor: Actor) -> dict[str, Any]:
    """Return a shallow copy of the attributes that are the user's own."""
    # A copy in one step first: a fenced-off handler may still be adding attributes.
    return {name: value for name, value in vars(actor).copy().items() if not _is_ours(name)}


def replace_attributes(
    actor: Actor, fn: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> dict[str, Any]:
    """Set the user's attributes to what `fn` makes of a copy of them; all or none.

    Raises:
        TypeError: `fn` returned no mapping of attribute names.
        ValueError: a name belongs to the framework.
    """
    old = attributes_of(actor)
    new = fn(dict(old))
    if not isinstance(new, Mapping) or not all(isinstance(name, str) for name in new):
        msg = (
            "the function must return a mapping of attribute names to values, "
            f"not a {type(new).__name__}: the state was left as it was"
        )
        raise TypeError(msg)
    wrong = [name for name in new if _is_ours(name)]
    if wrong:
        msg = f"{wrong[0]!r} belongs to the framework: the state was left as it was"
        raise ValueError(msg)
    new = dict(new)
    attributes = vars(actor)
    for name in old.keys() - new.keys():
        del attributes[name]
    attributes.update(new)
    return new


def change_code(actor: Actor, change: Callable[[], object]) -> None:
    """Let a suspended actor change its class and attributes; all or none.

    Raises:
        RuntimeError: the actor is not suspended.
        Exception: what `change` raised.
    """
    if not actor._process.mailbox.suspended:
        msg = f"{actor} is not suspended: suspend() it, then change its code, then resume() it"
        raise RuntimeError(msg)
    cls, old = type(actor), attributes_of(actor)
    try:
        change()
    except BaseException:
        actor.__class__ = cls
        attributes = vars(actor)
        for name in attributes_of(actor).keys() - old.keys():
            del attributes[name]
        attributes.update(old)
        raise
    finally:
        actor._otp_look_again()


def format_parts(actor: Actor, parts: StatusParts) -> tuple[Any, str | None]:
    """Return what `format_status` makes of the parts, and the name of the error if it raised."""
    try:
        return actor.format_status(parts), None
    except BaseException as error:  # noqa: BLE001  a hook of the user's must hide nothing (S176)
        return None, type(error).__name__


def _is_ours(name: str) -> bool:
    return name in _OWN or name.startswith("_otp_")

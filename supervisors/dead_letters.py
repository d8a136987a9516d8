"""Dead letters: messages that nobody will handle, as a stream to subscribe to.

A message becomes one when its actor ended before its turn came, when it was cast to a dead actor,
or when a full mailbox dropped it. Who waits for an answer gets an error instead, so a call is
never a dead letter. Letters bear the type of the message, not its content.

>>> from supervisors import GenServer
>>> ref = GenServer.start()
>>> ref.stop()
True
>>> with subscribe(print):
...     ref.cast({"token": "secret"})            # doctest: +ELLIPSIS
DeadLetter(actor='GenServer (urn:uuid:...)', message_type='dict', why=<Why.ENDED: 'ended'>)
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Self

import msgspec

from supervisors.telemetry import Event, attach, detach

__all__ = ["DeadLetter", "Subscription", "Why", "subscribe"]

_EVENT: Event = ("supervisors", "dead_letter")

_telling = threading.local()


class Why(StrEnum):
    """What made a message a dead letter."""

    ENDED = "ended"
    MAILBOX_FULL = "mailbox_full"


class DeadLetter(msgspec.Struct, frozen=True):
    """One message that nobody will handle.

    Attributes:
        actor: class and name, or URN, of the actor it was for.
        message_type: the name of the message's type.
        why: "ended" or "mailbox_full".

    Example:
        >>> DeadLetter("Cache ('cache')", "dict", Why("ended")).message_type
        'dict'
    """

    actor: str
    message_type: str
    why: Why


class Subscription:
    """A running subscription; `cancel()` ends it, and so does the end of a `with` block.

    Example:
        >>> subscribe(print).cancel()
        True
    """

    def __init__(self, fn: Callable[[DeadLetter], object]) -> None:
        """Made by `subscribe()`."""
        if not callable(fn):
            msg = f"a subscriber to dead letters is a function, not {fn!r}"
            raise TypeError(msg)
        self._fn = fn
        self._id = f"supervisors.dead_letters.{uuid.uuid4()}"
        attach(self._id, _EVENT, self._tell)

    def _tell(
        self, _: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any], __: Any
    ) -> None:
        # A subscriber that sends to a dead actor would be told of that for ever.
        if getattr(_telling, "busy", False):
            return
        _telling.busy = True
        try:
            why = Why(metadata["why"])
            self._fn(DeadLetter(metadata["actor"], metadata["message_type"], why))
        finally:
            _telling.busy = False

    def cancel(self) -> bool:
        """Stop; tell whether it was running. One whose function raised has stopped by itself."""
        return detach(self._id)

    def __enter__(self) -> Self:
        """Use the subscription in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel it."""
        self.cancel()


def subscribe(fn: Callable[[DeadLetter], object]) -> Subscription:
    """Call `fn` with every dead letter from now on, in the thread in which it becomes one.

    It must be quick and must not wait; `ref.send_info` is a good one. If it raises it is called no
    more, which is told as ("supervisors", "telemetry", "handler_failed"). Letters that it causes
    itself are not told. Safe from any thread.

    Raises:
        TypeError: `fn` cannot be called.
    """
    return Subscription(fn)

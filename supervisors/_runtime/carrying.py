"""Lets somebody see each `ask`, and carry what the asker's thread has set to the handler.

While nobody does, `ActorRef.ask` and the items it sends are what they always are, so nobody pays:
who carries takes the place of the method and of the class, as an observer takes that of an actor's
receive (`observed`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from supervisors._locks import new_lock
from supervisors._runtime import ref as refs
from supervisors._runtime.items import Asked, Carried
from supervisors._runtime.reply import Reply

__all__ = ["Carrier", "carry", "carry_no_more", "ended"]

_plain_ask = refs.ActorRef.ask
_lock = new_lock()
# Who carries: one, or none.
_carrying: list[Carrier] = []


class Carrier(Protocol):
    """Who carries. Its methods run in the asker's thread and must not raise."""

    def ask(self, target: refs.ActorRef, send: Callable[[], Any], *, block: bool) -> Any:
        """Return what `send()` returns: the reply, or a future of it where `block` is false."""
        ...

    def around(self) -> AbstractContextManager[object] | None:
        """Return what is to surround the handler, made while `send()` runs; None for nothing."""
        ...


def carry(carrier: Carrier) -> bool:
    """Have this one carry from now on; False when somebody does already. Safe from any thread."""
    with _lock:
        if _carrying:
            return False
        _carrying.append(carrier)
        inside = threading.local()

        def ask(
            self: refs.ActorRef,
            message: Any,
            *,
            block: bool = True,
            timeout: float | timedelta | None = None,
        ) -> Any:
            def send() -> Any:
                # Only for this one item: what is asked while this thread waits has its own.
                inside.around = carrier.around()
                return _plain_ask(self, message, block=block, timeout=timeout)

            return carrier.ask(self, send, block=block)

        def make() -> Asked:
            around, inside.around = getattr(inside, "around", None), None
            if around is None:
                return Asked()
            call = Carried()
            call.around = around
            return call

        refs.ActorRef.ask = ask  # type: ignore[method-assign]
        refs.new_asked = make
    return True


def carry_no_more(carrier: Carrier) -> None:
    """Ask plainly again. Harmless when this one does not carry. Safe from any thread."""
    with _lock:
        if carrier not in _carrying:
            return
        _carrying.clear()
        refs.ActorRef.ask = _plain_ask  # type: ignore[method-assign]
        refs.new_asked = Asked


def ended(future: Any, call: Callable[[BaseException | None], None]) -> None:
    """Call once the future has its outcome: with the exception, or None; in whichever thread."""
    if not isinstance(future, Reply):
        call(None)
        return

    def tell(reply: Any) -> None:
        # Not by get(): to raise the error would lengthen the traceback that its asker sees.
        ok, value = reply._cell[0]
        call(None if ok else value)

    future.add_done_callback(tell)

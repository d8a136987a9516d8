"""Threads that must not wait, and one place for the supervisors' private thread register.

A wait for a future asks the host of its thread. The reader's host refuses: what it would wait for
can only come through the reader itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from phoenix_actors.errors import WouldDeadlock
from supervisors._runtime.current import current

if TYPE_CHECKING:
    from supervisors import ActorRef, Reply

__all__ = ["calling_actor", "no_waiting_here", "refuse_waiting"]


class _Refusing:
    """A host whose thread must not wait."""

    def __init__(self, error: type[WouldDeadlock]) -> None:
        self._error = error

    def wait(self, reply: Reply, timeout: float | None) -> NoReturn:
        """Refuse to wait."""
        raise self._error("this call")


@contextmanager
def no_waiting_here(error: type[WouldDeadlock]) -> Iterator[None]:
    """Let every call that would wait raise `error` in this thread, inside the block."""
    before = current.host
    current.host = _Refusing(error)
    try:
        yield
    finally:
        current.host = before


def refuse_waiting(operation: str) -> None:
    """Raise before a call that waits has done anything, where it must not wait.

    Raises:
        WouldDeadlock: on the reader thread.
    """
    if isinstance(current.host, _Refusing):
        raise WouldDeadlock(operation)


def calling_actor() -> ActorRef | None:
    """Return the reference of the actor in whose handler this thread is, or None."""
    process = current.process
    return None if process is None else process.actor_ref

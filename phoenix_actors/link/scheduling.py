"""Threads that must not wait, and one place for the supervisors' private thread register.

A wait for a future asks the host of its thread. The reader's host refuses: what it would wait for
can only come through the reader itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from phoenix_actors.errors import WouldDeadlock
from supervisors._runtime.current import current
from supervisors._runtime.foreign import plain_actor_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisors import Reply
    from supervisors._runtime.process import Process

__all__ = [
    "calling_actor",
    "feeds_below",
    "in_init_below",
    "joins_below",
    "may_wait",
    "no_waiting_here",
    "refuse_waiting",
    "runs_below",
    "without_waiting",
]


T = TypeVar("T")
_P = ParamSpec("_P")


class _Refusing:
    """A host whose thread must not wait."""

    def wait(self, reply: Reply, timeout: float | None) -> NoReturn:
        """Refuse to wait."""
        raise WouldDeadlock("this call")


_REFUSING = _Refusing()


class no_waiting_here:  # noqa: N801  used as a function
    """Let every call that would wait raise WouldDeadlock in this thread, inside the block."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        """Refuse from here on."""
        self._before = current.host
        current.host = _REFUSING

    def __exit__(self, *_: object) -> None:
        """Be as before."""
        current.host = self._before


def without_waiting(call: Callable[_P, T], *args: _P.args, **options: _P.kwargs) -> T:
    """Call, with every call inside it that would wait raising WouldDeadlock in this thread.

    Unlike the block's end, this one cannot be cut short by what a signal's handler raises, which
    would leave a main thread that can never wait again.
    """
    here = current.here
    before = here.host
    try:
        here.host = _REFUSING
        return call(*args, **options)
    finally:
        here.host = before


def may_wait() -> bool:
    """Tell whether this thread may wait, for a reply or for a slow peer."""
    return current.host is not _REFUSING


def refuse_waiting(operation: str) -> None:
    """Raise before a call that waits has done anything, where it must not wait.

    Raises:
        WouldDeadlock: on the reader thread.
    """
    if not may_wait():
        raise WouldDeadlock(operation)


def calling_actor() -> Any:
    """Return the reference of the actor in whose handler this thread is, or None.

    A plain Pykka actor's too; such a one runs in a thread that Pykka has started.
    """
    here = current.here
    if here.process is not None:
        return here.process.actor_ref
    return None if here.is_main else plain_actor_here()


def runs_below(top: Process | None) -> bool:
    """Tell whether this thread is in a handler of that actor or of one that it supervises."""
    process = current.process
    while process is not None and process is not top:
        process = process.parent
    return process is not None


def in_init_below(parent: Process | None) -> bool:
    """Tell whether this thread is in the init of a child of that supervisor."""
    process = current.process
    return process is not None and process.parent is parent and not process.initialised


def joins_below(name: str | None, counters: Any) -> bool:
    """Tell whether this thread is in the init of the actor that joins a client's topic after it.

    Args:
        name: the topic's.
        counters: the client's.
    """
    process, topic = current.process, _topic_here()
    return (
        topic is not None
        and topic.core is None
        and topic.name == name
        and topic.session.counters is counters
        and not process.initialised
    )


def feeds_below(listeners: Any) -> bool:
    """Tell whether this thread is in a handler of the actor that gives these their messages."""
    topic = _topic_here()
    return topic is not None and topic.listeners is listeners


def _topic_here() -> Any:
    """Return the topic of the channel actor that this thread is in; None where it is in none.

    One that was given up has a successor, which joins and gets messages; and a topic that is being
    left ends by other threads, and with it whatever waits for it.
    """
    process = current.process
    if process is None or process.ended:
        return None
    topic = getattr(process.actor, "_phx_topic", None)
    return None if topic is None or topic.leaving else topic

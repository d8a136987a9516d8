"""What lies in a mailbox. Anything that is none of these is a cast and lies there as it is.

A user has some of these in hands: the future that `ask` returns and the sender of a call are calls.
Sent as a message, one must not be taken for the call that it is. So a call that lies in a mailbox
says whose (`to`) until it is taken out, and any other call there is a cast, `Told` to its handlers.
To look at what is told, instead, would cost each `tell` a fifth more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from supervisors._runtime.current import current
from supervisors._runtime.pykka_names import PROXY_MESSAGES, PYKKA_STOP
from supervisors._runtime.reply import Reply
from supervisors.errors import SelfCallError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from supervisors.exits import ExitReason

__all__ = [
    "CALLS",
    "NO_CASTS",
    "Asked",
    "Call",
    "Carried",
    "ChildStop",
    "EndSelf",
    "Forwarded",
    "IdleElapsed",
    "Info",
    "Sender",
    "StopOrder",
    "Told",
    "Urge",
    "as_it_lies",
]


class Sender:
    """Who asked: answer with `reply(value)`, now or later, from any thread (S165).

    Attributes:
        ref: the asking actor's reference, or None when a plain thread asks.
    """

    __slots__ = ()

    ref: Any

    def reply(self, value: Any) -> bool:
        """Answer; tell whether this was the first answer and somebody may still get it."""
        raise NotImplementedError


class Call(Sender):
    """A message whose sender waits for an answer in `future`; one of the three below."""

    __slots__ = ()

    message: Any
    to: Any

    @property
    def future(self) -> Reply:
        """Where the answer goes."""
        raise NotImplementedError


class Asked(Reply, Call):
    """What `ask` sends: the message, who sent it and the future of the answer in one object."""

    __slots__ = ("message", "ref", "to")

    if not TYPE_CHECKING:
        # Made by C code alone, and filled in by whoever makes it: calling an __init__ takes longer
        # than all of that.
        __init__ = object.__init__

    @classmethod
    def of(cls, message: Any, to: Any) -> Self:
        """Make one of what a plain thread asks this process."""
        call = cls()
        call.message, call.ref, call.to = message, None, to
        call._cell, call._callbacks = [], None
        return call

    @property
    def future(self) -> Reply:
        """Where the answer goes."""
        return self

    def reply(self, value: Any) -> bool:
        """Answer; tell whether this was the first answer."""
        return self.settle(value)

    def _await_outcome(self, timeout: float | timedelta | None) -> tuple[bool, Any]:
        to = self.to
        if to is not None and to is current.process and not to.ended:
            # It lies in the mailbox of who would wait for it here.
            raise SelfCallError(to.actor_ref)
        return super()._await_outcome(timeout)


class Carried(Asked):
    """What `ask` sends while somebody carries along what the asker's thread has set.

    It is handled inside `around`, a context manager that was made in that thread.
    """

    __slots__ = ("around",)

    around: AbstractContextManager[object]


class Forwarded(Asked):
    """A call whose future somebody else made: the outcome is passed on to that."""

    __slots__ = ("_outer",)

    def passing_on(self, outer: Reply) -> Self:
        """Pass the outcome on to this future, and return the call."""
        self._outer = outer
        self.add_done_callback(lambda _: outer._settle(self._cell[0]))
        return self

    def settle_quietly(self, outcome: tuple[bool, Any]) -> None:
        """Take (ok, value) as the outcome without calling anybody back: after a fork."""
        super().settle_quietly(outcome)
        self._outer.settle_quietly(outcome)


class Info:
    """A message for handle_info."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        """Keep the message."""
        self.message = message


class Told:
    """A cast whose message is itself something that lies in mailboxes."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        """Keep the message."""
        self.message = message


def as_it_lies(item: Any, process: Any) -> Any:
    """Return what an item means in this process's mailbox: a call that is not for it is a cast."""
    return Told(item) if type(item) in CALLS and item.to is not process else item


class IdleElapsed:
    """The time of a `Timeout` directive is over, unless `turn` is not the present one."""

    __slots__ = ("turn",)

    def __init__(self, turn: int) -> None:
        """Keep which timeout it was."""
        self.turn = turn


class EndSelf:
    """The actor's own stop(): ends it when its turn in the queue comes, as in Pykka."""

    __slots__ = ()


class StopOrder:
    """Control lane: end with `reason`; `reply`, if any, is settled when it is done.

    A supervisor has its children stopped by the moment `deadline`, if there is one.
    """

    __slots__ = ("deadline", "reason", "reply")

    def __init__(
        self, reason: ExitReason, reply: Reply | None = None, deadline: float | None = None
    ) -> None:
        """Keep the reason, who waits, and until when."""
        self.reason = reason
        self.reply = reply
        self.deadline = deadline


class ChildStop(StopOrder):
    """What a supervisor orders that does nothing else before the child has ended."""

    __slots__ = ()


class Urge:
    """Control lane: call `deed(process)` between two messages, in the process's own turn."""

    __slots__ = ("deed",)

    def __init__(self, deed: Any) -> None:
        """Keep what is to be done."""
        self.deed = deed


CALLS: Final = frozenset((Asked, Carried, Forwarded))
"""The classes of a `Call`. To look a type up costs half of `isinstance`."""

NO_CASTS: Final = frozenset((*CALLS, Info, Told, EndSelf, PYKKA_STOP, IdleElapsed, *PROXY_MESSAGES))
"""Types of what a GenServer finds in its mailbox that is no cast."""

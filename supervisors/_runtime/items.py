"""What lies in a mailbox. Anything that is none of these is a cast and lies there as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._runtime.reply import Reply

if TYPE_CHECKING:
    from supervisors.exits import ExitReason

__all__ = ["Call", "EndSelf", "IdleElapsed", "Info", "StopOrder", "Urge"]


class Call:
    """A message whose sender waits for `reply`."""

    __slots__ = ("message", "reply", "sender")

    def __init__(self, message: Any, reply: Reply, sender: Any) -> None:
        """Keep the message, where the answer goes, and the asking actor's ref or None."""
        self.message = message
        self.reply = reply
        self.sender = sender


class Info:
    """A message for handle_info."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        """Keep the message."""
        self.message = message


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


class Urge:
    """Control lane: call `deed(process)` between two messages, in the process's own turn."""

    __slots__ = ("deed",)

    def __init__(self, deed: Any) -> None:
        """Keep what is to be done."""
        self.deed = deed

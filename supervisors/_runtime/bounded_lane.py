"""The user lane of a mailbox with a limit, for actors that set `mailbox_limit`.

An actor without a limit has a plain deque there and pays nothing. Here each put and each take
happens under one lock, so the limit is never exceeded by what is counted.

Only what others send by ask, call, tell, cast and proxies can be refused or dropped. `Down`,
`Exit`, timers, `send_info`, an actor's own stop() and what is unstashed come in whatever lies
there; orders to stop take the control lane, which has no limit.

Laws: an asker whose call does not get in, or is thrown out, gets a `MailboxFullError` at once;
every message that is dropped is counted and told as `("supervisors", "mailbox", "dropped")`.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from supervisors._locks import new_lock
from supervisors._runtime.current import current
from supervisors._runtime.items import Call, EndSelf, IdleElapsed, Info, Told, as_it_lies
from supervisors._runtime.pykka_names import PYKKA_STOP
from supervisors._runtime.reply import Reply
from supervisors._runtime.reports import report_dead_letter
from supervisors.errors import MailboxFullError
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["BoundedLane", "Overflow", "check_bound"]

_EXEMPT = (Info, EndSelf, IdleElapsed, PYKKA_STOP)


class Overflow(StrEnum):
    """What becomes of a message for a full mailbox."""

    ERROR = "error"
    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


def check_bound(owner: str, limit: Any, overflow: Any) -> None:
    """Refuse a limit or a policy that makes no sense.

    Raises:
        ValueError: naming the class and what would do.

    Example:
        >>> check_bound("Cache", 0, "error")
        Traceback (most recent call last):
        ValueError: Cache.mailbox_limit must be a whole number, 1 or more, or None, not 0
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        msg = f"{owner}.mailbox_limit must be a whole number, 1 or more, or None, not {limit!r}"
        raise ValueError(msg)
    if overflow not in list(Overflow):
        choices = ", ".join(repr(str(choice)) for choice in Overflow)
        msg = f"{owner}.mailbox_overflow must be one of {choices}, not {overflow!r}"
        raise ValueError(msg)


class BoundedLane(deque[Any]):
    """A deque whose `append` keeps to the limit and whose `popleft` lets a blocked sender in."""

    def __init__(
        self, process: Process, limit: int, overflow: str, exempt: tuple[type, ...] = ()
    ) -> None:
        """Start empty."""
        super().__init__()
        self.process = process
        self.limit = limit
        self.overflow = Overflow(overflow)
        self.dropped = 0
        self._exempt = (*_EXEMPT, *exempt)
        self._lock = new_lock()
        self._waiting: deque[Reply] = deque()

    def append(self, item: Any) -> None:
        """Put a message in, or do with it, or with the oldest, what the policy says.

        Raises:
            MailboxFullError: the policy refuses a message that nobody waits for an answer to.
            NoProcError: the actor ended while the sender of such a message was blocked.
        """
        item = as_it_lies(item, self.process)
        waits = self.overflow is Overflow.BLOCK and current.process is not self.process
        turn = self._try(item, waits=waits)
        while turn is not None:
            # A pooled actor that waits lends its thread meanwhile.
            turn.get()
            if self.process.mailbox.closed:
                self._let_one_in()
                if isinstance(item, Call):
                    self.process._reject(item)
                    return
                raise self.process.gone()
            turn = self._try(item, waits=waits)

    def _try(self, item: Any, *, waits: bool) -> Reply | None:
        """Put it in or turn one away; or return what to wait for before the next try."""
        with self._lock:
            if len(self) < self.limit or isinstance(item, self._exempt):
                super().append(item)
                return None
            if waits:
                turn = Reply()
                self._waiting.append(turn)
                return turn
            victim = self._make_room(item)
            self.dropped += 1
        self._turn_away(victim, raising=victim is item)
        return None

    def popleft(self) -> Any:
        """Take the next message out, and let the sender that waits longest try again."""
        with self._lock:
            item = super().popleft()
        self._let_one_in()
        return item

    def _let_one_in(self) -> None:
        with self._lock:
            turn = self._waiting.popleft() if self._waiting else None
        if turn is not None:
            turn.settle(value=None)

    def _make_room(self, item: Any) -> Any:
        """Return what has to go, the new message or an old one. Requires holding `_lock`."""
        if self.overflow is Overflow.DROP_OLDEST:
            for index, old in enumerate(self):
                if not isinstance(old, self._exempt):
                    del self[index]
                    super().append(item)
                    return old
        return item

    def _turn_away(self, item: Any, *, raising: bool) -> None:
        error = MailboxFullError(self.process.actor_ref, self.limit)
        message = item.message if isinstance(item, Call | Told) else item
        execute(
            ("supervisors", "mailbox", "dropped"),
            {"count": 1, "dropped": self.dropped, "limit": self.limit},
            {
                "actor": str(self.process.actor_ref),
                "overflow": str(self.overflow),
                "message_type": type(message).__name__,
            },
        )
        if isinstance(item, Call):
            item.future.fail(error)
        elif raising and self.overflow in {Overflow.ERROR, Overflow.BLOCK}:
            raise error
        else:
            report_dead_letter(self.process.actor_ref, item, "mailbox_full")

"""What a GenServer can do with its mailbox: bound it, and put messages aside for later."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from supervisors._runtime.actor import Actor
from supervisors._runtime.current import current
from supervisors._runtime.directives import Continue, Hibernate, Timeout
from supervisors._runtime.doing import STASHED, Doing
from supervisors._runtime.items import Call, EndSelf, IdleElapsed, StopOrder, Urge
from supervisors._runtime.pykka_names import PROXY_MESSAGES
from supervisors._runtime.status import change_code
from supervisors.errors import NotAvailableError, StashFullError
from supervisors.exits import ExitReason

__all__ = ["StashingActor"]

# What a process can be busy with that is no message of a user's.
_NO_MESSAGE = (Doing, Continue, Hibernate, Timeout, EndSelf, IdleElapsed, StopOrder, Urge)


class StashingActor(Actor):
    """An actor whose mailbox can be bounded, and that can put messages aside; see GenServer."""

    mailbox_limit: ClassVar[int | None] = None
    """How many messages may wait before `mailbox_overflow` decides; None is without limit.

    Only ask, call, tell, cast and proxies are held to it. Down, Exit, timers and send_info always
    come in, and orders to stop overtake everything.
    """

    mailbox_overflow: ClassVar[str] = "error"
    """What becomes of a message for a full mailbox.

    "error": ask and tell raise MailboxFullError, a cast is dropped. "block": the sender waits for
    room, however long that takes, and gets NoProcError when the actor ends meanwhile; the actor
    itself gets MailboxFullError. "drop_oldest": what has
    waited longest is dropped. "drop_newest": the new one is. The asker of a dropped call gets
    MailboxFullError; each dropped message is told as ("supervisors", "mailbox", "dropped"), and
    one that nobody waits for as a dead letter, too.
    """

    stash_limit: ClassVar[int] = 1000
    """How many messages stash() puts aside; one more raises StashFullError."""

    # Further types that mailbox_limit does not concern.
    _otp_unbounded: ClassVar[tuple[type, ...]] = ()
    _otp_stash: deque[Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse limits that make no sense where the class is written."""
        super().__init_subclass__(**kwargs)
        if cls.mailbox_limit is not None or cls.mailbox_overflow != "error":
            from supervisors._runtime.bounded_lane import check_bound

            check_bound(cls.__name__, cls.mailbox_limit, cls.mailbox_overflow)
        limit = cls.stash_limit
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            msg = f"{cls.__name__}.stash_limit must be a whole number, 1 or more, not {limit!r}"
            raise ValueError(msg)

    def _otp_furnish_mailbox(self) -> None:
        limit = self.mailbox_limit
        if limit is not None:
            from supervisors._runtime.bounded_lane import BoundedLane, check_bound

            check_bound(type(self).__name__, limit, self.mailbox_overflow)
            lane = BoundedLane(self._process, limit, self.mailbox_overflow, self._otp_unbounded)
            self._process.mailbox.user = lane

    # ---- the stash ----------------------------------------------------------------------------

    def code_change(self, *args: Any, **kwargs: Any) -> None:
        """Bring the state into the shape that new code wants; `introspect.change_code()` calls it.

        Runs in the suspended actor. It may set `self.__class__` to the new class. Where it raises,
        attributes and class are what they were.
        """
        what = f"change_code of a {type(self).__name__}, which has no code_change() of its own"
        raise NotAvailableError(what)

    def _otp_change_code(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        change_code(self, lambda: self.code_change(*args, **kwargs))

    def stash(self) -> None:
        """Put the message that is being handled aside, until unstash_all().

        Only inside handle_call, handle_cast, handle_info and on_receive; once for each message.
        What the handler returns then is no reply: the asker goes on waiting. When the actor ends,
        whoever asked gets NoProcError, and the other stashed messages become dead letters.

        Example:
            >>> from supervisors import GenServer
            >>> class Door(GenServer):
            ...     open = False
            ...     def handle_cast(self, message):
            ...         self.open = True
            ...         self.unstash_all()
            ...     def handle_call(self, request, sender):
            ...         return request if self.open else self.stash()
            >>> door = Door.start()
            >>> early = door.ask("knock", block=False)
            >>> door.tell("open")
            >>> early.get(timeout=10), door.stop()
            ('knock', True)

        Raises:
            StashFullError: `stash_limit` messages are stashed already.
            RuntimeError: no message is being handled, or it was stashed already.
        """
        process = self._process
        item = self._otp_own_turn("stash").handling
        message = item.message if isinstance(item, Call) else item
        if isinstance(item, _NO_MESSAGE) or isinstance(message, PROXY_MESSAGES):
            msg = "stash() puts aside the message of a handler, once: there is none here"
            raise RuntimeError(msg)
        if self._otp_stash is None:
            self._otp_stash = deque()
        if len(self._otp_stash) >= self.stash_limit:
            raise StashFullError(self, self.stash_limit)
        self._otp_stash.append(item)
        process.handling = STASHED
        if process.ended:
            # Fenced off meanwhile: nobody will unstash it.
            self._otp_drop_stash()

    def unstash_all(self) -> int:
        """Handle all stashed messages next, in their order, before those that wait; count them.

        Only inside the actor.

        Raises:
            RuntimeError: called from elsewhere.
        """
        mailbox = self._otp_own_turn("unstash_all").mailbox
        stash, self._otp_stash = self._otp_stash, None
        if not stash:
            return 0
        mailbox.lane().extendleft(map(self._otp_anew, reversed(stash)))
        if mailbox.closed:
            # As for every put: first in, then this look.
            mailbox.drain()
        return len(stash)

    def _otp_own_turn(self, what: str) -> Any:
        if current.process is not self._process:
            msg = f"{what}() is for the actor's own handlers: send it a message instead"
            raise RuntimeError(msg)
        return self._process

    def _otp_after_end(self, reason: ExitReason) -> None:
        if self._otp_stash:
            self._otp_drop_stash()

    def _otp_drop_stash(self) -> None:
        stash = self._otp_stash
        while stash:
            try:
                item = stash.popleft()
            except IndexError:
                return
            self._process._reject(self._otp_anew(item))

    def _otp_anew(self, item: Any) -> Any:
        """Return what was stashed, as it is to lie in the mailbox again."""
        if isinstance(item, Call):
            item.to = self._process
        return item

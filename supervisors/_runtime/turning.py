"""The turns of a process: what it does with its messages and orders, a batch at a time.

This is run for every message, so the ways that nearly all of them take are the short ones, and what
most processes never are has one flag for all of it. `steady`: there is nothing to look at before a
turn, for the process neither boots nor is suspended, and has a control lane. `direct`: there is
nothing to look at before a message, for the actor is a GenServer that takes every cast in its
`handle_cast`; it neither sleeps nor waits for a Timeout, nobody watches it, and it has not ended.
It holds the type of the last cast then, so one look tells both that and what the next one is. Who
makes either untrue says so first, but who ends it right after `ended`; that one is untrue too long
costs time alone.

Before and after each handler `handling` is set first, and `direct`, or `ended`, looked at then;
`kill` does it the other way round. Most turns have one message, so to count them begins with the
second.
"""

from __future__ import annotations

import os
from collections import deque
from itertools import repeat, starmap
from operator import length_hint
from typing import TYPE_CHECKING, Any

from supervisors._runtime import unstopped
from supervisors._runtime.doing import IDLE
from supervisors._runtime.inlet import Inlet
from supervisors._runtime.inquiry import Inquiry
from supervisors._runtime.items import CALLS, NO_CASTS, Asked, StopOrder, Told, Urge
from supervisors._runtime.mailbox import NO_CONTROL, NOTHING
from supervisors._runtime.reports import report_returned
from supervisors._runtime.turns import BATCH
from supervisors.exits import Abandoned, Crashed, Normal, Shutdown

if TYPE_CHECKING:
    from supervisors._runtime.current import Here

__all__ = ["Turning"]

# So many messages must lie there after a batch's first for `_take_many` to take less time.
_FEW = 24
_REST = BATCH - 1
# Reasons of ends that are no kill's; who is killed may have been abandoned.
_OWN = frozenset((Crashed, Normal, Shutdown))


class Turning(Inlet):
    """The part of a process that runs; all of it is for the holder of the slot."""

    __slots__ = ("_thread_id", "direct", "steady")

    _boot: Any
    # False, or the type of the last cast that was handled so; True before the first.
    direct: type | bool
    handling: Any

    def take_turn(self, budget: int, here: Here) -> bool:
        """Handle up to `budget` messages; when none is left, give the slot back.

        Only for `run_turn` and what does as it does: afterwards nobody is `here`'s process, and an
        error of the runtime's own leaves this half way. True: the slot is held still, to go on.
        """
        actor: Any = self.actor
        if self.steady:
            user = self.user
        elif self._boot is not None:
            return self._take_first_turn(here)
        else:
            user = self._find_lane()
        control = self.control
        self._thread_id = here.ident
        here.process = self
        while True:
            if control:
                if self._obey_next() or self.ended or not (user or control):
                    break
                continue
            try:
                item = user.popleft()
            except IndexError:  # drained by who ended the process
                break
            self.handling = item
            kind = type(item)
            try:
                # As _otp_receive, without its call.
                if kind is self.direct:
                    result = actor.handle_cast(item)
                    if result is not None:
                        actor._otp_follow(result, None)
                elif kind is Asked and item.to is self and self.direct is not False:
                    actor._otp_answer(item)
                else:
                    self.take_other(actor, kind, item)
            except BaseException as error:  # noqa: BLE001  what a handler raises ends it alone
                self._self.crash(error, item)
            self.handling = IDLE
            if not user and not control:
                break
            budget -= 1
            if not budget:
                break
            if budget == _REST and len(user) > _FEW:
                budget -= self._take_many(user, control, min(len(user), budget))
                if not budget or not (user or control):
                    break
        here.process = None
        if self.ended:
            return self._depart(here)
        # As give_back_slot, without its call.
        self.slot.append(self)
        return bool(self.user or control) and self.retake_slot()

    def take_turn_again(self, here: Here) -> bool:
        """Take the slot and a turn, if the slot is free and anything waits; answers as a turn."""
        return self.retake_slot() and self.take_turn(BATCH, here)

    def _take_many(self, user: deque[Any], control: list[Any], most: int) -> int:
        """Handle up to so many messages, as above, until there is an order; return how many.

        It takes less for each: C code takes them out, still one by one.
        """
        actor: Any = self.actor
        rest = repeat((), most)
        try:
            for item in starmap(user.popleft, rest):
                self.handling = item
                kind = type(item)
                try:
                    # As _otp_receive, without its call.
                    if kind is self.direct:
                        result = actor.handle_cast(item)
                        if result is not None:
                            actor._otp_follow(result, None)
                    elif kind is Asked and item.to is self and self.direct is not False:
                        actor._otp_answer(item)
                    else:
                        self.take_other(actor, kind, item)
                except BaseException as error:  # noqa: BLE001  as above
                    self._self.crash(error, item)
                self.handling = IDLE
                if control:
                    break
        except IndexError:  # drained, as above
            if not self.ended:
                raise
        return most - length_hint(rest)

    def take_other(self, actor: Any, kind: type, item: Any) -> None:
        """Handle a message that is no cast of the same type as the last one, or reject it.

        A call that is not for this process is one that it is told of.
        """
        if kind is Asked and item.to is self and self.direct is not False:
            actor._otp_answer(item)
            return
        if self.direct is False:
            if self.ended:
                self._reject(item)
                return
        elif kind not in NO_CASTS:
            self.direct = kind
            # Looked at afterwards, for who ends it does it the other way round.
            if self.ended:
                self.direct = False
            result = actor.handle_cast(item)
            if result is not None:
                actor._otp_follow(result, None)
            return
        if kind in CALLS:
            if item.to is self:
                item.to = None
            else:
                item = self.handling = Told(item)
        actor._otp_receive(item)

    def _take_first_turn(self, here: Here) -> bool:
        """Begin in a turn of its own: who waits for the start comes before any handler."""
        boot, self._boot = self._boot, None
        return boot is not None and not self.ended and bool(boot(self._self, here))

    def _find_lane(self) -> deque[Any]:
        """Return where messages are to be taken from, once the process has begun."""
        mailbox = self.mailbox
        if mailbox.control is NO_CONTROL:
            mailbox.control_lane()
        self.steady = not mailbox.suspended
        return mailbox.user if self.steady else NOTHING

    def _depart(self, here: Here) -> bool:
        """Leave a process that has ended, which needs no further turn."""
        self.handling = IDLE
        self._come_back()
        if here.forked:
            # The handler has forked and this is the child, whose only purpose is over.
            os._exit(0)
        return False

    def _come_back(self) -> None:
        """Tell that the thread has left a process that was fenced off."""
        if type(self.reason) in _OWN:
            # It was no kill, so it stays so.
            return
        with self.claim:
            fenced = isinstance(self.reason, Abandoned)
        if fenced and unstopped.note_returned(self._self):
            report_returned(self.actor_ref)

    def _obey_next(self) -> bool:
        """Carry out the next order; answers as `obey`."""
        try:
            order = self.mailbox.control.popleft()
        except IndexError:  # drained, as above
            return False
        return self.obey(order)

    def obey(self, order: StopOrder | Urge) -> bool:
        """Carry out one order; True when what runs may have changed, so the batch is over."""
        self.handling = order
        try:
            if self.ended:
                self._reject(order)
            elif isinstance(order, Urge):
                order.deed(self._self)
            else:
                if order.reply is not None:
                    self.await_end(order.reply)
                self.actor._otp_stop_ordered(order.reason)
        except BaseException as error:  # noqa: BLE001  as for handlers
            self._self.crash(error, order)
        self.handling = IDLE
        if isinstance(order, Inquiry):
            self.steady = False
            return True
        return False

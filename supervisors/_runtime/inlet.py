"""The way into a process: who puts something into its mailbox has a turn run.

A turn that one of the runtime's own steps causes may run in the thread that caused it, see
`handover`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.giving_way import asked, give_way
from supervisors._runtime.handover import runs_here
from supervisors._runtime.in_place import end_idle
from supervisors._runtime.inquiry import Inquiry
from supervisors._runtime.items import Call, StopOrder, Urge, as_it_lies
from supervisors._runtime.reports import report_dead_letter
from supervisors._runtime.ties import Ties
from supervisors._runtime.turns import run_turn
from supervisors.errors import NoProcError

if TYPE_CHECKING:
    from supervisors._runtime.actor import Actor
    from supervisors._runtime.dispatcher import Dispatcher
    from supervisors._runtime.mailbox import Mailbox
    from supervisors._runtime.process import Process
    from supervisors._runtime.ref import ActorRef
    from supervisors.exits import ExitReason

__all__ = ["Inlet"]


class Inlet(Ties):
    """The part of a process that takes messages and orders; all of it is safe from any thread."""

    __slots__ = ()

    actor: Actor
    actor_ref: ActorRef
    # Set before the slot can be taken.
    dispatcher: Dispatcher
    label: str | None
    mailbox: Mailbox
    parent: Process | None
    reason: ExitReason | None

    @property
    def _self(self) -> Process:
        """The process that this is a part of."""
        return self  # type: ignore[return-value]

    def path(self) -> str:
        """Return the labels of its supervisors and its own, joined by "/"."""
        labels = [self._own_label()]
        above = self.parent
        while above is not None:
            labels.append(above._own_label())
            above = above.parent
        return "/".join(reversed(labels))

    def _own_label(self) -> str:
        return str(self.label or self.actor_ref.name or type(self.actor).__name__)

    def gone(self) -> NoProcError:
        """Return the error for who still expected something of this process."""
        return NoProcError(self.actor_ref, self.reason)

    def post(self, item: Any) -> None:
        """Put a message into the user lane. Safe from any thread, never raises."""
        self.mailbox.add(item)
        self.offer()

    def post_all(self, items: list[Any]) -> None:
        """Put several messages into the user lane, nothing between them. Safe from any thread."""
        self.mailbox.add_all(items)
        self.offer()

    def order(self, item: StopOrder | Urge) -> None:
        """Put an order into the control lane. Safe from any thread, never raises."""
        self.mailbox.add_control(item)
        self.offer()

    def offer(self) -> None:
        """Have a turn run, unless one runs or will: who ends that looks into the mailbox again."""
        if self.mailbox.slot:
            self.dispatcher.offer(self._self)
        elif asked:
            give_way(asked)

    def schedule(self) -> None:
        """Have a turn run; only for who has just taken the mailbox's slot."""
        self.dispatcher.schedule(self._self)

    def schedule_elsewhere(self) -> None:
        """Have a turn run by a thread that is free: this one may be busy for long."""
        dispatcher: Any = self.dispatcher
        getattr(dispatcher, "schedule_elsewhere", dispatcher.schedule)(self)

    def _reject(self, item: Any) -> None:
        """Answer for a message that will never be handled."""
        match as_it_lies(item, self):
            case Call() | Inquiry():
                item.future.fail(self.gone())
            case StopOrder(reply=reply):
                if reply is not None:
                    # It was alive when this was ordered, and is told to have stopped when it has.
                    self.await_end(reply)
            case Urge():
                pass
            case _:
                report_dead_letter(self.actor_ref, item)

    def post_next(self, item: Any) -> None:
        """Post a message of the runtime's own to a supervisor; its turn may run in this thread."""
        if current.is_main:
            # It runs nothing here, and an interrupt must not fall between the slot and the queue.
            self.post(item)
        elif self.mailbox.put(item) and not runs_here(self._self, self.dispatcher, to_callers=True):
            self.schedule()

    def order_next(self, order: StopOrder) -> None:
        """Order the end; the turn it causes may run in this thread."""
        if current.is_main:
            self.order(order)
            return
        if not self.mailbox.put_control(order):
            return
        if not runs_here(self._self, self.dispatcher, to_callers=self.actor._otp_plain_end):
            self.schedule()

    def order_from_supervisor(self, order: StopOrder) -> None:
        """Order the end, from within the supervisor's turn; what runs no user's code ends now."""
        if end_idle(self._self, order.reason) or not self.mailbox.put_control(order):
            return
        dispatcher = self.dispatcher
        if not getattr(dispatcher, "runs_in_any_thread", False):
            self.schedule()
        elif self.actor._otp_plain_end:
            if run_turn(self._self):
                self.schedule()
        elif not runs_here(self._self, dispatcher, to_callers=False):
            self.schedule()

"""The actor around a supervisor's machine: it turns messages into events and carries out commands.

It never waits: starts and stops of children are answered by messages, deadlines are timers, so
that a slow child holds no thread and the machine's order alone decides what happens when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pykka import messages

from supervisors._machines.requests import describe
from supervisors._machines.supervision import SupervisionMachine
from supervisors._machines.vocabulary import (
    BootRequested,
    ChildAbandoned,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildReturned,
    ChildStarted,
    RequestReceived,
    ShutdownRequested,
    SupervisorInfo,
    TimerFired,
)
from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.feeding import FeedingActor
from supervisors._runtime.first_turn import DEFERRED, IGNORED, READY
from supervisors._runtime.in_place import leave
from supervisors._runtime.inheriting import inherit
from supervisors._runtime.items import Call, ChildStop, EndSelf, Info, StopOrder, Told
from supervisors._runtime.planning import Plan, SupervisorRequest
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process
from supervisors._runtime.reply import Reply
from supervisors._runtime.starting import StartingActor, attach_begun, child_turn
from supervisors._runtime.timers import timers
from supervisors._runtime.turns import BATCH
from supervisors.clock import chance
from supervisors.errors import UnexpectedMessageError
from supervisors.exits import Abandoned, Exit, ExitReason, Normal
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.current import Here

__all__ = ["Plan", "SupervisingActor", "SupervisorRequest"]

_NEWS = (ChildStarted, ChildIgnored, ChildFailed, ChildExited, ChildAbandoned, ChildReturned)
_EVENTS = (*_NEWS, TimerFired)


# By which number its supervisor knows a living actor; an AttributeError where that is not told.
_number: Callable[[Any], int] = attrgetter("process.incarnation")


class SupervisingActor(FeedingActor):
    """What static and dynamic supervisors have in common; not for direct use."""

    trap_exit = True

    _otp_comes_up_at_once = False

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan | None:
        """Return what to be, or None to be ignored."""
        raise NotImplementedError

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plan = self._otp_plan(args, kwargs)
        if plan is None:
            return IGNORED
        self._otp_lives = {}
        # What is to be given to the machine next, before any message.
        self._otp_news = deque()
        # Whose requests are open; the process fails them when it ends.
        self._otp_asked = set()
        self._process.keep_open(self._otp_asked)
        self._otp_timers = {}
        flags, children = plan.flags, plan.children
        self._otp_machine = SupervisionMachine(flags, children, chance, self._otp_end_now, _number)
        if not children:
            return READY
        inherit(self._process, self._otp_machine)
        self._otp_feed(BootRequested(self._otp_start_now()))
        return DEFERRED

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Notice whether the class looks at what it gets before the machine does."""
        super().__init_subclass__(**kwargs)
        cls._otp_feeds_at_once = cls._otp_receive is SupervisingActor._otp_receive
        cls._otp_starts_in_rows = cls._otp_prepare is StartingActor._otp_prepare

    def _otp_receive(self, item: Any) -> None:
        process = self._process
        # Only user code, such as a child's __init__, is something that a kill can meet.
        process.handling = IDLE
        if isinstance(item, _EVENTS):
            if type(item) is ChildExited:
                begun = self._otp_hear_end(item)
                if begun is not None:
                    attach_begun(begun)
            else:
                self._otp_feed(item)
        elif isinstance(item, Call) and isinstance(item.message, SupervisorRequest):
            self._otp_serve(item.message, item.future)
        elif type(item) is EndSelf or type(item) is messages._ActorStop:
            self._otp_stop_ordered(Normal())
        elif type(item) is not Info or not isinstance(item.message, Exit):
            # Children are watched without links; an Exit from anybody else means nothing (S87).
            self._otp_refuse(item)

    def _otp_serve(self, request: SupervisorRequest, reply: Reply) -> None:
        """Take a request; its asker is told of the end, should that come before the answer."""
        process = self._process
        self._otp_asked.add(reply)
        if process.ended:
            reply.fail(process.gone())
            return
        if self._otp_refuses(reply):
            return
        self._otp_feed(RequestReceived(reply, request.verb, request.argument))

    def _otp_refuse(self, item: Any) -> None:
        """Refuse and report what is no request; it must not cost a subtree (S87, S101)."""
        message = item.message if isinstance(item, Call | Info | Told) else item
        if isinstance(item, Call):
            item.future.fail(UnexpectedMessageError(self, message))
        execute(
            ("supervisors", "actor", "unexpected_message"),
            {"count": 1},
            {"actor": str(self), "message_type": type(message).__name__},
        )

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        if self._otp_machine is None:
            self._process.end(reason)
            return
        order, self._process.handling = self._process.handling, IDLE
        if type(order) is ChildStop:
            self._otp_is_awaited = True
        deadline = order.deadline if isinstance(order, StopOrder) else None
        # A suspended one too obeys at once (S190); to stop, it needs the news of its children.
        self._process.mailbox.suspended = False
        self._otp_feed(ShutdownRequested(reason, deadline))

    def _otp_child_ended(self, incarnation: int, reason: ExitReason) -> None:
        news, here, process = ChildExited(incarnation, reason), current.here, self._process
        if (
            here.host is pool is process.dispatcher
            and here.next is None
            and not here.helping
            and process.steady
            and not (process.user or process.control)
            and type(reason) is not Abandoned
            and process.take_slot()
        ):
            # It is idle: this worker's next turn is one of it that begins with the news.
            process.steady, process._boot = False, partial(_hear_first, news)
            here.next = process
            return
        if isinstance(reason, Abandoned):
            process.post(ChildAbandoned(incarnation))
        elif self._otp_fed_by == here.ident and self._otp_looks_at_nothing():
            # It was ended by what this supervisor is doing at this moment, in this thread.
            self._otp_news.append(news)
            return
        process.post_next(news)

    def _otp_child_returned(self, incarnation: int) -> None:
        if not self._process.ended:
            self._process.post(ChildReturned(incarnation))

    def _otp_give_away(self, taken: deque[tuple[int, Process]]) -> None:
        # One by one, the youngest first: the supervisor's own thread may be adding or removing. By
        # C code in one step, or a signal's handler that raises in between would lose one.
        while self._otp_machine is not None and self._otp_lives:
            with suppress(KeyError):
                taken.extend(map(dict.popitem, (self._otp_lives,)))

    def _otp_after_end(self, reason: ExitReason) -> None:
        """Children do not outlive a supervisor that was ended without asking them (S86)."""
        if self._otp_machine is not None:
            # A copy in one step: the killed supervisor's own thread may be adding one.
            for process in self._otp_lives.copy().values():
                process.order(StopOrder(reason))
            # What a machine that was cut short still knows of its children.
            self._otp_lives.clear()
            self._otp_machine = None

    def _otp_state(self) -> SupervisorInfo | None:
        if self._otp_row is not None:
            self._otp_end_row()
        machine = self._otp_machine
        return None if machine is None else describe(machine, timers.clock.now())

    def _otp_replace_state(self, fn: Any) -> Any:
        machine, old = self._otp_machine, self._otp_state()
        if machine is None or old is None:
            raise self._process.gone()
        from supervisors._machines.reconfiguring import replace_rules

        replace_rules(machine, old, fn(old))
        return self._otp_state()

    def _otp_change_code(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._process.mailbox.suspended:
            msg = f"{self} is not suspended: suspend() it, then change its code, then resume() it"
            raise RuntimeError(msg)
        plan, machine = self._otp_plan(args, kwargs), self._otp_machine
        if self._otp_row is not None:
            self._otp_end_row()
        if plan is not None and machine is not None:
            from supervisors._machines.reconfiguring import reconfigure

            reconfigure(machine, plan.flags, plan.children)


def _hear_first(exited: ChildExited, process: Process, here: Here) -> bool:
    """Begin a supervisor's turn with the end of a child, and run what it starts for that.

    The turn of the child that is started follows that of the supervisor, without a way through
    `attach` and the run queue.

    Args:
        exited: what comes before any message, for there was none when it was heard.
        process: the supervisor's; its slot is taken.
        here: this thread's values of `current`.

    Returns:
        Whether the slot is held still, as `take_turn`.
    """
    actor: Any = process.actor
    process.steady = not process.suspended
    if process.control or process.suspended or not actor._otp_looks_at_nothing():
        # Orders that have come meanwhile come first, as in every turn.
        process.lane().appendleft(exited)
        return process.take_turn(BATCH, here)
    process._thread_id, here.process = here.ident, process
    begun = actor._otp_hear_end(exited)
    here.process = None
    if leave(process, here):
        process.schedule()
    if begun is not None:
        child, args, kwargs = begun
        # One of the pool's gives its slot back in there.
        child_turn(args, kwargs, child, here)
    return False

"""What the commands of one channel's machine come to: frames, timers, news and answers.

What runs user code (settling a future) is put off until the core's lock is free; what only hands
over (a frame to the outbox, a message to the actor's mailbox) is done at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.errors import JoinError, PhoenixError
from phoenix_actors.link.deeds import Deeds, carry_out
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.join_reply import JoinReply
from phoenix_actors.link.join_span import JoinSpan
from phoenix_actors.link.news import Closed, Ended, Joined, JoinFailed
from phoenix_actors.link.overflow import drop_push, report_full
from phoenix_actors.link.own_inbound import OwnInbound
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.push import PendingPush, push_failure
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import PHX_JOIN, PHX_LEAVE, ChannelState, CloseReason
from phoenix_actors.telemetry import (
    CHANNEL_CLOSED,
    CHANNEL_JOINED,
    CHANNEL_LEAVE,
    CHANNEL_LEAVE_DURATION,
    CHANNEL_LEFT,
    HOOK_FAILED,
    emit,
)
from supervisors._runtime.timers import Timer, timers
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from supervisors import ExitReason

__all__ = ["CARRIED_OUT", "CarryingOut"]

# What a topic has in the place of a future that is settled already.
_ANSWERED: Final = JoinReply()
_ANSWERED.settle(None)


class CarryingOut(OwnInbound):
    """The part of a channel's core that does what its machine says.

    Every `_do_` requires holding the lock; it appends to `after` what may run code of the user's.
    """

    __slots__ = ("_joined", "_leave_began", "_span", "_timers", "orphaned_by", "sent_ref")

    orphaned_by: ExitReason | None
    sent_ref: str | None
    _span: JoinSpan | None
    _joined: bool
    _leave_began: float | None
    _timers: dict[str, Timer] | None

    def _carry_out(self, command: events.ChannelCommand, after: Deeds) -> None:
        """Do what the machine says; requires holding the lock."""
        CARRIED_OUT[type(command)](self, command, after)

    # ---- frames and timers ----------------------------------------------------------------------

    def _do_deliver(self, command: events.DeliverMessage, after: Deeds) -> None:
        self._deliver(command.frame, command.size, after)

    def _do_report_drop(self, command: events.ReportDrop, after: Deeds) -> None:
        self._report_drop(str(command.cause), command.event, after)

    def _do_send_leave(self, command: events.SendLeave, after: Deeds) -> None:
        wire, topic = self.wire, self.topic.name
        if self.machine.state is ChannelState.LEAVING:
            self._leave_began = timers.clock.now()
            after.append(partial(emit, CHANNEL_LEAVE, topic=topic))
        codec = wire.session.codec
        prepared = codec.prepare(topic, PHX_LEAVE, {})
        wire.outbox.put(codec.complete(prepared, command.join_ref, command.ref))

    def _do_fail_in_flight(self, command: events.FailInFlight, after: Deeds) -> None:
        for push in self.wire.take_join(self.topic.name, self.sent_ref):
            after.append(_failing(push, command.reason))

    def _do_arm(self, command: ArmTimer, _: Deeds) -> None:
        timer = command.timer
        armed = self._timers
        if armed is None:
            armed = self._timers = {}
        elif timer in armed:
            armed.pop(timer).cancel()
        fired = TimerFired(timer, command.serial)
        armed[timer] = timers.after(command.delay, lambda: self.feed(fired))

    def _do_cancel(self, command: CancelTimer, _: Deeds) -> None:
        if self._timers is None:
            return
        armed = self._timers.pop(command.timer, None)
        if armed is not None:
            armed.cancel()
        if not self._timers:
            self._timers = None

    def _do_send_push(self, command: events.SendPush, _: Deeds) -> None:
        wire = self.wire
        push = PendingPush(
            self.topic.name,
            command.ref,
            command.join_ref,
            command.event,
            command.token,
            command.deadline,
            command.timeout,
        )
        wire.expect(push)
        if isinstance(command.token, PushFuture):
            command.token.wire = wire
        frame = wire.session.codec.complete(command.payload, command.join_ref, command.ref)
        wire.outbox.put(frame, push)

    def _do_send_join(self, command: events.SendJoin, after: Deeds) -> None:
        """Send phx_join; params that a function gives are asked for on a thread of their own."""
        join_ref, params = command.join_ref, self.topic.params_to_send
        if not callable(params):
            self._put_join(join_ref, params, after)
            return
        name = f"phoenix-params-{self.topic.name}"
        thread = threading.Thread(
            target=self._send_join_later, args=(join_ref, params), name=name, daemon=True
        )
        after.append(thread.start)

    def _send_join_later(self, join_ref: str, params: Callable[[], Any]) -> None:
        try:
            value = params()
        except BaseException as error:  # noqa: BLE001  what a user's function raises fails the join
            problem = f"was not joined: its params function raised {type(error).__name__}"
            failure = JoinError(self.topic.name, problem)
            failure.__cause__ = error
            self._join_unsent(join_ref, failure)
            return
        if isinstance(value, Mapping):
            value = {**self.wire.session.options.default_channel_params, **value}
        after: Deeds = []
        with self.topic.lock:
            machine = self.machine
            # A leave that came meanwhile must not be followed by the join it was to undo.
            if machine.join_ref == join_ref and machine.state is ChannelState.JOINING:
                self._put_join(join_ref, value, after)
        self.wire.written(may_write=True)
        carry_out(after)

    def _put_join(self, join_ref: str, params: Any, after: Deeds) -> None:
        topic, wire = self.topic, self.wire
        codec = wire.session.codec
        prepared, topic.prepared = topic.prepared, None
        if prepared is None:
            try:
                prepared = codec.prepare(topic.name, PHX_JOIN, params)
            except PhoenixError as error:
                after.append(partial(self._join_unsent, join_ref, error))
                return
        self.sent_ref = join_ref
        wire.outbox.put(codec.complete(prepared, join_ref, join_ref))
        if self._span is None and JoinSpan.wanted():
            self._span = JoinSpan(topic.name)
        if self._span is not None:
            after.extend(self._span.start(join_ref, timers.clock.now(), topic.take_joiner()))

    def _join_unsent(self, join_ref: str, error: PhoenixError) -> None:
        """Report what is the fault of params, for on a rejoin nobody waits for it."""
        kind = type(error.__cause__ or error).__name__
        emit(HOOK_FAILED, hook=f"params of {self.topic.name}", error=kind)
        self.feed(events.JoinUnsent(join_ref, error))

    # ---- answers to whoever waits ---------------------------------------------------------------

    def _do_settle_join(self, command: events.SettleJoin, after: Deeds) -> None:
        topic, token, response = self.topic, command.token, command.response
        topic.response = response
        after.append(partial(token.settle, response))
        if token is topic.joined_once:
            # Who waits for it holds it; kept here it would take 0.9 kB for the life of the topic.
            topic.joined_once = _ANSWERED

    def _do_fail_join(self, command: events.FailJoin, after: Deeds) -> None:
        if self.orphaned_by is None:
            after.append(partial(command.token.fail, command.error))
            if command.token is self.topic.joined_once:
                # Whoever closes the topic meanwhile, as the end of its actor does, must not answer.
                self.topic.joined_once = failed = JoinReply()
                failed.fail(command.error)

    def _do_fail_push(self, command: events.FailPush, after: Deeds) -> None:
        after.append(partial(command.token.fail, command.error))

    def _do_drop_push(self, command: events.DropPush, after: Deeds) -> None:
        session, waiting = self.wire.session, len(self.wire.outbox)
        after.append(partial(report_full, session, command.error, waiting))
        after.append(partial(drop_push, session, command.token, command.error))

    def _do_settle_leave(self, command: events.SettleLeave, after: Deeds) -> None:
        after.append(partial(command.token.settle, None))

    # ---- news to the actor, and to whoever listens to the events of this package ----------------

    def _begin_section(self) -> None:
        if self.inbound is not self.wire.session.no_inbound:
            self.inbound.begin_section()

    def _do_tell_joined(self, command: events.TellJoined, after: Deeds) -> None:
        self._begin_section()
        topic, response, join_count = self.topic, command.response, command.join_count
        topic.response = response
        topic.join_count = join_count
        self._joined = True
        if self._span is not None:
            after.extend(self._end_span("stop"))
        # Where nothing would follow, it is not woken for it.
        actor_class: Any = self.actor.actor_class
        if actor_class._phx_hears_joins():
            self.actor.cast(Joined(response, join_count))
        if wanted(CHANNEL_JOINED):
            after.append(partial(emit, CHANNEL_JOINED, topic=topic.name, join_count=join_count))

    def _do_tell_join_error(self, command: events.TellJoinError, after: Deeds) -> None:
        self._begin_section()
        after.extend(self._end_span("refused"))
        self.actor.cast(JoinFailed(command.response))

    def _do_tell_closed(self, command: events.TellClosed, after: Deeds) -> None:
        self._begin_section()
        reason, topic = command.reason, self.topic.name
        self.actor.cast(Closed(reason))
        name = type(reason if self.orphaned_by is None else self.orphaned_by).__name__
        if self._span is not None:
            after.extend(self._end_span(name))
        if self._joined:
            self._joined = False
            if wanted(CHANNEL_LEFT):
                after.append(partial(emit, CHANNEL_LEFT, topic=topic, reason=name))
        if wanted(CHANNEL_CLOSED):
            after.append(partial(emit, CHANNEL_CLOSED, topic=topic, reason=name))

    def _do_forget(self, _: events.Forget, after: Deeds) -> None:
        if self._leave_began is not None:
            took = {"duration_seconds": timers.clock.now() - self._leave_began}
            after.append(partial(emit, CHANNEL_LEAVE_DURATION, took, topic=self.topic.name))
        core: Any = self  # a ChannelCore
        topic = self.topic
        self.wire.detach(core)
        self._own_inbound().close()
        if topic.core is self and self.orphaned_by is None:
            # Before the actor ends: who hears of that may join anew.
            topic.session.forget(topic)
        self.actor.cast(Ended())
        # Behind the answers to whoever waits: closing the topic answers who is left.
        after.append(partial(topic.core_ended, core))

    def _end_span(self, how: str) -> Iterable[Callable[[], object]]:
        """Return what tells of the end of the join that is under way, if one is."""
        span, self._span = self._span, None
        if span is None:
            return ()
        now = timers.clock.now()
        return span.stop(now) if how == "stop" else span.error(how, now)


def _failing(push: PendingPush, reason: CloseReason) -> Callable[[], object]:
    return lambda: push.token.fail(push_failure(push, reason))


# How each command is carried out: one look-up, where a chain of cases costs some for each.
CARRIED_OUT: Final[Mapping[type, Callable[[CarryingOut, Any, Deeds], None]]] = {
    events.DeliverMessage: CarryingOut._do_deliver,
    events.SendPush: CarryingOut._do_send_push,
    events.SendJoin: CarryingOut._do_send_join,
    events.SendLeave: CarryingOut._do_send_leave,
    ArmTimer: CarryingOut._do_arm,
    CancelTimer: CarryingOut._do_cancel,
    events.SettleJoin: CarryingOut._do_settle_join,
    events.FailJoin: CarryingOut._do_fail_join,
    events.FailPush: CarryingOut._do_fail_push,
    events.DropPush: CarryingOut._do_drop_push,
    events.SettleLeave: CarryingOut._do_settle_leave,
    events.FailInFlight: CarryingOut._do_fail_in_flight,
    events.TellJoined: CarryingOut._do_tell_joined,
    events.TellJoinError: CarryingOut._do_tell_join_error,
    events.TellClosed: CarryingOut._do_tell_closed,
    events.ReportDrop: CarryingOut._do_report_drop,
    events.Forget: CarryingOut._do_forget,
}

"""The shell of one channel's machine: one life of one channel actor.

The machine is driven from whatever thread has news for it — the reader, a caller, a timer, the
Socket actor — under one lock, so events and the frames they cause have one order. What runs user
code (settling a future) waits until the lock is free; what only hands over (a frame to the outbox,
a message to the actor's mailbox) does not.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from phoenix_actors.errors import JoinError, PhoenixError, QueueFull
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.inbound import Inbound
from phoenix_actors.link.join_span import JoinSpan
from phoenix_actors.link.news import Closed, Ended, Joined, JoinFailed
from phoenix_actors.link.overflow import drop_push, octets, report_full
from phoenix_actors.link.schedules import guarded
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.channel_rules import Phase, only_delivered
from phoenix_actors.machines.push import PendingPush, push_failure
from phoenix_actors.machines.reconnect import REJOIN_STEPS, RejoinPolicy
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import PHX_JOIN, PHX_LEAVE, ChannelState, CloseReason, Frame
from phoenix_actors.options import Overflow
from phoenix_actors.telemetry import (
    CHANNEL_CLOSED,
    CHANNEL_JOINED,
    CHANNEL_LEAVE,
    CHANNEL_LEAVE_DURATION,
    CHANNEL_LEFT,
    CHANNEL_STATUS,
    FRAME_DROPPED,
    HOOK_FAILED,
    emit,
)
from supervisors._runtime.timers import Timer, timers

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.protocol.v2 import Prepared
    from supervisors import ActorRef, ExitReason, Reply

__all__ = ["ChannelCore"]


Deeds: TypeAlias = list[Callable[[], object]]


class ChannelCore:
    """One channel on one wire. Safe from any thread."""

    def __init__(self, topic: Topic, wire: Wire, actor: ActorRef) -> None:
        """Serve this actor; its topic feeds the first events."""
        self.topic = topic
        self.actor = actor
        self.wire = wire
        options = wire.session.options
        self.machine = ChannelMachine(
            topic.name,
            next_ref=wire.next_ref,
            rejoin=RejoinPolicy(
                backoff=guarded("rejoin_backoff", options.rejoin_backoff, REJOIN_STEPS),
                retry_refused=options.retry_refused_rejoins,
            ),
            max_buffered=options.max_pending_messages,
            max_bytes=options.max_pending_bytes,
            overflow=options.overflow,
            join_count=topic.join_count,
            random=random.random,
        )
        # Why its actor ended; from then on the next life answers whoever waits for the join.
        self.orphaned_by: ExitReason | None = None
        self.inbound = Inbound(options)
        self._span = JoinSpan(topic.name)
        self._joined = False
        self._state = self.machine.state
        self._leave_began: float | None = None
        self._lock = threading.Lock()
        self._timers: dict[str, Timer] = {}

    def touched(self) -> None:
        """Note that the channel is in use, for the hibernation manager."""
        self.topic.last_active = timers.clock.now()

    def feed(self, *news: events.ChannelEvent, may_write: bool = True) -> None:
        """Give the machine events and carry out what it says.

        Args:
            news: what happened, in order; nothing comes between.
            may_write: whether this thread may wait for the peer to take frames; the reader, timers
                and the Socket actor may not, nor may the callbacks of the user's that they run.
        """
        deeds = self.take_in(news)
        self.wire.written(may_write=may_write)
        if may_write:
            for deed in deeds:
                deed()
        elif deeds:
            with no_waiting_here():
                for deed in deeds:
                    deed()

    def deliver(
        self, messages: list[Frame], sizes: list[int], generation: int, *, unbounded: bool
    ) -> int:
        """Hand on messages of one read, none of the life cycle; return how many were taken in.

        It does what `feed` does with each of them, in one step where they are only delivered. They
        are all taken in, unless the channel must pause the reader, who comes again with the rest.
        """
        machine, inbound = self.machine, self.inbound
        self.touched()
        with self._lock:
            if (
                inbound.policy is Overflow.BLOCK
                and machine.open
                and machine.generation == generation
                and only_delivered(machine.phase, machine.join_ref, messages)
            ):
                taken = inbound.offer_all(sizes, unbounded=unbounded)
                self.actor.cast_all(messages if taken == len(messages) else messages[:taken])
                return taken
        for number, (frame, size) in enumerate(zip(messages, sizes, strict=True), 1):
            self.feed(events.FrameArrived(frame, generation, size), may_write=False)
            if inbound.must_pause and not unbounded:
                return number
        return len(messages)

    def take_in(
        self, news: Iterable[events.ChannelEvent], first: Callable[[], object] | None = None
    ) -> Deeds:
        """Do the first half of `feed`: queue frames; return what may run code of the user's."""
        deeds: Deeds = []
        with self._lock:
            if first is not None:
                first()
            for event in news:
                for command in self.machine.handle(event, timers.clock.now()):
                    self._carry_out(command, deeds)
            self._tell_status(deeds)
            room = self.topic.room.awaited and not self.machine.full
        if room:
            self.topic.room.ring()
        return deeds

    def _tell_status(self, after: Deeds) -> None:
        """Tell a change of the state, if there was one."""
        old, self._state = self._state, self.machine.state
        if self._state is not old:
            told = {"old_status": str(old), "new_status": str(self._state)}
            topic = self.topic.name
            after.append(lambda: emit(CHANNEL_STATUS, topic=topic, **told))

    def orphan(self, reason: ExitReason) -> Deeds:
        """Close because the actor ended; a join that somebody waits for is left to the next life.

        Return what may run code of the user's.
        """
        self.orphaned_by = reason
        self.inbound.close()
        return self.take_in((events.ClientStopping(),))

    def give_way(self) -> Deeds:
        """Leave now, for the topic is joined anew and the answers to this one come no more.

        Return what may run code of the user's.
        """
        return self.take_in((events.LeaveRequested(None), events.ClientStopping()))

    def push(self, event: str, prepared: Prepared, reply: Reply, timeout: float | None) -> bool:
        """Push, or keep the push until the channel is joined; False when this life is over.

        Raises:
            QueueFull, ChannelClosed: it is refused, and was neither sent nor kept. When it is
                dropped, `reply` says so.
        """
        machine, wire = self.machine, self.wire
        self.touched()
        now = timers.clock.now()
        deeds: Deeds = []
        refused: PhoenixError | None = None
        with self._lock:
            if machine.phase is Phase.JOINED:
                # The one thing that `handle` says in this phase, without the words for it.
                self._send_at_once(machine.join_ref or "", event, prepared, reply, timeout, now)
            else:
                request = events.PushRequested(event, prepared, reply, timeout, octets(prepared))
                for command in machine.handle(request, now):
                    if type(command) is events.FailPush and command.token is reply:
                        refused = command.error
                    else:
                        self._carry_out(command, deeds)
        if refused is None:
            wire.written(may_write=True)
        for deed in deeds:
            deed()
        if refused is not None and self.orphaned_by is None:
            raise refused
        return refused is None

    def _send_at_once(
        self,
        join_ref: str,
        event: str,
        prepared: Prepared,
        reply: Reply,
        timeout: float | None,
        now: float,
    ) -> None:
        """Send a push on the joined channel; requires holding the lock."""
        wire = self.wire
        push = wire.enter(self.topic.name, join_ref, event, reply, timeout, now)
        if isinstance(reply, PushFuture):
            reply.wire = wire
        wire.outbox.put(wire.session.codec.complete(prepared, join_ref, push.ref), push)

    def _carry_out(self, command: events.ChannelCommand, after: Deeds) -> None:
        match command:
            case events.DeliverMessage(frame, size):
                self._deliver(frame, size, after)
            case events.SendPush():
                self._send_push(command)
            case events.SendJoin(join_ref):
                self._send_join(join_ref, after)
            case events.SendLeave(join_ref, ref):
                if self.machine.state is ChannelState.LEAVING:
                    self._leave_began = timers.clock.now()
                    after.append(partial(emit, CHANNEL_LEAVE, topic=self.topic.name))
                prepared = self.wire.session.codec.prepare(self.topic.name, PHX_LEAVE, {})
                self.wire.outbox.put(self.wire.session.codec.complete(prepared, join_ref, ref))
            case ArmTimer(timer, serial, delay):
                self._arm(timer, serial, delay)
            case CancelTimer(timer):
                self._cancel(timer)
            case events.FailInFlight(reason):
                for push in self.wire.take_topic(self.topic.name):
                    after.append(_failing(push, reason))
            case events.TellJoined() | events.TellJoinError() | events.TellClosed():
                self._tell_actor(command, after)
            case events.ReportDrop(cause, event):
                self._report_drop(str(cause), event, after)
            case events.Forget():
                if self._leave_began is not None:
                    took = {"duration_seconds": timers.clock.now() - self._leave_began}
                    told = partial(emit, CHANNEL_LEAVE_DURATION, took, topic=self.topic.name)
                    after.append(told)
                self.wire.detach(self)
                self.inbound.close()
                self.actor.cast(Ended())
                # Behind the answers to whoever waits: closing the topic answers who is left.
                after.append(lambda: self.topic.core_ended(self))
            case _:
                self._answer(command, after)

    def _deliver(self, frame: Frame, size: int, after: Deeds) -> None:
        """Hand a message to the actor, within the bounds (C82)."""
        needed = frame.event in self.topic.presence_events
        item, dropped = self.inbound.offer(frame, size, needed=needed)
        if item is not None:
            self.actor.cast(item)
        for former in dropped:
            self._report_drop(f"inbound_{self.inbound.policy}", former.event, after)
        if dropped and self.inbound.policy is Overflow.ERROR and self.inbound.first_refusal():
            session = self.wire.session
            limit = session.options.max_inbound_messages or 0
            error = QueueFull(limit, self.topic.name, frame.event, dropped=True)
            after.append(lambda: session.notify(session.hooks.error, error))

    def _report_drop(self, word: str, event: str, after: Deeds) -> None:
        topic = self.topic.name
        self.wire.session.counters.add(f"frames_dropped_{word}")
        after.append(lambda: emit(FRAME_DROPPED, topic=topic, event=event, cause=word))

    def _answer(self, command: events.ChannelCommand, after: Deeds) -> None:
        """Answer whoever waits, once the lock is free."""
        match command:
            case events.SettleJoin(token, response):
                self.topic.response = response
                after.append(lambda: token.settle(response))
            case events.FailJoin(token, error):
                if self.orphaned_by is None:
                    after.append(lambda: token.fail(error))
            case events.FailPush(token, error):
                after.append(lambda: token.fail(error))
            case events.DropPush(token, error):
                session, waiting = self.wire.session, len(self.wire.outbox)
                after.append(lambda: report_full(session, error, waiting))
                after.append(lambda: drop_push(session, token, error))
            case events.SettleLeave(token):
                after.append(lambda: token.settle(None))

    def _tell_actor(
        self,
        command: events.TellJoined | events.TellJoinError | events.TellClosed,
        after: Deeds,
    ) -> None:
        """Tell the actor, and whoever listens to the events of this package."""
        self.inbound.begin_section()
        topic = self.topic.name
        match command:
            case events.TellJoined(response, join_count):
                self.topic.response = response
                self.topic.join_count = join_count
                self._joined = True
                after.extend(self._span.stop(timers.clock.now()))
                self.actor.cast(Joined(response, join_count))
                after.append(lambda: emit(CHANNEL_JOINED, topic=topic, join_count=join_count))
            case events.TellJoinError(response):
                after.extend(self._span.error("refused", timers.clock.now()))
                self.actor.cast(JoinFailed(response))
            case events.TellClosed(reason):
                self.actor.cast(Closed(reason))
                name = type(reason if self.orphaned_by is None else self.orphaned_by).__name__
                after.extend(self._span.error(name, timers.clock.now()))
                if self._joined:
                    self._joined = False
                    after.append(lambda: emit(CHANNEL_LEFT, topic=topic, reason=name))
                after.append(lambda: emit(CHANNEL_CLOSED, topic=topic, reason=name))

    def _send_push(self, command: events.SendPush) -> None:
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

    def _send_join(self, join_ref: str, after: Deeds) -> None:
        """Send phx_join; params that a function gives are asked for on a thread of their own."""
        params = self.topic.params
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
        with self._lock:
            machine = self.machine
            # A leave that came meanwhile must not be followed by the join it was to undo.
            if machine.join_ref == join_ref and machine.state is ChannelState.JOINING:
                self._put_join(join_ref, value, after)
        self.wire.written(may_write=True)
        for deed in after:
            deed()

    def _put_join(self, join_ref: str, params: Any, after: Deeds) -> None:
        codec = self.wire.session.codec
        try:
            prepared = codec.prepare(self.topic.name, PHX_JOIN, params)
        except PhoenixError as error:
            unsent = error
            after.append(lambda: self._join_unsent(join_ref, unsent))
            return
        self.topic.last_join = (self.wire, self.wire.generation, join_ref)
        self.wire.outbox.put(codec.complete(prepared, join_ref, join_ref))
        after.extend(self._span.start(join_ref, timers.clock.now()))

    def _join_unsent(self, join_ref: str, error: PhoenixError) -> None:
        """Report what is the fault of params, for on a rejoin nobody waits for it."""
        kind = type(error.__cause__ or error).__name__
        emit(HOOK_FAILED, hook=f"params of {self.topic.name}", error=kind)
        self.feed(events.JoinUnsent(join_ref, error), may_write=False)

    def _arm(self, timer: str, serial: int, delay: float) -> None:
        self._cancel(timer)
        fired = TimerFired(timer, serial)
        self._timers[timer] = timers.after(delay, lambda: self.feed(fired, may_write=False))

    def _cancel(self, timer: str) -> None:
        armed = self._timers.pop(timer, None)
        if armed is not None:
            armed.cancel()


def _failing(push: PendingPush, reason: CloseReason) -> Callable[[], object]:
    return lambda: push.token.fail(push_failure(push, reason))

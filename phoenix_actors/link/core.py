"""The shell of one channel's machine: one life of one channel actor.

The machine is driven from whatever thread has news for it — the reader, a caller, a timer, the
Socket actor — under one lock, so events and the frames they cause have one order. What runs user
code (settling a future) waits until the lock is free; what only hands over (a frame to the outbox,
a message to the actor's mailbox) does not.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from phoenix_actors.errors import ConnectError, PhoenixError
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.push import PendingPush, push_failure
from phoenix_actors.machines.reconnect import RejoinPolicy
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import PHX_JOIN, PHX_LEAVE, CloseReason
from phoenix_actors.telemetry import FRAME_DROPPED, emit
from supervisors._runtime.timers import Timer, timers

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.protocol.v2 import Prepared
    from supervisors import ActorRef, Reply

__all__ = ["ChannelCore", "Closed", "Ended", "JoinFailed", "Joined"]


class Joined(msgspec.Struct, frozen=True):
    """To the channel actor: the server said ok."""

    response: Any
    join_count: int


class JoinFailed(msgspec.Struct, frozen=True):
    """To the channel actor: the server refused."""

    response: Any


class Closed(msgspec.Struct, frozen=True):
    """To the channel actor: not joined any more, for this reason."""

    reason: CloseReason


class Ended(msgspec.Struct, frozen=True):
    """To the channel actor: there is nothing more to come."""


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
            rejoin=RejoinPolicy.of(options),
            max_buffered=options.max_pending_messages,
            join_count=topic.join_count,
            random=random.random,
        )
        self._lock = threading.Lock()
        self._timers: dict[str, Timer] = {}

    def touched(self) -> None:
        """Note that the channel is in use, for the hibernation manager."""
        self.topic.last_active = timers.clock.now()

    def feed(self, event: events.ChannelEvent, *, may_write: bool = True) -> None:
        """Give the machine an event and carry out what it says.

        Args:
            event: what happened.
            may_write: whether this thread may wait for the peer to take frames; the reader and
                timers may not.
        """
        after: list[Callable[[], object]] = []
        with self._lock:
            for command in self.machine.handle(event, timers.clock.now()):
                self._carry_out(command, after)
        self.wire.written(may_write=may_write)
        for deed in after:
            deed()

    def push(self, event: str, prepared: Prepared, reply: Reply, timeout: float | None) -> None:
        """Push, or keep the push until the channel is joined."""
        self.touched()
        self.feed(events.PushRequested(event, prepared, reply, timeout))

    def _carry_out(self, command: events.ChannelCommand, after: list[Callable[[], object]]) -> None:
        match command:
            case events.DeliverMessage(frame):
                self.actor.cast(frame)
            case events.SendPush():
                self._send_push(command)
            case events.SendJoin(join_ref):
                self._send_join(join_ref, after)
            case events.SendLeave(join_ref, ref):
                prepared = self.wire.session.codec.prepare(self.topic.name, PHX_LEAVE, {})
                self.wire.outbox.put(self.wire.session.codec.complete(prepared, join_ref, ref))
            case ArmTimer(timer, serial, delay):
                self._arm(timer, serial, delay)
            case CancelTimer(timer):
                self._cancel(timer)
            case events.SettleJoin(token, response):
                self.topic.response = response
                after.append(lambda: token.settle(response))
            case events.FailJoin(token, error) | events.FailPush(token, error):
                after.append(lambda: token.fail(error))
            case events.SettleLeave(token):
                after.append(lambda: token.settle(None))
            case events.FailInFlight(reason):
                pushes = self.wire.take_topic(self.topic.name)
                after.extend(_failing(push, reason) for push in pushes)
            case events.TellJoined(response, join_count):
                self.topic.response = response
                self.topic.join_count = join_count
                self.actor.cast(Joined(response, join_count))
            case events.TellJoinError(response):
                self.actor.cast(JoinFailed(response))
            case events.TellClosed(reason):
                self.actor.cast(Closed(reason))
            case events.ReportDrop(cause, event):
                self.wire.session.counters.add(f"frames_dropped_{cause}")
                emit(FRAME_DROPPED, topic=self.topic.name, event=event, cause=str(cause))
            case events.Forget():
                self.wire.detach(self)
                self.actor.cast(Ended())
                # Behind the answers to whoever waits: closing the topic answers who is left.
                after.append(lambda: self.topic.core_ended(self))

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
        wire.outbox.put(wire.session.codec.complete(command.payload, command.join_ref, command.ref))

    def _send_join(self, join_ref: str, after: list[Callable[[], object]]) -> None:
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
        except Exception as error:  # noqa: BLE001  what a user's function raises fails the join
            problem = f"the params function of topic {self.topic.name!r} raised"
            failure: PhoenixError = ConnectError(problem)
            failure.__cause__ = error
            self.feed(events.JoinUnsent(join_ref, failure))
            return
        after: list[Callable[[], object]] = []
        with self._lock:
            if self.machine.join_ref == join_ref:
                self._put_join(join_ref, value, after)
        self.wire.written(may_write=True)
        for deed in after:
            deed()

    def _put_join(self, join_ref: str, params: Any, after: list[Callable[[], object]]) -> None:
        codec = self.wire.session.codec
        try:
            prepared = codec.prepare(self.topic.name, PHX_JOIN, params)
        except PhoenixError as error:
            unsent = events.JoinUnsent(join_ref, error)
            after.append(lambda: self.feed(unsent, may_write=False))
            return
        self.topic.last_join_ref = join_ref
        self.wire.outbox.put(codec.complete(prepared, join_ref, join_ref))

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

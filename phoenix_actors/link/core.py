"""The shell of one channel's machine: one life of one channel actor.

The machine is driven from whatever thread has news for it — the reader, a caller, a timer, the
Socket actor — under one lock, so events and the frames they cause have one order. What runs user
code (settling a future) waits until the lock is free; what only hands over (a frame to the outbox,
a message to the actor's mailbox) does not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from phoenix_actors.link.carrying_out import CARRIED_OUT, CarryingOut
from phoenix_actors.link.deeds import Deeds, do_in_step
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.overflow import octets
from phoenix_actors.link.scheduling import may_wait
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.channel_rules import Phase
from phoenix_actors.machines.join_at_once import begin_join, finish_join
from phoenix_actors.message import ChannelState
from phoenix_actors.telemetry import CHANNEL_STATUS, emit
from supervisors._runtime.timers import timers
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from phoenix_actors.errors import PhoenixError
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.message import Frame
    from phoenix_actors.protocol.v2 import Prepared
    from supervisors import ActorRef, ExitReason, Reply

__all__ = ["ChannelCore"]


class ChannelCore(CarryingOut):
    """One channel on one wire. Safe from any thread."""

    __slots__ = (
        "_machine",
        "actor",
        "topic",
        "wire",
    )

    def __init__(self, topic: Topic, wire: Wire, actor: ActorRef) -> None:
        """Serve this actor; its topic feeds the first events."""
        self.topic = topic
        self.actor = actor
        self.wire = wire
        # While the channel hibernates, the number that is all that has to be kept of it.
        self._machine: ChannelMachine | int = ChannelMachine(
            topic.name, wire.policies.present(), join_count=topic.join_count
        )
        # Why its actor ended; from then on the next life answers whoever waits for the join.
        self.orphaned_by = None
        # What the actor has not taken; the session's empty one until there is something.
        self.inbound = wire.session.no_inbound
        self._span = None
        self._joined = False
        self._leave_began = None
        # The join_ref of the last phx_join that was sent.
        self.sent_ref = None
        # Mostly none; then there is no dict for them.
        self._timers = None

    @property
    def machine(self) -> ChannelMachine:
        """The machine. Who changes it asks for it under the lock: it may be another one then."""
        machine = self._machine
        if not isinstance(machine, int):
            return machine
        topic = self.topic
        with topic.lock:
            machine = self._machine
            if isinstance(machine, int):
                machine = self._machine = ChannelMachine.resumed(
                    topic.name,
                    self.wire.policies.present(),
                    join_count=topic.join_count,
                    join_ref=self.sent_ref,
                    timeout=topic.timeout,
                    packed=machine,
                )
        return machine

    @property
    def state(self) -> ChannelState:
        """The channel's state."""
        machine = self._machine
        return ChannelState.JOINED if isinstance(machine, int) else machine.state

    def give_back(self) -> int:
        """Give back the machine, too, where nothing is going on."""
        with self.topic.lock:
            freed, machine = super().give_back(), self._machine
            if isinstance(machine, int) or machine.join_ref != self.sent_ref:
                return freed
            packed = machine.packed()
            if packed is None or machine.join_count != self.topic.join_count:
                return freed
            self._machine = self.wire.policies.shared(packed)
            return freed + sys.getsizeof(machine)

    def feed(self, *news: events.ChannelEvent) -> None:
        """Give the machine events, between which nothing comes, and carry out what it says.

        For the reader, timers and the Socket actor: neither they nor the callbacks of the user's
        that they run may wait for the peer to take frames.
        """
        deeds: Deeds = [partial(self.wire.written, may_write=False)]
        do_in_step(deeds, self._take_in, deeds, news, may_wait=False)

    def take_in(
        self, news: Iterable[events.ChannelEvent], first: Callable[[], object] | None = None
    ) -> Deeds:
        """Do the first half of `feed`: queue frames; return what may run code of the user's.

        Not for the main thread, unless it is in one step.
        """
        deeds: Deeds = []
        self._take_in(deeds, news, first)
        return deeds

    def _take_in(
        self,
        deeds: Deeds,
        news: Iterable[events.ChannelEvent],
        first: Callable[[], object] | None = None,
    ) -> None:
        with self.topic.lock:
            if first is not None:
                first()
            machine = self.machine
            before = machine.state if wanted(CHANNEL_STATUS) else None
            for event in news:
                for command in machine.handle(event, timers.clock.now()):
                    CARRIED_OUT[type(command)](self, command, deeds)
            if before is not None:
                self._tell_status(before, deeds)
            room = self.topic.room.awaited and not machine.full
        if room:
            self.topic.room.ring()

    def begin_join(self, generation: int) -> Deeds:
        """Join on this connection, with the first event that it hears of; as `take_in` does.

        Requires holding the topic's lock.
        """
        deeds: Deeds = []
        topic, machine = self.topic, self.machine
        joined_once = topic.joined_once
        token = None if joined_once.done() else joined_once
        timer = begin_join(machine, generation, topic.timeout, token)
        self._do_send_join(events.SendJoin(machine.join_ref or ""), deeds)
        if timer is not None:
            self._do_arm(timer, deeds)
        if wanted(CHANNEL_STATUS):
            self._tell_status(ChannelState.CLOSED, deeds)
        return deeds

    def _finish_join(self, frame: Frame, generation: int, deeds: Deeds) -> bool:
        topic = self.topic
        with topic.lock:
            machine = self.machine
            done = finish_join(machine, frame, generation)
            if done is None:
                return False
            response, token, cancelled = done
            for timer in cancelled:
                self._do_cancel(timer, deeds)
            if token is not None:
                self._do_settle_join(events.SettleJoin(token, response), deeds)
            self._do_tell_joined(events.TellJoined(response, machine.join_count), deeds)
            if wanted(CHANNEL_STATUS):
                self._tell_status(ChannelState.JOINING, deeds)
        if topic.room.awaited:
            topic.room.ring()
        return True

    def _tell_status(self, old: ChannelState, after: Deeds) -> None:
        """Tell a change of the state, if there was one; where somebody listens."""
        new = self.machine.state
        if new is not old:
            told = {"old_status": str(old), "new_status": str(new)}
            after.append(partial(emit, CHANNEL_STATUS, topic=self.topic.name, **told))

    def sent_join(self) -> tuple[Wire, int | None, str] | None:
        """Return wire, generation and join_ref of what the server knows of this life, if it does.

        Requires holding the topic's lock.
        """
        join_ref = self.machine.join_ref
        if join_ref is None or join_ref != self.sent_ref:
            return None
        return self.wire, self.machine.generation, join_ref

    def orphan(self, reason: ExitReason) -> Deeds:
        """Close because the actor ended; a join that somebody waits for is left to the next life.

        Return what may run code of the user's.
        """
        self.orphaned_by = reason
        self.close_inbound()
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
        wire, topic = self.wire, self.topic
        # As touched(), without its call.
        topic.idle_since = None
        now = timers.clock.now()
        with topic.lock:
            machine = self._machine
            if isinstance(machine, int):
                join_ref = self.sent_ref
            else:
                join_ref = machine.join_ref if machine.phase is Phase.JOINED else None
            if join_ref is not None:
                # The one thing that `handle` says in this phase, without the words for it.
                self._send_at_once(join_ref, event, prepared, reply, timeout, now)
        if join_ref is not None:
            # As written(), without its look whether something waits.
            if may_wait():
                wire.outbox.flush()
            else:
                wire.outbox.ring()
            return True
        request = events.PushRequested(event, prepared, reply, timeout, octets(prepared))
        deeds: Deeds = [partial(wire.written, may_write=True)]
        refused: PhoenixError | None = do_in_step(deeds, self._handle_push, request, now, deeds)
        if refused is not None and self.orphaned_by is None:
            raise refused
        return refused is None

    def _handle_push(
        self, request: events.PushRequested, now: float, deeds: Deeds
    ) -> PhoenixError | None:
        """Have the machine handle a push; return why it is refused, if it is."""
        refused: PhoenixError | None = None
        with self.topic.lock:
            for command in self.machine.handle(request, now):
                if type(command) is events.FailPush and command.token is request.token:
                    refused = command.error
                else:
                    self._carry_out(command, deeds)
            gave_up = self.wire.session.gave_up
            if gave_up is not None:
                # Nor does a push of now wait for a connection that will not come.
                for command in self.machine.handle(events.ConnectionGivenUp(gave_up), now):
                    self._carry_out(command, deeds)
        return refused

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

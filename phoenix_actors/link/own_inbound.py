"""The messages of one life of a channel actor, on their way to it.

They are kept in an `Inbound` while there are some.

A channel that is idle has none of its own, which would take 240 bytes, and 300 after its first
message, but its session's empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoenix_actors.errors import QueueFull
from phoenix_actors.link.deeds import Deeds, do_in_step
from phoenix_actors.link.inbound import Inbound
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel_record import generation_of
from phoenix_actors.machines.channel_rules import Phase, only_delivered
from phoenix_actors.message import LIFECYCLE_EVENTS
from phoenix_actors.options import Overflow
from phoenix_actors.telemetry import FRAME_DROPPED, emit

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.machines.channel import ChannelMachine
    from phoenix_actors.message import Frame
    from supervisors import ActorRef

__all__ = ["OwnInbound"]


class OwnInbound:
    """The part of a channel's core that has its `Inbound`. Safe from any thread."""

    __slots__ = ("inbound",)

    inbound: Inbound
    topic: Topic
    wire: Wire
    actor: ActorRef
    sent_ref: str | None
    _machine: ChannelMachine | int

    @property
    def machine(self) -> ChannelMachine:
        """The machine, made anew where it was given back."""
        raise NotImplementedError

    def feed(self, *news: events.ChannelEvent) -> None:
        """Give the machine events and carry out what it says."""
        raise NotImplementedError

    def _finish_join(self, frame: Frame, generation: int, deeds: Deeds) -> bool:
        """Take the answer to a join, if it is the server's ok and nothing waits for that.

        Add to `deeds` what may run code of the user's; False, undone, otherwise.
        """
        raise NotImplementedError

    def _own_inbound(self) -> Inbound:
        """Return what keeps the messages of this life; requires the lock."""
        if self.inbound is self.wire.session.no_inbound:
            # With the topic's lock, for one of its own takes 88 bytes.
            self.inbound = Inbound(self.wire.session.options, self.topic.lock)
            if self.topic.core is self:
                self.topic.inbound = self.inbound
        return self.inbound

    def own_inbound(self) -> Inbound:
        """Return what keeps the messages of this life, also those that are to come."""
        with self.topic.lock:
            return self._own_inbound()

    def holds(self) -> int:
        """Return the bytes that `give_back` would give back now."""
        inbound = self.inbound
        return 0 if inbound is self.wire.session.no_inbound else inbound.memory

    def give_back(self) -> int:
        """Give back what an idle channel can do without; return its bytes. No turn may run."""
        with self.topic.lock:
            inbound = self.inbound
            if inbound is self.wire.session.no_inbound or not inbound.unused:
                return 0
            self.inbound = self.wire.session.no_inbound
            if self.topic.core is self:
                self.topic.inbound = self.inbound
            return inbound.memory

    def close_inbound(self) -> None:
        """Nobody takes messages any more."""
        self.own_inbound().close()

    # ---- messages -----------------------------------------------------------------------------

    def touched(self) -> None:
        """Note that the channel is in use, for the hibernation manager."""
        self.topic.idle_since = None

    def deliver(
        self, messages: list[Frame], sizes: list[int], generation: int, *, unbounded: bool
    ) -> int:
        """Hand on messages of one read, none of the life cycle; return how many were taken in.

        It does what `feed` does with each of them, in one step where they are only delivered. They
        are all taken in, unless the channel must pause the reader, who comes again with the rest.
        """
        self.touched()
        with self.topic.lock:
            joined, join_ref = self._joined_on(generation)
            inbound = self._own_inbound()
            if (
                joined
                and inbound.policy is Overflow.BLOCK
                and only_delivered(Phase.JOINED, join_ref, messages)
            ):
                taken = inbound.offer_all(sizes, unbounded=unbounded)
                self.actor.cast_all(messages if taken == len(messages) else messages[:taken])
                return taken
        for number, (frame, size) in enumerate(zip(messages, sizes, strict=True), 1):
            self.feed(events.FrameArrived(frame, generation, size))
            if self.inbound.must_pause and not unbounded:
                return number
        return len(messages)

    def _joined_on(self, generation: int) -> tuple[bool, str | None]:
        """Tell whether it is joined on this connection, and by which ref; requires the lock.

        A machine that was given back is not made for that: it is one that was joined, and idle.
        """
        machine = self._machine
        if isinstance(machine, int):
            return generation_of(machine) == generation, self.sent_ref
        joined = machine.phase is Phase.JOINED and machine.open
        return joined and machine.generation == generation, machine.join_ref

    def deliver_one(self, frame: Frame, size: int, generation: int) -> None:
        """Hand on one frame: what `feed` does with it, in one step where it is only delivered."""
        self.touched()
        with self.topic.lock:
            joined, join_ref = self._joined_on(generation)
            if (
                joined
                and (frame.join_ref is None or frame.join_ref == join_ref)
                and frame.event not in LIFECYCLE_EVENTS
            ):
                inbound = self._own_inbound()
                if inbound.policy is Overflow.BLOCK:
                    inbound.offer_all([size], unbounded=True)
                    self.actor.cast(frame)
                    return
        if not joined:
            deeds: Deeds = []
            if do_in_step(deeds, self._finish_join, frame, generation, deeds, may_wait=False):
                return
        self.feed(events.FrameArrived(frame, generation, size))

    def _deliver(self, frame: Frame, size: int, after: Deeds) -> None:
        """Hand a message to the actor, within the bounds (C82)."""
        needed = frame.event in self.topic.presence_events
        item, dropped = self._own_inbound().offer(frame, size, needed=needed)
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

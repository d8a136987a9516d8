"""A channel and a server that does what it likes: laws that hold after every step."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phoenix_actors.errors import ConnectError, ConnectionLost, NotConnected
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.channel_record import ChannelPolicy, ChannelRecord
from phoenix_actors.machines.channel_rules import Phase
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired, Timers
from phoenix_actors.message import Frame

TOPIC = "room:lobby"
NAMES = ["phx_reply", "phx_reply", "phx_error", "phx_close", "shout"]
BECAUSE_ENDED = (events.FailPush, events.SettleLeave, events.ReportDrop)


class Channel(RuleBasedStateMachine):
    """Events in any order; `tokens` are whoever waits for something."""

    def __init__(self) -> None:
        super().__init__()
        self.last_ref = 0
        self.policy = ChannelPolicy(next_ref=self.next_ref, max_buffered=3)
        self.machine = ChannelMachine(TOPIC, self.policy)
        self.now = 0.0
        self.generation = 0
        self.open = False
        self.timers: dict[str, tuple[float, ArmTimer]] = {}
        self.tokens = count(1)
        self.waiting: set[Any] = set()
        self.asked = False
        self.join_refs: list[str] = []
        self.joined = False
        self.joins = 0
        self.ended = False

    def next_ref(self) -> str:
        self.last_ref += 1
        return str(self.last_ref)

    def handle(self, event: events.ChannelEvent) -> None:
        """Hand in an event and check each command against the laws."""
        for command in self.machine.handle(event, self.now):
            assert not self.ended or isinstance(command, BECAUSE_ENDED)
            self.follow(command)

    def follow(self, command: events.ChannelCommand) -> None:
        """Check one command, and note what it does."""
        match command:
            case ArmTimer(timer=timer, delay=delay):
                assert delay >= 0
                self.timers[timer] = (self.now + delay, command)
            case CancelTimer(timer=timer):
                del self.timers[timer]
            case events.SendJoin(join_ref=join_ref):
                assert self.open
                assert not self.join_refs or int(join_ref) > int(self.join_refs[-1])
                self.join_refs.append(join_ref)
            case events.SendPush(join_ref=join_ref, ref=ref, token=token, deadline=deadline):
                assert self.open
                assert join_ref == self.join_refs[-1] == self.machine.join_ref
                assert int(ref) > int(join_ref)
                assert deadline is None or deadline > self.now
                self.waiting.remove(token)
            case events.SendLeave(join_ref=join_ref):
                assert self.open
                assert join_ref == self.join_refs[-1]
            case (
                events.SettleJoin(token=token)
                | events.FailJoin(token=token)
                | events.FailPush(token=token)
                | events.SettleLeave(token=token)
            ):
                self.waiting.remove(token)  # answered once
            case events.TellJoined(join_count=join_count):
                assert not self.joined
                self.joins += 1
                assert join_count == self.joins
                self.joined = True
            case events.TellClosed():
                self.joined = False
            case events.DeliverMessage(frame=frame):
                assert self.machine.phase in (Phase.JOINING, Phase.JOINED)
                assert frame.join_ref in (None, self.join_refs[-1])
            case events.Forget():
                self.ended = True

    # ---- what may happen ----

    @precondition(lambda self: not self.asked)
    @rule(timeout=st.sampled_from([None, 3.0, 10.0]), waits=st.booleans())
    def join(self, timeout: float | None, waits: bool) -> None:
        self.asked = True
        token = next(self.tokens) if waits else None
        if self.ended:
            return
        self.waiting |= {token} - {None}
        self.handle(events.JoinRequested(timeout, token))

    @rule(timeout=st.sampled_from([None, 1.0, 5.0]))
    def push(self, timeout: float | None) -> None:
        token = next(self.tokens)
        self.waiting.add(token)
        self.handle(events.PushRequested("e", {}, token, timeout))

    @precondition(lambda self: self.joins or self.last_ref > 2)
    @rule()
    def leave(self) -> None:
        token = next(self.tokens)
        self.waiting.add(token)
        self.handle(events.LeaveRequested(5.0, token))

    @rule()
    def socket_opens(self) -> None:
        self.generation += 1
        self.open = True
        self.handle(events.SocketOpened(self.generation))

    @rule(old=st.integers(0, 1))
    def socket_is_lost(self, old: int) -> None:
        self.open = self.open and bool(old)
        self.handle(events.SocketLost(self.generation - old, ConnectionLost(1006)))

    @rule(
        name=st.sampled_from(NAMES),
        which=st.sampled_from(["present", "present", "none", "old"]),
        status=st.sampled_from(["ok", "ok", "error"]),
        old=st.sampled_from([0, 0, 0, 1]),
        ref_is_join=st.booleans(),
    )
    def frame_arrives(
        self, name: str, which: str, status: str, old: int, ref_is_join: bool
    ) -> None:
        present = self.machine.join_ref
        join_ref = {"present": present, "none": None, "old": "0"}[which]
        ref = present if ref_is_join else str(self.last_ref)
        frame = Frame(join_ref, ref, TOPIC, name, {"status": status, "response": {}})
        before = (self.machine.phase, self.machine.join_ref)
        self.handle(events.FrameArrived(frame, self.generation - old))
        if which == "old" or old or not self.open:
            assert (self.machine.phase, self.machine.join_ref) == before

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(50):
            due = sorted((at, name) for name, (at, _) in self.timers.items() if at <= end)
            if not due:
                break
            self.now, name = due[0]
            _, armed = self.timers.pop(name)
            self.handle(TimerFired(armed.timer, armed.serial))
        self.now = end

    @rule(join_ref=st.sampled_from(["present", "old"]))
    def topic_is_unmatched(self, join_ref: str) -> None:
        present = self.machine.join_ref if join_ref == "present" else "0"
        self.handle(events.TopicUnmatched(present))

    @rule()
    def join_cannot_be_sent(self) -> None:
        self.handle(events.JoinUnsent(self.machine.join_ref or "0", NotConnected()))

    @precondition(lambda self: not self.open)
    @rule()
    def connection_is_given_up(self) -> None:
        self.handle(events.ConnectionGivenUp(ConnectError("gone")))

    @precondition(lambda self: self.last_ref > 5)
    @rule()
    def hibernates(self) -> None:
        """Given back and made anew, the machine is what it was."""
        before = self.machine
        packed = before.packed()
        if packed is not None:
            self.machine = ChannelMachine.resumed(
                TOPIC,
                self.policy,
                join_count=before.join_count,
                join_ref=before.join_ref,
                timeout=before._timeout,
                packed=packed,
            )
            for name in (*Timers.__slots__, *ChannelRecord.__slots__):
                assert getattr(self.machine, name) == getattr(before, name), name

    @rule()
    def client_stops(self) -> None:
        self.handle(events.ClientStopping())

    # ---- laws ----

    @invariant()
    def timers_belong_to_phases(self) -> None:
        """Exactly one rejoin timer in errored with a socket; none where nothing is awaited."""
        assert set(self.timers) == self.machine.timers.armed
        phase, armed = self.machine.phase, set(self.timers)
        if phase in (Phase.FRESH, Phase.JOINED, Phase.ENDED):
            assert not armed
        assert ("rejoin" in armed) == (phase is Phase.ERRORED and self.open)
        if phase is Phase.LEAVING:
            assert armed == {"leave"}

    @invariant()
    def states_agree(self) -> None:
        """What was told is what is."""
        if self.machine.phase is Phase.JOINED:
            assert self.joined
        elif self.joined:  # a leave is told when it is over
            assert self.machine.phase is Phase.LEAVING
        assert (self.machine.phase is Phase.ENDED) == self.ended
        if self.machine.phase in (Phase.JOINED, Phase.LEAVING):
            assert self.open
        if self.ended:
            assert not self.waiting


TestChannel = pytest.mark.contract("C42", "C43", "C44", "C45", "C62", "C93")(Channel.TestCase)
TestChannel.settings = settings(deadline=None, stateful_step_count=40)

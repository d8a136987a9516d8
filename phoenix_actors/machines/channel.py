"""One topic of one client, as a pure machine: events and the time in, commands out.

The phases, the laws and the table of what follows from what are in `channel_rules`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from phoenix_actors.errors import (
    ChannelClosed,
    ConnectionLost,
    JoinCancelled,
    JoinRejected,
    JoinTimeout,
    NotJoined,
    PhoenixError,
    ProtocolError,
)
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel_events import ChannelTimer, DropCause
from phoenix_actors.machines.channel_record import ChannelRecord
from phoenix_actors.machines.channel_rules import RULES, Phase
from phoenix_actors.machines.timers import TimerFired
from phoenix_actors.message import (
    LIFECYCLE_EVENTS,
    PHX_CLOSE,
    PHX_ERROR,
    PHX_REPLY,
    ClientStopped,
    CloseReason,
    Frame,
    JoinTimedOut,
    Left,
    ServerClosed,
    ServerError,
    read_reply,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ChannelMachine"]

Commands: TypeAlias = list[events.ChannelCommand]


class ChannelMachine(ChannelRecord):
    """One channel. Not thread-safe: its shell hands in one event at a time.

    Args:
        topic: the topic.
        policy: what it has in common with others; `next_ref` may be called on any event.
        join_count: joins of the channel's former lives, when a supervisor restarted it.
        **policies: instead of a policy, what one is made of.

    Example:
        >>> refs = iter("123456789")
        >>> channel = ChannelMachine("room:lobby", next_ref=lambda: next(refs))
        >>> channel.handle(events.SocketOpened(1), now=0.0)
        []
        >>> channel.handle(events.JoinRequested(timeout=10.0, token="caller"), now=0.0)[0]
        SendJoin(join_ref='1')
        >>> reply = Frame("1", "1", "room:lobby", "phx_reply", {"status": "ok", "response": {}})
        >>> channel.handle(events.FrameArrived(reply, generation=1), now=0.1)
        [CancelTimer(timer=<ChannelTimer.JOIN: 'join'>), SettleJoin(token='caller'), \
TellJoined(join_count=1)]
        >>> channel
        <ChannelMachine 'room:lobby' joined join_ref='1' joins=1>
    """

    __slots__ = ()

    def handle(self, event: events.ChannelEvent, now: float) -> Commands:
        """Take in one event at the moment `now`, in seconds; return what to do, in order.

        Raises:
            ProtocolError: for a second `JoinRequested`; the machine stays as it was (C51).
        """
        match event:
            case events.FrameArrived(frame=frame, generation=generation):
                # Broadcasts have no join_ref (C46); any other than the present one is stale (C45).
                ours = frame.join_ref is None or frame.join_ref == self.join_ref
                if not (ours and self.open and generation == self.generation):
                    return self._drop(DropCause.STALE, frame)
            case TimerFired():
                if not self.timers.take(event):
                    return []
            case events.SocketLost(generation=generation):
                if not self.open or generation != self.generation:
                    return []
                self.open = False
            case events.SocketOpened(generation=generation):
                if generation <= self.generation:
                    return []
                missed: Commands = []
                if self.open:
                    # The loss of the former connection was not told.
                    missed = self.handle(events.SocketLost(self.generation, ConnectionLost()), now)
                self.generation, self.open = generation, True
                return missed + self._apply(event, now)
        return self._apply(event, now)

    def _apply(self, event: events.ChannelEvent, now: float) -> Commands:
        """Follow the rule for the present phase and the event."""
        rule: Callable[[Any, float], Commands] = getattr(self, RULES[self.phase][type(event)])
        return rule(event, now)

    # ---- joining ----

    def _start(self, event: events.JoinRequested, _: float) -> Commands:
        """Ask for the topic; the timeout of whoever waits runs from now, open or not (C63)."""
        self.phase = Phase.JOINING
        self._waiting, self._timeout = event.token, event.timeout
        commands = self._send_join() if self.open else []
        if event.token is not None and event.timeout is not None:
            commands.append(self.timers.arm(ChannelTimer.JOIN, event.timeout))
        return commands

    def _second_join(self, _: events.JoinRequested, __: float) -> Commands:
        raise ProtocolError(f"topic {self.topic!r} was asked for already: a channel joins once")

    def _send_join(self) -> Commands:
        """Send a join with a fresh ref; without a caller that waits, it has its own timeout."""
        self.phase = Phase.JOINING
        self.join_ref = self.policy.next_ref()
        commands: Commands = [events.SendJoin(self.join_ref)]
        if self._waiting is None and self._timeout is not None:
            commands.append(self.timers.arm(ChannelTimer.JOIN, self._timeout))
        return commands

    def _opened(self, _: events.SocketOpened, __: float) -> Commands:
        """Join at once on a new connection (C61, C63)."""
        self._tries = 0
        return [*self.timers.cancel(ChannelTimer.REJOIN), *self._send_join()]

    def _joining_frame(self, event: events.FrameArrived, now: float) -> Commands:
        """Take the answer to the join; treat everything else as when joined."""
        frame = event.frame
        if frame.event != PHX_REPLY:
            return self._joined_frame(event, now)
        if frame.ref != self.join_ref:
            return self._drop(DropCause.UNMATCHED, frame)
        reply = read_reply(frame.payload)
        if reply.status == "ok":
            return self._joined(reply.response, now)
        return self._refused(reply.response)

    def _joined(self, response: Any, now: float) -> Commands:
        """Go on as joined: what was buffered goes out first, in order (C68–C70)."""
        self.phase = Phase.JOINED
        self.join_count += 1
        self._tries = 0
        commands: Commands = [*self.timers.cancel(ChannelTimer.JOIN, ChannelTimer.REJOIN)]
        pushes, ended = self._unsent_pushes(now)
        commands += [*ended, *(self._push(push.request, push.deadline) for push in pushes)]
        commands += self._answer_join(events.SettleJoin, response)
        self._be_at_rest()
        commands.append(events.TellJoined(response, self.join_count))
        return commands

    def _refused(self, response: Any) -> Commands:
        """End a channel whose first join is refused; try a rejoin again (C56, C58)."""
        commands: Commands = [events.TellJoinError(response)]
        if self._waiting is None and self.policy.rejoin.retry_refused:
            return commands + self._fall()
        return commands + self._end_errored(JoinRejected(self.topic, response))

    def _unsent(self, event: events.JoinUnsent, _: float) -> Commands:
        """Take a join that could not be made for one that failed."""
        if event.join_ref != self.join_ref:
            return []
        return self._fall() if self._waiting is None else self._end_errored(event.error)

    def _join_timer(self, event: TimerFired, now: float) -> Commands:
        if event.timer == ChannelTimer.BUFFERED_PUSH:
            return [*self.buffer.expire(now)]
        # A late ok must not leave a channel on the server that nobody here knows (C59).
        sent = self.join_ref
        leave: Commands = [] if sent is None else [events.SendLeave(sent, self.policy.next_ref())]
        late = JoinTimeout(self.topic, self._timeout)
        return leave + self._answer_join(events.FailJoin, late) + self._fall(JoinTimedOut())

    def _answer_join(
        self, answer: Callable[[Any, Any], events.SettleJoin | events.FailJoin], value: Any
    ) -> Commands:
        """Answer whoever waits for the join, once."""
        token, self._waiting = self._waiting, None
        return [] if token is None else [answer(token, value)]

    # ---- joined ----

    def _joined_frame(self, event: events.FrameArrived, _: float) -> Commands:
        """Deliver an event of the user; follow what the server says about the channel."""
        frame = event.frame
        if frame.event not in LIFECYCLE_EVENTS:
            return [events.DeliverMessage(frame, event.size)]
        if frame.event == PHX_ERROR:
            return self._fall(ServerError(frame.payload))
        if frame.event == PHX_CLOSE:
            return self._end(ServerClosed())
        return self._drop(DropCause.UNMATCHED, frame)

    def _send(self, event: events.PushRequested, now: float) -> Commands:
        return [self._push(event, None if event.timeout is None else now + event.timeout)]

    def _push(self, request: events.PushRequested, deadline: float | None) -> events.SendPush:
        return events.SendPush(
            self.join_ref or "",
            self.policy.next_ref(),
            request.event,
            request.payload,
            request.token,
            request.timeout,
            deadline,
        )

    def _unmatched(self, event: events.TopicUnmatched, _: float) -> Commands:
        """Join again when the server lost the channel (C84)."""
        if event.join_ref != self.join_ref:
            return []
        return self._fall(ServerError({"reason": "unmatched topic"}))

    # ---- not joined ----

    def _lost(self, event: events.SocketLost, _: float) -> Commands:
        """Wait for the next connection."""
        if self.phase is Phase.ERRORED:
            return [*self.timers.cancel(ChannelTimer.REJOIN)]
        return self._fall(event.reason)

    def _fall(self, reason: CloseReason | None = None) -> Commands:
        """Be wanted but not joined; a rejoin is due if there is a socket to send it on (C91)."""
        commands: Commands = []
        if self.phase is Phase.JOINED and reason is not None:
            commands.append(events.FailInFlight(reason))
        self.phase = Phase.ERRORED
        self.join_ref = None
        if self._waiting is None:
            commands += self.timers.cancel(ChannelTimer.JOIN)
        if reason is not None:
            commands.append(events.TellClosed(reason))
        if self.open:
            self._tries += 1
            delay = self.policy.rejoin.delay(self._tries, self.policy.random())
            commands.append(self.timers.arm(ChannelTimer.REJOIN, delay))
        return commands

    def _errored_timer(self, event: TimerFired, now: float) -> Commands:
        if event.timer == ChannelTimer.BUFFERED_PUSH:
            return [*self.buffer.expire(now)]
        if event.timer == ChannelTimer.REJOIN:
            return self._send_join()
        return self._answer_join(events.FailJoin, JoinTimeout(self.topic, self._timeout))

    def _buffer_push(self, event: events.PushRequested, now: float) -> Commands:
        """Keep a push until the channel is joined (C68), if there is room (C81)."""
        return [*self.buffer.add(event, now)]

    def _given_up(self, event: events.ConnectionGivenUp, now: float) -> Commands:
        """Fail what waits for a connection that will not come (C116)."""
        pushes, ended = self._unsent_pushes(now)
        commands: Commands = [*ended]
        commands += [events.FailPush(push.request.token, event.error) for push in pushes]
        return commands if self._waiting is None else commands + self._end_errored(event.error)

    # ---- leaving, and the end ----

    def _leave(self, event: events.LeaveRequested, _: float) -> Commands:
        """Leave by the server when it may know of the channel, here otherwise (C85–C87)."""
        self._leavers += () if event.token is None else (event.token,)
        if self.phase is Phase.LEAVING:
            return []
        if self.join_ref is None:
            return self._end(None if self.phase is Phase.FRESH else Left())
        self.phase = Phase.LEAVING
        self._reason = Left()
        self._leave_ref = self.policy.next_ref()
        commands = [*self.timers.cancel_all(), *self._fail_unsent(Left())]
        commands.append(events.SendLeave(self.join_ref, self._leave_ref))
        if event.timeout is not None:
            commands.append(self.timers.arm(ChannelTimer.LEAVE, event.timeout))
        return commands

    def _leaving_frame(self, event: events.FrameArrived, _: float) -> Commands:
        """End with the server's answer, whichever comes first; nothing is delivered any more."""
        frame = event.frame
        if frame.event == PHX_REPLY and frame.ref != self._leave_ref:
            return self._drop(DropCause.UNMATCHED, frame)
        if frame.event in LIFECYCLE_EVENTS:
            return self._end(Left())
        return self._drop(DropCause.NOT_JOINED, frame)

    def _left(self, _: Any, __: float) -> Commands:
        """End a leave that nobody will answer any more."""
        return self._end(Left())

    def _stop(self, _: events.ClientStopping, __: float) -> Commands:
        return self._end(None if self.phase is Phase.FRESH else ClientStopped())

    def _end(self, reason: CloseReason | None) -> Commands:
        """Close for good."""
        commands: Commands = [*self.timers.cancel_all(), *self._fail_unsent(reason)]
        if self.phase in (Phase.JOINED, Phase.LEAVING) and reason is not None:
            commands.append(events.FailInFlight(reason))
        if reason is not None:
            commands.append(events.TellClosed(reason))
        commands += [events.SettleLeave(token) for token in self._leavers]
        commands.append(events.Forget())
        self.phase, self.join_ref, self._reason = Phase.ENDED, None, reason
        return commands

    def _end_errored(self, error: PhoenixError) -> Commands:
        """Give a topic up that could not be joined; its state stays errored (C56)."""
        self._refused_for_good = True
        return self._answer_join(events.FailJoin, error) + self._end(None)

    def _fail_unsent(self, reason: CloseReason | None) -> Commands:
        """Fail the join that somebody waits for, and the pushes that were not sent."""
        commands: Commands = []
        if self._waiting is not None:
            commands = self._answer_join(events.FailJoin, JoinCancelled(self.topic))
        pushes, ended = self._unsent_pushes(now=float("-inf"))
        commands += ended
        for push in pushes:
            error = ChannelClosed(self.topic, push.request.event, reason)
            commands.append(events.FailPush(push.request.token, error))
        return commands

    # ---- in any phase ----

    def _drop(self, cause: DropCause, frame: Frame) -> Commands:
        if self._dropped is None:
            self._dropped = Counter()
        self._dropped[cause] += 1
        return [events.ReportDrop(cause, frame.event)]

    def _left_already(self, event: events.LeaveRequested, _: float) -> Commands:
        return [] if event.token is None else [events.SettleLeave(event.token)]

    def _late_frame(self, event: events.FrameArrived, _: float) -> Commands:
        return self._drop(DropCause.NOT_JOINED, event.frame)

    def _refuse_push(self, event: events.PushRequested, _: float) -> Commands:
        """Refuse at once what no join will ever send (C67, C83)."""
        if self.phase is Phase.FRESH:
            return [events.FailPush(event.token, NotJoined(self.topic, event.event))]
        error = ChannelClosed(self.topic, event.event, self._reason)
        return [events.FailPush(event.token, error)]

    def _nothing(self, _: Any, __: float) -> Commands:
        return []

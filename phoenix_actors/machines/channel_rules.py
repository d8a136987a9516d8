"""The rules of a channel as data: what it does in each phase on each event.

Phases, and the `ChannelState` that each shows:

| phase | state | meaning |
| --- | --- | --- |
| fresh | closed | nobody asked for the topic yet |
| joining | joining | a join is on the wire, or waits for the socket to open |
| joined | joined | the server said ok to the join whose ref is `join_ref` |
| errored | errored | wanted, not joined: waits for the socket, or for the rejoin timer |
| leaving | leaving | phx_leave is on the wire |
| ended | closed, errored after a refusal | forgotten by the socket; nothing leads out of it |

Laws:

- `join_ref` is the ref of the join that counts. An inbound frame with another one that is not null,
  or of another connection, changes nothing and is counted (C44–C46, C64, C92, C125).
- Each join has a fresh ref (C44), and a push goes out with the join_ref of the join that succeeded
  and a ref of its own drawn then (C43, C70).
- Whoever waits for the join is answered once. Until then a refusal is the end of the channel, from
  then on it is that of a *re*join, which is tried again (C58).
- In errored with an open socket exactly one rejoin timer runs (C93); fresh, joined and ended have
  no timer. A closed or leaving channel never joins (C62).
- `TellClosed` comes once for each time that a channel stops being joined, or fails to be.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from phoenix_actors.machines.channel_events import (
    ClientStopping,
    ConnectionGivenUp,
    FrameArrived,
    JoinRequested,
    JoinUnsent,
    LeaveRequested,
    PushRequested,
    SocketLost,
    SocketOpened,
    TopicUnmatched,
)
from phoenix_actors.machines.timers import TimerFired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phoenix_actors.machines.channel_events import ChannelEvent
    from phoenix_actors.message import Frame

__all__ = ["RULES", "Phase", "only_delivered"]


class Phase(StrEnum):
    """Where a channel is; see the table at the top of this file."""

    FRESH = "fresh"
    JOINING = "joining"
    JOINED = "joined"
    ERRORED = "errored"
    LEAVING = "leaving"
    ENDED = "ended"


# Phase, event → the method of `ChannelMachine` that follows. News of a connection or of a timer
# that is not the present one never gets here. A loss comes before the next opening, so a channel
# that is joined or leaving meets no `SocketOpened`; one without timers meets no `TimerFired`.
RULES: Final[Mapping[Phase, Mapping[type[ChannelEvent], str]]] = {
    Phase.FRESH: {
        JoinRequested: "_start",
        SocketOpened: "_nothing",
        SocketLost: "_nothing",
        ConnectionGivenUp: "_nothing",
        FrameArrived: "_late_frame",
        TopicUnmatched: "_nothing",
        PushRequested: "_refuse_push",
        LeaveRequested: "_leave",
        JoinUnsent: "_nothing",
        ClientStopping: "_stop",
    },
    Phase.JOINING: {
        JoinRequested: "_second_join",
        SocketOpened: "_opened",
        SocketLost: "_lost",
        ConnectionGivenUp: "_given_up",
        FrameArrived: "_joining_frame",
        TopicUnmatched: "_nothing",
        PushRequested: "_buffer_push",
        LeaveRequested: "_leave",
        JoinUnsent: "_unsent",
        ClientStopping: "_stop",
        TimerFired: "_join_timer",
    },
    Phase.JOINED: {
        JoinRequested: "_second_join",
        SocketLost: "_lost",
        ConnectionGivenUp: "_nothing",
        FrameArrived: "_joined_frame",
        TopicUnmatched: "_unmatched",
        PushRequested: "_send",
        LeaveRequested: "_leave",
        JoinUnsent: "_nothing",
        ClientStopping: "_stop",
    },
    Phase.ERRORED: {
        JoinRequested: "_second_join",
        SocketOpened: "_opened",
        SocketLost: "_lost",
        ConnectionGivenUp: "_given_up",
        FrameArrived: "_late_frame",
        TopicUnmatched: "_nothing",
        PushRequested: "_buffer_push",
        LeaveRequested: "_leave",
        JoinUnsent: "_nothing",
        ClientStopping: "_stop",
        TimerFired: "_errored_timer",
    },
    Phase.LEAVING: {
        JoinRequested: "_second_join",
        SocketLost: "_left",
        ConnectionGivenUp: "_nothing",
        FrameArrived: "_leaving_frame",
        TopicUnmatched: "_nothing",
        PushRequested: "_refuse_push",
        LeaveRequested: "_leave",
        JoinUnsent: "_nothing",
        ClientStopping: "_left",
        TimerFired: "_left",
    },
    Phase.ENDED: {
        JoinRequested: "_second_join",
        SocketOpened: "_nothing",
        SocketLost: "_nothing",
        ConnectionGivenUp: "_nothing",
        FrameArrived: "_late_frame",
        TopicUnmatched: "_nothing",
        PushRequested: "_refuse_push",
        LeaveRequested: "_left_already",
        JoinUnsent: "_nothing",
        ClientStopping: "_nothing",
    },
}


def only_delivered(phase: Phase, join_ref: str | None, messages: list[Frame]) -> bool:
    """Tell whether a channel whose connection is open would deliver each, and do nothing else.

    The messages are none of its life cycle. It is the rule that `_joined_frame` follows for one.

    Example:
        >>> from phoenix_actors.message import Frame
        >>> messages = [Frame(None, None, "t", "a", {}), Frame("1", None, "t", "b", {})]
        >>> only_delivered(Phase.JOINED, "1", messages), only_delivered(Phase.JOINED, "2", messages)
        (True, False)
    """
    refs = {message.join_ref for message in messages}
    return phase is Phase.JOINED and refs <= {None, join_ref}

"""What the machine of one channel knows. Most of it is empty most of the time, and takes no memory.

A joined channel that is idle has no buffer: it comes with the first push that has to wait.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.machines.channel_rules import Phase
from phoenix_actors.machines.push_buffer import BufferedPush, PushBuffer
from phoenix_actors.machines.reconnect import RejoinPolicy
from phoenix_actors.machines.timers import CancelTimer, Timers
from phoenix_actors.message import ChannelState, CloseReason
from phoenix_actors.options import Overflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.machines.channel_events import DropCause, FailPush

__all__ = ["ChannelRecord"]

_STATES: Final = {
    Phase.FRESH: ChannelState.CLOSED,
    Phase.JOINING: ChannelState.JOINING,
    Phase.JOINED: ChannelState.JOINED,
    Phase.ERRORED: ChannelState.ERRORED,
    Phase.LEAVING: ChannelState.LEAVING,
    # Unless the join was refused for good.
    Phase.ENDED: ChannelState.CLOSED,
}


class ChannelRecord:
    """The state of one `ChannelMachine`; its arguments are explained there.

    Example:
        >>> record = ChannelRecord("room:lobby", next_ref=lambda: "1")
        >>> record.state, record.full
        (<ChannelState.CLOSED: 'closed'>, False)
    """

    __slots__ = (
        "_buffer",
        "_dropped",
        "_leave_ref",
        "_leavers",
        "_max_buffered",
        "_max_bytes",
        "_next_ref",
        "_overflow",
        "_random",
        "_reason",
        "_refused_for_good",
        "_rejoin",
        "_timeout",
        "_tries",
        "_waiting",
        "generation",
        "join_count",
        "join_ref",
        "open",
        "phase",
        "timers",
        "topic",
    )

    def __init__(
        self,
        topic: str,
        *,
        next_ref: Callable[[], str],
        rejoin: RejoinPolicy = RejoinPolicy(),  # noqa: B008  frozen
        max_buffered: int = 500,
        max_bytes: int | None = None,
        overflow: Overflow = Overflow.ERROR,
        join_count: int = 0,
        random: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.topic = topic
        self.phase = Phase.FRESH
        self.join_ref: str | None = None
        self.join_count = join_count
        self._dropped: Counter[DropCause] | None = None
        self.timers = Timers()
        self._next_ref = next_ref
        self._rejoin = rejoin
        self._random = random
        self._max_buffered, self._max_bytes, self._overflow = max_buffered, max_bytes, overflow
        # Of pushes that wait for the join; made with the first of them.
        self._buffer: PushBuffer | None = None
        self.generation = -1  # of the newest connection heard of
        self.open = False
        self._waiting: Any = None  # token of whoever waits for the join
        self._timeout: float | None = None
        self._tries = 0  # rejoins since the last success or the opening of the socket
        self._leave_ref: str | None = None
        self._leavers: tuple[Any, ...] = ()
        self._reason: CloseReason | None = None
        self._refused_for_good = False

    @property
    def dropped(self) -> Counter[DropCause]:
        """How many frames were dropped, by cause."""
        return Counter() if self._dropped is None else self._dropped

    @property
    def full(self) -> bool:
        """Whether one more push that has to wait for the join is one too many."""
        return self._buffer is not None and self._buffer.full

    @property
    def buffer(self) -> PushBuffer:
        """What keeps the pushes that wait for the join."""
        if self._buffer is None:
            self._buffer = PushBuffer(
                self.topic, self._max_buffered, self.timers, self._max_bytes, self._overflow
            )
        return self._buffer

    def _unsent_pushes(self, now: float) -> tuple[list[BufferedPush], list[FailPush | CancelTimer]]:
        """Take out the pushes that wait for the join; see `PushBuffer.take`."""
        buffer, self._buffer = self._buffer, None
        return ([], []) if buffer is None else buffer.take(now)

    @property
    def state(self) -> ChannelState:
        """The state in the words of phoenix.js."""
        if self._refused_for_good and self.phase is Phase.ENDED:
            return ChannelState.ERRORED
        return _STATES[self.phase]

    def __repr__(self) -> str:
        refs = f"join_ref={self.join_ref!r} joins={self.join_count}"
        return f"<{type(self).__name__} {self.topic!r} {self.phase} {refs}>"

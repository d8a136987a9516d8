"""What the machine of one channel knows. Most of it is empty most of the time, and takes no memory.

A joined channel that is idle has no buffer: it comes with the first push that has to wait.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from phoenix_actors.machines.channel_rules import Phase
from phoenix_actors.machines.push_buffer import BufferedPush, PushBuffer
from phoenix_actors.machines.reconnect import RejoinPolicy
from phoenix_actors.machines.timers import CancelTimer, Timers
from phoenix_actors.message import ChannelState, CloseReason
from phoenix_actors.options import Overflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.machines.channel_events import DropCause, FailPush

__all__ = ["ChannelPolicy", "ChannelRecord", "generation_of"]

_STATES: Final = {
    Phase.FRESH: ChannelState.CLOSED,
    Phase.JOINING: ChannelState.JOINING,
    Phase.JOINED: ChannelState.JOINED,
    Phase.ERRORED: ChannelState.ERRORED,
    Phase.LEAVING: ChannelState.LEAVING,
    # Unless the join was refused for good.
    Phase.ENDED: ChannelState.CLOSED,
}


# Timers that one channel arms in its life, for `packed`.
_SERIALS: Final = 1 << 32


def generation_of(packed: int) -> int:
    """Return the generation of the connection on which a `packed` channel is joined.

    Example:
        >>> generation_of(3 << 32)
        3
    """
    return packed >> 32


class ChannelPolicy(msgspec.Struct, frozen=True):
    """What all channels of one connection have in common.

    Attributes:
        next_ref: gives the next ref of the socket.
        rejoin: when to join again while the socket is open.
        max_buffered, max_bytes, overflow: of the pushes kept while not joined; see `PushBuffer`.
        random: a sample of chance.
    """

    next_ref: Callable[[], str]
    rejoin: RejoinPolicy = RejoinPolicy()
    max_buffered: int = 500
    max_bytes: int | None = None
    overflow: Overflow = Overflow.ERROR
    random: Callable[[], float] = lambda: 0.5


class _Passing:
    """What a channel that is joined, and stays so, has no use for."""

    __slots__ = (
        "buffer",
        "dropped",
        "leave_ref",
        "leavers",
        "reason",
        "refused_for_good",
        "tries",
        "waiting",
    )

    def __init__(self) -> None:
        # Of pushes that wait for the join; made with the first of them.
        self.buffer: PushBuffer | None = None
        self.dropped: Counter[DropCause] | None = None
        self.leave_ref: str | None = None
        self.leavers: tuple[Any, ...] = ()
        self.reason: CloseReason | None = None
        self.refused_for_good = False
        self.tries = 0  # rejoins since the last success or the opening of the socket
        self.waiting: Any = None  # token of whoever waits for the join


# What every channel has until something is written there; it does not change.
_NOTHING: Final = _Passing()
_all_of: Final = attrgetter(*_Passing.__slots__)
_USUAL: Final = _all_of(_NOTHING)


def _passing(name: str) -> Any:
    """Return the property of a channel that stands in what it seldom has."""
    usual = getattr(_NOTHING, name)

    def write(record: ChannelRecord, value: Any) -> None:
        if record._passing is _NOTHING:
            if value is usual:
                return
            record._passing = _Passing()
        setattr(record._passing, name, value)

    return property(lambda record: getattr(record._passing, name), write)


class ChannelRecord(Timers):
    """The state of one `ChannelMachine`; its arguments are explained there.

    Example:
        >>> record = ChannelRecord("room:lobby", next_ref=lambda: "1")
        >>> record.state, record.full
        (<ChannelState.CLOSED: 'closed'>, False)
    """

    __slots__ = (
        "_passing",
        "_timeout",
        "generation",
        "join_count",
        "join_ref",
        "open",
        "phase",
        "policy",
        "topic",
    )

    def __init__(
        self,
        topic: str,
        policy: ChannelPolicy | None = None,
        *,
        join_count: int = 0,
        **policies: Any,
    ) -> None:
        super().__init__()
        self.topic = topic
        self.policy = policy or ChannelPolicy(**policies)
        self.phase = Phase.FRESH
        self.join_ref: str | None = None
        self.join_count = join_count
        self.generation = -1  # of the newest connection heard of
        self.open = False
        self._timeout: float | None = None
        self._passing = _NOTHING

    _buffer = _passing("buffer")
    _dropped = _passing("dropped")
    _leave_ref = _passing("leave_ref")
    _leavers = _passing("leavers")
    _reason = _passing("reason")
    _refused_for_good = _passing("refused_for_good")
    _tries = _passing("tries")
    _waiting = _passing("waiting")

    @classmethod
    def resumed(
        cls,
        topic: str,
        policy: ChannelPolicy,
        *,
        join_count: int,
        join_ref: str | None,
        timeout: float | None,
        packed: int,
    ) -> Self:
        """Return the machine of a joined channel as it was when it was `packed`."""
        machine = cls(topic, policy, join_count=join_count)
        machine.phase, machine.open = Phase.JOINED, True
        machine.join_ref, machine._timeout = join_ref, timeout
        machine.generation, machine._serial = divmod(packed, _SERIALS)
        return machine

    def packed(self) -> int | None:
        """Return what has to be kept of it, beside what its shell knows; None while it is not idle.

        Example:
            >>> policy = ChannelPolicy(next_ref=lambda: "2")
            >>> known = {"join_count": 1, "join_ref": "1", "timeout": None}
            >>> record = ChannelRecord.resumed("room:lobby", policy, **known, packed=3 << 32)
            >>> record, record.generation, record.packed() == 3 << 32
            (<ChannelRecord 'room:lobby' joined join_ref='1' joins=1>, 3, True)
        """
        busy = self._armed or self._passing is not _NOTHING
        if busy or self.phase is not Phase.JOINED or not self.open or self._serial >= _SERIALS:
            return None
        return self.generation * _SERIALS + self._serial

    def _be_at_rest(self) -> None:
        """Keep nothing that says nothing."""
        if _all_of(self._passing) == _USUAL:
            self._passing = _NOTHING

    @property
    def timers(self) -> Timers:
        """The timers, which are a part of this."""
        return self

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
            policy = self.policy
            self._buffer = PushBuffer(
                self.topic, policy.max_buffered, self, policy.max_bytes, policy.overflow
            )
        buffer: PushBuffer = self._buffer
        return buffer

    def _unsent_pushes(self, now: float) -> tuple[list[BufferedPush], list[FailPush | CancelTimer]]:
        """Take out the pushes that wait for the join; see `PushBuffer.take`."""
        buffer, self._buffer = self._buffer, None
        return ([], []) if buffer is None else buffer.take(now)

    @property
    def state(self) -> ChannelState:
        """The state in the words of phoenix.js."""
        if self.phase is Phase.ENDED and self._refused_for_good:
            return ChannelState.ERRORED
        return _STATES[self.phase]

    def __repr__(self) -> str:
        refs = f"join_ref={self.join_ref!r} joins={self.join_count}"
        return f"<{type(self).__name__} {self.topic!r} {self.phase} {refs}>"

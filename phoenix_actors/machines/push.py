"""Pushes on the wire that wait for a reply, of all channels of one socket.

Laws:

- A ref is given out once in the life of the table, and refs grow by one (C41).
- A reply belongs to the entry of its topic and ref; its join_ref is the entry's, or null, which is
  what the server writes for a topic it does not know (C48).
- An entry leaves the table once: by its reply, its deadline, the end of its channel, or the loss of
  the connection (C49). After that its reply is unmatched: counted and ignored.

Every operation costs O(1), or O(1) for each entry that it returns; `len` costs O(1) for each topic
that waits, on the average. Most pushes are answered long before their deadline and have the same
time-out, so a deadline is not sorted in when its push is entered, unless it is earlier than one
that is: the heap is filled from the table when somebody looks for deadlines and it is used up. Its
entries of pushes that are gone are swept when one is sorted in and they are the majority, so there
are never many more of them than pushes have waited at once. The table has no lock of its own:
replies are resolved on the reader thread and pushes made on others, so its shell holds one around
every call.
"""

from __future__ import annotations

import heapq
import math
from heapq import heappush
from typing import TYPE_CHECKING, Any, Final

import msgspec

from phoenix_actors.errors import ChannelClosed, ConnectionLost
from phoenix_actors.message import HeartbeatTimeout

if TYPE_CHECKING:
    from phoenix_actors.errors import PhoenixError
    from phoenix_actors.message import CloseReason, PushReply

__all__ = ["PendingPush", "PendingPushes", "is_unmatched_topic", "push_failure", "reply_to"]

# Below this many dead entries the heap is not worth a sweep.
_SWEEP_FROM: Final = 64


class PendingPush(msgspec.Struct, frozen=True):
    """One push that waits for its reply.

    Attributes:
        token: whatever the shell wants back, such as a future.
        deadline: the moment, on the clock that `expire` is told, or None.
        timeout: the seconds that led to it, for the error's text.
    """

    topic: str
    ref: str
    join_ref: str | None
    event: str
    token: Any
    deadline: float | None = None
    timeout: float | None = None

    def seconds_to(self, now: float) -> float | None:
        """Return how long it has waited, None where it has no timeout: that runs from the call."""
        if self.deadline is None or self.timeout is None:
            return None
        return now - (self.deadline - self.timeout)

    def __repr__(self) -> str:
        return f"PendingPush(topic={self.topic!r}, ref={self.ref!r}, event={self.event!r})"


class PendingPushes:
    """The table. Not thread-safe: hold a lock around every call.

    Example:
        >>> pushes = PendingPushes()
        >>> ref = pushes.next_ref()
        >>> pushes.add(PendingPush("room:lobby", ref, "1", "shout", token="future", deadline=10.0))
        >>> pushes.resolve("room:lobby", ref, "1").token
        'future'
        >>> pushes.resolve("room:lobby", ref, "1") is None, pushes.unmatched
        (True, 1)
    """

    __slots__ = (
        "_answered",
        "_by_topic",
        "_floor",
        "_heap",
        "_last",
        "_sorted_to",
        "_sweep_at",
        "unmatched",
    )

    def __init__(self) -> None:
        self._last = 0
        self._floor: int | None = None  # the last ref at the last tick; None: nobody ticks
        self._answered = False  # whether a push with a later ref was answered
        self._by_topic: dict[str, dict[str, PendingPush]] = {}
        # Of all that wait, the deadlines before `_sorted_to`, and perhaps that one; others are not.
        self._heap: list[tuple[float, str, str]] = []
        self._sorted_to = -math.inf
        # How long the heap has to become to be swept.
        self._sweep_at = _SWEEP_FROM
        self.unmatched = 0

    def next_ref(self) -> str:
        """Return the next ref of this socket; joins, leaves and heartbeats take theirs here too."""
        self._last += 1
        return str(self._last)

    def tick(self) -> bool:
        """Tell whether a push that was made since the last tick was answered (C102)."""
        answered, self._answered = self._answered, False
        self._floor = self._last
        return answered

    def add(self, push: PendingPush) -> None:
        """Enter a push, before it is sent, for its reply may come at once."""
        self._by_topic.setdefault(push.topic, {})[push.ref] = push
        if push.deadline is not None and push.deadline < self._sorted_to:
            self._sort_in(push.deadline, push.topic, push.ref)

    def enter(
        self,
        topic: str,
        join_ref: str | None,
        event: str,
        token: Any,
        deadline: float | None,
        timeout: float | None,
    ) -> PendingPush:
        """Enter a push under the next ref, and return it; as `next_ref` and `add` do."""
        self._last = last = self._last + 1
        ref = str(last)
        push = PendingPush(topic, ref, join_ref, event, token, deadline, timeout)
        pushes = self._by_topic.get(topic)
        if pushes is None:
            self._by_topic[topic] = {ref: push}
        else:
            pushes[ref] = push
        if deadline is not None and deadline < self._sorted_to:
            self._sort_in(deadline, topic, ref)
        return push

    def resolve(self, topic: str, ref: str | None, join_ref: str | None) -> PendingPush | None:
        """Take out and return the push that a reply answers; None for a reply nobody waits for."""
        pushes = self._by_topic.get(topic)
        if pushes is not None and ref is not None:
            push = pushes.get(ref)
            if push is not None and (join_ref is None or join_ref == push.join_ref):
                if not self._answered and self._floor is not None and int(ref) > self._floor:
                    self._answered = True
                # As _remove, without its call. Behind the last call: what a signal's handler raises
                # finds the push in the table, or with whoever asked for it.
                del pushes[ref]
                if not pushes:
                    del self._by_topic[topic]
                return push
        self.unmatched += 1
        return None

    def discard(self, topic: str, ref: str) -> PendingPush | None:
        """Take out and return a push that could not be sent, or that its caller gave up."""
        push = self._by_topic.get(topic, {}).get(ref)
        if push is not None:
            self._remove(push)
        return push

    def withdraw(self, topic: str, token: Any) -> None:
        """Take out the push of a token, if it was entered: whoever entered it was interrupted."""
        for push in list(self._by_topic.get(topic, {}).values()):
            if push.token is token:
                self._remove(push)

    def take_join(self, topic: str, join_ref: str | None) -> list[PendingPush]:
        """Take out and return the pushes of one join of a topic, in the order they were made.

        While a topic is joined anew, pushes of the former join may wait beside those of the new.
        """
        pushes = self._by_topic.get(topic, {})
        taken = [push for push in pushes.values() if push.join_ref == join_ref]
        for push in taken:
            self._remove(push)
        if not self._by_topic:
            # As when a connection is lost: no deadline has to be kept.
            self._heap, self._sorted_to = [], -math.inf
        return taken

    def expire(self, now: float) -> list[PendingPush]:
        """Take out and return the pushes whose deadline has come, the earliest first."""
        expired = []
        while (self._heap or self._fill()) and self._heap[0][0] <= now:
            _, topic, ref = heapq.heappop(self._heap)
            push = self.discard(topic, ref)
            if push is not None:
                expired.append(push)
        return expired

    def next_deadline(self) -> float | None:
        """Return the moment of the next deadline, to call `expire` at; None when there is none."""
        while self._heap or self._fill():
            deadline, topic, ref = self._heap[0]
            if ref in self._by_topic.get(topic, ()):
                return deadline
            heapq.heappop(self._heap)
        return None

    def _remove(self, push: PendingPush) -> None:
        """Take out an entry that is there."""
        pushes = self._by_topic[push.topic]
        del pushes[push.ref]
        if not pushes:
            del self._by_topic[push.topic]

    def _sort_in(self, deadline: float, topic: str, ref: str) -> None:
        heappush(self._heap, (deadline, topic, ref))
        if len(self._heap) > self._sweep_at:
            self._sweep()

    def _fill(self) -> bool:
        """Sort the deadlines of all that wait; False when there is none."""
        self._heap = heap = [
            (push.deadline, push.topic, push.ref)
            for pushes in self._by_topic.values()
            for push in pushes.values()
            if push.deadline is not None
        ]
        heapq.heapify(heap)
        self._sorted_to = max(heap)[0] if heap else -math.inf
        return bool(heap)

    def _sweep(self) -> None:
        """Drop the deadlines of pushes that are gone, once they outnumber the others."""
        most = 2 * len(self) + _SWEEP_FROM
        if len(self._heap) > most:
            self._fill()
        self._sweep_at = most

    def __len__(self) -> int:
        return sum(map(len, self._by_topic.values()))

    def __repr__(self) -> str:
        return f"<PendingPushes {len(self)} waiting, {self.unmatched} unmatched>"


def reply_to(push: PendingPush, reply: PushReply) -> PushReply:
    """Return the reply to a push; unless it is "ok" it tells which push that was (C190).

    Example:
        >>> from phoenix_actors.message import PushReply
        >>> push = PendingPush("t", "2", "1", "shout", None)
        >>> reply_to(push, PushReply("error", {})).event, reply_to(push, PushReply("ok", {})).event
        ('shout', None)
    """
    if reply.status == "ok":
        return reply
    return msgspec.structs.replace(reply, topic=push.topic, event=push.event, ref=push.ref)


def is_unmatched_topic(reply: PushReply) -> bool:
    """Tell whether a reply says that the server has no channel for the topic (C84).

    Example:
        >>> from phoenix_actors.message import PushReply
        >>> is_unmatched_topic(PushReply("error", {"reason": "unmatched topic"}))
        True
    """
    response = reply.response
    return (
        reply.status == "error"
        and isinstance(response, dict)
        and response.get("reason") == "unmatched topic"
    )


def push_failure(push: PendingPush, reason: CloseReason) -> PhoenixError:
    """Return the error of a push whose channel closed for `reason` (C80, C91).

    Example:
        >>> push_failure(PendingPush("t", "2", "1", "shout", None), ConnectionLost(1006)).code
        1006
    """
    match reason:
        case ConnectionLost(code=code, reason=text):
            # One error for each caller: raised from several threads, they must not share one.
            return ConnectionLost(code, text)
        case HeartbeatTimeout():
            return ConnectionLost(None, "no answer to the heartbeat")
        case _:
            return ChannelClosed(push.topic, push.event, reason, push.ref)

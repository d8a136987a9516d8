"""One session of long poll, as a pure machine: answers in, requests out.

| phase | meaning |
| --- | --- |
| connecting | the first poll is out, which has no token |
| open | a poll is always out, and at most one POST |
| closing | close() was called; what was queued is being posted, no poll is made any more |
| ended | nothing follows; `ending` says how it ended |

Laws:

- At most one poll and one POST are out (C140): messages reach the server in their order.
- A POST has at most 100 messages, for the server reads no more of them (C140), and a message that
  must go alone shares its POST with no other.
- A session that the server does not know any more ends (C139); it is never made anew here, for its
  channels have to be joined again.
- Nothing that was posted is posted again.
- Polls that are answered at once with nothing, as by a cache on the way, do not make a tight loop.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

__all__ = [
    "MAX_BATCH",
    "AbortRequested",
    "CancelPoll",
    "CloseRequested",
    "Deliver",
    "Ended",
    "LongPollCommand",
    "LongPollEvent",
    "LongPollMachine",
    "LongPollPhase",
    "MessageQueued",
    "Open",
    "Poll",
    "PollAnswered",
    "PollFailed",
    "Post",
    "PostAnswered",
    "PostFailed",
    "Refuse",
]

# How many messages the server reads of one POST.
MAX_BATCH: Final = 100
# A POST is not made longer than this by a further message; a server takes 8,000,000 bytes.
_MAX_BATCH_BYTES: Final = 1024 * 1024

# A poll that brings nothing within so many seconds is followed by a pause before the next.
_HASTE: Final = 0.1
_PAUSE: Final = 0.5

_OK: Final = 200
_NO_CONTENT: Final = 204
_FORBIDDEN: Final = 403
_GONE: Final = 410

# Close codes: phoenix.js's for a session that is gone, those of WebSockets for the rest.
_SESSION_GONE: Final = 3410
_POLICY_VIOLATION: Final = 1008
_INTERNAL_ERROR: Final = 1011
_ABNORMAL: Final = 1006


class LongPollPhase(StrEnum):
    """Where the session is; see the table at the top of this file."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    ENDED = "ended"


# ---- events -------------------------------------------------------------------------------------


class PollAnswered(msgspec.Struct, frozen=True):
    """The poll was answered, after `took` seconds; `status` is the one in the body."""

    status: int
    token: str | None = None
    messages: tuple[str | bytes, ...] = ()
    took: float = 1.0


class PollFailed(msgspec.Struct, frozen=True):
    """The poll was not answered, or not by a server of long poll."""

    reason: str


class PostAnswered(msgspec.Struct, frozen=True):
    """The POST was answered; `status` is the one in the body."""

    status: int


class PostFailed(msgspec.Struct, frozen=True):
    """The POST was not answered, or not by a server of long poll."""

    reason: str


class MessageQueued(msgspec.Struct, frozen=True):
    """A message is to be sent; one that goes `alone` shares its POST with no other."""

    data: bytes
    alone: bool = False


class CloseRequested(msgspec.Struct, frozen=True):
    """close() was called."""

    code: int = 1000
    reason: str = ""


class AbortRequested(msgspec.Struct, frozen=True):
    """abort() was called."""


LongPollEvent: TypeAlias = (
    PollAnswered
    | PollFailed
    | PostAnswered
    | PostFailed
    | MessageQueued
    | CloseRequested
    | AbortRequested
)

# ---- commands -----------------------------------------------------------------------------------


class Open(msgspec.Struct, frozen=True):
    """There is a session: the connection is open."""


class Refuse(msgspec.Struct, frozen=True):
    """There will be no session, for the answer to the first poll had this status."""

    status: int


class Poll(msgspec.Struct, frozen=True):
    """Ask for messages, `delay` seconds from now."""

    token: str
    delay: float = 0.0


class Post(msgspec.Struct, frozen=True):
    """Send these messages, as one batch or as a single one."""

    token: str
    body: bytes
    batch: bool


class Deliver(msgspec.Struct, frozen=True):
    """Hand these messages on, in their order."""

    messages: tuple[str | bytes, ...]


class CancelPoll(msgspec.Struct, frozen=True):
    """Drop the poll that is out."""


class Ended(msgspec.Struct, frozen=True):
    """Drop whatever is out and tell how the session ended, as `TransportEvents.closed` does."""

    code: int
    reason: str
    clean: bool


LongPollCommand: TypeAlias = Open | Refuse | Poll | Post | Deliver | CancelPoll | Ended
_Commands: TypeAlias = list[LongPollCommand]


class LongPollMachine:
    """One session. Not thread-safe: its shell hands in one event at a time.

    Example:
        >>> session = LongPollMachine()
        >>> session.handle(PollAnswered(410, token="secret"))
        [Open(), Poll(token='secret', delay=0.0)]
        >>> session.handle(MessageQueued(b"[1]"))
        [Post(token='secret', body=b'[1]', batch=True)]
        >>> session.handle(PollAnswered(204, token="secret"))
        [Poll(token='secret', delay=0.0)]
        >>> session
        <LongPollMachine open queued=0 posting=True>
    """

    def __init__(self) -> None:
        """Begin with the first poll out."""
        self.phase = LongPollPhase.CONNECTING
        self.ending: Ended | None = None
        self.posting = False
        self.queued_bytes = 0
        self._token = ""
        self._queue: deque[MessageQueued] = deque()
        self._closing = CloseRequested()

    @property
    def queued(self) -> int:
        """How many messages wait for the next POST."""
        return len(self._queue)

    def handle(self, event: LongPollEvent) -> _Commands:
        """Take in one event; return what to do, in order."""
        if self.phase is LongPollPhase.ENDED:
            return []
        match event:
            case PollAnswered():
                return self._polled(event)
            case PollFailed(reason):
                if self.phase is LongPollPhase.CLOSING:
                    return []  # it was cancelled
                return self._end(_ABNORMAL, reason)
            case PostAnswered(status):
                return self._posted(status)
            case PostFailed(reason):
                return self._end(_ABNORMAL, reason)
            case MessageQueued():
                return self._queue_message(event)
            case CloseRequested():
                return self._close(event)
            case AbortRequested():
                return self._end(_ABNORMAL, "aborted")

    # ---- polling ----

    def _polled(self, event: PollAnswered) -> _Commands:
        if self.phase is LongPollPhase.CONNECTING:
            return self._begin(event)
        if event.status == _OK:
            delivered: _Commands = [Deliver(event.messages)] if event.messages else []
            return delivered + self._poll_again(event)
        if event.status == _NO_CONTENT:
            return self._poll_again(event)
        return self._refused(event.status)

    def _begin(self, event: PollAnswered) -> _Commands:
        """Open, if the first poll was answered with a new session."""
        if event.status != _GONE or not event.token:
            self._end(_POLICY_VIOLATION, "refused")
            return [Refuse(event.status)]
        self.phase = LongPollPhase.OPEN
        self._token = event.token
        return [Open(), Poll(self._token)]

    def _poll_again(self, event: PollAnswered) -> _Commands:
        if self.phase is LongPollPhase.CLOSING:
            return []
        self._token = event.token or self._token
        hasty = not event.messages and event.took < _HASTE
        return [Poll(self._token, _PAUSE if hasty else 0.0)]

    def _refused(self, status: int) -> _Commands:
        """End, for a request of this session was answered with neither 200 nor 204."""
        if status == _GONE:
            return self._end(_SESSION_GONE, "the session is gone")
        if status == _FORBIDDEN:
            return self._end(_POLICY_VIOLATION, "forbidden")
        return self._end(_INTERNAL_ERROR, f"the server answered with status {status}")

    # ---- posting ----

    def _queue_message(self, event: MessageQueued) -> _Commands:
        if self.phase is not LongPollPhase.OPEN:
            return []
        self._queue.append(event)
        self.queued_bytes += len(event.data)
        return [] if self.posting else self._post()

    def _post(self) -> _Commands:
        """Send what waits, as much of it as fits into one POST."""
        batch: list[bytes] = []
        size, alone = 0, False
        while self._queue and len(batch) < MAX_BATCH and not alone:
            following = self._queue[0]
            size += len(following.data)
            if batch and (following.alone or size > _MAX_BATCH_BYTES):
                break
            alone = following.alone
            batch.append(self._queue.popleft().data)
            self.queued_bytes -= len(following.data)
        self.posting = True
        return [Post(self._token, b"\n".join(batch), not alone)]

    def _posted(self, status: int) -> _Commands:
        if status != _OK:
            return self._refused(status)
        self.posting = False
        if self._queue:
            return self._post()
        if self.phase is LongPollPhase.CLOSING:
            return self._end(self._closing.code, self._closing.reason, clean=True)
        return []

    # ---- ending ----

    def _close(self, event: CloseRequested) -> _Commands:
        """End, once everything is posted that was queued before (C118)."""
        if self.phase is LongPollPhase.CLOSING:
            return []
        if self.phase is LongPollPhase.OPEN and self.posting:
            self.phase = LongPollPhase.CLOSING
            self._closing = event
            return [CancelPoll()]
        return self._end(event.code, event.reason, clean=True)

    def _end(self, code: int, reason: str, *, clean: bool = False) -> _Commands:
        self.phase = LongPollPhase.ENDED
        self._queue.clear()
        self.queued_bytes = 0
        self.ending = Ended(code, reason, clean)
        return [self.ending]

    def __repr__(self) -> str:
        return f"<LongPollMachine {self.phase} queued={self.queued} posting={self.posting}>"

"""Who reads a connection: its reader thread, or for a moment a caller that waits for an answer.

A caller that waits for the only answer due would otherwise be woken by the reader thread, which the
socket wakes first: two switches of threads for one answer. So it may borrow the reading. Then the
reader thread sleeps on, for the socket is taken out of what it waits for; what the caller reads and
may not deal with, such as a ping or the end, it leaves to the reader thread.

A caller that borrows again and again, at least once in `_KEEP` seconds, does not give the reading
back each time: it is *kept*. Then the reader thread only looks now and then whether that is over.
What comes when it has just become so, and for no caller that reads, waits for that look, up to
`_KEEP`. Who has kept it and then waits for longer gives it back when the wait is over.

Laws:

- Whoever holds the turn reads, and nobody else; messages keep their order.
- What was left is taken by the reader thread before it reads on.
- While the reading is borrowed the borrower is woken by the socket and by `wake`, nothing else.
- The socket is out of what the reader thread waits for only while somebody borrows, or while the
  reading is kept and the reader thread looks again by itself.
- Whether it is kept is changed by who holds the turn; so is what the reader thread waits for, but
  for one step, after which the reader thread sees to it in its next turn.

Where the system has no epoll nobody borrows.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from phoenix_actors.transport.frames import TEXT, Run
from phoenix_actors.transport.stream import LONGEST_WAIT, EndOfStream, Stream
from supervisors._locks import new_rlock

if TYPE_CHECKING:
    from phoenix_actors.transport.frames import Frames

__all__ = ["Reading"]

Done: TypeAlias = Callable[[], bool]
Take: TypeAlias = Callable[[bytes], bool]
DealWith: TypeAlias = Callable[[list[Run]], list[Run]]

_NOTHING: Final[list[Run]] = []
# Seconds from the end of a borrowing in which the next one has to end for the reading to be kept.
_KEEP: Final = 0.001
_CAN_LEND: Final = hasattr(select, "epoll") and hasattr(os, "eventfd")
_IN: Final = select.EPOLLIN if _CAN_LEND else 0
_OUT: Final = select.EPOLLOUT if _CAN_LEND else 0
# Descriptors up to here can be given to select.
_MOST_SELECTED: Final = 1024


class Reading:
    """The reading of one connection. `next` and `close` are for its reader thread alone."""

    def __init__(self, stream: Stream, frames: Frames) -> None:
        """Read this stream by these frames."""
        # As long as there may be `more` of it, it is the reader thread's.
        self._stream = stream
        self._frames = frames
        # Reentrant only for its owner to be told; see own_lock.
        self._turn = new_rlock()
        self._left: list[Run] = []
        self._epoll: select.epoll | None = None
        # Whether the socket wakes the reader thread; and whether a borrower has called that one.
        self._listens = True
        self._called = False
        # Of a borrower: whether it deals with messages, what it waits by, and what that says as
        # good as always.
        self._dealing = False
        self._poll: select.poll | None = None
        self._readable = [(stream.fileno(), _IN)]
        self._bell = -1
        # Reentrant for a signal's handler that waits, too.
        self._bell_lock = new_rlock()
        self._rung = False
        # Whether the reading is kept, and when the last borrowing ended.
        self._kept = False
        self._ended_at = 0.0
        # Whether a thread waits by other means, for another one was borrowing.
        self._crowded = False
        if _CAN_LEND:
            self._epoll = select.epoll()
            self._epoll.register(stream.fileno(), _IN)

    @property
    def error(self) -> Exception | None:
        """What ended the reading, once all that `next` returned is dealt with."""
        return None if self._left else self._frames.error

    # ---- the reader thread --------------------------------------------------------------------

    def next(self, deal_with: Callable[[list[Run]], object]) -> bool:
        """Wait for what comes next and deal with it, in the turn; False when nothing more comes."""
        epoll, stream = self._epoll, self._stream
        if epoll is not None and not stream.more:
            self._await(epoll)
        with self._turn:
            if epoll is not None and not self._kept and (self._called or not self._listens):
                self._called = False
                self._listen(epoll, _IN)
            runs, self._left = self._left, []
            if not runs:
                try:
                    data = stream.piece() if epoll is None else stream.piece_now()
                except (EndOfStream, TimeoutError):
                    return False
                if data is not None:
                    runs = self._frames.feed(data)
            deal_with(runs)
        return True

    def _await(self, epoll: select.epoll) -> None:
        """Wait until there is something to read, or to deal with that a borrower has left."""
        wait = _KEEP if self._kept else None
        while True:
            if wait is None or epoll.fileno() >= _MOST_SELECTED:
                ready = epoll.poll(wait, 1)
            else:
                # To the microsecond; epoll waits for whole milliseconds.
                woken, _, _ = select.select((epoll,), (), (), wait)
                ready = epoll.poll(0, 1) if woken else []
            if ready:
                if not (self._kept and ready[0][1] & _OUT):
                    return
                # A borrower calls, and keeps the reading, so there is nothing else to do; if it has
                # given it back just now, this step may have undone that.
                epoll.modify(self._stream.fileno(), 0)
                self._called = not self._kept
            if not self._called:
                wait = self._look(epoll)
            if self._called:
                return

    def _look(self, epoll: select.epoll) -> float | None:
        """Return the seconds to the next look whether the reading is kept; None: it is not."""
        turn = self._turn
        if not turn.acquire(blocking=False):
            # Who reads for longer than that is going to give it back.
            return _KEEP if self._kept else None
        try:
            if self._kept:
                wait = self._ended_at + _KEEP - time.monotonic()
                if wait > 0:
                    return wait
                self._kept = False
            if self._stream.more:
                self._called = True
            else:
                self._listen(epoll, _IN)
            return None
        finally:
            turn.release()

    def _listen(self, epoll: select.epoll, events: int) -> None:
        """Have the reader thread be woken by these events; requires holding the turn."""
        self._listens = False
        epoll.modify(self._stream.fileno(), events)
        self._listens = events == _IN

    def close(self) -> None:
        """Give back what this needs. The stream is shut down already, so a borrower ends."""
        with self._turn, self._bell_lock:
            # Nobody borrows any more.
            self._stream.more = True
            if self._epoll is not None:
                self._epoll.close()
            if self._bell >= 0:
                os.close(self._bell)
                self._bell = -1

    # ---- who borrows --------------------------------------------------------------------------

    def borrow(self, done: Done, timeout: float | None, take: Take, deal_with: DealWith) -> None:
        """Read in this thread until `done()`, for up to `timeout` seconds, if nobody else reads.

        It ends before where the reader thread has to go on, or by `wake`. `take` gets a text that
        came alone, and tells whether the reader thread may sleep on; `deal_with` gets all else, and
        returns what it leaves to the reader thread. What they raise, such as the user's Ctrl-C, is
        raised, and the stream is shut down, for messages may be lost.
        """
        epoll, turn, stream = self._epoll, self._turn, self._stream
        if epoll is None:
            return
        if turn._is_owned():  # as is_mine, without its call
            if not self._dealing:
                # A signal's handler waits in a thread that was waiting already, and may be in poll,
                # which goes on then, though what it waits for may have been read here.
                try:
                    self._read_until(self._new_poll(), done, timeout, take, deal_with)
                finally:
                    self._ring()
            return
        try:
            if not turn.acquire(blocking=False):
                self._crowded = True
                return
            if stream.more:
                return
            try:
                if not self._kept:
                    self._listen(epoll, 0)
                self._read_until(self._poll or self._own_poll(), done, timeout, take, deal_with)
                if self._kept and not (stream.more or self._crowded):
                    # The reader thread looks whether another one follows.
                    self._ended_at = time.monotonic()
                else:
                    self._end_borrowing(epoll)
            except BaseException:
                if self._dealing:
                    stream.shutdown()
                # Perhaps once more: half done, the reader thread might sleep for ever.
                self._end_borrowing(epoll)
                raise
        finally:
            try:  # noqa: SIM105  see own_lock
                turn.release()
            except RuntimeError:
                pass  # another thread has it

    def _end_borrowing(self, epoll: select.epoll) -> None:
        """Give the reading back, or keep it; requires holding the turn."""
        self._dealing = False
        former, self._ended_at = self._ended_at, time.monotonic()
        # Before the reader thread is woken, and takes that for the beginning of keeping.
        self._kept = keep = False
        # Writing is possible, as good as always: that wakes the reader thread. Where it is not,
        # what comes next does: the peer may read nothing before this side does.
        events = _IN | _OUT
        if not self._stream.more:
            keep = not self._crowded and self._ended_at - former <= _KEEP
            events = events if keep else _IN
        self._crowded = False
        self._listen(epoll, events)
        # Behind that: while it is kept, nothing has to be done when the next one ends.
        self._kept = keep

    def _read_until(
        self, poll: select.poll, done: Done, timeout: float | None, take: Take, deal_with: DealWith
    ) -> None:
        if self._rung:
            self._hush()
        stream, frames = self._stream, self._frames
        deadline: float | None = None
        if self._kept:
            # This short wait is no part of the time: no clock is read for it.
            wait: float | None = _KEEP * 1000
        else:
            if timeout is not None:
                deadline = time.monotonic() + timeout
            wait = _milliseconds(deadline)
        last = False
        while True:
            if not stream.more:
                if done():
                    return
                ready = poll.poll(wait)
                if ready != self._readable and self._must_end(ready):
                    return
            elif last:
                return
            else:
                # Under TLS only the next attempt to read tells whether something is left.
                last = done()
            # From here on a signal's handler does not read; it may have done so before.
            self._dealing = True
            if self._left:
                break
            try:
                data = stream.piece_now()
            except EndOfStream:
                # The reader thread finds that, too.
                stream.more = True
                break
            if data is not None:
                lone = frames.lone(data)
                if lone is None:
                    left = deal_with(frames.feed(data))
                else:
                    left = _NOTHING if take(lone) else [(TEXT, [])]
                if left or frames.error is not None:
                    self._left += left
                    stream.more = True
                    break
            self._dealing = False
            if not stream.more and done():
                return
            if deadline is None and timeout is not None:
                deadline = time.monotonic() + timeout
            wait = _milliseconds(deadline)
            if wait == 0:
                # Other messages that keep coming do not put it off.
                return
        self._dealing = False

    def _must_end(self, ready: list[tuple[int, int]]) -> bool:
        """Tell whether the time is over, or `wake` was called."""
        if not ready:
            # Was that the short wait of one that keeps it, the reader thread has to look no more.
            kept, self._kept = self._kept, False
            return not kept
        if any(descriptor == self._bell for descriptor, _ in ready):
            self._hush()
            return True
        return False

    def _own_poll(self) -> select.poll:
        """Return what one borrower waits by; no two calls may be in it."""
        self._poll = poll = self._new_poll()
        return poll

    def _new_poll(self) -> select.poll:
        with self._bell_lock:
            if self._bell < 0:
                self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        poll = select.poll()
        poll.register(self._stream.fileno(), select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        return poll

    def wake(self) -> None:
        """Have another thread that borrows, if there is one, end. Never waits."""
        if not self._turn._is_owned():
            self._ring()

    def _ring(self) -> None:
        """Have who is in poll for what it has borrowed look, and end."""
        with self._bell_lock:
            if self._bell >= 0 and not self._rung:
                self._rung = True
                os.eventfd_write(self._bell, 1)

    def _hush(self) -> None:
        with self._bell_lock, contextlib.suppress(BlockingIOError):
            self._rung = False
            os.eventfd_read(self._bell)


def _milliseconds(deadline: float | None) -> float | None:
    """Return how long poll may wait. Who waits for longer than it can waits on by other means."""
    if deadline is None:
        return None
    return max(0.0, min(deadline - time.monotonic(), LONGEST_WAIT)) * 1000

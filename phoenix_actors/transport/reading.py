"""Who reads a connection: its reader thread, or for a moment a caller that waits for an answer.

A caller that waits for the only answer due would otherwise be woken by the reader thread, which the
socket wakes first: two switches of threads for one answer. So it may borrow the reading. Then the
reader thread sleeps on, for the socket is taken out of what it waits for; what the caller reads and
may not deal with, such as a ping or the end, it leaves to the reader thread.

A caller that borrows again and again, at least once in `_KEEP` seconds, does not give the reading
back each time: it is *kept*. Then the reader thread only looks now and then whether that is over.
What comes when it has just become so, and for no caller that reads, waits for that look: up to
`_KEEP` and the millisecond to which the system's timer is exact.

Laws:

- Whoever holds the turn reads, and nobody else; messages keep their order.
- What was left is taken by the reader thread before it reads on.
- While the reading is borrowed the borrower is woken by the socket and by `wake`, nothing else.
- The socket is out of what the reader thread waits for only while somebody borrows, or while the
  reading is kept and the reader thread looks again by itself.

Where the system has no epoll nobody borrows.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from phoenix_actors.transport.stream import LONGEST_WAIT, EndOfStream, Stream
from supervisors._locks import new_lock, new_rlock

if TYPE_CHECKING:
    from phoenix_actors.transport.frames import Frames, Run

__all__ = ["Reading"]

Done: TypeAlias = Callable[[], bool]
DealWith: TypeAlias = "Callable[[list[Run]], list[Run]]"

# Seconds from the end of a borrowing in which the next one has to end for the reading to be kept.
_KEEP: Final = 0.001
_CAN_LEND: Final = hasattr(select, "epoll") and hasattr(os, "eventfd")


class Reading:
    """The reading of one connection. `next` and `close` are for its reader thread alone."""

    def __init__(self, stream: Stream, frames: Frames) -> None:
        """Read this stream by these frames."""
        self._stream = stream
        self._frames = frames
        # Reentrant only for its owner to be told; see own_lock.
        self._turn = new_rlock()
        self._left: list[Run] = []
        self._more = True  # there may be more behind what was read last
        self._closed = False
        self._epoll: select.epoll | None = None
        # Of a borrower: its thread, whether it deals with messages, and what it waits by.
        self._holder = 0
        self._dealing = False
        self._poll: select.poll | None = None
        self._bell = -1
        # Reentrant for a signal's handler that waits, too.
        self._bell_lock = new_rlock()
        self._rung = False
        # Whether the reading is kept, and when the last borrowing ended; changed under the lock.
        self._keeping = new_lock()
        self._kept = False
        self._ended_at = 0.0
        # Whether a thread waits by other means, for another one was borrowing.
        self._crowded = False
        if _CAN_LEND:
            self._epoll = select.epoll()
            self._epoll.register(stream.fileno(), select.EPOLLIN)

    @property
    def error(self) -> Exception | None:
        """What ended the reading, once all that `next` returned is dealt with."""
        return None if self._left else self._frames.error

    # ---- the reader thread --------------------------------------------------------------------

    def next(self, deal_with: Callable[[list[Run]], object]) -> bool:
        """Wait for what comes next and deal with it, in the turn; False when nothing more comes."""
        epoll, stream = self._epoll, self._stream
        if epoll is not None and not self._more:
            self._await(epoll)
        with self._turn:
            runs, self._left = self._left, []
            if runs:
                self._more = True
            else:
                try:
                    data = stream.piece() if epoll is None else stream.piece_now()
                except (EndOfStream, TimeoutError):
                    return False
                self._more = data is not None and stream.may_have_more(data)
                if data is not None:
                    runs = self._frames.feed(data)
            deal_with(runs)
        return True

    def _await(self, epoll: select.epoll) -> None:
        """Wait until there is something to read, or to deal with that a borrower has left."""
        wait: float | None = None
        while True:
            ready = epoll.poll(wait)
            with self._keeping:
                found = ready[0][1] if ready else 0
                if found & ~select.EPOLLOUT or (found and not self._kept):
                    self._kept = False
                    if found & select.EPOLLOUT:
                        epoll.modify(self._stream.fileno(), select.EPOLLIN)
                    return
                wait = self._time_to_look(epoll, woken=bool(found))

    def _time_to_look(self, epoll: select.epoll, *, woken: bool) -> float | None:
        """Return the seconds to the next look whether the reading is kept; requires the lock.

        None where it is not, or not any more.
        """
        if not self._kept:
            return None
        wait = self._ended_at + _KEEP - time.monotonic()
        self._kept = wait > 0
        if self._kept or self._holder:
            # Who borrows puts the socket back when it ends.
            if woken:
                epoll.modify(self._stream.fileno(), 0)
        else:
            epoll.modify(self._stream.fileno(), select.EPOLLIN)
        return wait if self._kept else None

    def close(self) -> None:
        """Give back what this needs. The stream is shut down already, so a borrower ends."""
        self._closed = True
        with self._turn, self._bell_lock:
            if self._epoll is not None:
                self._epoll.close()
            if self._bell >= 0:
                os.close(self._bell)
                self._bell = -1

    # ---- who borrows --------------------------------------------------------------------------

    def borrow(self, done: Done, timeout: float | None, deal_with: DealWith) -> None:
        """Read in this thread until `done()`, for up to `timeout` seconds, if nobody else reads.

        It ends before where the reader thread has to go on, or by `wake`. `deal_with` returns what
        it leaves to the reader thread. What it raises, such as the user's Ctrl-C, is raised, and
        the stream is shut down, for messages may be lost.
        """
        epoll, turn = self._epoll, self._turn
        if epoll is None:
            return
        if turn._is_owned():  # as is_mine, without its call
            if not self._dealing:
                # A signal's handler waits in a thread that was waiting already, and may be in poll,
                # which goes on then, though what it waits for may have been read here.
                try:
                    self._left += self._read_until(done, timeout, deal_with, self._new_poll())
                finally:
                    self._ring()
            return
        try:
            if not turn.acquire(blocking=False):
                self._crowded = True
                return
            if self._closed or self._left or self._more:
                return
            try:
                with self._keeping:
                    self._holder = threading.get_ident()
                    if not self._kept:
                        epoll.modify(self._stream.fileno(), 0)
                left = self._read_until(done, timeout, deal_with)
                if left:
                    self._left += left
            except BaseException:
                if self._dealing:
                    self._stream.shutdown()
                raise
            finally:
                try:
                    self._end_borrowing(epoll)
                except BaseException:
                    # Of a signal's handler: half done, the reader thread might sleep for ever.
                    self._end_borrowing(epoll)
                    raise
        finally:
            try:  # noqa: SIM105  see own_lock
                turn.release()
            except RuntimeError:
                pass  # another thread has it

    def _end_borrowing(self, epoll: select.epoll) -> None:
        """Give the reading back, or keep it; requires holding the turn."""
        with self._keeping:
            self._holder, self._dealing = 0, False
            former = self._ended_at
            self._ended_at = ended = time.monotonic()
            # Writing is possible, as good as always: that wakes the reader thread.
            events, keep = select.EPOLLOUT, False
            if self._left or self._more or self._frames.error is not None:
                events |= select.EPOLLIN
            elif self._crowded or ended - former > _KEEP:
                events = select.EPOLLIN
            elif self._kept:
                return
            else:
                # From now on the reader thread looks.
                keep = True
            self._crowded = False
            epoll.modify(self._stream.fileno(), events)
            # Behind that: while it is kept, nothing has to be done when the next one ends.
            self._kept = keep

    def _read_until(
        self,
        done: Done,
        timeout: float | None,
        deal_with: DealWith,
        poll: select.poll | None = None,
    ) -> list[Run]:
        if poll is None:
            # No two calls may be in one of these.
            poll = self._poll
            if poll is None:
                poll = self._poll = self._new_poll()
        if self._rung:
            self._hush()
        stream = self._stream
        # Who waits for longer than poll can waits on by other means.
        wait = timeout if timeout is None or timeout < LONGEST_WAIT else LONGEST_WAIT
        deadline = None if wait is None else time.monotonic() + wait
        last = False
        while True:
            if not self._more:
                if done():
                    break
                ready = poll.poll(None if wait is None else wait * 1000)
                # The one descriptor is the socket's, as good as always.
                if (len(ready) != 1 or ready[0][0] == self._bell) and self._must_end(ready):
                    break
            elif last:
                break
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
                break
            if data is None:
                self._more = False
            else:
                self._more = stream.may_have_more(data)
                left = deal_with(self._frames.feed(data))
                if left or self._frames.error is not None:
                    self._dealing = False
                    return left
            self._dealing = False
            if deadline is not None and not done():
                wait = deadline - time.monotonic()
                if wait <= 0:
                    # Other messages that keep coming do not put it off.
                    break
        self._dealing = False
        return []

    def _must_end(self, ready: list[tuple[int, int]]) -> bool:
        """Tell whether the time is over, or `wake` was called."""
        if not ready:
            return True
        if any(descriptor == self._bell for descriptor, _ in ready):
            self._hush()
            return True
        return False

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
        if self._holder not in (0, threading.get_ident()):
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

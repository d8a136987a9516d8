"""The frames that wait for the wire, in the order in which they were made.

Whoever made a frame writes it, and with it whatever stands before it; when somebody writes
already, that one takes the new frame along. A long frame, and one that the peer would have to be
waited for, is left to a writer thread. So nobody who pushes waits for a slow peer, and the reader,
timers and the Socket actor never write at all: a reader that waited for a peer which itself waits
for us to read would never be read again.

Each connection has a lane of its own, so that nothing of one is ever written to the next (C125).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from phoenix_actors.link.scheduling import may_wait
from supervisors import CallTimeout, Reply
from supervisors._runtime.timers import timers
from supervisors.clock import Deadline

if TYPE_CHECKING:
    from phoenix_actors.transport.interface import TransportHandle

__all__ = ["Outbox"]

# How many frames a caller writes, its own and those of others, before the writer takes over.
_SHARE: Final = 64
# A frame of more bytes or characters is for the writer: it may not fit into what a socket takes.
_LONG: Final = 16_384


def _always() -> bool:
    return True


class _Lane:
    """The way to one connection."""

    __slots__ = ("bell", "closed", "handle", "queue", "writable", "writer", "writing")

    def __init__(self, handle: TransportHandle) -> None:
        self.handle = handle
        # Not every transport knows; one that does not is taken to be quick.
        self.writable: Callable[[], bool] = getattr(handle, "writable", _always)
        self.queue: deque[str | bytes] = deque()
        self.writing = threading.Lock()
        self.bell = threading.Event()
        self.closed = False
        # Started by the first ring.
        self.writer: threading.Thread | None = None


class Outbox:
    """One client's way out. Safe from any thread; keeps the order of `put`.

    Args:
        name: of the writer thread.
        sent: called for each frame handed to the operating system, with its size.
        broken: called with the handle whose send raised, and what it raised; the frames behind are
            dropped, and whoever waits for their answers is told when the connection's loss is.
    """

    def __init__(
        self,
        name: str,
        sent: Callable[[int], None],
        broken: Callable[[TransportHandle, Exception], None],
    ) -> None:
        """Start closed: frames put before `open` are dropped."""
        self._name = name
        self._sent = sent
        self._broken = broken
        self._lane: _Lane | None = None
        self._lock = threading.Lock()
        # Who waits for room: below how many frames, and the future to settle.
        self._waiting: list[tuple[int, Reply]] = []

    def __len__(self) -> int:
        """Return the number of frames that wait."""
        lane = self._lane
        return 0 if lane is None else len(lane.queue)

    def open(self, handle: TransportHandle) -> None:
        """Write to this handle from now on."""
        self.close()
        self._lane = _Lane(handle)

    def close(self) -> threading.Thread | None:
        """Write no more; what waits is dropped. Return the writer thread, which ends."""
        lane, self._lane = self._lane, None
        if lane is None:
            return None
        lane.closed = True
        lane.queue.clear()
        lane.bell.set()
        self._wake(0)
        return lane.writer

    def put(self, frame: str | bytes) -> None:
        """Append a frame; `flush` or `ring` follows."""
        lane = self._lane
        if lane is not None:
            lane.queue.append(frame)

    def ring(self) -> None:
        """Have the writer thread write what waits; never waits itself."""
        lane = self._lane
        if lane is not None:
            self._ring(lane)

    def _ring(self, lane: _Lane) -> None:
        if lane.writer is None:
            with self._lock:
                if lane.writer is None and not lane.closed:
                    lane.writer = threading.Thread(
                        target=self._write_when_rung, args=(lane,), name=self._name, daemon=True
                    )
                    lane.writer.start()
        lane.bell.set()

    def flush(self) -> None:
        """Write what waits, unless another thread is writing, which then writes that too."""
        lane = self._lane
        if lane is not None and not self._write(lane, _SHARE):
            self._ring(lane)

    def wait_below(self, size: int, timeout: float | None) -> bool:
        """Wait until fewer than `size` frames wait; tell whether that came within `timeout` s.

        Where a thread must not wait, only tell.
        """
        deadline = Deadline(timeout, timers.clock)
        # Others may be woken by the same room and take it first, so it is looked for again.
        while len(self) >= size:
            if not may_wait() or not self._await_room(size, deadline.remaining()):
                return len(self) < size
        return True

    def _await_room(self, size: int, timeout: float | None) -> bool:
        """Wait until there was room for a moment; False when that did not come in time."""
        waiter = (size, Reply())
        with self._lock:
            self._waiting.append(waiter)
        self.ring()
        # A frame may have gone, or the lane, before anybody could know of this waiter.
        self._wake(len(self))
        try:
            waiter[1].get(timeout=timeout)
        except CallTimeout:
            with self._lock:
                self._waiting = [kept for kept in self._waiting if kept is not waiter]
            return False
        return True

    def _wake(self, left: int) -> None:
        """Tell who waits for room that there is some."""
        with self._lock:
            ready = [entry for entry in self._waiting if left < entry[0]]
            self._waiting = [entry for entry in self._waiting if left >= entry[0]]
        for _, reply in ready:
            reply.settle(value=True)

    def _write(self, lane: _Lane, share: int | None) -> bool:
        """Write at most `share` frames; False when more wait and nobody writes them."""
        while lane.queue and lane.writing.acquire(blocking=False):
            try:
                if not self._write_some(lane, share):
                    return False
            finally:
                lane.writing.release()
        return True

    def _write_some(self, lane: _Lane, share: int | None) -> bool:
        """Write until the queue is empty (True), or it is for the writer to go on (False)."""
        while share is None or self._may_write(lane, share):
            try:
                # It counts as waiting until the operating system has it.
                frame = lane.queue[0]
            except IndexError:
                return True
            try:
                if isinstance(frame, str):
                    lane.handle.send_text(frame)
                else:
                    lane.handle.send_binary(frame)
            except Exception as error:  # noqa: BLE001  a foreign transport may raise anything
                lane.queue.clear()
                self._broken(lane.handle, error)
                self._wake(0)
                return True
            with suppress(IndexError):
                # Unless the lane was closed, and emptied, meanwhile.
                lane.queue.popleft()
            self._sent(len(frame))
            if self._waiting:
                self._wake(len(lane.queue))
            if share is not None:
                share -= 1
        return not lane.queue

    @staticmethod
    def _may_write(lane: _Lane, share: int) -> bool:
        """Tell whether a caller may write the next frame, if there is one."""
        try:
            length = len(lane.queue[0])
        except IndexError:
            return True
        return share > 0 and length <= _LONG and lane.writable()

    def _write_when_rung(self, lane: _Lane) -> None:
        while not lane.closed:
            lane.bell.wait()
            lane.bell.clear()
            self._write(lane, None)

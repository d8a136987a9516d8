"""The frames that wait for the wire, in the order in which they were made.

Whoever made a frame writes it, and with it whatever stands before it; when somebody writes
already, that one takes the new frame along. What waits goes out in one send, where the transport
can do that, and nothing waits for company. A long frame, and one that the peer would have to be
waited for, is left to a writer thread. So nobody who pushes waits for a slow peer. The reader,
timers and the Socket actor write only what the operating system takes at once: a reader that waited
for a peer which itself waits for us to read would never be read again.

Each connection has a lane of its own, so that nothing of one is ever written to the next (C125).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from phoenix_actors.link.deeds import do_in_step
from phoenix_actors.link.lane import LONG, Batch, Lane
from phoenix_actors.link.overflow import octets
from phoenix_actors.link.scheduling import may_wait
from phoenix_actors.transport.own_lock import is_mine
from supervisors import CallTimeout, Reply
from supervisors._locks import new_lock
from supervisors._runtime.timers import timers
from supervisors.clock import Deadline

if TYPE_CHECKING:
    from phoenix_actors.machines.push import PendingPush
    from phoenix_actors.transport.interface import TransportHandle

__all__ = ["Outbox"]

# How many frames a caller writes, its own and those of others, before the writer takes over.
_SHARE: Final = 64
# Seconds between two looks at a peer that takes frames, where only a stuck one is not waited for.
_LOOK: Final = 0.01
# Bytes, the limit, and who is told that there is room.
Waiter: TypeAlias = "tuple[int, int | None, Reply]"


class Outbox:
    """One client's way out. Safe from any thread; keeps the order of `put`.

    Args:
        name: of the writer thread.
        sent: called for the frames of each send, once the operating system has them, with the size
            of each and the number of pushes among them.
        broken: called with the handle whose send raised, and what it raised; the frames behind are
            dropped, and whoever waits for their answers is told when the connection's loss is.
    """

    def __init__(
        self,
        name: str,
        sent: Callable[[Sequence[int], int], None],
        broken: Callable[[TransportHandle, BaseException], None],
    ) -> None:
        """Start closed: frames put before `open` are dropped."""
        self._name = name
        self._sent = sent
        self._broken = broken
        self.lane: Lane | None = None
        self._lock = new_lock()
        # Who waits for room: below how many frames and bytes, and the future to settle.
        self.waiters: list[Waiter] = []

    def __len__(self) -> int:
        """Return the number of frames that wait."""
        lane = self.lane
        return 0 if lane is None else len(lane)

    def below(self, size: int, limit: int | None = None) -> bool:
        """Tell whether fewer than `size` frames and `limit` bytes wait."""
        lane = self.lane
        return lane is None or (
            len(lane.queue) + lane.sending < size and (limit is None or lane.octets < limit)
        )

    def open(self, handle: TransportHandle) -> None:
        """Write to this handle from now on."""
        self.close()
        self.lane = Lane(handle)

    def close(self) -> threading.Thread | None:
        """Write no more; what waits is dropped. Return the writer thread, which ends."""
        lane, self.lane = self.lane, None
        if lane is None:
            return None
        lane.closed = True
        lane.clear()
        lane.bell.put(None)
        self.wake()
        return lane.writer

    def put(self, frame: str | bytes, push: PendingPush | None = None) -> None:
        """Append a frame, with the push that it carries; `flush` or `ring` follows."""
        lane = self.lane
        if lane is not None:
            size = len(frame) if frame.isascii() else octets(frame)
            with lane.lock:
                lane.queue.append((frame, push, size))
                lane.octets += size

    def drop_oldest(self) -> PendingPush | None:
        """Drop the oldest frame that carries a push and is not being written; return the push."""
        lane = self.lane
        if lane is None:
            return None
        with lane.lock:
            index = next((at for at, entry in enumerate(lane.queue) if entry[1] is not None), None)
            if index is None:
                return None
            _, push, size = lane.queue[index]
            del lane.queue[index]
            lane.octets -= size
            return push

    def ring(self) -> None:
        """Have the writer thread write what waits; never waits itself."""
        lane = self.lane
        if lane is not None:
            self._ring(lane)

    def _ring(self, lane: Lane) -> None:
        if lane.writer is None:
            with self._lock:
                if lane.writer is None and not lane.closed:
                    lane.writer = threading.Thread(
                        target=self._write_when_rung, args=(lane,), name=self._name, daemon=True
                    )
                    lane.writer.start()
        if lane.bell.empty():
            # Else the writer has not looked yet, and finds what was put before this.
            lane.bell.put(None)

    def flush(self) -> None:
        """Write what waits, unless another thread is writing, which then writes that too."""
        lane = self.lane
        if lane is not None and not self._write(lane, _SHARE):
            self._ring(lane)

    def flush_now(self) -> None:
        """Write what can be written without waiting; the writer thread does the rest."""
        lane = self.lane
        if lane is not None and (lane.send_now is None or not self._write(lane, _SHARE)):
            self.ring()

    def wait_below(self, size: int, timeout: float | None, limit: int | None = None) -> bool:
        """Wait until fewer than `size` frames and `limit` bytes wait; tell whether that came.

        It waits up to `timeout` seconds; where a thread must not wait, it only tells.
        """
        deadline = Deadline(timeout, timers.clock)
        # Others may be woken by the same room and take it first, so it is looked for again.
        while not self.below(size, limit):
            if not may_wait() or not self._await_room(size, limit, deadline.remaining()):
                return self.below(size, limit)
        return True

    def wait_unless_stuck(self, size: int, timeout: float | None, limit: int | None = None) -> bool:
        """Do as `wait_below`, but only while the peer takes what is written."""
        deadline = Deadline(timeout, timers.clock)
        while not self.below(size, limit):
            lane, left = self.lane, deadline.remaining()
            if lane is None or not may_wait() or left == 0 or not lane.writable():
                return self.below(size, limit)
            self._await_room(size, limit, _LOOK if left is None else min(left, _LOOK))
        return True

    def _await_room(self, size: int, limit: int | None, timeout: float | None) -> bool:
        """Wait until there was room for a moment; False when that did not come in time."""
        waiter = (size, limit, Reply())
        with self._lock:
            self.waiters.append(waiter)
        self.ring()
        # A frame may have gone, or the lane, before anybody could know of this waiter.
        self.wake()
        try:
            waiter[2].get(timeout=timeout)
        except CallTimeout:
            with self._lock:
                self.waiters = _without(self.waiters, [waiter])
            return False
        return True

    def _has_room(self, waiter: Waiter) -> bool:
        return self.below(waiter[0], waiter[1])

    def wake(self) -> None:
        """Tell who waits for room that there is some."""
        do_in_step([], self._wake)

    def _wake(self) -> None:
        with self._lock:
            ready = list(filter(self._has_room, self.waiters))
            self.waiters = _without(self.waiters, ready)
        for entry in ready:
            entry[2].settle(value=True)

    def _write(self, lane: Lane, share: int | None) -> bool:
        """Write at most `share` frames; False when more wait and nobody writes them."""
        while (lane.queue or lane.unfinished) and not is_mine(lane.writing):
            try:
                if not lane.writing.acquire(blocking=False):
                    return True
                alone = share is not None and lane.send_now is not None and self._write_one(lane)
                if not alone and not self._write_some(lane, share):
                    return False
            except BaseException as error:
                # The user's Ctrl-C, for one: what was taken may be sent in part.
                if is_mine(lane.writing):
                    self.give_up(lane, error)
                raise
            finally:
                try:  # noqa: SIM105  see own_lock
                    lane.writing.release()
                except RuntimeError:
                    pass  # another thread writes
        return True

    def give_up(self, lane: Lane, error: BaseException) -> None:
        """Drop what waits: this connection can send no more."""
        lane.clear()
        self._broken(lane.handle, error)
        self.wake()

    def _write_one(self, lane: Lane) -> bool:
        """Write the one frame that waits, as good as always; False where that is not all there is.

        It does what `_write_some` does, in a third of its steps.
        """
        with lane.lock:
            queue = lane.queue
            if len(queue) != 1 or lane.unfinished is not None or len(queue[0][0]) > LONG:
                return False
            entry = queue.popleft()
            lane.sending = 1
        frame, push, size = entry
        frames = [frame]
        try:
            gone = lane.send_now(frames)
        except Exception as error:  # noqa: BLE001  a foreign transport may raise anything
            self.give_up(lane, error)
            return True
        with lane.lock:
            # Unless the lane was closed, and emptied, meanwhile.
            if lane.sending:
                if not gone:
                    lane.unfinished = [entry], [] if gone is False else frames
                    return False
                lane.octets -= size
                lane.sending = 0
        if gone:
            self._sent((len(frame),), int(push is not None))
            if self.waiters:
                self.wake()
        return bool(gone)

    def _write_some(self, lane: Lane, share: int | None) -> bool:
        """Write until the queue is empty (True), or it is for the writer to go on (False)."""
        waiting = share is None
        left = _SHARE if share is None else share
        while True:
            if not (waiting or lane.send_now is not None or lane.writable()):
                return not (lane.queue or lane.unfinished)
            if waiting and lane.unfinished is not None:
                batch, frames = lane.unfinished
            else:
                # They count as waiting until the operating system has them.
                taken = lane.take(left, waiting=waiting)
                if not taken:
                    return taken is not None
                batch = taken
                frames = [batch[0][0]] if len(batch) == 1 else [entry[0] for entry in batch]
            try:
                if waiting or lane.send_now is None:
                    self._send(lane, frames)
                    gone: bool | None = True
                else:
                    gone = lane.send_now(frames)
            except Exception as error:  # noqa: BLE001  a foreign transport may raise anything
                self.give_up(lane, error)
                return True
            if not gone:
                with lane.lock:
                    if lane.sending:
                        lane.unfinished = batch, [] if gone is False else frames
                return False
            self._account(lane, batch)
            if not lane.queue:
                return True
            if not waiting:
                left -= len(batch)

    @staticmethod
    def _send(lane: Lane, frames: list[str | bytes]) -> None:
        """Send frames, waiting for the peer if need be."""
        if lane.send_all is not None:
            lane.send_all(frames)
            return
        for frame in frames:
            if isinstance(frame, str):
                lane.handle.send_text(frame)
            else:
                lane.handle.send_binary(frame)

    def _account(self, lane: Lane, batch: Batch) -> None:
        """The operating system has these frames."""
        total = sum([entry[2] for entry in batch])
        sizes = [len(entry[0]) for entry in batch]
        pushes = sum([entry[1] is not None for entry in batch])
        with lane.lock:
            # Unless the lane was closed, and emptied, meanwhile.
            if lane.sending:
                lane.octets -= total
                lane.sending = 0
                lane.unfinished = None
        self._sent(sizes, pushes)
        if self.waiters:
            self.wake()

    def _write_when_rung(self, lane: Lane) -> None:
        while not lane.closed:
            lane.bell.get()
            self._write(lane, None)


def _without(waiters: list[Waiter], gone: list[Waiter]) -> list[Waiter]:
    return [waiter for waiter in waiters if waiter not in gone]

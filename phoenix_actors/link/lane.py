"""The way to one connection: the frames that wait for it, and who may write to it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from supervisors._locks import new_rlock

if TYPE_CHECKING:
    from phoenix_actors.machines.push import PendingPush

__all__ = ["LONG", "Batch", "Entry", "Lane"]

LONG: Final = 16_384
"""A frame of more bytes or characters is for the writer: a socket may not take it at once."""

Entry: TypeAlias = "tuple[str | bytes, PendingPush | None, int]"
"""A frame, the push that it carries, if it does, and its bytes."""
Batch: TypeAlias = "list[Entry]"


def _always() -> bool:
    return True


class Lane:
    """The way to one connection."""

    __slots__ = (
        "bell",
        "closed",
        "handle",
        "lock",
        "octets",
        "queue",
        "send_all",
        "send_now",
        "sending",
        "unfinished",
        "writable",
        "writer",
        "writing",
    )

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        # Not every transport knows; one that does not is taken to be quick.
        self.writable: Callable[[], bool] = getattr(handle, "writable", _always)
        # Guards the queue and what is counted of it; never held while anything is written.
        # Reentrant, for a signal's handler may join and push in the middle of it.
        self.lock = new_rlock()
        self.queue: deque[Entry] = deque()
        self.octets = 0
        # How many are taken from the queue, and the operating system does not have them yet.
        self.sending = 0
        # Where the handle sends several at once, and tells whether it can without waiting. One
        # that wraps another, and so has its attributes, may have a send_text of its own.
        together = hasattr(type(handle), "send_all") and hasattr(type(handle), "send_now")
        self.send_all: Any = handle.send_all if together else None
        self.send_now: Any = handle.send_now if together else None
        # What a caller could not send without waiting, and what of it the handle did not take.
        self.unfinished: tuple[Batch, list[str | bytes]] | None = None
        # Reentrant only for its owner to be told; see own_lock.
        self.writing = new_rlock()
        # Rung in one step, unlike an Event: a signal's handler may raise in the middle of that.
        self.bell: SimpleQueue[None] = SimpleQueue()
        self.closed = False
        # Started by the first ring.
        self.writer: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self.queue) + self.sending

    def clear(self) -> None:
        """Drop what waits."""
        with self.lock:
            self.queue.clear()
            self.octets = self.sending = 0
            self.unfinished = None

    def take(self, most: int, *, waiting: bool) -> Batch | None:
        """Take out the next frames, up to `most` and a short read's worth of bytes.

        None where they are for the writer, which may be `waiting` for the peer: a frame is long, or
        was sent in part, or `most` are written already.
        """
        with self.lock:
            queue = self.queue
            if not waiting and self.unfinished is not None:
                return None
            if not queue:
                return []
            room = LONG - len(queue[0][0])
            if not waiting and (room < 0 or most <= 0):
                return None
            batch = [queue.popleft()]
            if queue and self.send_all is not None:
                _fill(batch, queue, room, most)
            self.sending = len(batch)
            return batch


def _fill(batch: Batch, queue: deque[Any], room: int, most: int) -> None:
    """Move frames into the batch while there is room for them."""
    while queue and len(batch) < most and (room := room - len(queue[0][0])) >= 0:
        batch.append(queue.popleft())

"""The messages of one channel that its actor has not taken yet, bounded (C82).

`Inbound` belongs to one life of the channel actor. What the reader delivers counts until the actor
takes it out of its mailbox. At the bound, `inbound_overflow` decides:

- "block": nothing is lost. The reader stops reading until half of it is taken; meanwhile heartbeats
  go out and their deadline stands still. It reads on while a handler of this very channel waits for
  an answer of the server, which comes behind the messages: that wait could never end otherwise.
- "error", "drop_newest": the message is dropped; "error" tells the `on_error` hooks too, once until
  there was room again.
- "drop_oldest": the oldest message is dropped. Then the messages wait here, and the mailbox holds
  tickets for them, one for each; a ticket is good for messages between the same two joins or
  closes, so no message overtakes these.

A message that a later one builds on, of presences, is `needed`: it is never dropped, and taken in
beyond the bound, for without it the state of the presences would stay wrong until the next join.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from phoenix_actors.message import Frame
from phoenix_actors.options import Overflow
from supervisors._locks import new_lock
from supervisors._runtime.current import current

if TYPE_CHECKING:
    from phoenix_actors.options import SocketOptions

__all__ = ["Inbound", "Taken", "Ticket", "reading_on"]


# What an empty queue is until something waits: a deque of its own takes 760 bytes.
_NONE: Final[deque[Any]] = deque(maxlen=0)
_NO_SIZES: Final[list[int]] = []


class Ticket(msgspec.Struct, frozen=True):
    """To the channel actor: take the next message of this section."""

    section: int


class Taken(msgspec.Struct, frozen=True):
    """To the channel actor, by itself: a message that it took and put aside."""

    frame: Frame


class Inbound:
    """What waits for one life of a channel actor. Safe from any thread.

    Example:
        >>> from phoenix_actors.message import Frame
        >>> from phoenix_actors.options import SocketOptions
        >>> options = SocketOptions.of(
        ...     url="ws://h/s", max_inbound_messages=1, inbound_overflow="drop_oldest"
        ... )
        >>> inbound = Inbound(options)
        >>> first, second = (Frame(None, None, "t", event, {}) for event in ("first", "second"))
        >>> ticket, dropped = inbound.offer(first, 30)
        >>> inbound.offer(second, 30)
        (None, [Frame(join_ref=None, ref=None, topic='t', event='first')])
        >>> inbound.take(ticket)
        Frame(join_ref=None, ref=None, topic='t', event='second')
    """

    __slots__ = (
        "_bytes_in",
        "_bytes_out",
        "_closed",
        "_keeps",
        "_kept",
        "_lock",
        "_next",
        "_options",
        "_reader",
        "_section",
        "_sizes",
        "_spare",
        "_told",
        "_waiting",
        "_watched",
        "policy",
    )

    def __init__(self, options: SocketOptions, lock: Any = None) -> None:
        """Start empty; a reentrant lock may be given that serves for something else, too."""
        self.policy = options.inbound_overflow
        self._options = options
        self._keeps = self.policy is Overflow.DROP_OLDEST
        self._lock: Any = new_lock() if lock is None else lock
        # There while the reader pauses. One reader at most does: that of the open connection.
        self._reader: threading.Condition | None = None
        # Of what waits. Sizes are appended under the lock; from time to time the actor takes the
        # list, reverses it, and takes one after the other out of that without the lock. Of the two
        # sums the actor changes the second alone, so none is changed by two threads.
        self._sizes: list[int] = _NO_SIZES
        self._next: list[int] = _NO_SIZES
        self._bytes_in = 0
        self._bytes_out = 0
        # For "drop_oldest" instead: section and message, whether it is needed, and its size.
        self._kept: deque[tuple[int, Frame, bool, int]] = _NONE
        self._section = 0
        self._spare = 0  # tickets of this section whose message was dropped
        self._waiting = 0  # handlers of this channel that wait for the server
        self._closed = False
        self._told = False
        # Whether the reader waits, or a drop was told: then what the actor takes is looked at.
        self._watched = False

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._sizes) + len(self._next) + len(self._kept)

    @property
    def bytes(self) -> int:
        """How many bytes the messages had that wait."""
        return self._bytes_in - self._bytes_out

    @property
    def full(self) -> bool:
        """Whether one more message is one too many."""
        return self._over(1)

    def _over(self, part: int) -> bool:
        """Tell whether more waits than the bound divided by `part`."""
        options = self._options
        most, most_bytes = options.max_inbound_messages, options.max_inbound_bytes
        return (most is not None and len(self) * part >= most) or (
            most_bytes is not None and (self._bytes_in - self._bytes_out) * part >= most_bytes
        )

    def _make_room(self) -> list[Frame]:
        """Drop messages until there is room for one, or nothing more may go; return them."""
        dropped: list[Frame] = []
        while self.full and (former := self._drop_oldest()) is not None:
            dropped.append(former)
        return dropped

    def offer(
        self, frame: Frame, size: int, *, needed: bool = False
    ) -> tuple[Frame | Ticket | None, list[Frame]]:
        """Take a message in; return what to put into the mailbox, and what is dropped."""
        with self._lock:
            dropped = self._make_room() if self._keeps and self.full else []
            if self.policy is not Overflow.BLOCK and self.full and not needed:
                return None, [*dropped, frame]
            self._bytes_in += size
            if not self._keeps:
                self._add_sizes([size])
                return frame, dropped
            if self._kept is _NONE:
                self._kept = deque()
            self._kept.append((self._section, frame, needed, size))
            if self._spare:
                self._spare -= 1
                return None, dropped
            return Ticket(self._section), dropped

    def offer_all(self, sizes: list[int], *, unbounded: bool) -> int:
        """Take messages in, for "block" only; return how many, up to the one that fills it.

        With `unbounded`, and where `must_pause` would not hold, that is all of them.
        """
        options = self._options
        with self._lock:
            taken, total = len(sizes), sum(sizes)
            if not (unbounded or self._closed or self._waiting):
                most, most_bytes = options.max_inbound_messages, options.max_inbound_bytes
                if most is not None:
                    taken = min(taken, max(1, most - len(self)))
                if most_bytes is not None and self.bytes + total >= most_bytes:
                    taken = min(taken, _fitting(sizes, most_bytes - self.bytes))
                if taken < len(sizes):
                    sizes = sizes[:taken]
                    total = sum(sizes)
            self._add_sizes(sizes)
            self._bytes_in += total
            return taken

    def _add_sizes(self, sizes: list[int]) -> None:
        """Note the sizes of messages that wait; requires the lock."""
        if self._sizes is _NO_SIZES:
            self._sizes = []
        self._sizes += sizes

    def _drop_oldest(self) -> Frame | None:
        """Drop and return the oldest that is not needed, if there is one; requires the lock."""
        for index, (section, frame, needed, size) in enumerate(self._kept):
            if not needed:
                self._bytes_in -= size
                del self._kept[index]
                self._spare += section == self._section
                return frame
        return None

    def first_refusal(self) -> bool:
        """Tell whether this drop is the first since there was room."""
        with self._lock:
            told, self._told = self._told, True
            self._watched = True
            return not told

    def begin_section(self) -> None:
        """Something else goes into the mailbox, which no message may overtake."""
        with self._lock:
            self._section += 1
            self._spare = 0

    def take(self, item: Frame | Ticket) -> Frame | None:
        """Return the message that the actor took from its mailbox; None if it was dropped.

        Called by the actor alone, one message after another.
        """
        if self._keeps or type(item) is Ticket:
            return self._take_kept(item)
        if self._next or self._fetch():
            self._bytes_out += self._next.pop()
        # Who is to be told sets `_watched` and *then* looks how much waits; this looks after it
        # took. The lock of the deque orders the two on builds without the GIL.
        if self._watched:
            with self._lock:
                self._tell_room()
        return item  # type: ignore[return-value]  # no Ticket

    def _fetch(self) -> bool:
        """Have the sizes of what has come since the last time in `_next`; False if nothing has."""
        with self._lock:
            self._next, self._sizes = self._sizes, _NO_SIZES
        self._next.reverse()
        return bool(self._next)

    def _take_kept(self, item: Frame | Ticket) -> Frame | None:
        """Do the same where a ticket stands for the message."""
        with self._lock:
            frame: Frame | None
            if isinstance(item, Ticket):
                if not self._kept or self._kept[0][0] != item.section:
                    return None
                _, frame, _, size = self._kept.popleft()
                self._bytes_out += size
            else:
                frame = item
            self._tell_room()
            return frame

    def _tell_room(self) -> None:
        """Wake the reader when half is taken; requires holding the lock."""
        if not self._over(2):
            self._told = self._watched = False
            self._notify()

    # ---- the reader's pause -------------------------------------------------------------------

    @property
    def must_pause(self) -> bool:
        """Whether the reader must not read on."""
        sizes = self._sizes
        if not sizes or self.policy is not Overflow.BLOCK:
            return False
        # As `full`, without its calls: this is looked at for every message that comes alone.
        options = self._options
        most, most_bytes = options.max_inbound_messages, options.max_inbound_bytes
        if (most is None or len(sizes) + len(self._next) < most) and (
            most_bytes is None or self._bytes_in - self._bytes_out < most_bytes
        ):
            return False
        return not (self._closed or self._waiting)

    def wait(self, released: Callable[[], bool]) -> None:
        """Wait until half of the messages are taken, or the reader is to read on otherwise."""
        with self._lock:
            self._reader = reader = threading.Condition(self._lock)
            while True:
                self._watched = True
                if not self._over(2) or self._closed or self._waiting or released():
                    break
                reader.wait()
            self._reader = None

    def _notify(self) -> None:
        """Have a reader that waits look again; requires the lock."""
        if self._reader is not None:
            self._reader.notify_all()

    @property
    def memory(self) -> int:
        """The bytes that this takes while it is empty."""
        size = sys.getsizeof(self)
        if self._next is not _NO_SIZES:
            size += sys.getsizeof(self._next)
        return size if self._kept is _NONE else size + sys.getsizeof(self._kept)

    @property
    def unused(self) -> bool:
        """Whether nothing waits here, nobody waits for it, and no ticket is out."""
        with self._lock:
            return not (len(self) or self._spare or self._waiting or self._closed) and (
                self._reader is None
            )

    def wake(self) -> None:
        """Have a reader that waits look again."""
        with self._lock:
            self._notify()

    def close(self) -> None:
        """The actor's life is over: nobody needs to wait for it."""
        with self._lock:
            self._closed = True
            self._notify()

    def begin_waiting(self) -> None:
        """A handler of this channel waits for the server: have the reader read on."""
        with self._lock:
            self._waiting += 1
            self._notify()

    def end_waiting(self) -> None:
        """It waits no more."""
        with self._lock:
            self._waiting -= 1


def _fitting(sizes: list[int], room: int) -> int:
    """Return how many of the messages there are up to the one that takes up the room."""
    for number, size in enumerate(sizes, 1):
        room -= size
        if room <= 0:
            return number
    return len(sizes)


class reading_on:  # noqa: N801  used as a function
    """Let the reader read on while a handler of a channel waits for the server, in the block."""

    __slots__ = ("_inbound",)

    def __enter__(self) -> None:
        """Note whose handler this is, if it is one's."""
        process = current.process
        topic = None if process is None else getattr(process.actor, "_phx_topic", None)
        self._inbound: Inbound | None = None
        if topic is not None:
            core = topic.core
            self._inbound = topic.inbound if core is None else core.own_inbound()
            self._inbound.begin_waiting()

    def __exit__(self, *_: object) -> None:
        """The wait is over."""
        if self._inbound is not None:
            self._inbound.end_waiting()

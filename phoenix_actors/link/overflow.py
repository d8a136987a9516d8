"""What happens to pushes that meet a full buffer, wherever that is (C81, C181).

A refused one raises in its caller; the future of a dropped one raises the same error. Both are
counted; see `link.future` for the books.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from phoenix_actors.errors import QueueFull
from phoenix_actors.link.deeds import Deeds, do_in_step
from phoenix_actors.link.inbound import reading_on
from phoenix_actors.link.shared_lock import shared_lock
from phoenix_actors.telemetry import PUSH_DROPPED, SOCKET_BACKPRESSURE, emit
from supervisors import CallTimeout, Reply

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session
    from phoenix_actors.link.wire import Wire

__all__ = ["RoomBell", "drop", "drop_oldest", "drop_push", "octets", "report_full"]

# For all bells, of which each channel has one: held for a few steps and seldom.
_bells = shared_lock()


def octets(frame: Any) -> int:
    """Return the bytes that a frame, or what is prepared of one, takes on the wire.

    Example:
        >>> octets("é"), octets(b"abc")
        (2, 3)
    """
    if isinstance(frame, str):
        return len(frame) if frame.isascii() else len(frame.encode())
    return len(getattr(frame, "payload", frame))


def report_full(session: Session, error: QueueFull, pending: int) -> None:
    """Tell that a push met the bound."""
    options = session.options
    measurements = {"pending_messages": pending, "max_pending": options.max_pending_messages}
    emit(
        SOCKET_BACKPRESSURE,
        measurements,
        topic=error.topic,
        event=error.event,
        overflow=str(options.overflow),
    )


def drop_push(session: Session, token: Any, error: QueueFull) -> None:
    """Tell that a push is dropped, and let its future count and say so; unless it ended already."""
    if token.fail(error):
        policy = str(session.options.overflow)
        emit(PUSH_DROPPED, topic=error.topic, event=error.event, overflow=policy)


def drop(session: Session, topic: str, event: str, token: Any, pending: int) -> None:
    """Drop a push that was taken out of a buffer, where so many are left, for a later one."""
    error = QueueFull(session.options.max_pending_messages, topic, event, dropped=True)
    report_full(session, error, pending)
    drop_push(session, token, error)


def drop_oldest(after: Deeds, wire: Wire) -> bool:
    """Take out the oldest push that waits to be written, if there is one; leave it to be told."""
    oldest = wire.outbox.drop_oldest()
    if oldest is None:
        return False
    wire.discard(oldest)
    session, pending = wire.session, len(wire.outbox)
    after.append(partial(drop, session, oldest.topic, oldest.event, oldest.token, pending))
    return True


class RoomBell:
    """Wakes who waits for room in the buffers of one topic. Safe from any thread.

    A waiter is taken before it is looked whether there is room, so that no ring is missed.

    Example:
        >>> bell = RoomBell()
        >>> waiter = bell.waiter()
        >>> bell.wait(waiter, 0.0)
        False
        >>> bell.ring()
        >>> bell.wait(waiter, 0.0), bell.awaited
        (True, False)
    """

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiters: tuple[Reply, ...] = ()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiters)

    def waiter(self) -> Reply:
        """Return what the next ring settles."""
        waiter = Reply()
        with _bells:
            self._waiters = (*self._waiters, waiter)
        return waiter

    def wait(self, waiter: Reply, timeout: float | None) -> bool:
        """Wait up to `timeout` seconds for a ring; tell whether it came."""
        try:
            # Where that is for a join, its answer may stand behind messages of the very handler.
            with reading_on():
                waiter.get(timeout=timeout)
        except CallTimeout:
            return False
        return True

    def forget(self, waiter: Reply | None) -> None:
        """Wake this one no more."""
        with _bells:
            self._waiters = tuple(kept for kept in self._waiters if kept is not waiter)

    def ring(self) -> None:
        """There may be room: everybody is to look."""
        do_in_step([], self._ring)

    def _ring(self) -> None:
        with _bells:
            waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            waiter.settle(value=True)

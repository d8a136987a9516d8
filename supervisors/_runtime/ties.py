"""What ties a process to the rest of the world, to be undone when it ends.

Names, timers, monitors of it and by it, links, open calls, and those who wait for its end. Each
is added under `claim`, which also guards `ended`: what comes after the end is refused or undone at
once, so nothing is left behind and nobody waits in vain. Nothing here calls out while it holds
`claim`.
Sixty-four locks serve as the claims of all processes, for one of its own takes 96 bytes. No thread
takes a second one while it holds one, unless it was interrupted as said below.
`claim` is reentrant: a signal handler and a finalizer run between any two steps of the thread that
they interrupt, and may monitor, start or end something too. So what is made is made before the
look whether it is needed, and from a look to what it decides on there is one step only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import msgspec

from supervisors._locks import new_rlock

if TYPE_CHECKING:
    from supervisors._runtime.names import NameBook
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply
    from supervisors._runtime.signals import Monitor
    from supervisors._runtime.timers import Timer
    from supervisors.exits import ExitReason

__all__ = ["LAST_CLAIM", "Ties", "Undone", "claims"]

_FIRST_SWEEP = 16
# Links up to which a tuple holds them.
_FEW = 4

claims: Final = [new_rlock() for _ in range(64)]
"""Each is the `claim` of the processes at certain addresses. After a fork the child has others."""
LAST_CLAIM: Final = len(claims) - 1


class Undone(msgspec.Struct, frozen=True):
    """What a process was tied to when it ended."""

    monitors: tuple[Monitor, ...]
    watches: tuple[Monitor, ...]
    links: tuple[Process, ...]
    timers: tuple[Timer, ...]

    def undo(self, reason: ExitReason) -> None:
        """Cancel timers and watches, then deliver the Downs; links are left to the caller."""
        for timer in self.timers:
            timer.cancel()
        for monitor in self.watches:
            monitor.cancel()
        for monitor in self.monitors:
            monitor.fire(reason)


class _Timers(list["Timer"]):
    """The timers of one process; its claim guards them."""

    __slots__ = ("sweep_at",)

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__()
        self.sweep_at = _FIRST_SWEEP

    def sweep(self) -> None:
        """Forget timers that are over, when twice as many as after the last time: each costs O(1).

        What comes meanwhile is put behind and stays.
        """
        count = len(self)
        self.sweep_at = sys.maxsize
        self[:count] = [timer for timer in self[:count] if timer.waiting]
        self.sweep_at = max(_FIRST_SWEEP, 2 * len(self))


class Ties:
    """The half of a process that others hold on to; all of it is safe from any thread."""

    __slots__ = (
        "_books",
        "_deferred",
        "_linked",
        "_monitors",
        "_stop_waiters",
        "_timers",
        "_watches",
        "claim",
        "ended",
        "tied",
    )

    def __init__(self) -> None:
        """Start without ties; most processes have few, so each collection comes with its first."""
        # Of what stands near to each other in memory, each has another one.
        self.claim = claims[id(self) >> 8 & LAST_CLAIM]
        self.ended = False
        # Whether there is, or was, any of what follows: who adds some says so first, under `claim`.
        self.tied = False
        self._books: tuple[NameBook, ...] = ()
        self._deferred: set[Reply] | None = None
        # The only one; a tuple of few, for an empty set takes 216 bytes; or a set of many.
        self._linked: Process | tuple[Process, ...] | set[Process] = ()
        self._monitors: dict[Monitor, None] | None = None
        self._watches: set[Monitor] | None = None
        # A tuple once everybody has been told of the end.
        self._stop_waiters: list[Reply] | tuple[()] | None = None
        self._timers: _Timers | None = None

    # ---- open calls and waits for the end -----------------------------------------------------

    def defer(self, reply: Reply) -> None:
        """Remember a call that will be answered later, so that its asker is told of the end."""
        self.tied = True
        if self._deferred is None:
            self._deferred = set()
        self._deferred.add(reply)
        reply.add_done_callback(self._deferred.discard)

    def await_end(self, reply: Reply) -> None:
        """Settle this reply once everybody has been told of the end."""
        made: list[Reply] = []
        with self.claim:
            self.tied = True
            if self._stop_waiters is None:
                self._stop_waiters = made
            waiters = self._stop_waiters
            if isinstance(waiters, list):
                waiters.append(reply)
                # It may have ended in what interrupted this, and have told those before.
                if self._stop_waiters is waiters:
                    return
        reply.settle(value=True)

    def _answer_waiters(self) -> None:
        with self.claim:
            waiters, self._stop_waiters = self._stop_waiters, ()
        if waiters:
            for reply in waiters:
                reply.settle(value=True)

    # ---- names and timers ---------------------------------------------------------------------

    def keep_names_in(self, book: NameBook) -> bool:
        """Free the names in this book at the end; False when that has come already."""
        with self.claim:
            if self.ended:
                return False
            self.tied = True
            if not self._books:
                self._books = book.alone
            elif book not in self._books:
                self._books = (*self._books, book)
            return True

    def keep_timer(self, timer: Timer) -> None:
        """Cancel this timer at the end, or now if that has come already."""
        made = _Timers()
        with self.claim:
            if not self.ended:
                self.tied = True
                if self._timers is None:
                    self._timers = made
                self._timers.append(timer)
                timers = self._timers
                if timers is not None and len(timers) > timers.sweep_at:
                    timers.sweep()
                return
        timer.cancel()

    def tie(self) -> bool:
        """Tell the end what else depends on it; False when that has come already."""
        with self.claim:
            self.tied = True
            return not self.ended

    # ---- monitors and links -------------------------------------------------------------------

    def add_monitor(self, monitor: Monitor) -> bool:
        """Fire this monitor at the end; False when that has come already."""
        made: dict[Monitor, None] = {}
        with self.claim:
            if self.ended:
                return False
            self.tied = True
            if self._monitors is None:
                self._monitors = made
            self._monitors[monitor] = None
            return True

    def forget_monitor(self, monitor: Monitor) -> None:
        """Do not fire this monitor."""
        with self.claim:
            if self._monitors is not None:
                self._monitors.pop(monitor, None)

    def add_watch(self, monitor: Monitor) -> bool:
        """Cancel this monitor, made by this process, at the end; False when that has come."""
        made: set[Monitor] = set()
        with self.claim:
            if self.ended:
                return False
            self.tied = True
            if self._watches is None:
                self._watches = made
            self._watches.add(monitor)
            return True

    def drop_watch(self, monitor: Monitor) -> None:
        """Forget a monitor made by this process; it has fired or was cancelled."""
        with self.claim:
            if self._watches is not None:
                self._watches.discard(monitor)

    @property
    def _links(self) -> tuple[Process, ...] | set[Process]:
        """Those that this process is linked to."""
        linked = self._linked
        return (linked,) if isinstance(linked, Ties) else linked

    def add_link(self, other: Process) -> bool:
        """Signal the other at the end; False when that has come already."""
        with self.claim:
            if self.ended:
                return False
            self.tied = True
            links = self._links
            if isinstance(links, set):
                links.add(other)
            elif not links:
                self._linked = other
            elif other not in links:
                links = (*links, other)
                self._linked = links if len(links) <= _FEW else set(links)
            return True

    def drop_link(self, other: Process) -> None:
        """Do not signal the other, nor be signalled by it any more."""
        with self.claim:
            self.remove_link(other)

    def remove_link(self, other: Process) -> bool:
        """Take a link away and tell whether there was one. Requires holding `claim`."""
        links = self._links
        if other not in links:
            return False
        if isinstance(links, set):
            links.remove(other)
        else:
            self._linked = tuple(kept for kept in links if kept is not other)
        return True

    # ---- the end ------------------------------------------------------------------------------

    def _undone(self) -> Undone:
        """Return everything that is to be undone; after the end nothing comes in any more."""
        with self.claim:
            return Undone(
                tuple(self._monitors or ()),
                tuple(self._watches or ()),
                tuple(self._links),
                tuple(self._timers or ()),
            )

    def _untie(self) -> None:
        """Forget all that, once it is undone."""
        with self.claim:
            self._monitors = self._watches = self._timers = None
            self._linked = ()

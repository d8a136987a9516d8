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
Most processes are never tied to anything: all of them share `FREE`, in which nothing is written.
"""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from supervisors._locks import new_rlock
from supervisors._runtime.mailbox import Mailbox

if TYPE_CHECKING:
    from supervisors._runtime.names import NameBook
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply
    from supervisors._runtime.signals import Monitor
    from supervisors._runtime.timers import Timer
    from supervisors.exits import ExitReason

__all__ = ["FREE", "LAST_CLAIM", "Bonds", "Ties", "Undone", "claims"]

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

    # How many there are when they are looked through; its own from the first time on.
    sweep_at: int = _FIRST_SWEEP

    def sweep(self) -> None:
        """Forget timers that are over, when twice as many as after the last time: each costs O(1).

        What comes meanwhile is put behind and stays.
        """
        count = len(self)
        self.sweep_at = sys.maxsize
        self[:count] = [timer for timer in self[:count] if timer.waiting]
        self.sweep_at = max(_FIRST_SWEEP, 2 * len(self))


class Bonds(msgspec.Struct, eq=False):
    """What one process is tied to, from the first tie on; its claim guards them.

    And what few processes have that others see. Each collection comes with its first.
    """

    books: tuple[NameBook, ...] = ()
    deferred: set[Reply] | None = None
    # The only one; a tuple of few, for an empty set takes 216 bytes; or a set of many.
    linked: Process | tuple[Process, ...] | set[Process] = ()
    monitors: dict[Monitor, None] | None = None
    watches: set[Monitor] | None = None
    stop_waiters: list[Reply] | None = None
    timers: _Timers | None = None
    # Set by a Registry to its own book.
    name_book: NameBook | None = None
    # Whether the starter waits for the init however long it takes.
    may_wait: bool = True

    def may_call_back(self) -> bool:
        """Tell whether the end may run a user's code: it tells monitors, or settles futures."""
        return bool(self.monitors or self.deferred or self.stop_waiters)


FREE: Final = Bonds()
"""The bonds of a process that nothing is, or ever was, tied to; they do not change."""


class Ties(Mailbox):
    """The half of a process that others hold on to; all of it is safe from any thread."""

    __slots__ = ("bonds", "claim", "ended")

    actor_ref: Any
    bonds: Bonds
    claim: Any
    ended: bool

    may_wait: Any = property(attrgetter("bonds.may_wait"))
    name_book: Any = property(attrgetter("bonds.name_book"))
    _monitors: Any = property(attrgetter("bonds.monitors"))
    _timers: Any = property(attrgetter("bonds.timers"))
    _watches: Any = property(attrgetter("bonds.watches"))

    def _spare_bonds(self) -> Bonds:
        """Return what `_own_bonds` may need; before the claim, for what is made may run finalizers.

        Who has some keeps them, so where there are some none need be made.
        """
        return Bonds() if self.bonds is FREE else FREE

    def _own_bonds(self, made: Bonds) -> Bonds:
        """Return what may be written into, `made` if there was none. Requires holding `claim`."""
        if self.bonds is FREE:
            self.bonds = made
        return self.bonds

    # ---- open calls and waits for the end -----------------------------------------------------

    def defer(self, reply: Reply) -> None:
        """Remember a call that will be answered later, so that its asker is told of the end."""
        bonds = self.bonds
        if bonds is FREE:
            bonds = self.bound()
        if bonds.deferred is None:
            bonds.deferred = set()
        bonds.deferred.add(reply)
        reply.add_done_callback(bonds.deferred.discard)

    def keep_open(self, calls: set[Reply]) -> None:
        """Tell the askers of the calls that are in here at the end of it; once, in the init."""
        self.bound().deferred = calls

    def await_end(self, reply: Reply) -> None:
        """Settle this reply once everybody has been told of the end."""
        made, waiters = self._spare_bonds(), [reply]
        with self.claim:
            bonds = self._own_bonds(made)
            if bonds.stop_waiters is None:
                bonds.stop_waiters = waiters
            if bonds.stop_waiters is not waiters:
                bonds.stop_waiters.append(reply)
        # Who tells of the end first lets go of the reference and then looks for those who wait.
        if getattr(self.actor_ref, "process", self) is None:
            reply.settle(value=True)

    def _answer_waiters(self) -> None:
        """Tell those who wait for the end; the reference has let go of the process."""
        waiters = self.bonds.stop_waiters
        if waiters:
            # A copy in one step: others may come at this moment, who help themselves.
            for reply in waiters.copy():
                reply.settle(value=True)

    def bound(self) -> Bonds:
        """Return what may be written into; only for the slot's holder."""
        made = self._spare_bonds()
        with self.claim:
            return self._own_bonds(made)

    # ---- names and timers ---------------------------------------------------------------------

    def keep_names_in(self, book: NameBook) -> bool:
        """Free the names in this book at the end; False when that has come already."""
        made = self._spare_bonds()
        with self.claim:
            if self.ended:
                return False
            bonds = self._own_bonds(made)
            if not bonds.books:
                bonds.books = book.alone
            elif book not in bonds.books:
                bonds.books = (*bonds.books, book)
            return True

    def keep_timer(self, timer: Timer) -> None:
        """Cancel this timer at the end, or now if that has come already."""
        made, bonds = _Timers(), self._spare_bonds()
        with self.claim:
            if not self.ended:
                bonds = self._own_bonds(bonds)
                if bonds.timers is None:
                    bonds.timers = made
                bonds.timers.append(timer)
                timers = bonds.timers
                if timers is not None and len(timers) > timers.sweep_at:
                    timers.sweep()
                return
        timer.cancel()

    def tie(self) -> bool:
        """Tell the end what else depends on it; False when that has come already."""
        made = self._spare_bonds()
        with self.claim:
            self._own_bonds(made)
            return not self.ended

    # ---- monitors and links -------------------------------------------------------------------

    def add_monitor(self, monitor: Monitor) -> bool:
        """Fire this monitor at the end; False when that has come already."""
        made, bonds = {monitor: None}, self._spare_bonds()
        with self.claim:
            if self.ended:
                return False
            bonds = self._own_bonds(bonds)
            if bonds.monitors is None:
                bonds.monitors = made
            bonds.monitors[monitor] = None
            return True

    def forget_monitor(self, monitor: Monitor) -> None:
        """Do not fire this monitor."""
        with self.claim:
            if self.bonds.monitors is not None:
                self.bonds.monitors.pop(monitor, None)

    def add_watch(self, monitor: Monitor) -> bool:
        """Cancel this monitor, made by this process, at the end; False when that has come."""
        made, bonds = {monitor}, self._spare_bonds()
        with self.claim:
            if self.ended:
                return False
            bonds = self._own_bonds(bonds)
            if bonds.watches is None:
                bonds.watches = made
            bonds.watches.add(monitor)
            return True

    def drop_watch(self, monitor: Monitor) -> None:
        """Forget a monitor made by this process; it has fired or was cancelled."""
        with self.claim:
            if self.bonds.watches is not None:
                self.bonds.watches.discard(monitor)

    @property
    def _links(self) -> tuple[Process, ...] | set[Process]:
        """Those that this process is linked to."""
        linked = self.bonds.linked
        return (linked,) if isinstance(linked, Ties) else linked

    def add_link(self, other: Process) -> bool:
        """Signal the other at the end; False when that has come already."""
        made = self._spare_bonds()
        with self.claim:
            if self.ended:
                return False
            bonds, links = self._own_bonds(made), self._links
            if isinstance(links, set):
                links.add(other)
            elif not links:
                bonds.linked = other
            elif other not in links:
                links = (*links, other)
                bonds.linked = links if len(links) <= _FEW else set(links)
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
            self.bonds.linked = tuple(kept for kept in links if kept is not other)
        return True

    # ---- the end ------------------------------------------------------------------------------

    def _undone(self) -> Undone:
        """Return everything that is to be undone; after the end nothing comes in any more."""
        with self.claim:
            bonds = self.bonds
            return Undone(
                tuple(bonds.monitors or ()),
                tuple(bonds.watches or ()),
                tuple(self._links),
                tuple(bonds.timers or ()),
            )

    def _untie(self) -> None:
        """Forget all that, once it is undone."""
        with self.claim:
            bonds = self.bonds
            if bonds is not FREE:
                bonds.monitors = bonds.watches = bonds.timers = None
                bonds.linked = ()

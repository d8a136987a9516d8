"""Follows one process through its observer socket, through hangs, ends and new lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from supervisors.observer.facts import ActorDetail, Deed, LogEntry, Look, Sort
from supervisors.observer.looking import Connection, RefusedError

__all__ = ["Follower", "Seen"]

_MOST_ENTRIES: Final = 300


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a follower knows.

    Attributes:
        look: the last look; None before the first.
        before: the one before, of the same process.
        log: the entries so far, oldest first.
        detail: of the actor that is looked into.
        detail_problem: why there is none.
        problem: why there are no news, None while there are.
        at: when the last look was taken, in seconds since 1970.
        notice: what came of the last order, or that this is another process than before.
    """

    look: Look | None = None
    before: Look | None = None
    log: tuple[LogEntry, ...] = ()
    detail: ActorDetail | None = None
    detail_problem: str | None = None
    problem: str | None = None
    at: float | None = None
    notice: str | None = None


class Follower:
    """Looks every `interval` seconds, on a thread of its own, until `close()`.

    Set `sort`, `urn` (of the actor to look into) and `paused` at any time, then call `hurry()`.
    """

    def __init__(self, path: str, interval: float, sort: Sort, changed: Callable[[], None]) -> None:
        """Begin with a first look, in the calling thread.

        Raises:
            OSError: nobody serves there.
            RefusedError: it said no.
        """
        self.sort, self.paused = sort, False
        self.urn: str | None = None
        self.seen = Seen()
        self._path, self._interval, self._changed = path, interval, changed
        self._connection: Connection | None = Connection(path)
        self._deeds: list[tuple[str, Deed]] = []
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._follow, name="observer-follower", daemon=True)
        try:
            self._look(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def hurry(self) -> None:
        """Look now."""
        self._wake.set()

    def order(self, urn: str, deed: Deed) -> None:
        """Have something done to an actor, soon."""
        self._deeds.append((urn, deed))
        self.hurry()

    def close(self) -> None:
        """End; what it waits for takes a few seconds at most."""
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._connection is not None:
            self._connection.close()

    def _follow(self) -> None:
        while not self._closed:
            self._wake.wait(self._interval)
            self._wake.clear()
            if self._closed:
                return
            self._once()
            self._changed()

    def _once(self) -> None:
        try:
            if self._connection is None:
                self._connection = Connection(self._path)
            self._obey(self._connection)
            if not self.paused:
                self._look(self._connection)
        except TimeoutError:
            self._lost("the process does not answer")
        except RefusedError as error:
            self._lost(str(error))
        except OSError:
            pid = None if self.seen.look is None else self.seen.look.process.pid
            self._lost(f"process {pid} is gone, or serves here no more")

    def _lost(self, problem: str) -> None:
        # An answer that comes late must not be taken for that of the next question.
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.seen = msgspec.structs.replace(self.seen, problem=problem)

    def _look(self, connection: Connection) -> None:
        seen = self.seen
        after = seen.log[-1].number if seen.log else 0
        look = connection.look(self.sort, after=after)
        before, log, notice = seen.before, seen.log, seen.notice
        if seen.look is not None and seen.look.process.pid != look.process.pid:
            look = connection.look(self.sort)
            before, log = None, ()
            notice = f"another process: {look.process.pid} instead of {seen.look.process.pid}"
        elif seen.look is not None and seen.look.clock != look.clock:
            before = seen.look
        detail, problem = self._detail(connection)
        self.seen = Seen(
            look=look,
            before=before,
            log=(*log, *look.log)[-_MOST_ENTRIES:],
            detail=detail,
            detail_problem=problem,
            at=look.at,
            notice=notice,
        )

    def _detail(self, connection: Connection) -> tuple[ActorDetail | None, str | None]:
        urn = self.urn
        if urn is None:
            return None, None
        try:
            return connection.actor(urn), None
        except RefusedError as error:
            return None, str(error)

    def _obey(self, connection: Connection) -> None:
        while self._deeds:
            urn, deed = self._deeds.pop(0)
            try:
                connection.order(urn, deed)
                notice = f"{deed.value}: done"
            except RefusedError as error:
                notice = f"{deed.value}: {error}"
            self.seen = msgspec.structs.replace(self.seen, notice=notice)

"""Answers requests about this process: what the Unix socket and the page have in common."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisors import introspect, logs
from supervisors._locks import new_lock
from supervisors._runtime import observed, plugged
from supervisors._runtime.actor_list import living
from supervisors._runtime.inquiry import Inquiry
from supervisors._runtime.ref import ActorRef
from supervisors.errors import CallTimeout, NoProcError, NotAvailableError, SelfCallError
from supervisors.exits import Shutdown
from supervisors.observer.actors import detail, find, rows
from supervisors.observer.collect import snapshot
from supervisors.observer.facts import (
    ActorRequest,
    Answer,
    Column,
    Deed,
    Done,
    LogEntry,
    Look,
    LookRequest,
    Order,
    ProcessFacts,
    Refusal,
    Request,
    Section,
)
from supervisors.observer.records import SystemSnapshot, TreeNode
from supervisors.telemetry import Event, attach_many, detach

__all__ = ["Service"]

# Seconds for the walk through the tree, and for an order.
_PATIENCE: Final = 1.0
# A look is given again for this many times the processor time that it took to make, so that however
# many ask, the process spends at most a tenth of its time on looks of one kind.
_SHARE: Final = 10
_MOST_CHILDREN: Final = 100
_MOST_NODES: Final = 2000
_MOST_LEVELS: Final = 100
_MOST_ENTRIES: Final = 300
_MOST_SECTION_ROWS: Final = 200
_LONGEST: Final = 300
# Fields of supervision's events that repeat what others say shorter.
_SAID_ELSEWHERE: Final = ("ref", "spec", "requested")
_serial = count(1)


class Service:
    """Gathers facts for those who ask; safe from any thread, but not from inside an actor.

    Args:
        show_state: whether an ActorRequest is told the actor's state.
        control: whether an Order is carried out.
        count_messages: whether messages are counted in every actor from its first look on.
    """

    def __init__(self, *, show_state: bool, control: bool, count_messages: bool) -> None:
        """Begin to keep the log."""
        self._show_state = show_state
        self._control = control
        self._count = count_messages
        self._counted: weakref.WeakSet[Any] = weakref.WeakSet()
        self._began = time.monotonic()
        self._lock = new_lock()
        self._last: tuple[LookRequest, float, Look] | None = None
        # Appended to where events happen; a bounded deque's append is atomic, with the GIL and
        # without it.
        self._log: deque[LogEntry] = deque(maxlen=_MOST_ENTRIES)
        self._numbers = count(1)
        self._levels = {
            event: level
            for event, level in {**logs._LEVELS, **plugged.events()}.items()
            if level > logging.DEBUG
        }
        self._handler_id = f"supervisors.observer.{next(_serial)}"
        attach_many(self._handler_id, self._levels, _Listener(self))

    def close(self) -> None:
        """Keep no log any more, and count no messages that nobody counted before."""
        detach(self._handler_id)
        with self._lock:
            counted, self._count = list(self._counted), False
        for ref in counted:
            process = ref.process
            if process is not None:
                process.order(Inquiry(lambda target: observed.count(target, False)))

    def handle(self, request: Request) -> Answer:
        """Answer a request; what cannot be done is a Refusal, never an exception."""
        match request:
            case LookRequest():
                return self._look(request)
            case ActorRequest():
                return self._detail(request.urn)
        return self._obey(request)

    # ---- looks --------------------------------------------------------------------------------

    def _look(self, request: LookRequest) -> Look:
        with self._lock:
            now = time.monotonic()
            asked = msgspec.structs.replace(request, after=0)
            if self._last is None or self._last[0] != asked or now > self._last[1]:
                begun = time.thread_time()
                look = self._gather(asked)
                fresh_for = _SHARE * (time.thread_time() - begun)
                self._last = (asked, time.monotonic() + fresh_for, look)
            look = self._last[2]
        log = tuple(entry for entry in self._entries() if entry.number > request.after)
        return msgspec.structs.replace(look, log=log)

    def _gather(self, request: LookRequest) -> Look:
        if self._count:
            self._count_all()
        actors, total = rows(request.sort, request.rows)
        return Look(
            at=time.time(),
            clock=time.monotonic(),
            process=self._facts(),
            system=_trimmed(snapshot(timeout=_PATIENCE)),
            actors=actors,
            actors_total=total,
            sections=tuple(_section(table) for table in plugged.tables()),
            counted=self._count,
            control=self._control,
        )

    def _count_all(self) -> None:
        """Have every actor counted that is not; nobody waits for them."""
        for ref in living():
            if isinstance(ref, ActorRef) and ref not in self._counted:
                process = ref.process
                if process is not None and not observed.is_counted(process):
                    self._counted.add(ref)
                    process.order(Inquiry(lambda target: observed.count(target, True)))

    def _facts(self) -> ProcessFacts:
        pool = introspect.pool()
        return ProcessFacts(
            pid=os.getpid(),
            program=Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python",
            python="{}.{}.{}".format(*sys.version_info[:3]),
            uptime=time.monotonic() - self._began,
            threads=threading.active_count(),
            cpu_seconds=time.process_time(),
            memory=_resident(),
            workers=pool.workers,
            blocked=pool.blocked,
            max_workers=pool.max_workers,
        )

    # ---- one actor ----------------------------------------------------------------------------

    def _detail(self, urn: str) -> Answer:
        ref = find(urn)
        if ref is None:
            return Refusal("no living actor has this URN: it has ended")
        return detail(ref, snapshot(timeout=_PATIENCE), show_state=self._show_state)

    def _obey(self, order: Order) -> Answer:
        if not self._control:
            return Refusal("read only: the application has to allow it by serve(..., control=True)")
        ref = find(order.urn)
        if ref is None:
            return Refusal("no living actor has this URN: it has ended")
        try:
            match order.deed:
                case Deed.SUSPEND:
                    introspect.suspend(ref, timeout=_PATIENCE)
                case Deed.RESUME:
                    introspect.resume(ref, timeout=_PATIENCE)
                case Deed.STOP if isinstance(ref, ActorRef):
                    ref.stop(Shutdown(), block=False)
                case Deed.STOP:
                    ref.stop(block=False)
        except CallTimeout:
            return Refusal(f"the actor is busy: it did not answer within {_PATIENCE:g} s")
        except (NoProcError, NotAvailableError, SelfCallError) as error:
            return Refusal(str(error))
        return Done()

    # ---- the log ------------------------------------------------------------------------------

    def note(
        self, event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> None:
        """Keep an event for who looks; called where it happens."""
        fields = {**measurements, **{key: logs._plain(value) for key, value in metadata.items()}}
        text = " ".join(
            f"{key}={value}"
            for key, value in fields.items()
            if value is not None and key not in _SAID_ELSEWHERE and (key, value) != ("count", 1)
        )
        level = logging.getLevelName(self._levels[event]).lower()
        number = next(self._numbers)
        self._log.append(LogEntry(number, time.time(), level, ".".join(event), text[:_LONGEST]))

    def _entries(self) -> list[LogEntry]:
        """Return what is kept, oldest first."""
        while True:
            # Without the GIL one more may come while this is copied.
            with suppress(RuntimeError):
                return list(self._log)


class _Listener:
    """The log's ear: of the starts that a caller asked for it wants to hear nothing (S195)."""

    def __init__(self, service: Service) -> None:
        self._note = service.note

    def _otp_wants(self, event: Event, quiet: bool) -> bool:
        return not quiet

    def __call__(
        self, event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any], _: Any
    ) -> None:
        if not metadata.get("requested"):
            self._note(event, measurements, metadata)


def _section(table: plugged.Table) -> Section:
    columns = tuple(Column(name, kind) for name, kind in table.columns.items())
    try:
        found = tuple(
            tuple(map(_cell, row))
            for _, row in zip(range(_MOST_SECTION_ROWS), table.rows(), strict=False)
        )
    except Exception as error:  # noqa: BLE001  another package's function; the look goes on
        return Section(table.title, columns, error=type(error).__name__)
    wrong = any(len(row) != len(columns) for row in found)
    return Section(table.title, columns, () if wrong else found, "wrong row" if wrong else None)


def _cell(value: Any) -> str | int | float | None:
    if value is None or type(value) in (int, float):
        number: int | float | None = value
        return number
    return str(value)[:_LONGEST]


def _trimmed(found: SystemSnapshot) -> SystemSnapshot:
    """Leave out what is too much for a screen, and say how much it is."""
    left = _MOST_NODES

    def trim(node: TreeNode, levels: int) -> TreeNode:
        nonlocal left
        most = max(0, min(_MOST_CHILDREN, left)) if levels else 0
        shown = node.children[:most]
        left -= len(shown)
        children = tuple(trim(child, levels - 1) for child in shown)
        rest = len(node.children) - len(shown)
        if rest:
            label = f"… and {rest} more" if levels else "… and more levels below"
            children += (TreeNode(label=label, kind="worker", class_name="", state=""),)
        return msgspec.structs.replace(node, children=children)

    return SystemSnapshot(
        tuple(trim(tree, _MOST_LEVELS) for tree in found.trees[:_MOST_CHILDREN]), found.unstopped
    )


def _resident() -> int | None:
    """Return the resident set of this process in bytes, where the system tells it."""
    with suppress(OSError, ValueError, IndexError, AttributeError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None

"""What was abandoned and still runs: the truth about threads that cannot be killed."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

import msgspec

from supervisors._locks import new_rlock
from supervisors._runtime.thread_frames import thread_frames
from supervisors._runtime.timers import timers

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["Unstopped", "bequeath", "left_to", "unstopped", "unstopped_under"]


class Unstopped(msgspec.Struct, frozen=True):
    """One abandoned actor whose handler has not returned.

    Attributes:
        path: the names of its supervisors and its own, joined by "/".
        thread: the name of the thread that it holds.
        seconds: how long ago it was abandoned.
        stack: where that thread is now, innermost call last.
    """

    path: str
    thread: str
    seconds: float
    stack: tuple[str, ...]

    def __str__(self) -> str:
        """Begin with the path; then thread, age and the innermost call."""
        where = self.stack[-1].strip().replace("\n", " ") if self.stack else "unknown"
        return f"{self.path} [{self.thread}] for {self.seconds:.1f} s at {where}"


_lock = new_rlock()
_stuck: dict[Process, tuple[int, str, float]] = {}
# Abandoned child → the supervisor that took the place of its own, and the child's number there.
_heirs: dict[Process, tuple[Process, int]] = {}


def note_abandoned(process: Process, thread_id: int) -> None:
    """Add an actor that was fenced off while this thread was in its handler."""
    with _lock:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        name = names.get(thread_id, f"thread {thread_id}")
        _stuck[process] = (thread_id, name, timers.clock.now())


def note_returned(process: Process) -> bool:
    """Remove an actor whose handler has returned at last; tell whether it was listed."""
    with _lock:
        listed = _stuck.pop(process, None) is not None
        heir = _heirs.pop(process, None)
    parent = process.parent
    if heir is not None:
        supervisor, number = heir
        supervisor.actor._otp_child_returned(number)
    if listed and parent is not None and process.incarnation:
        parent.actor._otp_child_returned(process.incarnation)
    return listed


def left_to(supervisor: Process) -> list[Process]:
    """List the abandoned children of those whose place in the tree this supervisor has taken."""
    with _lock:
        stuck = list(_stuck)
    return [
        process
        for process in stuck
        if process.incarnation
        and process.parent is not None
        and process.parent is not supervisor
        and _in_one_place(process.parent, supervisor)
    ]


def _in_one_place(one: Process, other: Process) -> bool:
    """Tell whether both are, or were, the same child of the same supervisors up to one that lives.

    Tops of trees have no place, so a tree that is started anew knows nothing of the one before.
    """
    if one.label is None or one.label != other.label or one.parent is None or other.parent is None:
        return False
    return one.parent is other.parent or _in_one_place(one.parent, other.parent)


def bequeath(process: Process, supervisor: Process, number: int) -> bool:
    """Tell this supervisor, too, when the handler returns; False when it has returned already."""
    with _lock:
        if process not in _stuck:
            return False
        _heirs[process] = (supervisor, number)
        return True


def unstopped() -> list[Unstopped]:
    """List the abandoned actors whose handlers still run, longest first. Safe from any thread.

    Example:
        >>> unstopped()
        []
    """
    with _lock:
        entries = list(_stuck.items())
    return _described(entries)


def unstopped_under(process: Process) -> list[Unstopped]:
    """List those that are, or were, this process or below it."""
    with _lock:
        entries = list(_stuck.items())
    return _described([entry for entry in entries if _is_under(entry[0], process)])


def _is_under(process: Process | None, above: Process) -> bool:
    while process is not None:
        if process is above:
            return True
        process = process.parent
    return False


def _described(entries: list[tuple[Process, tuple[int, str, float]]]) -> list[Unstopped]:
    if not entries:
        return []
    frames = thread_frames()
    now = timers.clock.now()
    result = []
    for process, (thread_id, name, since) in entries:
        frame = frames.get(thread_id)
        stack = tuple(traceback.format_stack(frame)) if frame is not None else ()
        result.append(Unstopped(process.path(), name, now - since, stack))
    return sorted(result, key=lambda entry: -entry.seconds)

"""What a test left behind: threads, actors, sockets and timers."""

from __future__ import annotations

import gc
import os
import re
import socket
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from supervisors._runtime.actor_list import living
from supervisors._runtime.timers import timers
from supervisors._runtime.unstopped import unstopped

__all__ = ["PATIENCE", "Resources", "leaked", "resources"]

# How long what ends may take to be gone, in seconds.
PATIENCE = 5.0
# Between two looks, in seconds.
_INTERVAL = 0.01
# Threads that serve the whole process and stay: the pool's and the timers', and the stand-ins that
# `threading` makes for threads it did not start and keeps after their end. Those of actors are told
# as actors.
_PROCESS_WIDE = re.compile(r"supervisors-(pool-\d+|watcher|timer|actor-.*)|Dummy-.*", re.DOTALL)
_DESCRIPTORS = Path("/dev/fd")


class Resources(NamedTuple):
    """What the process had at one moment."""

    threads: frozenset[threading.Thread]
    actors: frozenset[Any]
    sockets: frozenset[tuple[int, int]]
    timers: int
    abandoned: frozenset[str]


def resources() -> Resources:
    """Return the threads, actors, open sockets, waiting timers and abandoned actors of this moment.

    Not among them are the threads of this library that serve the whole process. Sockets are listed
    by the system where it has `/dev/fd`, elsewhere only those that Python made are found.

    Example:
        >>> before = resources()
        >>> thread = threading.Thread(target=lambda: None)
        >>> resources() == before
        True
    """
    threads = frozenset(
        thread for thread in threading.enumerate() if not _PROCESS_WIDE.fullmatch(thread.name)
    )
    stuck = frozenset(entry.path for entry in unstopped())
    return Resources(threads, frozenset(living()), _open_sockets(), len(timers), stuck)


def leaked(before: Resources, patience: float = PATIENCE) -> list[str]:
    """Return a line for each thing that is new since `before` and stays for `patience` seconds.

    A timer is new when more of them wait than before. Waits as long as there is anything; returns
    at once where there is nothing.
    """
    end = time.monotonic() + patience
    pause = threading.Event()
    while (left := _beyond(before)) and time.monotonic() < end:
        pause.wait(_INTERVAL)
    return left


def _beyond(before: Resources) -> list[str]:
    now = resources()
    actors = sorted(str(ref) for ref in now.actors - before.actors)
    threads = sorted(thread.name for thread in now.threads - before.threads)
    new = now.abandoned - before.abandoned
    sockets = sorted(number for number, _ in now.sockets - before.sockets)
    lines = [f"actor {name} is left running" for name in actors]
    lines += [f"thread {name!r} is left running" for name in threads]
    lines += [f"socket {_peers(number)} is left open" for number in sockets]
    lines += [f"{entry}: abandoned, and still runs" for entry in unstopped() if entry.path in new]
    extra = now.timers - before.timers
    if extra > 0:
        due = ", ".join(f"{seconds:.1f} s" for seconds in timers.due_times()[-extra:])
        lines.append(f"{extra} timer{'s' * (extra > 1)} left waiting, due in {due}")
    return lines


def _open_sockets() -> frozenset[tuple[int, int]]:
    """Return (descriptor, inode) of each open socket."""
    if not _DESCRIPTORS.is_dir():
        found = (thing for thing in gc.get_objects() if issubclass(type(thing), socket.socket))
        return frozenset((s.fileno(), id(s)) for s in found if s.fileno() != -1)
    sockets = set()
    for descriptor in (int(entry.name) for entry in _DESCRIPTORS.iterdir()):
        # The descriptor that listed the folder is closed by now.
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode):
                sockets.add((descriptor, status.st_ino))
    return frozenset(sockets)


def _peers(descriptor: int) -> str:
    """Return between whom a socket is, as far as the system tells."""
    described = f"with descriptor {descriptor}"
    with suppress(OSError, ValueError):
        copy = socket.socket(fileno=os.dup(descriptor))
        with copy:
            own = copy.getsockname()
            peer: Any = None
            with suppress(OSError):
                peer = copy.getpeername()
        if isinstance(own, tuple):
            described += f" ({own[0]}:{own[1]}"
            described += f" to {peer[0]}:{peer[1]})" if peer else ")"
    return described

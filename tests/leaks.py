"""Finds threads and sockets that a test left behind."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from pathlib import Path
from typing import NamedTuple

# How long threads and sockets may take to go after the test has ended, in seconds.
DEADLINE = 10.0
# Between two looks, in seconds.
INTERVAL = 0.01
# Threads that serve the whole process and stay: the pool and the timer thread of the library, and
# the stand-ins that `threading` makes for threads it did not start and keeps after their end.
PROCESS_WIDE = re.compile(r"supervisors-(pool-\d+|watcher|timer|actor-.*)|Dummy-.*", re.DOTALL)

DESCRIPTORS = Path("/dev/fd")


class Resources(NamedTuple):
    """The threads and sockets of the process at one moment."""

    threads: frozenset[threading.Thread]
    sockets: frozenset[tuple[int, int]]


def resources() -> Resources:
    """Returns the live threads and the open sockets; no sockets where /dev/fd is missing."""
    threads = frozenset(
        thread for thread in threading.enumerate() if not PROCESS_WIDE.fullmatch(thread.name)
    )
    return Resources(threads, open_sockets())


def open_sockets() -> frozenset[tuple[int, int]]:
    """Returns (descriptor, inode) of each open socket."""
    found = set()
    entries = list(DESCRIPTORS.iterdir()) if DESCRIPTORS.is_dir() else []
    for descriptor in (int(entry.name) for entry in entries):
        try:
            status = os.fstat(descriptor)
        except OSError:
            # The descriptor that listed the folder is closed by now.
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.add((descriptor, status.st_ino))
    return frozenset(found)


def leaked(before: Resources, deadline: float = DEADLINE) -> list[str]:
    """Returns a line for each thread and socket that is new and stays for `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while (left := beyond(before)) and time.monotonic() < end:
        pause.wait(INTERVAL)
    return left


def beyond(before: Resources) -> list[str]:
    """Returns a line for each thread and socket that is there now and was not there before."""
    now = resources()
    threads = sorted(thread.name for thread in now.threads - before.threads)
    sockets = sorted(descriptor for descriptor, _ in now.sockets - before.sockets)
    return [
        *(f"thread {name!r} is left" for name in threads),
        *(f"socket with descriptor {descriptor} is left open" for descriptor in sockets),
    ]

"""Every test here: threads switch each microsecond, and nothing may be left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from pykka import ActorRegistry

from supervisors import registered, unstopped
from supervisors._runtime.own_thread import own_thread
from supervisors._runtime.root import root
from supervisors._runtime.timers import timers

DEADLINE = 10.0


def left() -> dict[str, object]:
    """Returns what there is of actors at this moment."""
    own = [t.name for t in threading.enumerate() if t.name.startswith("supervisors-actor-")]
    return {
        "actors": [str(ref) for ref in ActorRegistry.get_all()],
        "names": registered(),
        "root": root.members(),
        "timers": len(timers),
        "threads": own,
        "bells": len(own_thread._bells),
        "unstopped": [entry.path for entry in unstopped()],
    }


@pytest.fixture(autouse=True)
def nothing_left(no_leaks: None, fast_switching: None) -> Iterator[None]:
    """Fails the test when an actor, a name, a timer or a thread of it outlives it."""
    before = left()
    yield
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while (after := left()) != before and time.monotonic() < end:
        pause.wait(0.005)
    assert after == before

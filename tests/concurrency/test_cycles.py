"""Clients that are opened, used and closed again and again leave nothing, whatever ended them.

`CHAOS_CYCLES` says how many; `make chaos` has 500.
"""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from typing import Any

import pytest

from phoenix_actors import ChannelActor, SocketClient
from phoenix_actors.testing import ServerProcess
from supervisors import Killed
from supervisors._runtime.timers import timers
from tests import leaks
from tests.concurrency.conftest import left
from tests.e2e.rig import DEADLINE, QUICK, eventually

pytestmark = pytest.mark.usefixtures("quiet")

# Cycles before the first count: what is made once and kept is there by then.
WARM_UP = 20
# Objects of any kind that may be there more, such as entries of the interpreter's caches, and for
# each thread that the process's pool has got meanwhile: they stay, and serve whoever comes.
SPARE = 200
SPARE_OF_THREAD = 30


def cycle(server: ServerProcess, number: int) -> None:
    """One client: it joins two topics, pushes, is sent a message, leaves one, and ends somehow."""
    client = SocketClient.start_link(url=server.url, **QUICK)
    client.wait_connected(DEADLINE)
    kept, gone = client.join("room:kept"), client.join("room:gone", channel=ChannelActor)
    stream = kept.messages(timeout=DEADLINE)
    presence = client.presence("room:kept")
    assert kept.push("echo", {"n": number}).get().response == {"n": number}
    kept.push("push_me", {})
    assert next(stream).event == "pushed"
    waiting = kept.push("no_reply", {})
    gone.leave()
    assert presence.list() == []
    match number % 4:
        case 0:
            client.stop()
        case 1:
            client.exit(Killed())
            client.monitor().wait(DEADLINE)
        case 2:
            client.disconnect()
            client.stop()
        case _:
            client.socket.ref.exit(Killed())
            client.stop()
    assert waiting.exception(DEADLINE) is not None


def kinds() -> Counter[str]:
    """Returns how many objects there are of each type."""
    gc.collect()
    return Counter(f"{type(o).__module__}.{type(o).__qualname__}" for o in gc.get_objects())


def ours(counts: Counter[str]) -> dict[str, int]:
    """Returns those of the two packages."""
    return {name: n for name, n in counts.items() if name.startswith(("phoenix", "supervisors"))}


def pooled() -> int:
    """Returns how many threads the pool has."""
    return sum(bool(leaks.PROCESS_WIDE.fullmatch(t.name)) for t in threading.enumerate())


def descriptors() -> int:
    """Returns how many descriptors are open."""
    return len(list(leaks.DESCRIPTORS.iterdir())) if leaks.DESCRIPTORS.is_dir() else 0


@pytest.mark.contract("C157")
def test_cycles_leave_nothing() -> None:
    """No thread, descriptor, timer, name, actor, or object of the packages."""
    cycles = int(os.environ.get("CHAOS_CYCLES") or 60)
    with ServerProcess() as server:
        for number in range(WARM_UP):
            cycle(server, number)
        before = settled()
        workers, counted = pooled(), kinds()
        for number in range(cycles):
            cycle(server, number)
        eventually(settled, lambda now: now == before)
        # A thread of the pool may be in the last turn of the last client.
        eventually(lambda: ours(kinds() - counted), lambda more: more == {})
        more, workers = kinds() - counted, pooled() - workers
        eventually(lambda: server.control.stats()["transports"], lambda count: count == 0)
    spare = SPARE + SPARE_OF_THREAD * max(0, workers)
    assert sum(more.values()) < spare, more.most_common(10)


def settled() -> dict[str, Any]:
    """Returns what there is of everything that a client has, and the pool keeps not."""
    threads = [t.name for t in threading.enumerate() if not leaks.PROCESS_WIDE.fullmatch(t.name)]
    return {
        **left(),
        "timers": len(timers),
        "descriptors": descriptors(),
        "all threads": sorted(threads),
    }

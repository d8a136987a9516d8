"""Who asks is not kept waiting for the GIL by others that have it."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import GenServer
from tests.concurrency.crew import DEADLINE, Doer

# Longer than any ask may take, were threads to keep the GIL for so long.
INTERVAL = 0.04
ASKS = 15
BACKLOG = 100_000


@pytest.fixture
def slow_switching(fast_switching: None) -> Iterator[None]:
    """Lets a thread keep the GIL for long, unless it lets it go itself."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(INTERVAL)
    yield
    sys.setswitchinterval(usual)


class Asking(GenServer):
    """Asks another actor again and again, and answers how long each ask took."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return waits(request)


def waits(ref: Any) -> list[float]:
    """Asks, with pauses, and returns how many seconds each ask took."""
    pause = threading.Event()
    taken = []
    for number in range(ASKS):
        pause.wait(0.002)
        began = time.perf_counter()
        assert ref.ask(number, timeout=DEADLINE) == number
        taken.append(time.perf_counter() - began)
    return taken


@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
@pytest.mark.parametrize("by_actor", [False, True])
@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL to wait for"
)
def test_an_ask_beside_a_flood_waits_for_no_thread_switch(
    slow_switching: None, dispatcher: str, by_actor: bool
) -> None:
    """The median of 15 asks is below half the time for which a thread keeps the GIL."""
    quiet = Doer.start(dispatcher=dispatcher)
    flooded = Doer.start(dispatcher=dispatcher)
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            for number in range(BACKLOG):
                flooded.tell(number)
            flooded.ask(None)

    producer = threading.Thread(target=flood)
    producer.start()
    try:
        if by_actor:
            asking = Asking.start(dispatcher=dispatcher)
            taken = asking.ask(quiet, timeout=60)
            asking.stop(timeout=DEADLINE)
        else:
            taken = waits(quiet)
    finally:
        over.set()
        producer.join()
        for ref in (quiet, flooded):
            ref.stop(timeout=DEADLINE)
    assert statistics.median(taken) < INTERVAL / 2

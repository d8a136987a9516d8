"""What an idle joined channel takes: allocated by Python, with a server in the same process."""

from __future__ import annotations

import gc
import json
import queue
import sys
import threading
import time
import tracemalloc
from typing import Final

import pytest

from phoenix_actors import ChannelActor, SocketClient
from phoenix_actors.actors import hibernation_manager as module
from phoenix_actors.transport.memory import MemoryPeer, MemoryTransport

DEADLINE: Final = 60.0
COUNT: Final = 1_000
# Bytes: of an idle channel that is joined, of one that has had a message, and of one that sleeps.
JOINED: Final = 2_000
USED: Final = 3_000
ASLEEP: Final = 1_800
QUEUE: Final = 760


class Threaded(ChannelActor):
    """Has a thread of its own."""

    dispatcher = "thread"


def respond(peer: MemoryPeer, data: str | bytes) -> None:
    """Says ok to everything, and keeps nothing."""
    peer.received.clear()
    join_ref, ref, topic, _, _ = json.loads(data)
    answer = {"status": "ok", "response": {}}
    peer.send_text(json.dumps([join_ref, ref, topic, "phx_reply", answer]))


def allocated() -> int:
    """What Python has allocated since tracing began."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.contract("C184")
@pytest.mark.skipif(
    sys.implementation.name != "cpython"
    or not getattr(sys, "_is_gil_enabled", lambda: True)()
    or sys.gettrace() is not None,
    reason="the sizes are CPython's, with its lock, and not traced",
)
def test_an_idle_channel() -> None:
    """It is small, grows with its first message, and gives that back when it hibernates."""
    transport = MemoryTransport(respond)
    client = SocketClient.start_link(
        url="ws://h/socket",
        transport=transport,
        heartbeat_interval=None,
        hibernation_idle_timeout=0.01,
        hibernation_check_interval=3_600.0,
    )
    try:
        client.wait_connected(DEADLINE)
        kept = [client.join(f"warm:{number}") for number in range(50)]
        tracemalloc.start()
        before = allocated()
        kept += [client.join(f"room:{number}") for number in range(COUNT)]
        joined = (allocated() - before) / COUNT
        for number in range(COUNT):
            transport.peers[-1].send_text(json.dumps([None, None, f"room:{number}", "tick", {}]))
        used = (allocated() - before) / COUNT
        pause, until = threading.Event(), time.monotonic() + DEADLINE
        while client.hibernation_manager.stats()["total_hibernations"] < COUNT:
            assert time.monotonic() < until
            client.hibernation_manager.ref.send_info(module._CHECK)
            pause.wait(0.05)
        asleep = (allocated() - before) / COUNT
    finally:
        tracemalloc.stop()
        client.stop()
    assert joined < JOINED
    assert used < USED
    assert used > joined + QUEUE
    assert asleep < ASLEEP


@pytest.mark.contract("C184")
def test_the_memory_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once threads were given back, the C library is told to give back what they had; once."""
    trimmed = queue.SimpleQueue[int]()
    monkeypatch.setattr(module, "trim", lambda: trimmed.put(threading.active_count()))
    monkeypatch.setattr(module, "_ENDING", 0.05)
    client = SocketClient.start_link(
        url="ws://h/socket",
        transport=MemoryTransport(respond),
        heartbeat_interval=None,
        hibernation_idle_timeout=0.05,
        hibernation_check_interval=0.05,
    )
    try:
        client.wait_connected(DEADLINE)
        kept = [client.join(f"pool:{number}") for number in range(3)]
        kept += [client.join(f"room:{number}", channel=Threaded) for number in range(3)]
        assert trimmed.get(timeout=DEADLINE) > 0
        pause, until = threading.Event(), time.monotonic() + DEADLINE
        while client.hibernation_manager.stats()["threads_given_back"] < 3:
            assert time.monotonic() < until
            pause.wait(0.01)
    finally:
        client.stop()
    assert trimmed.qsize() <= 2

"""A signal's handler may raise between the taking of a lock and what follows it."""

from __future__ import annotations

import socket
import sys
import threading
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from phoenix_actors.link import wire as wire_module
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.outbox import Outbox
from phoenix_actors.link.scheduling import may_wait, without_waiting
from phoenix_actors.transport import reading as reading_module
from phoenix_actors.transport.frames import FrameReader
from phoenix_actors.transport.own_lock import is_mine
from phoenix_actors.transport.reading import Reading
from phoenix_actors.transport.stream import Stream
from supervisors._runtime.timers import timers
from tests.unit.phoenix_actors.link.link_bench import LinkBench


class Interrupted:
    """A lock; as soon as it is taken the user's Ctrl-C comes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_owned = self._lock._is_owned  # type: ignore[attr-defined]
        self.release = self._lock.release

    def acquire(self, **options: Any) -> bool:
        """Takes it."""
        self._lock.acquire(**options)
        raise KeyboardInterrupt

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.skipif(not reading_module._CAN_LEND, reason="nobody can borrow here")
def test_the_turn_is_given_back() -> None:
    """Else the reader thread would never read again."""
    near, far = socket.socketpair()
    stream = Stream(near)
    reading = Reading(stream, FrameReader(1000))
    turn: Any = Interrupted()
    reading._turn = turn
    with pytest.raises(KeyboardInterrupt):
        reading.borrow(lambda: False, 1.0, bool, list)
    assert not is_mine(turn)
    stream.shutdown()
    reading.close()
    stream.close()
    far.close()


@pytest.mark.parametrize("way", ["send_now", "send_all"])
def test_the_lock_of_a_stream_is_given_back(way: str) -> None:
    """Else nobody would ever send again."""
    near, far = socket.socketpair()
    stream = Stream(near)
    lock: Any = Interrupted()
    stream._write_lock = lock
    with pytest.raises(KeyboardInterrupt):
        getattr(stream, way)(b"x")
    assert not is_mine(lock)
    stream.close()
    far.close()


def test_the_lock_of_a_lane_is_given_back_and_the_connection_given_up() -> None:
    """What was taken from the queue may be sent in part."""
    broken: list[str] = []
    outbox = Outbox("w", lambda *_: None, lambda _, error: broken.append(type(error).__name__))
    handle: Any = object()
    outbox.open(handle)
    lane: Any = outbox.lane
    lane.writing = Interrupted()
    outbox.put("frame")
    with pytest.raises(KeyboardInterrupt):
        outbox.flush()
    assert not is_mine(lane.writing)
    assert broken == ["KeyboardInterrupt"]
    assert len(outbox) == 0


def test_a_thread_may_wait_again() -> None:
    """Whatever was raised."""

    def interrupted() -> None:
        assert not may_wait()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        without_waiting(interrupted)
    assert may_wait()


def test_nothing_is_called_before_a_thread_may_wait_again() -> None:
    """A signal's handler runs where something is called, and what it raises would end that."""
    over: list[bool] = []

    def call() -> None:
        """Do nothing."""

    def strike(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is call.__code__:
            over.append(True)
        elif over and event == "call":
            raise KeyboardInterrupt

    sys.setprofile(strike)
    try:
        without_waiting(call)
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(None)
    assert over
    assert may_wait()


def test_the_deadline_of_the_next_push_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where arming the timer for the one before was interrupted."""
    bench = LinkBench()
    bench.open()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        wire_module, "timers", SimpleNamespace(after=interrupted, clock=timers.clock)
    )
    with pytest.raises(KeyboardInterrupt):
        bench.wire.enter("t", "1", "e", PushFuture(), 1000.0, timers.clock.now())
    monkeypatch.undo()
    bench.wire.enter("t", "1", "e", PushFuture(), 2000.0, timers.clock.now())
    timer = bench.wire._push_timer
    assert timer is not None
    assert timer.waiting
    bench.close()

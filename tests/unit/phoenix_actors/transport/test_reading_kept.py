"""What the reader thread and a borrower may find of each other, between any two steps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors.transport import reading as reading_module
from tests.unit.phoenix_actors.transport.test_reading import DEADLINE, ONE, PING, Bench

lends = pytest.mark.skipif(not reading_module._CAN_LEND, reason="this system has no epoll")


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A connection that is closed afterwards."""
    bench = Bench()
    yield bench
    bench.end()


@lends
def test_a_reading_is_not_kept_when_the_reader_thread_is_woken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take that for the beginning of keeping, and sleep on over what was left."""
    reading, told = bench.reading, []
    listen = reading._listen

    def looked_at(epoll: Any, events: int) -> None:
        told.append((reading._kept, events))
        listen(epoll, events)

    monkeypatch.setattr(reading, "_listen", looked_at)
    bench.drained()
    told.clear()
    bench.far.sendall(ONE)
    bench.borrow()
    assert told == [(False, 0), (False, reading_module._IN)]
    told.clear()
    reading._kept = True
    bench.far.sendall(PING)
    bench.borrow(2)
    assert told == [(False, reading_module._IN | reading_module._OUT)]


@lends
def test_how_long_the_reader_thread_sleeps_while_others_may_read(bench: Bench) -> None:
    """It looks again by itself where the reading is kept, and goes on where something is left."""
    reading = bench.reading
    bench.drained()
    epoll = reading._epoll
    assert epoll is not None
    for kept, wait in ((True, reading_module._KEEP), (False, None)):
        reading._kept = kept
        told: list[float | None] = []
        with reading._turn:
            looks = threading.Thread(target=lambda told=told: told.append(reading._look(epoll)))
            looks.start()
            looks.join(DEADLINE)
        assert told == [wait]
    bench.stream.more = True
    assert reading._look(epoll) is None
    assert reading._called


@lends
def test_a_reading_that_is_given_back_while_the_reader_thread_notes_its_keeping(
    bench: Bench,
) -> None:
    """That step may have undone what the borrower had it be woken by; so it goes on."""
    reading = bench.reading

    class Epoll:
        """The borrower calls, and gives the reading back before this is answered."""

        polls = 0

        def fileno(self) -> int:
            return reading_module._MOST_SELECTED

        def poll(self, _wait: float | None, _most: int) -> list[tuple[int, int]]:
            self.polls += 1
            return [(0, reading_module._OUT)]

        def modify(self, _descriptor: int, _events: int) -> None:
            reading._kept = False

    bench.drained()
    reading._kept = True
    epoll: Any = Epoll()
    reading._await(epoll)
    assert reading._called
    assert epoll.polls == 1


@lends
def test_a_call_that_came_for_the_borrower_before_ends_nobody(bench: Bench) -> None:
    """What it was called for is looked at anyway."""
    bench.drained()
    bench.borrow(1, timeout=0.0)
    bench.reading._ring()
    bench.far.sendall(ONE)
    bench.borrow()
    assert bench.borrowed == [(1, [b"one"])]


@lends
def test_nothing_is_read_past_what_a_signals_handler_has_left(bench: Bench) -> None:
    """One that reads in the middle of a borrower may leave something, which comes first."""
    bench.drained()
    bench.far.sendall(ONE)
    handled: list[object] = []

    def done() -> bool:
        if not handled:
            handled.append(None)
            bench.reading._left.append((9, [b"left"]))
            bench.stream.more = True
        return False

    bench.reading.borrow(done, DEADLINE, bench.take, bench.deal)
    assert bench.borrowed == []
    while len(bench.read) < 2:
        bench.next()
    assert bench.read == [(9, [b"left"]), (1, [b"one"])]

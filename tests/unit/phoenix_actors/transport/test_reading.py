"""Who reads a connection, on a pair of sockets; the reader thread is the test's own."""

from __future__ import annotations

import contextlib
import itertools
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from phoenix_actors.transport import reading as reading_module
from phoenix_actors.transport.frames import FrameReader, Run
from phoenix_actors.transport.own_lock import is_mine
from phoenix_actors.transport.reading import Reading
from phoenix_actors.transport.stream import Stream
from tests.striking import strike_at

_READING = str(reading_module.__file__)
DEADLINE = 10.0
ONE, TWO, PING = b"\x81\x03one", b"\x81\x03two", b"\x89\x00"
lends = pytest.mark.skipif(not reading_module._CAN_LEND, reason="this system has no epoll")


class Bench:
    """A connection; what was read by the reader thread's way, and by a borrower's."""

    def __init__(self) -> None:
        near, self.far = socket.socketpair()
        self.stream = Stream(near)
        self.reading = Reading(self.stream, FrameReader(1000))
        self.read: list[Run] = []
        self.borrowed: list[Run] = []
        self.leaves: list[Run] = []

    def next(self) -> bool:
        """The reader thread's turn."""
        return self.reading.next(self.read.extend)

    def drained(self) -> None:
        """The reader thread has found the socket empty, and would sleep."""
        while self.stream.more:
            self.next()

    def end(self) -> None:
        """Closes everything, as the reader thread does."""
        self.stream.shutdown()
        self.reading.close()
        self.stream.close()
        self.far.close()

    def deal(self, runs: list[Run]) -> list[Run]:
        """A borrower's way; it leaves pings."""
        mine = [run for run in runs if run[0] == 1]
        self.borrowed += mine
        return [run for run in runs if run[0] != 1] or self.leaves

    def take(self, text: bytes) -> bool:
        """A borrower's way with a text that came alone."""
        return not self.deal([(1, [text])])

    def borrow(self, count: int = 1, timeout: float | None = DEADLINE) -> None:
        """Borrow until so many texts came."""
        self.reading.borrow(lambda: len(self.borrowed) >= count, timeout, self.take, self.deal)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A connection that is closed afterwards."""
    bench = Bench()
    yield bench
    bench.end()


@pytest.mark.parametrize("epoll", [True, False])
def test_the_reader_thread_reads_until_the_end(
    epoll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In large pieces, with or without epoll."""
    monkeypatch.setattr(reading_module, "_CAN_LEND", epoll and reading_module._CAN_LEND)
    bench = Bench()
    bench.far.sendall(ONE + TWO)
    while not bench.read:
        assert bench.next()
    assert bench.read == [(1, [b"one", b"two"])]
    bench.far.close()
    while bench.next():
        pass
    bench.reading.close()
    bench.stream.close()


@lends
def test_a_borrower_reads_its_answer_and_the_reader_thread_sleeps(bench: Bench) -> None:
    """It is asked for nothing, and what comes afterwards is its own again."""
    bench.drained()
    bench.far.sendall(ONE)
    bench.borrow()
    assert bench.borrowed == [(1, [b"one"])]
    bench.far.sendall(TWO)
    bench.drained()
    while not bench.read:
        assert bench.next()
    assert bench.read == [(1, [b"two"])]


@lends
def test_what_a_borrower_leaves_comes_first(bench: Bench) -> None:
    """The reader thread is woken for it, and reads on behind it."""
    bench.drained()
    bench.far.sendall(ONE + PING)
    bench.borrow(count=2)
    bench.far.sendall(TWO)
    assert bench.borrowed == [(1, [b"one"])]
    assert bench.next()
    assert bench.read == [(9, [b""])]
    while len(bench.read) < 2:
        assert bench.next()
    assert bench.read[1:] == [(1, [b"two"])]


@lends
def test_nobody_borrows_while_the_reader_thread_reads(bench: Bench) -> None:
    """Nor while there is more that it has not looked at yet."""
    bench.borrow(timeout=DEADLINE)
    assert bench.borrowed == []
    bench.drained()
    taken, over = threading.Event(), threading.Event()

    def read() -> None:
        with bench.reading._turn:
            taken.set()
            over.wait(DEADLINE)

    reader = threading.Thread(target=read)
    reader.start()
    assert taken.wait(DEADLINE)
    bench.far.sendall(ONE)
    bench.borrow(timeout=DEADLINE)
    assert bench.borrowed == []
    over.set()
    reader.join(DEADLINE)


@lends
def test_a_borrower_waits_longer_than_poll_can(bench: Bench) -> None:
    """What poll does not take is cut to what it takes."""
    bench.drained()
    bench.far.sendall(ONE)
    bench.borrow(timeout=1e308)
    assert bench.borrowed == [(1, [b"one"])]


@lends
def test_a_borrower_ends_by_its_timeout_and_by_wake(bench: Bench) -> None:
    """`wake` is for another thread's borrower, and leaves nothing behind for the next one."""
    bench.drained()
    bench.borrow(timeout=0.0)
    bench.reading.wake()
    done = threading.Event()

    def borrow() -> None:
        bench.borrow(timeout=None)
        done.set()

    thread = threading.Thread(target=borrow)
    thread.start()
    while not done.is_set():
        bench.reading.wake()
    thread.join(DEADLINE)
    bench.far.sendall(ONE)
    bench.borrow()
    assert bench.borrowed == [(1, [b"one"])]


@lends
@pytest.mark.parametrize("timeout", [1e7, 1e12])
def test_a_borrower_may_wait_for_longer_than_poll_can(bench: Bench, timeout: float) -> None:
    """Poll takes up to 24 days."""
    bench.drained()
    bench.far.sendall(ONE)
    bench.borrow(timeout=timeout)
    assert bench.borrowed == [(1, [b"one"])]


@lends
def test_other_messages_do_not_put_the_timeout_off(bench: Bench) -> None:
    """However fast they come."""
    bench.drained()
    reads: list[int] = []

    def take(text: bytes) -> bool:
        reads.append(len(text))
        bench.far.sendall(ONE)
        return True

    bench.far.sendall(ONE)
    bench.reading.borrow(lambda: len(reads) > 1000, 0.0, take, bench.deal)
    assert len(reads) == 1


@lends
def test_the_end_is_the_reader_threads(bench: Bench) -> None:
    """A borrower that finds it returns, and the reader thread finds it too."""
    bench.drained()
    bench.far.close()
    bench.borrow(timeout=None)
    while bench.next():
        pass


@lends
def test_what_interrupts_a_borrower_ends_the_connection(bench: Bench) -> None:
    """Messages may be lost, which must not go unseen; between messages nothing is lost."""
    bench.drained()

    def interrupt(_: Any) -> Any:
        raise KeyboardInterrupt

    bench.far.sendall(ONE)
    with pytest.raises(KeyboardInterrupt):
        bench.reading.borrow(lambda: False, DEADLINE, interrupt, interrupt)
    while bench.next():
        pass


@lends
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_what_interrupts_a_borrower_leaves_the_reading_to_somebody(
    monkeypatch: pytest.MonkeyPatch, earlier: int
) -> None:
    """Wherever a signal's handler raises: the reader thread reads on, or finds the end."""
    monkeypatch.setattr(reading_module, "_KEEP", 0.01)
    unlikely = 0
    for step in itertools.count():
        bench = Bench()
        bench.drained()
        for count in range(earlier):
            bench.far.sendall(ONE)
            bench.borrow(count + 1)
        bench.far.sendall(ONE)
        struck = True
        with contextlib.suppress(KeyboardInterrupt):
            struck = strike_at(step, partial(bench.borrow, earlier + 1), within=_READING)
        if is_mine(bench.reading._turn):
            # Between the last statement and the call that gives it back, where Python never looks.
            bench.reading._turn.release()
            unlikely += 1
        read = bench.borrowed[earlier:]
        with contextlib.suppress(OSError):
            bench.far.sendall(TWO)
        goes_on = True
        while goes_on and not any(b"two" in texts for _, texts in bench.read):
            goes_on = bench.next()
        # Nothing is lost but with the connection; what was not borrowed comes before.
        messages = [text for _, texts in (*read, *bench.read) for text in texts]
        assert messages == [b"one", b"two"] or not goes_on, f"interrupted at step {step}"
        bench.end()
        if not struck:
            break
    assert unlikely <= 4
    assert step > 80


@lends
def test_a_handler_of_a_signal_may_borrow_within(bench: Bench) -> None:
    """The thread that it runs in holds the turn; else it would wait for itself."""
    bench.drained()
    bench.far.sendall(ONE)
    calls: list[int] = []

    def done() -> bool:
        calls.append(1)
        if len(calls) == 1:
            bench.borrow()
        return bool(bench.borrowed)

    bench.reading.borrow(done, DEADLINE, bench.take, bench.deal)
    assert bench.borrowed == [(1, [b"one"])]


@lends
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that raises signals")
def test_a_handler_that_comes_upon_the_wait_may_borrow(bench: Bench) -> None:
    """It may read what the outer borrower waits for, which goes on then."""
    bench.drained()

    def strike(*_: object) -> None:
        bench.far.sendall(ONE)
        bench.borrow()

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        began = time.monotonic()
        bench.borrow()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert bench.borrowed == [(1, [b"one"])]
    assert time.monotonic() - began < DEADLINE / 2


@lends
def test_what_that_one_leaves_is_not_lost(bench: Bench) -> None:
    """Nor overtaken: the outer borrower ends, too."""
    bench.drained()
    bench.far.sendall(ONE + PING)
    calls: list[int] = []

    def done() -> bool:
        calls.append(1)
        if len(calls) == 1:
            bench.borrow(count=2)
            bench.far.sendall(TWO)
        return False

    bench.reading.borrow(done, DEADLINE, bench.take, bench.deal)
    assert bench.borrowed == [(1, [b"one"])]
    assert bench.next()
    assert bench.read == [(9, [b""])]


@lends
def test_after_the_close_nothing_is_borrowed_or_woken(bench: Bench) -> None:
    """The descriptors may be another's by then."""
    bench.drained()
    bench.borrow(timeout=0.0)
    bench.reading.close()
    bench.reading.wake()
    bench.borrow(timeout=None)
    bench.reading._epoll = None


@pytest.fixture
def kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A connection whose reading is kept, for a caller has borrowed it twice within `_KEEP`."""
    monkeypatch.setattr(reading_module, "_KEEP", 3600.0)
    bench.drained()
    for count in (1, 2):
        bench.far.sendall(ONE)
        bench.borrow(count)
    assert bench.reading._kept
    bench.borrowed.clear()
    return bench


def over(bench: Bench) -> None:
    """The time is over for which the reading is kept."""
    bench.reading._ended_at -= 3600.0


@lends
def test_who_borrows_seldom_gives_the_reading_back(bench: Bench) -> None:
    """The reader thread is woken by the next message, and by nothing else."""
    bench.drained()
    for count in (1, 2, 3):
        bench.reading._ended_at = -1e9
        bench.far.sendall(ONE)
        bench.borrow(count)
        assert not bench.reading._kept
    bench.far.sendall(TWO)
    assert bench.next()
    assert bench.read == [(1, [b"two"])]


@lends
def test_a_kept_reading_is_not_the_reader_threads(kept: Bench) -> None:
    """Until it is over: then it reads what came meanwhile, without another message."""
    thread = threading.Thread(target=kept.next)
    thread.start()
    for _ in range(3):
        kept.far.sendall(TWO)
        kept.borrow(len(kept.borrowed) + 1)
    assert kept.read == []
    assert kept.reading._kept
    kept.far.sendall(ONE)
    over(kept)
    # It looks when it is woken, too.
    kept.reading._epoll.modify(kept.stream.fileno(), 4)  # type: ignore[union-attr]
    thread.join(DEADLINE)
    assert kept.read == [(1, [b"one"])]
    assert not kept.reading._kept


@lends
def test_what_is_left_ends_the_keeping(kept: Bench) -> None:
    """The reader thread has to deal with it, and what comes next is its own."""
    kept.far.sendall(ONE + PING)
    kept.borrow(count=2)
    assert kept.next()
    assert kept.read == [(9, [b""])]
    kept.far.sendall(TWO)
    while len(kept.read) < 2:
        assert kept.next()
    assert kept.borrowed == [(1, [b"one"])]


@lends
def test_the_reading_is_not_kept_where_others_wait(kept: Bench) -> None:
    """They wait for the reader thread, which is to read for them at once."""
    done = threading.Event()

    def crowd() -> None:
        kept.borrow()
        done.set()

    def look() -> bool:
        if not done.is_set():
            thread = threading.Thread(target=crowd)
            thread.start()
            thread.join(DEADLINE)
        return bool(kept.borrowed)

    kept.far.sendall(ONE)
    kept.reading.borrow(look, DEADLINE, kept.take, kept.deal)
    assert done.is_set()
    assert not kept.reading._kept
    kept.far.sendall(TWO)
    assert kept.next()
    assert kept.read == [(1, [b"two"])]


@lends
def test_who_waits_for_long_gives_a_kept_reading_back(
    kept: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader thread looks no more meanwhile, and is woken by what comes after that."""
    monkeypatch.setattr(reading_module, "_KEEP", 0.001)
    waits: list[float | None] = []
    poll = kept.reading._poll

    class Polling:
        def poll(self, wait: float | None) -> Any:
            waits.append(wait)
            if len(waits) == 2:
                assert not kept.reading._kept
                kept.far.sendall(ONE)
            assert poll is not None
            return poll.poll(wait)

    kept.reading._poll = Polling()  # type: ignore[assignment]
    kept.borrow()
    assert (kept.borrowed, len(waits)) == ([(1, [b"one"])], 2)
    assert waits[0] == 1.0
    assert not kept.reading._kept
    kept.far.sendall(TWO)
    assert kept.next()
    assert kept.read == [(1, [b"two"])]


@lends
def test_the_reader_thread_looks_to_the_microsecond(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others get behind the last borrowing waits for no longer than that it is kept."""
    waits: list[float] = []
    plain = select.select

    def watched(reads: Any, writes: Any, errors: Any, wait: float) -> Any:
        waits.append(wait)
        return plain(reads, writes, errors, wait)

    monkeypatch.setattr(select, "select", watched)
    bench.drained()
    bench.reading._ended_at = time.monotonic() + 3600.0
    bench.far.sendall(ONE)
    bench.borrow()
    assert bench.reading._kept
    bench.far.sendall(TWO)
    while not bench.read:
        assert bench.next()
    assert bench.read == [(1, [b"two"])]
    assert waits
    assert all(0 <= wait <= reading_module._KEEP for wait in waits)
    assert not bench.reading._kept


@lends
def test_the_end_is_found_while_the_reading_is_kept(kept: Bench) -> None:
    """A connection that is aborted does not wait for the look."""
    kept.stream.shutdown()
    assert not kept.next()


def _answer(bench: Bench, data: bytes, over: threading.Event) -> None:
    """Sends as soon as somebody borrows, or could not."""
    while bench.reading._listens and not over.is_set():
        pass
    bench.far.sendall(data)


@lends
@pytest.mark.parametrize("kept", [True, False])
def test_the_reader_thread_goes_on_though_nothing_can_be_written(
    bench: Bench, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes wakes it: the peer may read nothing before this side does."""
    monkeypatch.setattr(reading_module, "_KEEP", 0.1)
    bench.drained()
    with contextlib.suppress(BlockingIOError):
        while bench.stream.send_now(b"x" * 65536):
            pass
    reader = threading.Thread(target=lambda: [*iter(bench.next, False)])
    reader.start()
    for _ in range(3):
        over = threading.Event()
        answer = threading.Thread(target=_answer, args=(bench, ONE if kept else ONE + PING, over))
        answer.start()
        bench.borrow(count=len(bench.borrowed) + 1, timeout=0.2)
        over.set()
        answer.join(DEADLINE)
    bench.far.sendall(TWO)
    end = time.monotonic() + DEADLINE
    while (1, [b"two"]) not in bench.read + bench.borrowed and time.monotonic() < end:
        pass
    found = [*bench.read]
    bench.stream.shutdown()
    reader.join(DEADLINE)
    assert (1, [b"two"]) in found

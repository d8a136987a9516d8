"""The way out, with the writer's turns given by the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from phoenix_actors.errors import NotConnected
from phoenix_actors.link.outbox import Outbox
from phoenix_actors.link.scheduling import no_waiting_here
from supervisors import CallTimeout, Reply


class Pipe:
    """A connection that takes what it is given, while it is ready."""

    def __init__(self) -> None:
        self.took: list[Any] = []
        self.ready = True
        self.error: Exception | None = None
        self.before: Callable[[], object] | None = None

    def send_text(self, data: str) -> None:
        """Takes a frame."""
        if self.before is not None:
            act, self.before = self.before, None
            act()
        if self.error is not None:
            raise self.error
        self.took.append(data)

    def send_binary(self, data: bytes) -> None:
        """Takes a frame."""
        self.took.append(data)

    def writable(self) -> bool:
        """Tells."""
        return self.ready

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Does nothing."""

    def abort(self) -> None:
        """Does nothing."""


class Bench:
    """An outbox whose writer only notes that it was rung."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.broken: list[Any] = []
        self.outbox = Outbox("test", self._sent, lambda *what: self.broken.append(what))
        self.rung = 0
        self.outbox._ring = self._ring  # type: ignore[method-assign]
        self.pipe = Pipe()

    def _sent(self, sizes: Sequence[int], _: int) -> None:
        self.sizes += sizes

    def _ring(self, lane: Any) -> None:
        self.rung += 1

    def write(self) -> None:
        """Gives the writer its turn."""
        lane = self.outbox.lane
        assert lane is not None
        self.outbox._write(lane, None)


@pytest.fixture
def bench() -> Bench:
    """An open outbox."""
    bench = Bench()
    bench.outbox.open(bench.pipe)
    return bench


def test_frames_go_out_in_order(bench: Bench) -> None:
    """Text and binary, in the order of put, each told with its size."""
    for frame in ("a", b"bb", "ccc"):
        bench.outbox.put(frame)
    assert len(bench.outbox) == 3
    bench.outbox.flush()
    assert bench.pipe.took == ["a", b"bb", "ccc"]
    assert (bench.sizes, len(bench.outbox), bench.rung) == ([1, 2, 3], 0, 0)


def test_without_a_connection_nothing_is_kept() -> None:
    """Frames put before it opens, or after it closed, are dropped; ringing is harmless."""
    bench = Bench()
    bench.outbox.put("early")
    bench.outbox.flush()
    bench.outbox.ring()
    bench.outbox.open(bench.pipe)
    bench.outbox.close()
    bench.outbox.put("late")
    assert len(bench.outbox) == 0
    assert bench.outbox.close() is None
    assert bench.pipe.took == []


@pytest.mark.contract("C125")
def test_nothing_of_one_connection_goes_to_the_next(bench: Bench) -> None:
    """Even when the connection changes while a frame is being written."""
    after = Pipe()

    def change() -> None:
        bench.outbox.close()
        bench.outbox.open(after)
        bench.outbox.put("new")
        bench.pipe.error = NotConnected()

    bench.pipe.before = change
    bench.outbox.put("old 1")
    bench.outbox.put("old 2")
    bench.outbox.flush()
    assert bench.broken[0][0] is bench.pipe
    bench.outbox.flush()
    assert (bench.pipe.took, after.took) == ([], ["new"])


def test_a_broken_connection(bench: Bench) -> None:
    """Its handle and error are told once; what stood behind is dropped, and who waits is woken."""
    bench.pipe.error = error = NotConnected()
    waiting = Reply()
    bench.outbox.waiters.append((1, None, waiting))
    bench.outbox.put("a")
    bench.outbox.put("b")
    bench.outbox.flush()
    assert bench.broken == [(bench.pipe, error)]
    assert len(bench.outbox) == 0
    assert waiting.done()


def test_a_peer_that_would_have_to_be_waited_for(bench: Bench) -> None:
    """The caller leaves its frame, and what stands before it, to the writer."""
    bench.pipe.ready = False
    bench.outbox.put("a")
    bench.outbox.flush()
    assert (bench.pipe.took, bench.rung) == ([], 1)
    bench.write()
    assert bench.pipe.took == ["a"]


def test_a_long_frame_is_for_the_writer(bench: Bench) -> None:
    """The caller writes what stands before it, and leaves the rest."""
    bench.outbox.put("short")
    bench.outbox.put("x" * 100_000)
    bench.outbox.put("behind")
    bench.outbox.flush()
    assert (bench.pipe.took, bench.rung) == (["short"], 1)
    bench.write()
    assert [len(frame) for frame in bench.pipe.took] == [5, 100_000, 6]


def test_a_caller_writes_its_share_only(bench: Bench) -> None:
    """Who pushes does not write for all others for ever."""
    for number in range(100):
        bench.outbox.put(str(number))
    bench.outbox.flush()
    assert (len(bench.pipe.took), bench.rung) == (64, 1)
    bench.write()
    assert bench.pipe.took == [str(number) for number in range(100)]


def test_a_frame_put_while_another_is_written_is_taken_along(bench: Bench) -> None:
    """Whoever writes looks again before it stops, so no frame is forgotten."""

    def put() -> None:
        bench.outbox.put("second")
        bench.outbox.flush()  # somebody writes already

    bench.pipe.before = put
    bench.outbox.put("first")
    bench.outbox.flush()
    assert bench.pipe.took == ["first", "second"]


def test_waiting_for_room(bench: Bench) -> None:
    """There is room at once, or after frames went, or not within the timeout."""
    bench.pipe.ready = False
    assert bench.outbox.wait_below(1, 0.0)
    bench.outbox.put("a")
    assert not bench.outbox.wait_below(1, 0.0)
    assert bench.outbox.wait_below(2, 0.0)
    with pytest.raises(CallTimeout):
        Reply().get(timeout=0)
    bench.write()
    assert bench.outbox.wait_below(1, None)
    assert bench.outbox.waiters == []


def test_where_nobody_may_wait(bench: Bench) -> None:
    """On the reader thread a full outbox is only told."""
    bench.outbox.put("a")
    with no_waiting_here():
        assert not bench.outbox.wait_below(1, None)


class Joining(Pipe):
    """A connection that takes several frames at once."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: bool | None = True

    def send_now(self, frames: list[Any]) -> bool | None:
        """Takes them, or says what is left."""
        if self.error is not None:
            raise self.error
        if self.gone is not None:
            self.took.append(frames)
        return self.gone

    def send_all(self, frames: list[Any]) -> None:
        """Takes them, or ends what was left."""
        if self.error is not None:
            raise self.error
        self.took.append(frames)


def joining() -> tuple[Bench, Joining]:
    """An outbox on such a connection."""
    bench, pipe = Bench(), Joining()
    bench.outbox.open(pipe)
    return bench, pipe


def test_what_waits_goes_out_in_one_send() -> None:
    """A frame alone goes at once; together they are no more than a socket takes."""
    bench, pipe = joining()
    bench.outbox.put("alone")
    bench.outbox.flush()
    for frame in ("a", b"bb", "c" * 16_383, "d", "e"):
        bench.outbox.put(frame)
    bench.outbox.flush()
    assert pipe.took == [["alone"], ["a", b"bb"], ["c" * 16_383, "d"], ["e"]]
    assert bench.sizes == [5, 1, 2, 16_383, 1, 1]
    assert bench.outbox.below(1, 1)


@pytest.mark.parametrize(("gone", "ended"), [(False, []), (None, ["a", "b"])])
def test_what_takes_waiting_is_ended_by_the_writer(gone: bool | None, ended: list[str]) -> None:
    """Until then it counts as waiting, and no caller writes behind it."""
    bench, pipe = joining()
    pipe.gone = gone
    bench.outbox.put("a")
    bench.outbox.put("b")
    bench.outbox.flush()
    assert (len(bench.outbox), bench.sizes, bench.rung) == (2, [], 1)
    pipe.took.clear()
    pipe.gone = True
    bench.outbox.put("c")
    bench.outbox.flush()
    assert (pipe.took, bench.rung) == ([], 2)
    bench.write()
    assert pipe.took == [ended, ["c"]]
    assert (len(bench.outbox), bench.sizes) == (0, [1, 1, 1])
    assert bench.outbox.below(1, 1)


def test_who_must_not_wait_writes_what_goes_at_once(bench: Bench) -> None:
    """In one send; the writer is rung for the rest, and where the handle cannot tell."""
    together, pipe = joining()
    for frame in ("a", "b"):
        together.outbox.put(frame)
    with no_waiting_here():
        together.outbox.flush_now()
    assert (pipe.took, together.rung, len(together.outbox)) == ([["a", "b"]], 0, 0)
    pipe.gone = False
    together.outbox.put("c")
    together.outbox.flush_now()
    assert (together.rung, len(together.outbox)) == (1, 1)
    bench.outbox.put("a")
    bench.outbox.flush_now()
    assert (bench.pipe.took, bench.rung) == ([], 1)


def test_what_breaks_while_it_is_ended() -> None:
    """Nothing is written any more, and it counts no more."""
    bench, pipe = joining()
    pipe.gone = False
    bench.outbox.put("a")
    bench.outbox.flush()
    pipe.error = NotConnected()
    bench.write()
    assert bench.broken == [(pipe, pipe.error)]
    assert len(bench.outbox) == 0
    bench.write()
    assert len(bench.broken) == 1


def test_a_handle_that_wraps_another_sends_its_own_way() -> None:
    """What it has by `__getattr__` is not asked."""
    bench, pipe = Bench(), Pipe()

    class Wrapper:
        def __getattr__(self, name: str) -> Any:
            return getattr(joining()[1] if name in ("send_all", "send_now") else pipe, name)

    bench.outbox.open(Wrapper())
    bench.outbox.put("a")
    bench.outbox.flush()
    assert pipe.took == ["a"]

"""A signal's handler that raises anywhere in a push, or where its answer is read."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import phoenix_actors
from phoenix_actors.errors import ConnectionLost
from phoenix_actors.link.future import push_books
from phoenix_actors.link.topic import Topic
from phoenix_actors.transport.own_lock import is_mine
from tests.striking import strike_in_life_at
from tests.unit.phoenix_actors.link.link_bench import LinkBench, QuickHandle

_CLIENT = str(Path(phoenix_actors.__file__).parent)


class Struck:
    """A joined channel, and what became of its pushes."""

    def __init__(self) -> None:
        self.bench = LinkBench()
        self.handle = self.bench.open(QuickHandle())
        self.topic: Topic = self.bench.joined("t")[0]
        # The first one makes the head.
        self.ask()
        self.handle.sent.clear()

    def ask(self) -> object:
        """Pushes, and reads the answer, as a caller does."""
        future = self.topic.push("e", {"n": 1}, 60.0)
        self.answer()
        return future.get(timeout=0)

    def answer(self) -> None:
        """The server answers what was sent last."""
        join_ref, ref = self.handle.sent[-1][:2]
        text = f'["{join_ref}","{ref}","t","phx_reply",{{"status":"ok","response":{{}}}}]'
        if not self.bench.reader.lone_text(text.encode()):
            raise AssertionError("the reader thread has nothing to do")

    def settle(self) -> None:
        """What was sent is answered, where the connection still stands, else lost."""
        wire = self.bench.wire
        if self.handle.aborted or not wire.pending():
            self.bench.lose(ConnectionLost(None, "interrupted"))
        else:
            self.answer()


@pytest.mark.contract("C181")
def test_an_interrupted_push_has_an_end() -> None:
    """No push waits for its time-out, what is counted was sent, and the next one goes."""
    run = Struck()
    for step in itertools.count():
        struck = True
        counted = run.bench.session.counters["pushes"]
        run.handle.sent.clear()
        try:
            struck = strike_in_life_at(step, run.ask, within=_CLIENT, behind_returns=False)
        except KeyboardInterrupt:
            sent, lane = len(run.handle.sent), run.bench.wire.outbox.lane
            assert lane is not None
            told = f"struck at step {step}"
            assert not is_mine(lane.writing), told
            assert (len(lane), lane.unfinished) == (0, None), told
            pushes = run.bench.session.counters["pushes"] - counted
            if run.handle.aborted:
                assert sent <= pushes == 1, told
            else:
                assert sent == pushes, told
            run.settle()
            assert run.bench.wire.pending() == 0, told
            books = push_books(run.bench.session.counters.snapshot())
            assert books["waiting"] == 0, (told, books)
            run.bench.close()
            run = Struck()
        if not struck:
            break
    assert step > 40
    run.bench.close()

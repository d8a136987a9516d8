"""A signal's handler that raises while answers are read: no push is left without an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phoenix_actors.errors import ConnectionLost
from phoenix_actors.link.future import PushFuture, push_books
from tests.unit.phoenix_actors.link.link_bench import LinkBench, QuickHandle


def pushed(bench: LinkBench, count: int) -> tuple[list[Any], list[bytes]]:
    """So many pushes on a joined channel, and the answers to them."""
    bench.open(QuickHandle())
    topic, _, core = bench.joined("t")
    futures, answers = [], []
    for number in range(count):
        futures.append(topic.push("e", {"n": number}, 60))
        ref, reply = str(bench.wire._pushes._last), {"status": "ok", "response": number}
        frame = [core.machine.join_ref, ref, "t", "phx_reply", reply]
        answers.append(json.dumps(frame, separators=(",", ":")).encode())
    return futures, answers


@pytest.mark.contract("C181")
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("where", ["note", "settle_counted"])
def test_an_interrupt_leaves_no_push_without_an_end(
    count: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken out of the table, and not settled, is lost with the connection."""
    bench = LinkBench()
    futures, answers = pushed(bench, count)
    calls: list[Any] = []

    def interrupted(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == min(count, 2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if where == "note":
            patched.setattr(type(bench.session.response_times), "note", interrupted)
        else:
            plain = PushFuture.settle_counted

            def settle(future: Any, reply: Any) -> None:
                interrupted(future)
                plain(future, reply)

            patched.setattr(PushFuture, "settle_counted", settle)
        with pytest.raises(KeyboardInterrupt):
            bench.reader.some_texts(answers)
    # The rest is lost as the connection is, which whoever borrowed the reading ends.
    bench.wire.lost(bench.wire.generation or 0, ConnectionLost(None, "interrupted"), clean=False)
    assert all(future.done() for future in futures)
    for future in futures[int(where == "settle_counted" and count > 1) :]:
        with pytest.raises(ConnectionLost):
            future.get(timeout=0)
    books = push_books(bench.session.counters.snapshot())
    assert (books["offered"], books["waiting"]) == (count, 0), books
    assert books["replied"] == int(where == "settle_counted" and count > 1)
    bench.close()

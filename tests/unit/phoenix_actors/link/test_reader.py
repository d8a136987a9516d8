"""Messages that are read together, against the same messages one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.inbound import Inbound
from phoenix_actors.message import Frame
from phoenix_actors.telemetry import FRAME_UNREADABLE, MESSAGE_RECEIVED
from tests.e2e.rig import Log, listening
from tests.unit.phoenix_actors.link.link_bench import Actor, LinkBench

KINDS = ["t", "u", "of t", "stale", "unknown", "bad", "heartbeat", "phoenix", "error"]
# Answers: to the push, to the one before it, and to the join.
KINDS += ["reply", "earlier", "of join"]


def text(kind: str, number: int, join_ref: str, pushed: str) -> bytes:
    """A message of the server."""
    frames: dict[str, list[Any]] = {
        "t": [None, None, "t", "tick", {"n": number}],
        "u": [None, None, "u", "tick", number],
        "of t": [join_ref, None, "t", "own", [number]],
        "stale": ["0", None, "t", "old", {}],
        "unknown": [None, None, "nobody's", "x", {}],
        "reply": [join_ref, pushed, "t", "phx_reply", {"status": "ok", "response": number}],
        "earlier": [None, str(int(pushed or 1) - 1), "t", "phx_reply", {"status": "error"}],
        "of join": [join_ref, join_ref, "t", "phx_reply", {"status": "ok", "response": {}}],
        "error": [join_ref, join_ref, "t", "phx_error", {}],
        "heartbeat": [None, str(number), "phoenix", "phx_reply", {"status": "ok", "response": {}}],
        "phoenix": [None, None, "phoenix", "news", {}],
    }
    return b"[1" if kind == "bad" else json.dumps(frames[kind]).encode()


class Pausing(Inbound):
    """What waits for an actor that takes it when the reader is to pause."""

    pause: Callable[[], None]

    def wait(self, released: Callable[[], bool]) -> None:
        """Be what the reader calls."""
        self.pause()


class Run:
    """A client with two joined topics, two pushes in flight, and what it made of the messages."""

    def __init__(self, kinds: list[str], *, together: bool, **options: Any) -> None:
        self.bench = bench = LinkBench(**options)
        bench.open()
        self.topics: list[Any] = []
        self.actors: list[Actor] = []
        join_ref = ""
        for name in ("t", "u"):
            topic, actor, core = bench.joined(name)
            self.topics.append(topic)
            self.actors.append(actor)
            if name == "t":
                join_ref = core.machine.join_ref or ""
        self.pauses: list[int] = []
        for topic in self.topics:
            topic.inbound = topic.core.inbound = Pausing(bench.session.options)
            topic.inbound.pause = partial(self.pause, topic)
        self.settled: list[int] = []
        self.replies = [self.topics[0].push("echo", {}, 100.0) for _ in range(2)]
        for number, reply in enumerate(self.replies):
            assert isinstance(reply, PushFuture)
            reply.add_done_callback(partial(self._note, number))
        texts = [
            text(kind, n, join_ref, str(bench.wire._pushes._last)) for n, kind in enumerate(kinds)
        ]
        if together:
            bench.reader.texts(texts)
        else:
            for one in texts:
                bench.reader.text(one)

    def _note(self, number: int, _: Any) -> None:
        self.settled.append(number)

    def pause(self, topic: Any) -> None:
        """The actor takes everything, and the reader goes on."""
        self.pauses.append(len(topic.inbound))
        for _ in range(len(topic.inbound)):
            topic.inbound.take(Frame(None, None, "t", "e", {}))

    def seen(self) -> Any:
        """What can be seen of it."""
        got = [
            [
                (item.event, item.payload) if isinstance(item, Frame) else type(item).__name__
                for item in actor.got
            ]
            for actor in self.actors
        ]
        outcome = [str(reply._cell) for reply in self.replies], [*self.settled]
        states = [str(topic.state) for topic in self.topics]
        routes = self.bench.session.route_counts
        counts = (self.bench.session.counters.snapshot(), routes.hits, routes.misses)
        sizes = [(len(topic.inbound), topic.inbound.bytes) for topic in self.topics]
        self.bench.close()
        return got, outcome, states, counts, sizes, self.pauses, self.bench.heartbeats


@pytest.mark.contract("C27", "C28", "C45", "C46", "C82")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(KINDS), max_size=30),
    st.sampled_from(["block", "error", "drop_oldest", "drop_newest"]),
    st.sampled_from([{}, {"max_inbound_messages": 3}, {"max_inbound_bytes": 100}]),
    st.booleans(),
)
def test_together_is_as_one_by_one(
    kinds: list[str], policy: str, bounds: dict[str, int], hooked: bool
) -> None:
    """Mailboxes, replies, states, counts, what waits, and how often the reader pauses."""
    seen = []
    for together in (False, True):
        run = Run([], together=False, inbound_overflow=policy, **bounds)
        hooks = Log()
        if hooked:
            run.bench.session.hooks.message.add(hooks.add)
        core = run.topics[0].core
        texts = [
            text(kind, n, core.machine.join_ref or "", str(run.bench.wire._pushes._last))
            for n, kind in enumerate(kinds)
        ]
        with listening(("message", "dropped"), ("message", "unreadable")) as log:
            if together:
                run.bench.reader.texts(texts)
            else:
                for one in texts:
                    run.bench.reader.text(one)
        seen.append(
            (
                run.seen(),
                [message.event for (message,) in hooks.items],
                # Those of one topic in their order; between topics there is none.
                sorted(
                    ((item[0], item[2]) for item in log.items),
                    key=lambda told: str(told[1].get("topic", "")),
                ),
            )
        )
    assert seen[0] == seen[1]


def test_each_message_is_told_once() -> None:
    """Where somebody listens, also from the middle on."""
    with listening(MESSAGE_RECEIVED[1:], FRAME_UNREADABLE[1:]) as log:
        Run(["t", "bad", "t", "u", "reply"], together=True).bench.close()
    # Two joins before.
    assert [item[0] for item in log.items].count("message.received") == 2 + 4
    assert [item[0] for item in log.items].count("message.unreadable") == 1


@pytest.mark.contract("C82")
def test_a_caller_that_reads_does_not_pause() -> None:
    """It leaves the rest to the reader thread, which pauses before it goes on."""
    run = Run([], together=False, max_inbound_messages=2)
    texts = [text("t", n, "", "") for n in range(5)]
    assert run.bench.reader.some_texts(texts) == texts[2:]
    assert run.pauses == []
    run.bench.reader.texts(texts[2:])
    assert run.pauses == [2, 2]
    assert [item.payload["n"] for item in run.actors[0].got[1:]] == [0, 1, 2, 3, 4]
    run.pause(run.topics[0])
    assert run.bench.reader.some_texts(texts[:1]) is None
    many = texts * 4
    assert run.bench.reader.some_texts(many) is many
    # Answers are what it waits for, however many.
    pushes = [run.topics[0].push("echo", {}, 100.0) for _ in range(20)]
    last, join_ref = run.bench.wire._pushes._last, run.topics[0].core.machine.join_ref
    answers = [text("reply", n, join_ref, str(last - n)) for n in range(20)]
    mixed = [*answers[:19], *texts]
    assert run.bench.reader.some_texts(mixed) is mixed
    assert not any(push.done() for push in pushes)
    assert run.bench.reader.some_texts(answers) is None
    assert [push.get().response for push in pushes] == [*range(19, -1, -1)]
    run.bench.close()

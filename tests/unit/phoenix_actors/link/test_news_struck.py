"""A signal's handler that raises anywhere in what the main thread has read, or does, for others."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import phoenix_actors
from phoenix_actors.errors import ConnectionLost
from phoenix_actors.link.future import push_books
from phoenix_actors.link.scheduling import may_wait
from phoenix_actors.link.topic import Topic
from supervisors import Reply
from supervisors._runtime import reply as reply_module
from tests.striking import strike_in_life_at
from tests.unit.phoenix_actors.link.link_bench import LinkBench, QuickHandle

_FILES = (str(Path(phoenix_actors.__file__).parent), reply_module.__file__)
_OK = {"status": "ok", "response": {}}
_ERROR = {"status": "error", "response": {}}


class Others:
    """Futures that other threads wait for, at a gate each."""

    def __init__(self) -> None:
        self._gates: list[tuple[Reply, threading.Lock]] = []

    def wait_for(self, reply: Reply) -> None:
        """Another thread does."""
        gate = threading.Lock()
        gate.acquire()
        reply._call_when_settled(gate.release)
        self._gates.append((reply, gate))

    def waiting(self) -> list[Reply]:
        """What is not there, or of which that thread was not told."""
        return [reply for reply, gate in self._gates if not reply.done() or gate.locked()]


class Scene:
    """A topic that is joined, or joins, with pushes of others; and what comes for it."""

    def __init__(self, what: str) -> None:
        self.bench = LinkBench(rejoin_backoff=[60.0])
        self.others = Others()
        self.handle = self.bench.open(QuickHandle())
        self.topic: Topic = self.bench.topic("t")
        self.actor, self.core = self.bench.attach(self.topic)
        if what in ("joined", "refused", "closed while it joins", "left while it joins"):
            self.others.wait_for(self.topic.joined_once)
        elif what != "joined with nothing kept":
            self.bench.accept(self.topic)
        if what == "left between two lives":
            self.actor.end()
        if what != "joined with nothing kept":
            for number in range(2):
                self.others.wait_for(self.topic.push("e", {"n": number}, None))
        else:
            self.others.wait_for(self.topic.joined_once)
        self.act: Callable[[], object] = {
            "joined": self.reads(self.answer(0, _OK)),
            "joined with nothing kept": self.reads(self.answer(0, _OK)),
            "refused": self.reads(self.answer(0, _ERROR)),
            "closed while it joins": self.reads(self.frame(None, "phx_close", {})),
            "closed": self.reads(self.frame(None, "phx_close", {})),
            "crashed": self.reads(self.frame(None, "phx_error", {})),
            "answered": self.reads(self.answer(1, _OK)),
            "answered with an error": self.reads(self.answer(1, _ERROR)),
            "all answered": self.reads(*(self.answer(number, _OK) for number in (1, 2))),
            "left": lambda: self.topic.leave(None),
            "left while it joins": lambda: self.topic.leave(None),
            "left between two lives": lambda: self.topic.leave(None),
        }[what]

    def frame(self, ref: str | None, event: str, payload: Any) -> bytes:
        """A text of the server's."""
        join_ref = self.core.machine.join_ref
        return json.dumps([join_ref, ref, "t", event, payload], separators=(",", ":")).encode()

    def answer(self, number: int, payload: Any) -> bytes:
        """The answer to the join, or to the push of this number."""
        first = int(self.core.machine.join_ref or 0)
        return self.frame(str(first + number), "phx_reply", payload)

    def reads(self, *texts: bytes) -> Callable[[], object]:
        """Who waits reads these."""
        return lambda: self.bench.reader.some_texts([*texts])

    def settle(self) -> None:
        """The connection is lost, as who reads has it; all are answered on the next one."""
        self.bench.lose(ConnectionLost(None, "interrupted"))
        self.handle = self.bench.open(QuickHandle())
        if self.bench.session.topic("t") is self.topic:
            if self.topic.core is None:
                self.bench.attach(self.topic)
            self.bench.accept(self.topic)
        for join_ref, ref, topic, event, _ in list(self.handle.sent):
            if event == "e":
                self.bench.receive(join_ref, ref, topic, "phx_reply", _OK)

    def assert_nobody_waits(self, told: str) -> None:
        """Each has its end, and knows it; the books are right."""
        assert self.others.waiting() == [], told
        assert self.bench.wire.pending() == 0, told
        assert push_books(self.bench.session.counters.snapshot())["waiting"] == 0, told
        assert may_wait(), told
        wanted = self.bench.session.topic("t") is self.topic
        assert wanted or self.topic.core is None or self.topic.core.state != "joined", told


@pytest.mark.contract("C181", "C80", "C91")
@pytest.mark.parametrize(
    ("what", "least"),
    [
        ("joined", 40),
        ("joined with nothing kept", 30),
        ("refused", 40),
        ("closed while it joins", 40),
        ("closed", 40),
        ("crashed", 30),
        ("answered", 10),
        ("answered with an error", 20),
        ("all answered", 30),
        ("left", 30),
        ("left while it joins", 40),
        ("left between two lives", 20),
    ],
)
def test_nobody_waits_for_ever(what: str, least: int) -> None:
    """Whatever was interrupted in: pushes and joins of others have their end, and others know."""
    for step in itertools.count():
        scene, struck = Scene(what), False
        try:
            more = strike_in_life_at(step, scene.act, within=_FILES, behind_returns=False)
        except KeyboardInterrupt:
            struck = more = True
        if more:
            assert struck, f"lost at step {step}"
        scene.settle()
        scene.assert_nobody_waits(f"struck at step {step}")
        scene.bench.close()
        if not more:
            break
    assert step > least

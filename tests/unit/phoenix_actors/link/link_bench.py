"""One client's link without sockets, threads and actors: the test plays server and actor."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from phoenix_actors import ChannelActor, ConnectionLost
from phoenix_actors.link.core import ChannelCore
from phoenix_actors.link.deeds import Deeds, carry_out
from phoenix_actors.link.reader import Reader
from phoenix_actors.link.session import Session
from phoenix_actors.link.topic import Topic
from phoenix_actors.link.wire import Wire
from phoenix_actors.options import SocketOptions
from supervisors import ChildSpec, Crashed, Normal

__all__ = ["MANAGER", "Actor", "Handle", "LinkBench", "QuickHandle"]

MANAGER: Any = SimpleNamespace(name="the manager's process")


class Actor:
    """Stands for a channel actor: keeps what it is sent, and ends when told."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.process: Any = SimpleNamespace(parent=MANAGER, ended=False)
        self.actor_class = SimpleNamespace(_phx_hears_joins=lambda: True)
        self.topic: Topic | None = None

    def cast(self, message: Any) -> None:
        """Keeps a message."""
        self.got.append(message)

    def cast_all(self, messages: list[Any]) -> None:
        """Keeps several messages."""
        self.got += messages

    def serves(self, topic: Topic) -> bool:
        """Begins to serve a topic, as a channel actor does; False where that does not want it."""
        deeds: Deeds = []
        wanted = topic.begin_life(self, deeds)  # type: ignore[arg-type]
        carry_out(deeds)
        return wanted

    def end(self, reason: Any = None) -> None:
        """Ends, by default by a crash."""
        if self.process is not None:
            self.process.ended, self.process.reason = True, reason or Crashed(RuntimeError())
        self.process = None
        if self.topic is not None:
            self.topic.actor_ended(self, reason or Crashed(RuntimeError()))  # type: ignore[arg-type]

    def named(self) -> list[str]:
        """The types of what it was sent."""
        return [type(message).__name__ for message in self.got]


class Handle:
    """Stands for an open connection: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.error: Exception | None = None
        self.aborted = False

    def send_text(self, data: str) -> None:
        """Keeps a frame."""
        if self.error is not None:
            raise self.error
        self.sent.append(json.loads(data))

    def send_binary(self, data: bytes) -> None:
        """Keeps a frame."""
        self.sent.append(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Does nothing."""

    def abort(self) -> None:
        """Notes that."""
        self.aborted = True


class QuickHandle(Handle):
    """Stands for one that sends several at once and tells whether it can: frames go straight."""

    def __init__(self, *says: bool | None) -> None:
        super().__init__()
        self.says = [*says]
        self.meanwhile: Any = None

    def send_now(self, messages: Any) -> bool | None:
        """Keeps the frames, unless it has something else to say; something may happen meanwhile."""
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        if self.error is not None:
            raise self.error
        says = self.says.pop(0) if self.says else True
        if says is not None:
            self.send_all(messages)
        return says

    def send_all(self, messages: Any) -> None:
        """Keeps the frames."""
        for message in messages:
            self.send_text(message)


class LinkBench:
    """A session and a wire, with the network and the actors played by the test."""

    def __init__(self, **options: Any) -> None:
        self.session = Session(SocketOptions.of(url="ws://h/socket", **options))
        self.generation = 0
        self.heartbeats: list[Any] = []
        self.wire = self.new_wire()

    def new_wire(self) -> Wire:
        """A new life of the Socket actor begins."""
        self.wire = wire = Wire(self.session, self.heartbeats.append)
        # No thread: what a writer would write is written at once.
        wire.outbox.ring = wire.outbox.flush  # type: ignore[method-assign]
        self.session.wire = wire
        return wire

    def open(self, handle: Any = None) -> Any:
        """A connection opens."""
        self.generation += 1
        handle = handle or Handle()
        attempt: Any = SimpleNamespace(handle=handle, keep=lambda thread: None, abort=handle.abort)
        self.wire._attempts[self.generation] = attempt
        self.wire.opened(self.generation)
        self.reader = Reader(self.wire, self.generation, lambda: None, lambda *_: None)
        return handle

    def close(self) -> None:
        """Ends everything, timers too."""
        self.wire.shut(ConnectionLost(None, "the test is over"))
        for core in self.wire.cores():
            for deed in core.orphan(Normal()):
                deed()
        self.session.end()

    def lose(self, reason: Any) -> None:
        """The connection is lost."""
        self.wire.lost(self.generation, reason, clean=False)

    def topic(self, name: str, params: Any = None, timeout: float | None = None) -> Topic:
        """A topic is wanted; no actor serves it yet."""
        spec = ChildSpec(name, start=ChannelActor)
        topic = Topic(self.session, name, {} if params is None else params, spec, timeout)
        topic.manager = MANAGER
        assert self.session.want(topic) is None
        return topic

    def attach(self, topic: Topic) -> tuple[Actor, ChannelCore]:
        """An actor begins to serve the topic."""
        actor = Actor()
        assert actor.serves(topic)
        actor.topic, core = topic, topic.core
        assert core is not None
        return actor, core

    def joined(self, name: str) -> tuple[Topic, Actor, ChannelCore]:
        """A topic that is joined on the open connection."""
        topic = self.topic(name)
        actor, core = self.attach(topic)
        self.accept(topic)
        return topic, actor, core

    def accept(self, topic: Topic, response: Any = None) -> None:
        """The server says ok to the join that is under way."""
        join_ref = topic.core.machine.join_ref if topic.core is not None else None
        payload = {"status": "ok", "response": {} if response is None else response}
        self.receive(join_ref, join_ref, topic.name, "phx_reply", payload)

    def receive(self, *frame: Any) -> None:
        """A frame comes."""
        self.reader.text(json.dumps(frame))

"""The main job in a few seconds, with three faults: `make demo`, or `phoenix-actors demo`.

A supervisor runs a client and an application actor against a Phoenix server. Two topics are
joined, pushes are answered, a broadcast arrives. Then a channel actor raises, the Socket actor is
killed, and the server drops the connection; after each, the *server* is asked whether everything
is back, and how many connections there are.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any, Final

from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.channel import Channel
from phoenix_actors.client import SocketClient
from phoenix_actors.errors import ConnectError
from phoenix_actors.message import Message
from phoenix_actors.options.endpoint import redact_url
from phoenix_actors.testing import ControlClient, ServerProcess
from supervisors import (
    GenServer,
    Killed,
    Sender,
    Supervisor,
    SupervisorRef,
    telemetry,
    via,
    whereis,
)
from supervisors._locks import new_lock
from supervisors.observer import render, snapshot

__all__ = ["EXIT_FAILED", "EXIT_OK", "run"]

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
# Seconds that each heal may take.
_DEADLINE: Final = 10.0
_CLIENT: Final = "demo-client"
_APP: Final = "demo-app"


class CounterChannel(ChannelActor):
    """Remembers what the topic says, and raises when it says "poison"."""

    def init(self) -> None:
        """Begin with nothing heard."""
        self.heard: list[Any] = []

    def handle_message(self, event: str, payload: Any) -> None:
        """Take a message of the server."""
        if event == "poison":
            raise RuntimeError("the demo's bug")
        self.heard.append(payload)

    def handle_call(self, request: Any, sender: Sender) -> Any:
        """Answer what this life of the actor has heard."""
        return self.heard


class Application(GenServer):
    """An application actor: it joins a topic itself, gets its messages, and pushes numbers."""

    def init(self, topic: str, counter: str) -> None:
        """Join from inside the actor, which makes it the topic's subscriber."""
        self.heard: list[Any] = []
        self.counter = counter
        self.number = 0
        self.room: Channel = whereis(_CLIENT).join(topic)

    def handle_call(self, request: Any, sender: Sender) -> Any:
        """Tell what was heard; push the next number; or have the room echo something."""
        match request:
            case "heard":
                return self.heard
            case "count":
                self.number += 1
                counter = whereis(_CLIENT).channel(self.counter)
                return counter.push("seq", {"n": self.number}).get(timeout=_DEADLINE)
            case (event, payload):
                return self.room.push(event, payload).get(timeout=_DEADLINE)
            case _:
                return super().handle_call(request, sender)

    def handle_info(self, message: Any) -> None:
        """Take the topic's messages."""
        if isinstance(message, Message):
            self.heard.append(message.payload)


class _Story:
    """Prints what happens, and remembers what did not."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.held = 0
        self._began = time.monotonic()
        self._lock = new_lock()

    def say(self, who: str, what: str) -> None:
        """Print one line."""
        with self._lock:
            print(f"{time.monotonic() - self._began:7.3f} s  {who:<8} {what}", flush=True)

    def check(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, and print whether it did in time."""
        until = time.monotonic() + _DEADLINE
        holds, trouble = False, ""
        while not holds and time.monotonic() < until:
            try:
                holds = condition()
            except Exception as error:  # noqa: BLE001  a heal is under way; the last one is shown
                trouble = f" ({type(error).__name__}: {error})"
            if not holds:
                time.sleep(0.02)
        if holds:
            self.held += 1
        else:
            self.failed.append(what)
        self.say("check", f"{'ok    ' if holds else 'FAILED'} {what}{'' if holds else trouble}")

    def title(self, text: str) -> None:
        """Begin a chapter."""
        print(f"\n--- {text}", flush=True)

    def tree(self, top: SupervisorRef) -> None:
        """Print the live supervision tree."""
        print()
        print(render(snapshot([top])))


_TOLD: Final[Mapping[tuple[str, ...], tuple[str, str]]] = {
    ("phoenix_socket_client", "socket", "connected"): ("client", "connected"),
    ("phoenix_socket_client", "socket", "disconnected"): ("client", "lost the connection"),
    ("phoenix_socket_client", "reconnection", "attempt"): ("client", "reconnects soon"),
    ("phoenix_socket_client", "channel", "joined"): ("channel", "joined {topic}"),
    ("supervisors", "actor", "crashed"): ("actor", "{path} crashed: {error}"),
    ("supervisors", "child", "restarted"): ("tree", "{supervisor} restarted {child}"),
}


@contextmanager
def _told(story: _Story) -> Iterator[None]:
    """Print the telemetry that a newcomer wants to see."""

    def tell(event: Any, _: Any, metadata: Mapping[str, Any], __: Any) -> None:
        who, what = _TOLD[event]
        story.say(who, what.format_map(metadata))

    telemetry.attach_many("phoenix_actors.demo", _TOLD, tell)
    try:
        yield
    finally:
        telemetry.detach("phoenix_actors.demo")


class _Demo:
    """One run against one server."""

    def __init__(self, story: _Story, url: str) -> None:
        self.story = story
        self.url = url
        self.control = ControlClient(url)
        mark = f"{os.getpid()}"
        self.user = f"demo-{mark}"
        self.room = f"room:demo-{mark}"
        self.counter = f"counter:demo-{mark}"
        self.marks = itertools.count(1)

    def run(self) -> None:
        """Tell the whole story."""
        client = SocketClient.child_spec(
            name=_CLIENT, url=self.url, params={"user_id": self.user}, rejoin_backoff=[0.1, 0.5]
        )
        app = Application.child_spec(self.room, self.counter, id="application", name=_APP)
        children = [client.with_(id="client"), app]
        with Supervisor.start_link(children, strategy="rest_for_one", name="demo") as top:
            self._work()
            self.story.tree(top)
            self._channel_raises()
            self.story.tree(top)
            self._socket_is_killed()
            self._server_drops()
            self.story.title("the tree afterwards")
            self.story.tree(top)
        self.story.check("the server has no connection of ours left", lambda: self._sockets() == 0)

    def _work(self) -> None:
        story = self.story
        story.title("the main job")
        counter = whereis(_CLIENT).join(self.counter, {"from": "demo"}, channel=CounterChannel)
        story.say("join", f"{self.counter}: {counter.response}")
        app = whereis(_APP)
        reply = app.ask(("echo", {"hello": "phoenix"}))
        story.check(
            "a push is answered ok",
            lambda: (reply.status, reply.response) == ("ok", {"hello": "phoenix"}),
        )
        refused = app.ask(("fail", {"why": "demo"}))
        story.check("an error reply is a value", lambda: refused.status == "error")
        self._everything_works()

    def _everything_works(self) -> None:
        """Ask the server: joined both topics, once, on one connection; nothing lost or doubled."""
        check = self.story.check
        check("the server sees one connection of ours", lambda: self._sockets() == 1)
        check("the server has one channel for each topic", lambda: self._channels() == [1, 1])
        # A broadcast that comes before the rejoin reaches nobody, so this follows the two above.
        news = {"mark": next(self.marks)}
        self.control.broadcast(self.room, "news", news)
        self.control.broadcast(self.counter, "news", news)
        check("the channel actor hears a broadcast", lambda: news in self._counter().ask("heard"))
        check("the application actor hears a broadcast", lambda: news in whereis(_APP).ask("heard"))
        check(
            "the application actor's push is answered",
            lambda: whereis(_APP).ask("count").status == "ok",
        )
        check("the server has every number once, in order", self._in_order)

    def _channel_raises(self) -> None:
        self.story.title("fault 1: the channel actor raises")
        before = self._life()
        self.control.broadcast(self.counter, "poison", {})
        self._joined_anew(before)
        self._everything_works()

    def _socket_is_killed(self) -> None:
        self.story.title("fault 2: the Socket actor is killed")
        before = self._life()
        whereis(via(whereis(_CLIENT).session.registry_name, "socket")).exit(Killed())
        self._joined_anew(before)
        self._everything_works()

    def _server_drops(self) -> None:
        self.story.title("fault 3: the server drops the TCP connection")
        before = self._life()
        self.control.kill_sockets()
        self._joined_anew(before)
        self._everything_works()

    def _joined_anew(self, before: int) -> None:
        self.story.check("the server has a new channel for us", lambda: self._life() <= before)

    # ---- asking -------------------------------------------------------------------------------

    def _counter(self) -> Channel:
        channel: Channel = whereis(_CLIENT).channel(self.counter)
        return channel

    def _life(self) -> int:
        """Ask the server's channel process for its own sum, which grows by one each time."""
        total: int = self._counter().push("add", {"n": 1}, timeout=1.0).get().response["sum"]
        return total

    def _sockets(self) -> int:
        ids: list[str] = self.control.stats()["ids"]
        return ids.count(f"user:{self.user}")

    def _channels(self) -> list[int]:
        by_topic = self.control.stats()["by_topic"]
        return [by_topic.get(self.room, 0), by_topic.get(self.counter, 0)]

    def _in_order(self) -> bool:
        numbers = [item["n"] for item in self.control.dump(self.counter)]
        return numbers == list(range(1, len(numbers) + 1)) and bool(numbers)


def _first(error: BaseException) -> BaseException:
    """Return the error that an error came of."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def run(url: str | None = None) -> int:
    """Run the demo against a server of one's own, or against the one at `url`.

    Args:
        url: a server of the reference application, such as
            ws://127.0.0.1:4000/socket/websocket; None starts a loopback server in a process of
            its own.

    Returns:
        0 when every check held, else 1.

    Raises:
        ValueError: the URL is none.
        ConnectError: no reference application answers there; nothing was started.
    """
    if url is not None:
        try:
            ControlClient(url).stats()
        except (OSError, JSONDecodeError) as error:
            raise ConnectError("no reference application answers", url=redact_url(url)) from error
    story = _Story()
    with _told(story):
        try:
            if url is None:
                with ServerProcess() as server:
                    story.say("server", f"{server.url} in process {server.pid}")
                    _Demo(story, server.url).run()
            else:
                story.say("server", "one that was given")
                _Demo(story, url).run()
        except Exception as error:  # noqa: BLE001  the demo's last word is about it
            first = _first(error)
            story.failed.append(f"the demo ended with {type(first).__name__}: {first}")
    if story.failed:
        print(f"\ndemo failed: {'; '.join(story.failed)}", file=sys.stderr)
        return EXIT_FAILED
    print(f"\ndemo passed: {story.held} checks held, three faults healed")
    return EXIT_OK

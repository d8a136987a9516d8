"""Everything that can fail does, at random, while eight threads push; then the books balance.

The seed is printed: `CHAOS_SEED` gives the same draws again, `CHAOS_SECONDS` says how long. The
server is asked what arrived, and never the client.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from phoenix_actors import PhoenixError, SocketClient
from phoenix_actors.link.future import push_books
from phoenix_actors.link.session import Session
from supervisors import ActorRef, Killed, NoProcError, Supervisor, whereis
from tests import leaks
from tests.concurrency.chaos_server import Server

NAME: Final = "chaos"
THREADS: Final = 8
TOPICS: Final = [f"ledger:{number}" for number in range(4)]
# Pushes that one thread has under way at most.
WINDOW: Final = 20
# One push in so many gets no answer.
MUTE: Final = 200
# Seconds until everything has healed, once nothing is broken any more.
HEALING: Final = 30.0
COMPONENTS: Final = (
    "registry",
    "intents",
    "performance_monitor",
    "binary_pool",
    "route_cache",
    "hibernation_manager",
    "message_processor",
    "socket",
    "channel_manager",
)
OPTIONS: Final[dict[str, Any]] = {
    "name": NAME,
    "join_channels": TOPICS,
    "backoff": [0.02],
    "refusal_backoff": [0.05],
    "rejoin_backoff": [0.02],
    "heartbeat_interval": 0.5,
    "heartbeat_timeout": 1.0,
    "join_timeout": 3.0,
    "channel_max_restarts": 1000,
    "transport_opts": {"connect_timeout": 2.0},
}


def drawn(seed: int) -> dict[str, Any]:
    """Options that decide what becomes of pushes that have to wait."""
    chance = random.Random(seed)
    return {
        "push_timeout": chance.choice([0.5, 3.0]),
        "max_pending_messages": chance.choice([5, 20, 500]),
        "overflow": chance.choice(["error", "block", "drop_oldest", "drop_newest"]),
    }


class Pusher(threading.Thread):
    """Pushes numbered messages, each thread to one topic, and notes what became of each."""

    def __init__(self, number: int, over: threading.Event, sessions: set[Session]) -> None:
        super().__init__(name=f"pusher-{number}")
        self.number, self.over, self.sessions = number, over, sessions
        self.topic = TOPICS[number % len(TOPICS)]
        self.offered = 0
        self.acknowledged: list[int] = []
        self.failed: Counter[str] = Counter()
        self.mistakes: list[BaseException] = []
        self._count = 0

    def run(self) -> None:
        """Pushes until it is over, and sees each push end."""
        chance = random.Random(self.number)
        waiting: list[tuple[int, Any]] = []
        try:
            while not self.over.is_set():
                if not self.push(waiting):
                    time.sleep(0.01)
                while len(waiting) > chance.randrange(WINDOW):
                    self.finish(*waiting.pop(0))
            for number, future in waiting:
                self.finish(number, future)
        except BaseException as error:  # noqa: BLE001  shown by the test
            self.mistakes.append(error)

    def push(self, waiting: list[tuple[int, Any]]) -> bool:
        """Pushes one message, if there is a channel to push on."""
        client = whereis(NAME)
        try:
            channel = None if client is None else client.channel(self.topic)
            if channel is None:
                return False
            # A client that was killed leaves its table, which still counts.
            self.sessions.add(channel._topic.session)
            number, self._count = self._count, self._count + 1
            self.offered += 1
            event = "mute" if number % MUTE == MUTE - 1 else "seq"
            future = channel.push(event, {"t": self.number, "n": number})
            waiting.append((number, future))
        except NoProcError:
            return False
        except PhoenixError as error:
            self.failed[f"raised {type(error).__name__}"] += 1
            return False
        return True

    def finish(self, number: int, future: Any) -> None:
        """Sees a push end: by the server's word, or by an error of ours."""
        error = future.exception(timeout=HEALING)
        if error is None:
            assert future.get().status == "ok"
            self.acknowledged.append(number)
        else:
            assert isinstance(error, PhoenixError), error
            assert future.done(), f"push {number} never ended"
            self.failed[type(error).__name__] += 1


class Gremlin:
    """Breaks something, again and again."""

    def __init__(self, seed: int, server: Server) -> None:
        self._chance = random.Random(seed)
        self._server = server
        self.done: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Breaks things for so long, and mends the server in the end."""
        end = time.monotonic() + seconds
        acts: list[Callable[[], str]] = [
            *[self._component] * 3,
            *[self._channel] * 2,
            self._client,
            *[self._server_drops] * 3,
            self._server_stalls,
            self._server_refuses,
            self._server_restarts,
            self._user,
        ]
        while time.monotonic() < end:
            self.done[self._chance.choice(acts)()] += 1
            time.sleep(self._chance.uniform(0.01, 0.25))

    def _kill(self, ref: Any) -> None:
        if isinstance(ref, ActorRef):
            if self._chance.random() < 0.7:
                ref.exit(Killed())
            else:
                ref.exit(RuntimeError("chaos"))

    def _component(self) -> str:
        name = self._chance.choice(COMPONENTS)
        client = whereis(NAME)
        try:
            refs = {} if client is None else {i.id: i.ref for i in client.which_children()}
        except (NoProcError, TimeoutError):
            return "nothing"
        self._kill(refs.get(name))
        return name

    def _channel(self) -> str:
        topic = self._chance.choice(TOPICS)
        client = whereis(NAME)
        try:
            channel = None if client is None else client.channel(topic)
        except NoProcError:
            return "nothing"
        self._kill(None if channel is None else channel.ref)
        return "a channel's actor"

    def _client(self) -> str:
        self._kill(whereis(NAME))
        return "the client"

    def _server_drops(self) -> str:
        match self._chance.randrange(5):
            case 0:
                self._server.do("kill_channels", self._chance.choice(TOPICS))
            case 1:
                self._server.do("close_sockets", self._chance.choice([1000, 1001, 1011, 1012]))
            case 2:
                self._server.do("send_raw", self._chance.choice(["{", "[1,2]", '"x"', "[]"]))
            case _:
                self._server.do("kill_sockets")
        return "a drop by the server"

    def _server_stalls(self) -> str:
        if self._chance.random() < 0.5:
            self._server.do("freeze", self._chance.uniform(0.1, 2.0))
        else:
            self._server.do("stall")
            time.sleep(self._chance.uniform(0.1, 2.0))
            self._server.do("resume")
        return "a stall"

    def _server_refuses(self) -> str:
        self._server.do("refuse_connections", self._chance.choice([403, 429, 500, 503]))
        self._server.do("kill_sockets")
        time.sleep(self._chance.uniform(0.05, 0.5))
        self._server.do("accept_connections")
        return "a refusal"

    def _server_restarts(self) -> str:
        self._server.do("stop")
        time.sleep(self._chance.uniform(0.0, 0.5))
        self._server.do("start")
        return "a restart of the server"

    def _user(self) -> str:
        client = whereis(NAME)
        try:
            if client is not None:
                client.disconnect()
                client.connect()
        except (NoProcError, TimeoutError):
            pass
        return "disconnect() and connect()"


def healed(server: Server) -> None:
    """The server has each topic once, on one connection, and each answers."""
    end = time.monotonic() + HEALING
    wanted = dict.fromkeys(TOPICS, 1)
    seen: Any = None
    while time.monotonic() < end:
        stats = server.do("stats")
        seen = stats["transports"], stats["by_topic"]
        if seen == (1, wanted):
            break
        time.sleep(0.05)
    assert seen == (1, wanted), f"the server has {seen}"
    client = whereis(NAME)
    for topic in TOPICS:
        assert client.channel(topic).push("seq", {"t": -1}, timeout=HEALING).get().status == "ok"
    stats = server.do("stats")
    assert (stats["transports"], stats["by_topic"]) == (1, wanted)


def check_ledger(server: Server, pushers: list[Pusher]) -> None:
    """Every push arrived once at most, each that was acknowledged did, and the order is kept.

    Between two connections there is an order among those acknowledged only: what a server reads
    from a connection that the client has given up may come behind what came on the next.
    """
    arrived: dict[int, list[int]] = {pusher.number: [] for pusher in pushers}
    latest: dict[tuple[int, int], int] = {}
    for join, _, payload in server.do("ledger"):
        thread, number = payload["t"], payload.get("n", -1)
        if thread >= 0:
            assert latest.get((thread, join), -1) < number
            latest[thread, join] = number
            arrived[thread].append(number)
    for pusher in pushers:
        numbers, acknowledged = arrived[pusher.number], set(pusher.acknowledged)
        assert len(set(numbers)) == len(numbers)
        assert [n for n in numbers if n in acknowledged] == pusher.acknowledged
        assert pusher.acknowledged == sorted(acknowledged)


def check_books(pushers: list[Pusher], sessions: set[Session], extra: int) -> dict[str, int]:
    """What the clients counted is what the threads saw."""
    books: Counter[str] = Counter()
    for session in sessions:
        books.update(push_books(session.counters.snapshot()))
    seen: Counter[str] = Counter()
    for pusher in pushers:
        seen.update(pusher.failed)
    assert books["waiting"] == 0
    assert books["offered"] == sum(pusher.offered for pusher in pushers) + extra
    assert books["replied"] == sum(len(pusher.acknowledged) for pusher in pushers) + extra
    assert books["timeouts"] == seen["PushTimeout"]
    assert books["refused"] == sum(n for name, n in seen.items() if name.startswith("raised"))
    assert books["dropped"] == seen["QueueFull"]
    return dict(books)


@pytest.mark.contract("C155", "C168", "C124", "C125", "C181", "C77", "C80")
def test_chaos(capsys: pytest.CaptureFixture[str]) -> None:
    """Each push is acknowledged once or fails by its type; one connection; nothing is left."""
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(2**32))
    seconds = float(os.environ.get("CHAOS_SECONDS") or 8.0)
    options = drawn(seed)
    with capsys.disabled():
        print(f"\nCHAOS_SEED={seed} CHAOS_SECONDS={seconds:g} {options}")  # noqa: T201  to run it again
    descriptors = len(list(leaks.DESCRIPTORS.iterdir())) if leaks.DESCRIPTORS.is_dir() else 0
    over, sessions = threading.Event(), set[Session]()
    with Server() as server:
        child = SocketClient.child_spec(url=server.url, **OPTIONS, **options)
        # A client may be killed as often as it comes.
        with Supervisor.start_link([child], strategy="one_for_one", max_restarts=10**6):
            pushers = [Pusher(number, over, sessions) for number in range(THREADS)]
            gremlin = Gremlin(seed, server)
            try:
                for pusher in pushers:
                    pusher.start()
                gremlin.run(seconds)
            finally:
                over.set()
                for pusher in pushers:
                    pusher.join(2 * HEALING)
            assert not any(pusher.is_alive() for pusher in pushers)
            assert [pusher.mistakes for pusher in pushers] == [[]] * THREADS
            healed(server)
            sessions.add(whereis(NAME).session)
        check_ledger(server, pushers)
        books = check_books(pushers, sessions, len(TOPICS))
    with capsys.disabled():
        print(f"{books} over {len(sessions)} clients; {dict(gremlin.done)}")  # noqa: T201
    if descriptors:
        assert len(list(leaks.DESCRIPTORS.iterdir())) <= descriptors

"""What the tests of a client against a server share: waiting, logging, channel actors that tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from phoenix_actors import ChannelActor, SocketClient
from phoenix_actors.testing import ControlClient
from supervisors import telemetry

__all__ = [
    "DEADLINE",
    "GONE",
    "LONG_POLL",
    "QUICK",
    "WEBSOCKET",
    "WINDOW",
    "Connect",
    "Log",
    "Phoenix",
    "Telling",
    "eventually",
    "listening",
    "started",
]

T = TypeVar("T")

# What carries frames, as the server calls it.
WEBSOCKET: Final = "websocket"
LONG_POLL: Final = "longpoll"
# Close codes of a connection whose transport the server killed.
GONE: Final = {WEBSOCKET: 1006, LONG_POLL: 3410}
# Seconds that a poll waits at the loopback server.
WINDOW: Final = 1.5

# Seconds that anything may take before a test fails.
DEADLINE: Final = 10.0
# Between two looks at the server, in seconds.
INTERVAL: Final = 0.01

# Options with which faults heal in no time.
QUICK: Final[dict[str, Any]] = {
    "backoff": [0.02],
    "rejoin_backoff": [0.02],
    "join_timeout": DEADLINE,
    "push_timeout": DEADLINE,
}


def eventually(
    look: Callable[[], T], holds: Callable[[T], bool] = bool, deadline: float = DEADLINE
) -> T:
    """Returns what `look()` gives as soon as it holds; fails after the deadline.

    For what has no event to wait on, such as the numbers of a server.
    """
    until = time.monotonic() + deadline
    pause = threading.Event()
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < until, f"after {deadline} s it is still {seen!r}"
        pause.wait(INTERVAL)


class Log:
    """What happened, in order; a test waits for it. Safe from any thread."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._changed = threading.Condition()

    def add(self, *item: Any) -> None:
        """Adds an item: a tuple of what is given."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    @property
    def items(self) -> list[Any]:
        """All items so far."""
        with self._changed:
            return list(self._items)

    def named(self, name: str) -> list[Any]:
        """The items that begin with this word, without it."""
        return [item[1:] for item in self.items if item[0] == name]

    def wait(self, *start: Any, count: int = 1) -> Any:
        """Returns the item number `count` that begins with `start`, once it is there."""

        def found() -> list[Any]:
            return [item for item in self._items if item[: len(start)] == start]

        with self._changed:
            enough = self._changed.wait_for(lambda: len(found()) >= count, DEADLINE)
            assert enough, f"no item {count} with {start!r} in {self._items!r}"
            return found()[count - 1]


class Telling(ChannelActor):
    """Tells a log of everything that it is told; the event "poison" makes it raise."""

    def init(self, log: Log) -> None:
        """Begins a life."""
        self.log = log
        log.add("init", self.actor_ref)

    def handle_join(self, response: Any) -> None:
        """Tells of a join."""
        self.log.add("join", self.join_count, response)

    def handle_join_error(self, response: Any) -> None:
        """Tells of a refusal."""
        self.log.add("join_error", response)

    def handle_message(self, event: str, payload: Any) -> None:
        """Tells of a message."""
        if event == "poison":
            raise RuntimeError("poisoned")
        self.log.add("message", event, payload)

    def handle_close(self, reason: Any) -> None:
        """Tells of a close."""
        self.log.add("close", reason)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answers what it is asked; `("push", event, payload)` is asked of the server."""
        match request:
            case ("push", event, payload):
                return self.push(event, payload).get(timeout=DEADLINE).response
            case _:
                return (type(self).__name__, self.topic, request)

    def handle_cast(self, message: Any) -> None:
        """Tells of a cast."""
        self.log.add("cast", message)

    def terminate(self, reason: Any) -> None:
        """Tells of the end."""
        self.log.add("terminate", type(reason).__name__)


@contextmanager
def listening(*events: tuple[str, ...]) -> Iterator[Log]:
    """Collects telemetry of the client in a log: its name, measurements and metadata."""
    log = Log()
    handler_id = f"test-{id(log)}"

    def tell(event: Any, measurements: Any, metadata: Any, _: Any) -> None:
        log.add(".".join(event[1:]), dict(measurements), dict(metadata))

    telemetry.attach_many(handler_id, [("phoenix_socket_client", *event) for event in events], tell)
    yield log
    telemetry.detach(handler_id)


class Phoenix:
    """A server of the reference application, seen by its URL and its control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = ControlClient(url)

    def channels(self) -> dict[str, int]:
        """How many channels the server has for each topic, if there are not too many to list."""
        topics: dict[str, int] = self.control.stats()["by_topic"]
        return topics

    def count(self) -> int:
        """How many channels the server has."""
        return int(self.control.stats()["channels"])

    def transports(self) -> int:
        """How many connections the server has."""
        return int(self.control.stats()["transports"])


Connect = Callable[..., SocketClient]


def started(clients: list[SocketClient], **options: Any) -> SocketClient:
    """Starts a client that heals quickly, and notes it to be stopped."""
    client = SocketClient.start_link(**{**QUICK, **options})
    clients.append(client)
    return client

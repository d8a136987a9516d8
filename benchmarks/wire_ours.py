"""The client's own ways on the wire, as the rows of `bench_wire` need them."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from typing import Any, ClassVar

from clocks import now
from harness import Way

from phoenix_actors import ChannelActor, SocketClient
from supervisors import GenServer

__all__ = ["alone", "connect", "flight", "inbound", "joins", "latency"]


def flood_of(count: int, size: int, topics: int) -> dict[str, int]:
    """Return the payload of a flood: for the replay server, and `n` for the reference one."""
    return {"frames": count, "n": count, "topics": topics, "size": size}


class Tally:
    """Counts messages down; `done` is set by the last."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.began = 0.0
        self.done = threading.Event()

    def take(self, event: str) -> None:
        """Count one message; the replay server's first one says that it begins."""
        if event == "go":
            self.began = now()
            return
        self.left -= 1
        if self.left == 0:
            self.done.set()

    def wait(self) -> float:
        """Return the seconds from the beginning to the last."""
        if not self.done.wait(120):
            raise RuntimeError("the messages did not come")
        return now() - self.began


class Handling(ChannelActor):
    """Has each message in `handle_message`."""

    tallies: ClassVar[list[Tally]] = []

    def handle_message(self, event: str, payload: Any) -> None:
        """Count."""
        self.tallies[0].take(event)


class Subscriber(GenServer):
    """Has each message in `handle_info`."""

    def init(self, tally: Tally) -> None:
        """Count here."""
        self.tally = tally

    def handle_info(self, message: Any) -> None:
        """Count."""
        self.tally.take(message.event)


def _client(port: int, **options: Any) -> SocketClient:
    client: SocketClient = SocketClient.start_link(
        url=f"ws://127.0.0.1:{port}/socket/websocket", **options
    )
    return client


def inbound(
    port: int, to: str, size: int, topics: int, *, deflate: bool = False, transport: Any = None
) -> Way:
    """A flood of messages, to "handler", "on" callbacks or a "subscriber"."""

    def run(count: int) -> float:
        tally = Tally(count)
        Handling.tallies[:] = [tally]
        options: dict[str, Any] = {"transport": transport}
        options["transport_opts"] = {"compression": deflate}
        if to == "handler":
            options["default_channel_module"] = Handling
        subscriber = Subscriber.start(tally) if to == "subscriber" else None
        with _client(port, **options) as client:
            handlers = {event: lambda _, event=event: tally.take(event) for event in ("go", "tick")}
            for number in range(topics):
                client.join(
                    f"room:{number}",
                    subscriber=subscriber,
                    on=handlers if to == "on" else None,
                )
            channel = client.channel("room:0")
            if channel is None:
                raise RuntimeError("the topic is not joined")
            tally.began = now()
            channel.push("flood", flood_of(count, size, topics), timeout=120)
            took = tally.wait()
        if subscriber is not None:
            subscriber.stop()
        return took / count

    names = {"handler": "ChannelActor", "on": "channel.on", "subscriber": "subscribed actor"}
    extra = "" if transport is None else f", {transport}"
    return Way(f"ours, {names[to]}{extra}", run, measures=True)


def alone(port: int, **options: Any) -> Way:
    """One push and its reply after the other: the median."""

    def run(count: int) -> float:
        with _client(port, **options) as client:
            channel = client.join("room:0")
            samples = []
            for _ in range(count):
                began = now()
                channel.push("echo", {"body": "hello"}).get(timeout=10)
                samples.append(now() - began)
        return statistics.median(samples)

    return Way("ours", run, measures=True)


def flight(port: int) -> Way:
    """A hundred pushes in flight, by one thread."""

    def run(count: int) -> float:
        with _client(port) as client:
            channel = client.join("room:0")
            waiting: deque[Any] = deque()
            began = now()
            for _ in range(count):
                if len(waiting) == 100:
                    waiting.popleft().get(timeout=10)
                waiting.append(channel.push("echo", {"body": "hello"}))
            while waiting:
                waiting.popleft().get(timeout=10)
            return (now() - began) / count

    return Way("ours", run, measures=True)


def joins(port: int) -> Way:
    """Joins, one after the other, on one connection."""

    def run(count: int) -> float:
        with _client(port) as client:
            client.wait_connected(10)
            began = now()
            for number in range(count):
                client.join(f"room:{number}")
            return (now() - began) / count

    return Way("ours", run, measures=True)


def connect(port: int) -> Way:
    """A client that starts, connects and joins: the median."""

    def run(count: int) -> float:
        samples = []
        for _ in range(count):
            began = now()
            client = _client(port)
            client.join("room:0")
            samples.append(now() - began)
            client.stop()
        return statistics.median(samples)

    return Way("ours", run, measures=True)


def latency(port: int, rate: int, part: float) -> Way:
    """The time from a frame's leaving the server to its handler, for this part of all."""

    def run(count: int) -> float:
        samples: list[float] = []
        done = threading.Event()

        def take(payload: Any) -> None:
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            samples.append((now - payload["at"]) / 1e9)
            if len(samples) >= count:
                done.set()

        with _client(port) as client:
            channel = client.join("room:0", on={"tick": take})
            wanted = {"frames": count, "topics": 1, "size": 20, "rate": rate}
            channel.push("flood", wanted, timeout=120)
            if not done.wait(120):
                raise RuntimeError("the messages did not come")
        return sorted(samples)[int(len(samples) * part)]

    return Way(f"ours, p{part * 100:.0f}", run, measures=True)

"""The client's parts against doing without them: pool, routes, waking, monitor."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from channels import Client
from harness import Aim, Way, main

from phoenix_actors import ChannelActor
from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.pool import EncodedPool
from phoenix_actors.link.routes import Routes
from phoenix_actors.link.shared import SharedValues
from phoenix_actors.machines.topic_map import TopicMap
from supervisors import GenServer
from supervisors._runtime.resting import rest
from supervisors.clock import MonotonicClock

PRICES = {"prices": [{"symbol": "ABCD", "price": 12.34} for _ in range(2_000 // 33 + 1)]}
TICK = {"symbol": "ACME", "venue": "XNYS", "bid": 12.5, "ask": 12.75, "state": "open", "unit": "$"}


def repeated(do: Callable[[], Any]) -> Callable[[int], None]:
    """Return what does it so many times."""

    def run(count: int) -> None:
        for _ in range(count):
            do()

    return run


def fan_out() -> list[Way]:
    """One payload of 2 kB to 100 channels."""
    codec = Codec("2.0.0", Counters())
    topics = [f"room:{number}" for number in range(100)]

    def each_time() -> None:
        for topic in topics:
            codec.complete(codec.prepare(topic, "tick", PRICES), "1", "2")

    def once() -> None:
        encoded = EncodedPool().encode(PRICES, codec.payload_text)
        for topic in topics:
            codec.complete(codec.prepare(topic, "tick", encoded), "1", "2")

    return [Way("encode 100 times", repeated(each_time)), Way("BinaryPool", repeated(once))]


def decoding() -> list[Way]:
    """A message, with and without sharing."""
    frame = json.dumps([None, None, "prices:1", "tick", TICK])
    plain = Codec("2.0.0", Counters())
    shared = Codec("2.0.0", Counters(), shared=SharedValues())
    return [
        Way("decode", repeated(lambda: plain.decode_text(frame))),
        Way("share_decoded=True", repeated(lambda: shared.decode_text(frame))),
    ]


def encoders(payload: Any) -> list[Way]:
    """A reused buffer, which did not win: what goes out is a string, and has to be made of it."""
    encoder, buffer = msgspec.json.Encoder(), bytearray()

    def into() -> None:
        encoder.encode_into(payload, buffer)
        buffer.decode()

    return [
        Way("encode", repeated(lambda: encoder.encode(payload).decode())),
        Way("encode_into", repeated(into)),
    ]


class Asked(GenServer):
    """A registry that is asked by its actor, as those without a table of their own are."""

    def init(self, registry: Any) -> None:
        """Look up there."""
        self.registry = registry

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Give what is registered under the key."""
        return self.registry.lookup(request)


def routes() -> list[Way]:
    """Topic to channel, of 1,000."""
    client = Client()
    client.join(1_000)
    registry = client.client.registry
    asked = Asked.start(registry)
    wire = client.client.session.live_wire()
    return [
        Way("registry, by its actor", repeated(lambda: asked.call("room:500"))),
        Way("registry's table", repeated(lambda: registry.lookup("room:500"))),
        Way("RouteCache", repeated(lambda: wire.core("room:500"))),
    ]


def wildcards(patterns: int) -> list[Way]:
    """Topic to channel class."""
    entries = {f"{'x' * length}:*": length for length in range(1, patterns + 1)}
    table = TopicMap(entries, None)
    cache = Routes(entries, None, size=1000, ttl=300.0, clock=MonotonicClock())
    return [
        Way("match", repeated(lambda: table.resolve("x:1"))),
        Way("RouteCache", repeated(lambda: cache.resolve("x:1"))),
    ]


class Stamping(ChannelActor):
    """Notes when a message came."""

    came = threading.Event()
    at = 0.0

    def handle_message(self, event: str, payload: Any) -> None:
        """Note it."""
        Stamping.at = time.perf_counter()
        Stamping.came.set()


def waking() -> list[Way]:
    """From the frame to the handler, median."""
    client = Client()
    (channel,) = client.join(1, Stamping, "wake")
    process, core = channel.ref.process, client.client.session.topic("wake:0").core

    def asleep() -> int:
        process.actor._otp_asleep = process.unusual = True  # noqa: SLF001
        return int(core.give_back())

    def measured(*, hibernate: bool) -> Callable[[int], float]:
        def run(count: int) -> float:
            took = []
            for _ in range(count):
                time.sleep(0.001)
                while hibernate and rest(process, asleep) is None:
                    time.sleep(0.0001)
                Stamping.came.clear()
                began = time.perf_counter()
                client.send("wake:0")
                Stamping.came.wait(10)
                took.append(Stamping.at - began)
            return statistics.median(took)

        return run

    return [
        Way("awake", measured(hibernate=False), measures=True),
        Way("hibernating", measured(hibernate=True), measures=True),
    ]


def monitored() -> list[Way]:
    """The time between two collections, and one collection of 1,000 channels."""
    client = Client()
    client.join(1_000)
    monitor = client.client.performance_monitor.ref.process.actor
    interval = client.client.session.options.collection_interval
    return [
        Way("interval", lambda _: interval, measures=True),
        Way("PerformanceMonitor", repeated(lambda: monitor.collect(time.monotonic()))),
    ]


if __name__ == "__main__":
    main(
        "parts of the client",
        {
            "2 kB to 100 channels": (20, fan_out()),
            "decode a price tick": (10_000, decoding()),
            "encode a price tick": (10_000, encoders(TICK)),
            "encode 2 kB": (2_000, encoders(PRICES)),
            "topic to channel": (5_000, routes()),
            "topic to class, 5 patterns": (10_000, wildcards(5)),
            "topic to class, 20 patterns": (10_000, wildcards(20)),
            "topic to class, 100 patterns": (5_000, wildcards(100)),
            "frame to handler, p50": (100, waking()),
            "a collection": (20, monitored()),
        },
        rounds=7,
        aims={
            "2 kB to 100 channels": [Aim("BinaryPool", than="encode 100 times", times=5.0)],
            "topic to channel": [Aim("RouteCache", than="registry, by its actor", times=10.0)],
            "topic to class, 20 patterns": [Aim("RouteCache", than="match", times=10.0)],
            "topic to class, 100 patterns": [Aim("RouteCache", than="match", times=10.0)],
            "frame to handler, p50": [Aim("hibernating", most=0.0001)],
            "a collection": [Aim("PerformanceMonitor", than="interval", times=100.0)],
        },
    )

"""Actors of this library against Pykka's `ThreadingActor`, and OTP where there is an escript."""

from __future__ import annotations

import threading
from typing import Any

import pykka
from actors import Done, Ours, OursPlaying, Theirs, TheirsPlaying
from beam import beam
from harness import Way, main
from plain_thread import in_plain_thread

_CROWD = 1_000


def tell(cls: Any) -> Way:
    """Tell one actor, then ask once, so that all was handled."""
    ref = cls.start()

    def run(count: int) -> None:
        for number in range(count):
            ref.tell(number)
        ref.ask(None)

    return Way(cls.__name__, run)


def tell_from_four(cls: Any) -> Way:
    """Tell one actor from four threads."""
    ref = cls.start()

    def produce(count: int) -> None:
        for number in range(count):
            ref.tell(number)

    def run(count: int) -> None:
        producers = [threading.Thread(target=produce, args=(count // 4,)) for _ in range(4)]
        for producer in producers:
            producer.start()
        for producer in producers:
            producer.join()
        ref.ask(None)

    return Way(cls.__name__, run)


def tell_crowd(cls: Any) -> Way:
    """Tell a thousand actors in turn, until each has handled its last message."""
    refs = [cls.start() for _ in range(_CROWD)]

    def run(count: int) -> None:
        for number in range(count // _CROWD):
            for ref in refs:
                ref.tell(number)
        done = Done()
        for ref in refs:
            ref.tell(done)
        for _ in refs:
            done.get()

    return Way(cls.__name__, run)


def ping_pong(cls: Any, name: str) -> Way:
    """Two actors tell each other; one of count is one message."""
    one, other = cls.start(), cls.start()
    done = Done()
    one.tell((other, done))
    other.tell((one, done))

    def run(count: int) -> None:
        one.tell(count)
        done.get()

    return Way(name, run)


def asks_in_flight(cls: Any) -> Way:
    """Ask one actor a thousand times before waiting for the answers."""
    ref = cls.start()

    def run(count: int) -> None:
        for _ in range(count // _CROWD):
            for future in [ref.ask(number, block=False) for number in range(_CROWD)]:
                future.get()

    return Way(cls.__name__, run)


def ask(cls: Any) -> Way:
    """Ask one actor, one request at a time."""
    ref = cls.start()

    def run(count: int) -> None:
        for number in range(count):
            ref.ask(number)

    return Way(cls.__name__, run)


def start_and_stop(cls: Any) -> Way:
    """Start an actor and stop it."""

    def run(count: int) -> None:
        for _ in range(count):
            cls.start().stop()

    return Way(cls.__name__, run)


if __name__ == "__main__":
    both = (Theirs, Ours)
    main(
        "actors: Pykka's ThreadingActor first",
        {
            "tell": (10_000, [*map(tell, both), *beam("tell")]),
            "tell, 4 producers": (20_000, [*map(tell_from_four, both), *beam("tell_4")]),
            "tell 1,000 actors": (20_000, [*map(tell_crowd, both), *beam("tell_1000")]),
            "ping-pong": (
                10_000,
                [
                    ping_pong(TheirsPlaying, "Theirs"),
                    ping_pong(OursPlaying, "Ours"),
                    *beam("ping_pong"),
                ],
            ),
            "ask, 1,000 in flight": (5_000, [*map(asks_in_flight, both), *beam("asks_in_flight")]),
            "ask, one at a time": (1_000, [*map(ask, both), *beam("ask")]),
            "start and stop, main thread": (
                200,
                [*map(start_and_stop, both), *beam("start_and_stop")],
            ),
            "start and stop, plain thread": (
                200,
                [
                    *(in_plain_thread(start_and_stop(cls)) for cls in both),
                    *beam("start_and_stop"),
                ],
            ),
        },
    )
    pykka.ActorRegistry.stop_all()

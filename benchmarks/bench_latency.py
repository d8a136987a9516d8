"""How long an actor lets its asker wait while others work or sleep; Pykka's first.

The asks are timed ones, of which no handler runs in the asker's thread.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pykka
from actors import Ours, Theirs
from harness import Way, main

from supervisors import GenServer

_PAUSE = 0.002
_ASLEEP = 0.3
_SLEEPERS = 16
_LINGER = 1.5
_BACKLOG = 5_000
_SHORT = 0.0001


class OurSleeper(GenServer):
    """Sleeps, which the library cannot see."""

    def handle_call(self, request: Any, sender: Any) -> None:
        """Say that it has slept."""

    def handle_cast(self, message: Any) -> None:
        """Sleep so many seconds."""
        time.sleep(message)


class TheirSleeper(pykka.ThreadingActor):
    """Does the same on Pykka alone."""

    def on_receive(self, message: Any) -> None:
        """Sleep so many seconds."""
        time.sleep(message)


def waits(ref: Any, count: int) -> list[float]:
    """Ask so many times, with pauses, and return how long each ask took."""
    taken = []
    for number in range(count):
        time.sleep(_PAUSE)
        began = time.perf_counter()
        ref.ask(number, timeout=60)
        taken.append(time.perf_counter() - began)
    return taken


def beside_flood(cls: Any, pick: Callable[[list[float]], float]) -> Way:
    """Ask one actor while a thread tells another one without a pause."""
    quiet, flooded = cls.start(), cls.start()

    def run(count: int) -> float:
        over = threading.Event()

        def flood() -> None:
            while not over.is_set():
                for number in range(_BACKLOG):
                    flooded.tell(number)
                # Or the slower of the two would have an ever longer mailbox.
                flooded.ask(None)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            return pick(waits(quiet, count))
        finally:
            over.set()
            thread.join()

    return Way(cls.__name__, run, measures=True)


def switching(way: Way) -> Way:
    """Do it with a thread switch each `_SHORT` seconds, where the interpreter's own is 5 ms."""

    def run(count: int) -> Any:
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SHORT)
        try:
            return way.run(count)
        finally:
            sys.setswitchinterval(before)

    return Way(way.name, run, measures=True)


def beside_sleepers(cls: Any, sleeper: Any) -> Way:
    """Ask one actor while others sleep in their handlers; return the longest wait."""
    quiet = cls.start()
    sleepers = [sleeper.start() for _ in range(_SLEEPERS)]

    def run(count: int) -> float:
        # The threads that the last round was lent have left by then.
        time.sleep(_LINGER)
        for ref in sleepers:
            ref.tell(_ASLEEP)
        worst = max(waits(quiet, count))
        for ref in sleepers:
            ref.ask(0)
        return worst

    return Way(cls.__name__, run, measures=True)


def p99(taken: list[float]) -> float:
    """Return what 99 of 100 do not exceed."""
    return statistics.quantiles(taken, n=100)[-1]


if __name__ == "__main__":
    main(
        "waits for an idle actor: Pykka's ThreadingActor first",
        {
            "beside a flooded one, p50": (
                100,
                [beside_flood(cls, statistics.median) for cls in (Theirs, Ours)],
            ),
            "beside a flooded one, p99": (
                100,
                [beside_flood(cls, p99) for cls in (Theirs, Ours)],
            ),
            "the same, switching at 0.1 ms, p50": (
                100,
                [switching(beside_flood(cls, statistics.median)) for cls in (Theirs, Ours)],
            ),
            "the same, switching at 0.1 ms, p99": (
                100,
                [switching(beside_flood(cls, p99)) for cls in (Theirs, Ours)],
            ),
            "beside 16 asleep, the worst of 50": (
                50,
                [beside_sleepers(Theirs, TheirSleeper), beside_sleepers(Ours, OurSleeper)],
            ),
        },
        rounds=5,
    )
    pykka.ActorRegistry.stop_all()

"""Actors of this library against Pykka's `ThreadingActor`."""

from __future__ import annotations

from typing import Any

import pykka
from harness import Way, main

from supervisors import GenServer


class Ours(GenServer):
    """Answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer the request itself."""
        return request

    def handle_cast(self, message: Any) -> None:
        """Take it."""


class Theirs(pykka.ThreadingActor):
    """Does the same on Pykka alone."""

    def on_receive(self, message: Any) -> Any:
        """Answer the message itself."""
        return message


def tell(cls: Any) -> Way:
    """Tell one actor, then ask once, so that all was handled."""
    ref = cls.start()

    def run(count: int) -> None:
        for number in range(count):
            ref.tell(number)
        ref.ask(None)

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
    main(
        "actors: Pykka's ThreadingActor first",
        {
            "tell": (10_000, [tell(Theirs), tell(Ours)]),
            "ask, one at a time": (1_000, [ask(Theirs), ask(Ours)]),
            "start and stop": (200, [start_and_stop(Theirs), start_and_stop(Ours)]),
        },
    )
    pykka.ActorRegistry.stop_all()

"""How time grows with size: channels on one socket, sockets in one process.

Each figure is of one more: where it stays the same, all of them together cost what one costs times
their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from channels import Client
from harness import Way, main


def timed(do: Callable[[Client], object]) -> Callable[[int, int], float]:
    """Return a measurement: the seconds of one more, where so many channels are."""

    def run(size: int, count: int) -> float:
        client = Client()
        try:
            client.join(size)
            began = time.perf_counter()
            for number in range(count):
                do_one(client, number)
            return (time.perf_counter() - began) / count
        finally:
            client.close()

    def do_one(client: Client, number: int) -> None:
        del number
        do(client)

    return run


def joining(size: int) -> Way:
    """Return the way to join and leave one more where so many are joined."""

    def join(client: Client) -> None:
        client.client.join("one:more").leave()

    return Way(f"{size}", lambda count: timed(join)(size, count), measures=True)


def message(size: int) -> Way:
    """Return the way of a message in where so many are joined."""

    def send(client: Client) -> None:
        client.send("room:5")

    return Way(f"{size}", lambda count: timed(send)(size, count), measures=True)


def losing(size: int) -> Way:
    """Return the way of a lost connection, for each of so many channels that join again."""

    def run(_: int) -> float:
        client = Client(backoff=[0.0], rejoin_backoff=[0.0])
        try:
            channels = client.join(size)
            began = time.perf_counter()
            client.transport.peers[-1].drop()
            while any(channel.join_count < 2 for channel in reversed(channels)):
                time.sleep(0.0005)
            return (time.perf_counter() - began) / size
        finally:
            client.close()

    return Way(f"{size}", run, measures=True)


def sockets(size: int) -> Way:
    """Return the way to start and stop one more client where so many are."""

    def run(count: int) -> float:
        others = [Client() for _ in range(size)]
        try:
            began = time.perf_counter()
            for _ in range(count):
                Client().close()
            return (time.perf_counter() - began) / count
        finally:
            for other in others:
                other.close()

    return Way(f"{size}", run, measures=True)


if __name__ == "__main__":
    main(
        "one more of so many",
        {
            "join and leave, channels": (200, [joining(n) for n in (10, 100, 1_000, 10_000)]),
            "message in, channels": (2_000, [message(n) for n in (10, 100, 1_000, 10_000)]),
            "lost and joined again, each of": (1, [losing(n) for n in (10, 100, 1_000, 5_000)]),
            "start and stop, sockets": (20, [sockets(n) for n in (1, 10, 50, 200)]),
        },
        rounds=1,
    )

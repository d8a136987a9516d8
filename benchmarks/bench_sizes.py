"""How time grows with size: channels on one socket, sockets in one process.

Each figure is of one more: where it stays the same, all of them together cost what one costs times
their number. The server is a function in this process, or where that is said the replay server in
one of its own. With `--cpu`, the processor time of this process instead of the wall clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from channels import Client, Ours
from clocks import CPU, now
from harness import Way, main
from replay import serving

from phoenix_actors import SocketClient


def timed(do: Callable[[Client], object]) -> Callable[[int, int], float]:
    """Return a measurement: the seconds of one more, where so many channels are."""

    def run(size: int, count: int) -> float:
        client = Client()
        try:
            client.join(size)
            began = now()
            for number in range(count):
                do_one(client, number)
            return (now() - began) / count
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
            return rejoined(channels, client.transport.peers[-1].drop) / size
        finally:
            client.close()

    return Way(f"{size}", run, measures=True)


def losing_apart(port: int, size: int) -> Way:
    """Return the same way with a server in another process."""

    def run(_: int) -> float:
        url = f"ws://127.0.0.1:{port}/socket"
        client: SocketClient = SocketClient.start_link(
            url=url, backoff=[0.0], rejoin_backoff=[0.0], performance_monitor=False
        )
        with client:
            client.wait_connected(10)
            channels = [client.join(f"room:{number}", channel=Ours) for number in range(size)]
            wire = client.session.live_wire()
            attempt = wire.attempt(wire.generation or 0)
            if attempt is None:
                raise RuntimeError("the client is not connected")
            return rejoined(channels, attempt.handle.abort) / size

    return Way(f"{size}", run, measures=True)


def rejoined(channels: list[Any], lose: Callable[[], object]) -> float:
    """Return the seconds from the loss until every channel is joined again."""
    joins = [channel.join_count for channel in channels]
    began = now()
    lose()
    # The last to join again is mostly the last that was joined, so it is looked at first.
    for channel, before in zip(reversed(channels), reversed(joins), strict=True):
        while channel.join_count == before:
            time.sleep(0.002)
    return now() - began


def sockets(size: int) -> Way:
    """Return the way to start and stop one more client where so many are."""

    def run(count: int) -> float:
        others = [Client() for _ in range(size)]
        try:
            began = now()
            for _ in range(count):
                Client().close()
            return (now() - began) / count
        finally:
            for other in others:
                other.close()

    return Way(f"{size}", run, measures=True)


CHANNELS = (10, 100, 1_000, 10_000)

if __name__ == "__main__":
    sys.argv = [word for word in sys.argv if word != "--cpu"]
    with serving() as port:
        main(
            f"one more of so many, {'processor time' if CPU else 'wall clock'}",
            {
                "join and leave, channels": (200, [joining(n) for n in CHANNELS]),
                "message in, channels": (2_000, [message(n) for n in CHANNELS]),
                "lost and joined again, each of": (1, [losing(n) for n in CHANNELS]),
                "the same, server apart": (1, [losing_apart(port, n) for n in CHANNELS]),
                "start and stop, sockets": (20, [sockets(n) for n in (1, 10, 50, 200)]),
            },
            rounds=3,
        )

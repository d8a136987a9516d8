"""Live data: a channel actor per symbol collects price updates and works them off now and then.

    python examples/live_data.py --demo            500 prices of two symbols; one of them is garbage
    python examples/live_data.py ACME GLOBEX       shows what comes until Ctrl-C

Both start a server of their own on loopback; PHOENIX_URL=ws://…/socket names another one.
"""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from phoenix_actors import ChannelActor, SocketClient
from phoenix_actors.testing import ControlClient, PhoenixServer
from supervisors import ChildSpec, Supervisor, run, whereis

INTERVAL = 0.2  # seconds between two looks at what was collected
PATIENCE = 10.0  # seconds that the demo waits for anything


class Batch(NamedTuple):
    """The prices of one symbol in one interval."""

    symbol: str
    updates: int
    low: float
    high: float
    last: float


class Prices(ChannelActor):
    """The stream of one symbol. What it cannot handle ends it; it starts and joins anew."""

    def init(self, show: Callable[[Batch], object]) -> None:
        """Begin with nothing collected."""
        self.show = show
        self.prices: list[float] = []
        self.send_after(INTERVAL, "work_off")

    def handle_message(self, event: str, payload: Any) -> None:
        """Collect a price."""
        if event == "price_update":
            self.prices.append(float(payload["price"]))

    def handle_info(self, message: Any) -> None:
        """Work off what was collected, and look again after the interval."""
        if message != "work_off":
            return
        if self.prices:
            prices, self.prices = self.prices, []
            symbol = self.topic.partition(":")[2]
            self.show(Batch(symbol, len(prices), min(prices), max(prices), prices[-1]))
        self.send_after(INTERVAL, "work_off")


def streamer(url: str, symbols: list[str], show: Callable[[Batch], object]) -> ChildSpec:
    """The whole application as one child: a client that joins a topic for each symbol."""
    return SocketClient.child_spec(
        name="streamer",
        url=url,
        join_channels=[f"room:{symbol}" for symbol in symbols],
        topic_channel_map={"room:*": (Prices, show)},
    )


@contextmanager
def server() -> Iterator[str]:
    """The URL of the server that PHOENIX_URL names, else of one on loopback."""
    given = os.environ.get("PHOENIX_URL")
    if given:
        yield given
        return
    with PhoenixServer() as loopback:
        yield loopback.url


def demo(url: str) -> None:
    """Feed two symbols; then show that garbage costs what was collected, and nothing more."""
    seen: queue.SimpleQueue[Batch] = queue.SimpleQueue()
    feed = ControlClient(url)
    application = streamer(url, ["ACME", "GLOBEX"], seen.put)
    with Supervisor.start_link([application], strategy="one_for_one"):
        for symbol in ("ACME", "GLOBEX"):
            joined(symbol)
            for number in range(250):
                feed.broadcast(f"room:{symbol}", "price_update", {"price": 100 + number % 7})
            batches = [seen.get(timeout=PATIENCE)]
            while sum(batch.updates for batch in batches) < 250:
                batches.append(seen.get(timeout=PATIENCE))
            print(f"{symbol}: 250 prices, the last {batches[-1].last}")
        before = whereis("streamer").channel("room:ACME").ref
        feed.broadcast("room:ACME", "price_update", {"price": "garbage"})
        before.monitor().wait(PATIENCE)
        joined("ACME")
        feed.broadcast("room:ACME", "price_update", {"price": 42})
        print(f"after garbage: {seen.get(timeout=PATIENCE)}")


def joined(symbol: str) -> None:
    """Wait until the topic of a symbol is joined: a push is answered then."""
    whereis("streamer").channel(f"room:{symbol}").push("echo").get(timeout=PATIENCE)


def main(arguments: list[str]) -> int:
    """Run the demo, or show the symbols that were given."""
    with server() as url:
        if arguments == ["--demo"]:
            demo(url)
            return 0
        return run([streamer(url, arguments or ["ACME"], print)], strategy="one_for_one")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`phoenix-actors bench`: round trips of pushes, against any server that replies."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from phoenix_actors.cli.codes import EXIT_OK, EXIT_REFUSED
from phoenix_actors.cli.connecting import connected, join_params
from phoenix_actors.cli.output import json_text, notice, put
from phoenix_actors.cli.progress import Progress

if TYPE_CHECKING:
    from phoenix_actors.channel import Channel
    from phoenix_actors.link.future import PushFuture

__all__ = ["quantile", "run"]


def quantile(values: list[float], share: float) -> float:
    """Return the smallest of the values that at least this share of them does not exceed.

    Example:
        >>> quantile([3.0, 1.0, 2.0, 4.0], 0.5)
        2.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class _Trips:
    """Keeps a window of pushes in flight and notes how long each took."""

    def __init__(self, channel: Channel, event: str, window: int) -> None:
        self.took: list[float] = []
        self.refused = 0
        self._channel = channel
        self._event = event
        self._window = window
        self._flying: deque[PushFuture] = deque()

    def make(self, count: int, progress: Progress) -> None:
        for number in range(count):
            self._send(number)
            if len(self._flying) >= self._window:
                self._land()
            progress.update(number + 1)
        while self._flying:
            self._land()

    def _send(self, number: int) -> None:
        began = time.perf_counter()
        future = self._channel.push(self._event, {"n": number})
        # On the reader thread, at the moment when the reply has come; appending is atomic.
        future.add_done_callback(lambda _: self.took.append(time.perf_counter() - began))
        self._flying.append(future)

    def _land(self) -> None:
        if self._flying.popleft().get().status != "ok":
            self.refused += 1


def run(parsed: argparse.Namespace) -> int:
    """Push, print what it took, and return the exit code.

    Raises:
        PhoenixError: as the client; a lost connection ends it.
        ValueError: an argument is wrong.
        ImportError: without URL and without the extra `testing`.
    """
    with ExitStack() as stack:
        url = parsed.url
        if url is None:
            from phoenix_actors.testing import ServerProcess

            url = stack.enter_context(ServerProcess()).url
        client = stack.enter_context(connected(parsed, url, reconnect=False))
        channel = client.join(parsed.topic, join_params(parsed))
        trips = _Trips(channel, parsed.event, parsed.window)
        with Progress(sys.stderr, parsed.count, quiet=parsed.quiet) as progress:
            began = time.perf_counter()
            trips.make(parsed.count, progress)
            seconds = time.perf_counter() - began
    _report(parsed, trips, seconds)
    if trips.refused:
        notice(f"{trips.refused} replies had another status than ok")
        return EXIT_REFUSED
    return EXIT_OK


def _report(parsed: argparse.Namespace, trips: _Trips, seconds: float) -> None:
    took = [value * 1000 for value in trips.took]
    result: dict[str, Any] = {
        "count": parsed.count,
        "window": parsed.window,
        "duration_seconds": round(seconds, 6),
        "per_second": round(parsed.count / seconds, 1),
        "p50_ms": round(quantile(took, 0.5), 3),
        "p95_ms": round(quantile(took, 0.95), 3),
        "p99_ms": round(quantile(took, 0.99), 3),
        "max_ms": round(max(took), 3),
    }
    if parsed.json:
        put(json_text(result))
        return
    for name, value in result.items():
        put(f"{name:<16} {value:>12}")

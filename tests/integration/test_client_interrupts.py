"""Exceptions of a signal's handler, as Ctrl-C raises one, fall anywhere into a caller's work."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phoenix_actors import ConnectionLost, QueueFull, SocketClient
from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import DEADLINE, QUICK

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that send signals"),
]

# Interrupts; before they were minded, a connection stood still after some 150.
ENOUGH = 400


class Interrupter:
    """Raises KeyboardInterrupt at some moment of what the main thread does next."""

    def __init__(self) -> None:
        self._random = random.Random(0)
        self._armed = False
        self.count = 0

    def handle(self, *_: object) -> None:
        """The signal's handler."""
        if self._armed:
            self._armed = False
            raise KeyboardInterrupt

    def call(self, call: Callable[[], Any]) -> None:
        """Calls, and interrupts that within a millisecond."""
        try:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, self._random.uniform(1e-5, 1e-3))
            call()
            self._armed = False
        except KeyboardInterrupt:
            self.count += 1
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def interrupter() -> Iterator[Interrupter]:
    """Is there for one test."""
    own = Interrupter()
    before = signal.signal(signal.SIGALRM, own.handle)
    yield own
    signal.signal(signal.SIGALRM, before)


def test_a_caller_that_is_interrupted_anywhere(interrupter: Interrupter) -> None:
    """The connection goes on, or is made anew, without the help of a heartbeat that is missed."""
    with PhoenixServer() as server:
        options = {**QUICK, "url": server.url, "heartbeat_interval": 3600.0}
        with SocketClient.start_link(**options) as client:
            client.wait_connected(DEADLINE)
            channel = client.join("room:lobby")

            def echo() -> None:
                try:
                    channel.push("echo", {"n": 1}, timeout=DEADLINE).get()
                except (ConnectionLost, QueueFull):
                    time.sleep(0.01)

            until = time.monotonic() + 2 * DEADLINE
            while interrupter.count < ENOUGH and time.monotonic() < until:
                interrupter.call(echo)
            try:
                # The last interrupt may have broken the connection, and nobody noticed yet.
                channel.push("echo").get(timeout=DEADLINE)
            except ConnectionLost:
                client.wait_connected(DEADLINE)
            assert channel.push("echo", {"n": 2}).get(timeout=1e308).response == {"n": 2}

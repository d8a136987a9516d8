"""A start that is cancelled, before and after the client is there."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from phoenix_actors import SocketClient as Threaded
from phoenix_actors.aio import SocketClient
from phoenix_actors.aio import starting as module

DEADLINE = 10.0


class Client:
    """Stands for a client: notes that it was stopped."""

    def __init__(self) -> None:
        self.stops: list[bool] = []

    def stop(self, *, block: bool = True) -> None:
        """Notes how."""
        self.stops.append(block)


@pytest.mark.parametrize("late", [True, False])
def test_a_cancelled_start_is_undone(monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    """The client is stopped, without waiting, whether it is there already or comes later."""
    client, begun, gate, over = Client(), threading.Event(), threading.Event(), threading.Event()

    def start(self: Any) -> Any:
        begun.set()
        assert gate.wait(DEADLINE)
        try:
            return real(self)
        finally:
            over.set()

    real = module.Starting._start_here
    monkeypatch.setattr(module.Starting, "_start_here", start)
    monkeypatch.setattr(Threaded, "start_link", lambda **_: client)

    async def scenario() -> None:
        starting = asyncio.ensure_future(_started())
        while not begun.is_set():
            await asyncio.to_thread(begun.wait, DEADLINE)
        if not late:
            gate.set()
            # Without a turn for the loop, so that the start is over and nobody knows.
            assert over.wait(DEADLINE)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        gate.set()

    async def _started() -> Any:
        return await SocketClient.start_link(url="ws://h/socket")

    asyncio.run(scenario())
    assert over.wait(DEADLINE)
    assert client.stops == [False]

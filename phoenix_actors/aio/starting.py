"""Starting a client in a thread, by `await` or by `async with`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar

from phoenix_actors.client import SocketClient
from supervisors._locks import new_lock

__all__ = ["Starting"]


class _Stops(Protocol):
    def stop(self) -> Coroutine[Any, Any, bool]:
        """Stop, and wait for that."""
        ...


C = TypeVar("C", bound=_Stops)


class Starting(Generic[C]):
    """What `start_link` returns: awaited, or entered with `async with`, it starts the client."""

    def __init__(self, make: Callable[[SocketClient], C], options: dict[str, Any]) -> None:
        """Start with these options when asked; `make` wraps the client."""
        self._make = make
        self._options = options
        self._client: C | None = None
        self._lock = new_lock()
        self._started: SocketClient | None = None
        self._cancelled = False

    def __await__(self) -> Generator[Any, None, C]:
        """Start the client; whoever awaits stops it."""
        return self._start().__await__()

    async def __aenter__(self) -> C:
        """Start the client, which is stopped when the block is left."""
        self._client = await self._start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        """Stop the client."""
        if self._client is not None:
            await self._client.stop()

    async def _start(self) -> C:
        try:
            return self._make(await asyncio.to_thread(self._start_here))
        except asyncio.CancelledError:
            with self._lock:
                self._cancelled, started = True, self._started
            if started is not None:
                started.stop(block=False)
            raise

    def _start_here(self) -> SocketClient:
        """Start in this thread; stop what nobody wants any more."""
        client = SocketClient.start_link(**self._options)
        with self._lock:
            self._started, unwanted = client, self._cancelled
        if unwanted:
            client.stop(block=False)
        return client

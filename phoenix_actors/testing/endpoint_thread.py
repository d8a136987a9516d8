"""An endpoint in a thread of its own, with an asyncio loop; other threads call into it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from phoenix_actors.testing.endpoint import Endpoint
from phoenix_actors.testing.listener import Listener

if TYPE_CHECKING:
    from phoenix_actors.testing.channel import ServerChannel
    from phoenix_actors.testing.options import ServerOptions
    from phoenix_actors.testing.recorder import Recorder
    from phoenix_actors.testing.script import Script

__all__ = ["EndpointThread"]

T = TypeVar("T")

# Seconds for one step on the loop, and for the loop to end beyond the drain.
PATIENCE = 10.0
BACKLOG = 1024


class EndpointThread:
    """Starts once and stops once. Every method is safe from any thread."""

    def __init__(
        self,
        options: ServerOptions,
        routes: Mapping[str, type[ServerChannel]],
        recorder: Recorder,
        script: Script,
    ) -> None:
        self._options = options
        self._routes = routes
        self._recorder = recorder
        self._script = script
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._endpoint: Endpoint
        self._thread: threading.Thread

    def start(self, port: int) -> int:
        """Listens, waits until connections are accepted, and returns the port.

        Raises:
            OSError: when the address cannot be listened on.
        """
        host = self._options.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Sets SO_REUSEADDR, so that a restart gets the port while old connections linger.
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        port = int(listening.getsockname()[1])
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name=f"PhoenixServer-{port}", daemon=True
        )
        self._thread.start()
        self._ready.result()
        return port

    def stop(self) -> None:
        """Closes every connection with 1012 and joins the thread.

        Raises:
            RuntimeError: when the loop is kept busy for 10 s beyond the drain.
        """
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(self._options.drain_seconds + PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError("the server did not stop: a handler of a channel blocks its loop")

    def call(self, function: Callable[[Endpoint], T]) -> T:
        """Runs a function on the loop and returns what it returns, or raises what it raises."""
        if threading.current_thread() is self._thread:
            return function(self._endpoint)
        result: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                result.set_result(function(self._endpoint))
            except Exception as error:  # noqa: BLE001  the caller gets it
                result.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return result.result(PATIENCE)

    def _run(self, listening: socket.socket) -> None:
        # The listener waits for its socket, which the proactor loop of Windows cannot.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve(listening))

    async def _serve(self, listening: socket.socket) -> None:
        try:
            self._loop = asyncio.get_running_loop()
            self._stopping = asyncio.Event()
            self._endpoint = Endpoint(self._options, self._routes, self._recorder, self._script)
            listener = Listener(self._endpoint, listening)
            listener.open()
        except BaseException as error:  # noqa: BLE001  start() raises it
            listening.close()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        await self._stopping.wait()
        await listener.close(self._options.drain_seconds)

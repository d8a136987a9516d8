"""Accepts TCP connections and routes requests: upgrades, long poll, control routes, else 404.

The `websockets` library's own server reads requests without a body only, and the control routes are
POSTed to on the port of the WebSocket. So requests are read here, and only an upgrade is handed to
the library's framing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from phoenix_actors.testing import control
from phoenix_actors.testing.connection import LINGER
from phoenix_actors.testing.http_messages import BadRequest, HttpResponse, read_request

if TYPE_CHECKING:
    from phoenix_actors.testing.endpoint import Endpoint
    from phoenix_actors.testing.http_messages import HttpRequest

__all__ = ["Listener"]

_logger = logging.getLogger("phoenix_actors.testing")

WEBSOCKET_PATH = "/socket/websocket"
LONGPOLL_PATH = "/socket/longpoll"

# The largest head of a request, in bytes.
MAX_HEAD = 64 * 1024


class _Client:
    """One accepted TCP connection; it has a writer once its task has begun."""

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.writer: asyncio.StreamWriter | None = None
        self.upgraded = False


class Listener:
    """Serves one listening socket. Only from the server's loop."""

    def __init__(self, endpoint: Endpoint, listening: socket.socket) -> None:
        self._endpoint = endpoint
        self._listening = listening
        self._loop = asyncio.get_running_loop()
        self._clients: dict[asyncio.Task[None], _Client] = {}

    def open(self) -> None:
        """Begins to accept."""
        self._listening.setblocking(False)
        # Not asyncio.start_server(): its close() leaks a connection that is just being accepted.
        self._loop.add_reader(self._listening, self._accept)

    async def close(self, drain_timeout: float) -> None:
        """Stops accepting, closes with 1012, and leaves nothing after `drain_timeout` seconds."""
        self._loop.remove_reader(self._listening)
        self._listening.close()
        self._endpoint.drain()
        draining = [task for task, client in self._clients.items() if client.upgraded]
        for task, client in self._clients.items():
            if not client.upgraded:
                task.cancel()
        if draining:
            await asyncio.wait(draining, timeout=drain_timeout)
        for task, client in self._clients.items():
            if client.writer is not None:
                client.writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listening.accept()
        except OSError:
            # The client is gone already, or there is no descriptor left; others may still come.
            return
        accepted.setblocking(False)
        with contextlib.suppress(OSError):
            # Fails on a connection that the client has reset.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(accepted)
        task = self._loop.create_task(self._serve(client), name="connection")
        self._clients[task] = client
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        client = self._clients.pop(task)
        if client.writer is None:
            client.socket.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("a connection failed: %s", type(error).__name__, exc_info=error)

    async def _serve(self, client: _Client) -> None:
        reader = asyncio.StreamReader(limit=MAX_HEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, client.socket)
        client.writer = writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._answer(request, client, reader, writer):
                    return
                await writer.drain()
        except BadRequest as error:
            writer.write(HttpResponse.text(error.status, str(error)).render())
        except ConnectionError:
            # The client is gone, and with it whom to answer.
            return
        finally:
            await _close(writer)

    async def _answer(
        self,
        request: HttpRequest,
        client: _Client,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answers one request; tells whether another may follow on this connection."""
        # As Plug takes a path: slashes too many are none.
        path = "/".join(["", *filter(None, request.path.split("/"))])
        upgrade = (request.method, request.version) == ("GET", "HTTP/1.1")
        if path == WEBSOCKET_PATH and upgrade and request.header("host") is not None:
            await self._endpoint.unstalled.wait()
            client.upgraded = True
            client.upgraded = await self._endpoint.serve(request, reader, writer)
            return request.keeps_alive and not client.upgraded
        if path == WEBSOCKET_PATH:
            response = HttpResponse(400)
        elif path == LONGPOLL_PATH:
            await self._endpoint.unstalled.wait()
            response = await self._endpoint.long_poll.answer(request)
            await self._endpoint.unstalled.wait()
        elif request.path.startswith("/control/"):
            response = control.answer(request, self._endpoint)
        else:
            response = control.NOT_FOUND
        writer.write(response.render())
        return request.keeps_alive


async def _close(writer: asyncio.StreamWriter) -> None:
    """Closes once everything is written, or after a while without it."""
    try:
        writer.close()
        async with asyncio.timeout(LINGER):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        # Reset by the client, or it does not read.
        return
    finally:
        writer.transport.abort()

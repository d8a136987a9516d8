"""One WebSocket connection: bytes, close codes, holding back, and the idle timeout.

It stands for the transport process of Phoenix. "Held" is that process suspended, or busy with a
join: nothing is read or answered and what channels send is kept, while TCP stays open.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from phoenix_actors.testing.framing import ABNORMAL, Binary, Broken, Closed, Framing, Ping, Text
from phoenix_actors.testing.wire import BadFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.testing.framing import Inbound
    from phoenix_actors.testing.phoenix_socket import PhoenixSocket
    from phoenix_actors.testing.recorder import Recorder

__all__ = ["Connection"]

_logger = logging.getLogger("phoenix_actors.testing")

# Seconds that a client has for closing its end after the server has closed.
LINGER = 2.0

NORMAL = 1000
PROTOCOL_VIOLATION = 1002
INTERNAL_ERROR = 1011


class Connection:
    """A connection from its upgrade to its end; `run()` is its task."""

    transport = "websocket"

    def __init__(
        self,
        number: int,
        framing: Framing,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        idle_timeout: float | None,
    ) -> None:
        self.number = number
        self._framing = framing
        self._reader, self._writer = streams
        self._idle_timeout = idle_timeout
        self._loop = asyncio.get_running_loop()
        self._holds = 0
        self._running = asyncio.Event()
        self._running.set()
        # Messages, and close codes, that wait while the connection is held.
        self._kept: deque[str | bytes | int] = deque()
        self._ended = False
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    async def run(
        self,
        socket: PhoenixSocket,
        recorder: Recorder,
        on_end: Callable[[Connection], None],
    ) -> None:
        """Reads and handles until the connection has ended and the client has closed its end."""
        self.socket = socket
        self._recorder = recorder
        self._on_end = on_end
        self._watch_idleness()
        try:
            while await self._step():
                pass
        except ConnectionError:
            self._end(ABNORMAL)
        finally:
            self._end(ABNORMAL)
            if self._timer is not None:
                self._timer.cancel()

    # -- sending

    def send(self, data: str | bytes) -> None:
        """Sends a message, or keeps it while the connection is held."""
        if self._holds:
            self._kept.append(data)
        elif not self._ended:
            self._framing.message(data)
            self._flush()

    def send_first(self, data: str | bytes) -> None:
        """Sends a message before those that are kept."""
        self._kept.appendleft(data)
        if not self._holds:
            self._send_kept()

    def hold(self) -> None:
        """Suspends the connection; it goes on when each hold has been released."""
        self._holds += 1
        if not self._ended:
            self._running.clear()

    def release(self) -> None:
        """Ends one hold; the last one sends what was kept."""
        self._holds -= 1
        if not self._holds:
            self._running.set()
            self._send_kept()

    async def drain(self) -> None:
        """Waits until the connection is not held and the client has taken most of what was sent."""
        await self._running.wait()
        try:
            await self._writer.drain()
        except ConnectionError:
            # The end of the connection ends the channels as well.
            return
        await asyncio.sleep(0)

    # -- ending

    def close(self, code: int) -> None:
        """Closes with a code, after what is kept."""
        if self._holds:
            self._kept.append(code)
        else:
            self._end(code)

    def close_now(self, code: int) -> None:
        """Closes with a code, held or not."""
        self._end(code)

    def kill(self) -> None:
        """Ends the TCP stream without a close frame, held or not."""
        self._end(ABNORMAL)

    def abort(self) -> None:
        """Drops the TCP connection; what was not yet sent is lost."""
        self._writer.transport.abort()

    def _end(self, code: int) -> None:
        if self._ended:
            return
        self._ended = True
        self._kept.clear()
        self._framing.finish(code)
        self._flush()
        self._running.set()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER, self.abort)
        self.socket.close()
        self._on_end(self)

    def _send_kept(self) -> None:
        while self._kept and not self._ended and not self._holds:
            kept = self._kept.popleft()
            if isinstance(kept, int):
                self._end(kept)
            else:
                self.send(kept)

    def _flush(self) -> None:
        data, ends = self._framing.take()
        if data:
            self._writer.write(data)
        if ends and not self._writer.transport.is_closing():
            try:
                self._writer.write_eof()
            except OSError:
                # The client has reset the connection already.
                self.abort()

    # -- reading

    async def _step(self) -> bool:
        """Reads once and handles it; tells whether there is more to come."""
        data = await self._reader.read(65536)
        # After the end bytes are only read so that the client's close arrives, not a reset.
        if not self._ended:
            await self._running.wait()
            self._heard = self._loop.time()
            for inbound in self._framing.feed(data):
                await self._running.wait()
                if self._ended:
                    break
                await self._handle(inbound)
        # Channels get their turn between two reads.
        await asyncio.sleep(0)
        return bool(data)

    async def _handle(self, inbound: Inbound) -> None:
        match inbound:
            case Text() | Binary():
                await self._handle_message(inbound)
            case Ping(data):
                self._framing.send_pong(data)
                self._flush()
            case Closed():
                self._end(NORMAL)
            case Broken(code):
                self._end(code)

    async def _handle_message(self, inbound: Text | Binary) -> None:
        try:
            serializer = self.socket.serializer
            frame = (
                serializer.decode_text(inbound.text)
                if isinstance(inbound, Text)
                else serializer.decode_binary(inbound.data)
            )
            recorded = self._recorder.frame(self.number, frame)
            await self.socket.handle(frame)
            self._recorder.handled(recorded)
        except BadFrame as error:
            _logger.debug("connection %d sent a bad frame: %s", self.number, error)
            self._end(INTERNAL_ERROR)
        except Exception as error:
            # The message may hold what the client sent, so it is for the debug level only.
            _logger.error("connection %d crashed: %s", self.number, type(error).__name__)  # noqa: TRY400
            _logger.debug("connection %d", self.number, exc_info=error)
            self._end(INTERNAL_ERROR)

    def _watch_idleness(self) -> None:
        if self._idle_timeout is None or self._ended:
            return
        if self._holds:
            self._heard = self._loop.time()
        left = self._heard + self._idle_timeout - self._loop.time()
        if left <= 0:
            self._end(PROTOCOL_VIOLATION)
        else:
            self._timer = self._loop.call_later(left, self._watch_idleness)

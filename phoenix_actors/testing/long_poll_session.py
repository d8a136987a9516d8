"""One session of long poll: what waits for the next poll, what was posted, and its end.

It stands for the session process of Phoenix, `LongPoll.Server`. Nothing tells a client that its
session has ended: a poll under way finds nothing until its window is over, and the next request
does not find the session.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from phoenix_actors.testing.wire import BadFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phoenix_actors.testing.phoenix_socket import PhoenixSocket
    from phoenix_actors.testing.recorder import Recorder

__all__ = ["LongPollSession"]

_logger = logging.getLogger("phoenix_actors.testing")

OK: Final = 200
NO_CONTENT: Final = 204
REQUEST_TIMEOUT: Final = 408

# A session that was not polled for so many windows ends.
_PATIENCE: Final = 1.5


class LongPollSession:
    """A session from its first answer to its end. Only from the server's loop."""

    transport = "longpoll"

    def __init__(self, number: int, token: str, window: float) -> None:
        self.number = number
        self.token = token
        self._window = window
        self._loop = asyncio.get_running_loop()
        self._holds = 0
        self._running = asyncio.Event()
        self._running.set()
        # What the next poll gets, and what waits while the session is held.
        self._ready: list[str | bytes] = []
        self._kept: list[str | bytes] = []
        self._poll: asyncio.Future[list[str | bytes]] | None = None
        self._polled = self._loop.time()
        self._turn = asyncio.Lock()
        self._handling: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def begin(
        self,
        socket: PhoenixSocket,
        recorder: Recorder,
        on_end: Callable[[LongPollSession], None],
    ) -> None:
        """Serves this socket from now on."""
        self.socket = socket
        self._recorder = recorder
        self._on_end = on_end
        self._timer = self._loop.call_later(self._window * _PATIENCE, self._end_if_idle)

    # -- requests

    async def poll(self) -> tuple[int, list[str | bytes]]:
        """Waits up to the window for messages; returns 200 with them, or 204 without.

        Of two polls at once the later one gets what comes.
        """
        poll = self._poll = self._loop.create_future()
        self._polled = self._loop.time()
        self._serve_poll()
        await asyncio.wait({poll}, timeout=self._window)
        if poll.done():
            return OK, poll.result()
        if self._poll is poll:
            self._poll = None
        return NO_CONTENT, []

    async def publish(self, messages: Iterable[str | bytes]) -> int:
        """Handles what was posted, one after the other; returns 200, or 408 when one takes long.

        One that takes longer than the window is handled nevertheless, those behind it are not.
        """
        for message in messages:
            task = self._loop.create_task(self._handle(message), name=f"long poll {self.number}")
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
            done, _ = await asyncio.wait({task}, timeout=self._window)
            if self._ended:
                # A process that is gone does not answer: the request waits out its window.
                await asyncio.sleep(self._window)
            if self._ended or not done:
                return REQUEST_TIMEOUT
        return OK

    # -- sending

    def send(self, data: str | bytes) -> None:
        """Keeps a message for the next poll."""
        if not self._ended:
            (self._kept if self._holds else self._ready).append(data)
            self._serve_poll()

    def send_first(self, data: str | bytes) -> None:
        """Keeps a message before those that came while the session was held."""
        if not self._ended:
            self._kept.insert(0, data)

    def hold(self) -> None:
        """Suspends the session; it goes on when each hold has been released."""
        self._holds += 1
        self._running.clear()

    def release(self) -> None:
        """Ends one hold."""
        self._holds -= 1
        if not self._holds:
            self._running.set()
            self._ready += self._kept
            self._kept = []
            self._serve_poll()

    async def drain(self) -> None:
        """Waits until the session is not held: it keeps any number of messages."""
        await self._running.wait()
        await asyncio.sleep(0)

    def _serve_poll(self) -> None:
        poll = self._poll
        if poll is not None and not poll.done() and self._ready and not self._holds:
            poll.set_result(self._ready)
            self._poll, self._ready = None, []

    # -- ending

    def close(self, code: int) -> None:
        """Ends the session; long poll has no close codes."""
        del code
        self._end()

    close_now = close

    def kill(self) -> None:
        """Ends the session."""
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._ready, self._kept = [], []
        if self._timer is not None:
            self._timer.cancel()
        current = asyncio.current_task()
        for task in self._handling:
            if task is not current:
                task.cancel()
        self.socket.close()
        self._on_end(self)

    def _end_if_idle(self) -> None:
        limit = self._window * _PATIENCE
        if self._loop.time() - self._polled > limit and self._poll is None:
            self._end()
        else:
            self._timer = self._loop.call_later(limit, self._end_if_idle)

    # -- handling

    async def _handle(self, message: str | bytes) -> None:
        """Handles one message; a bad one ends the session, and is never answered then."""
        async with self._turn:
            await self._running.wait()
            try:
                serializer = self.socket.serializer
                if isinstance(message, str):
                    frame = serializer.decode_text(message)
                else:
                    frame = serializer.decode_binary(message)
                recorded = self._recorder.frame(self.number, frame)
                await self.socket.handle(frame)
                self._recorder.handled(recorded)
            except BadFrame as error:
                _logger.debug("session %d sent a bad frame: %s", self.number, error)
                self._end()
            except Exception as error:
                # The message may hold what the client sent, so it is for the debug level only.
                _logger.error("session %d crashed: %s", self.number, type(error).__name__)  # noqa: TRY400
                _logger.debug("session %d", self.number, exc_info=error)
                self._end()

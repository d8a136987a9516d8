"""The frames that wait for the wire, in the order in which they were made.

Whoever made a frame writes it, and with it whatever stands before it; when somebody writes
already, that one takes the new frame along. Threads that must not wait for a slow peer (the reader,
timers) ring a writer thread instead: a reader that waited for a peer which itself waits for us to
read would never be read again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phoenix_actors.transport.interface import TransportHandle

__all__ = ["Outbox"]


class Outbox:
    """One client's way out. Safe from any thread; keeps the order of `put`.

    Args:
        name: of the writer thread.
        sent: called for each frame handed to the operating system, with its size.
        broken: called with what a send raised; the frames behind it are dropped, and whoever waits
            for their answers is told when the connection's loss is.
    """

    def __init__(
        self, name: str, sent: Callable[[int], None], broken: Callable[[Exception], None]
    ) -> None:
        """Start closed: frames put before `open` are dropped."""
        self._name = name
        self._sent = sent
        self._broken = broken
        self._queue: deque[str | bytes] = deque()
        self._writing = threading.Lock()
        self._bell = threading.Event()
        self._handle: TransportHandle | None = None
        self._writer: threading.Thread | None = None

    def __len__(self) -> int:
        """Return the number of frames that wait."""
        return len(self._queue)

    def open(self, handle: TransportHandle) -> None:
        """Write to this handle from now on."""
        self._queue.clear()
        self._handle = handle
        self._writer = threading.Thread(
            target=self._write_when_rung, args=(handle,), name=self._name, daemon=True
        )
        self._writer.start()

    def close(self) -> None:
        """Write no more; what waits is dropped, and the writer thread ends."""
        self._handle = None
        self._queue.clear()
        self._bell.set()

    def put(self, frame: str | bytes) -> None:
        """Append a frame; `flush` or `ring` follows."""
        self._queue.append(frame)

    def ring(self) -> None:
        """Have the writer thread write what waits; never waits itself."""
        self._bell.set()

    def flush(self) -> None:
        """Write what waits, unless another thread is writing, which then writes that too."""
        while self._queue and self._writing.acquire(blocking=False):
            try:
                self._write_all()
            finally:
                self._writing.release()

    def help(self, timeout: float | None) -> None:
        """Wait up to `timeout` seconds for whoever writes, then write what waits."""
        if self._writing.acquire(timeout=-1 if timeout is None else timeout):
            try:
                self._write_all()
            finally:
                self._writing.release()

    def _write_all(self) -> None:
        while True:
            handle = self._handle
            try:
                frame = self._queue.popleft()
            except IndexError:
                return
            if handle is None:
                continue
            try:
                if isinstance(frame, str):
                    handle.send_text(frame)
                else:
                    handle.send_binary(frame)
            except Exception as error:  # noqa: BLE001  a foreign transport may raise anything
                self._queue.clear()
                self._broken(error)
                return
            self._sent(len(frame))

    def _write_when_rung(self, handle: TransportHandle) -> None:
        while self._handle is handle:
            self._bell.wait()
            self._bell.clear()
            self.flush()

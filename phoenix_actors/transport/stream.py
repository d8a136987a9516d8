"""A byte stream over a socket: one reader, any number of writers, a deadline for each step.

The socket, plain or TLS, does not block. Under TLS one short lock guards each call into it: OpenSSL
does not allow a read and a write of one connection at the same moment. Waiting is done by poll,
outside the lock. `shutdown` wakes whoever waits; `close` is called once, by the owner of the
stream, when nobody reads any more.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from typing import Any, Final

from phoenix_actors.transport.own_lock import is_mine
from supervisors._locks import new_lock, new_rlock

__all__ = ["DEFAULT_READ_SIZE", "LONGEST_WAIT", "EndOfStream", "Stream"]

DEFAULT_READ_SIZE: Final = 65536
# Seconds: poll takes milliseconds, no more than 2,147,483,647.
LONGEST_WAIT: Final = 2_000_000.0
_NOT_NOW: Final = (BlockingIOError, InterruptedError)


class EndOfStream(Exception):
    """The peer, or this side, ended the stream."""


class Stream:
    """One connected socket."""

    def __init__(self, sock: socket.socket, read_size: int = DEFAULT_READ_SIZE) -> None:
        """Take over a connected socket; read up to `read_size` bytes in one go."""
        sock.setblocking(False)
        self._read_size = read_size
        self._sock = sock
        self._lock = new_lock()
        # Reentrant only for its owner to be told; see own_lock.
        self._write_lock = new_rlock()
        self._sealed = False  # nothing may be sent any more
        self._unsent = b""
        self._buffer = b""
        self._position = 0
        # Whether more may be there behind what `piece_now` gave last, without the socket's word.
        self.more = True
        # Which errors of the socket say that it has to wait until it can be read, or written to. A
        # socket with TLS is of a module that takes long to import, and is there if it is one.
        tls: Any = sys.modules.get("ssl")
        self._secure = tls is not None and isinstance(sock, tls.SSLSocket)
        self._to_read: tuple[type[OSError], ...] = ()
        self._to_write: tuple[type[OSError], ...] = ()
        if self._secure:
            self._to_read, self._to_write = (tls.SSLWantReadError,), (tls.SSLWantWriteError,)
        self._wants_write = False

    def receive(self, size: int, deadline: float | None = None) -> bytes:
        """Return from 1 to `size` bytes, waiting until `deadline` on `time.monotonic`.

        Only one thread may read.

        Raises:
            EndOfStream: when there is nothing more.
            TimeoutError: when the deadline has come.
        """
        if self._position == len(self._buffer):
            self._buffer = self._fill(deadline)
            self._position = 0
        start = self._position
        self._position = min(start + size, len(self._buffer))
        return self._buffer[start : self._position]

    def receive_until(self, end: bytes, limit: int, deadline: float | None = None) -> bytes | None:
        """Return what comes up to `end`, with it; what follows is left for who reads next.

        None when `end` is not complete within `limit` bytes. Raises what `receive` does.
        """
        head = bytearray()
        while len(head) < limit:
            seen = len(head)
            head += self.receive(limit - seen, deadline)
            found = head.find(end, max(0, seen - len(end) + 1))
            if found >= 0:
                stop = found + len(end)
                self._position -= len(head) - stop
                return bytes(head[:stop])
        return None

    def _fill(self, deadline: float | None) -> bytes:
        """Return what the socket has, at least one byte."""
        while True:
            data = self._read()
            if data is not None:
                return data
            self._wait(writing=self._wants_write, deadline=deadline)

    def _read(self) -> bytes | None:
        """Return what the socket has, or None when it has nothing now."""
        self._wants_write = False
        try:
            with self._lock:
                data = self._sock.recv(self._read_size)
        except _NOT_NOW:
            return None
        except self._to_read:
            return None
        except self._to_write:
            self._wants_write = True
            return None
        except OSError as error:
            raise EndOfStream(str(error)) from error
        if not data:
            raise EndOfStream
        return data

    def piece(self) -> bytes:
        """Return what comes next, in one large piece, waiting for it.

        Raises:
            EndOfStream: when there is nothing more.
        """
        return self._rest() or self._fill(None)

    def _rest(self) -> bytes:
        """Return what `receive` has left."""
        rest = self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        return rest

    def piece_now(self) -> bytes | None:
        """Return what is there, in one large piece; None when that is nothing. It sets `more`.

        Raises:
            EndOfStream: when there is nothing more.
        """
        if self._buffer and (rest := self._rest()):
            self.more = True
            return rest
        if not self._secure:
            # As _read, without its call.
            try:
                piece = self._sock.recv(self._read_size)
            except _NOT_NOW:
                self.more = False
                return None
            except OSError as error:
                raise EndOfStream(str(error)) from error
            if piece:
                self.more = len(piece) == self._read_size
                return piece
            raise EndOfStream
        data = self._read()
        if data is None and self._wants_write:
            self._wait(writing=True, deadline=None)
            data = self._read()
        # Only the next attempt tells whether the TLS layer holds some.
        self.more = data is not None
        return data

    def fileno(self) -> int:
        """Return the descriptor, -1 once it is given back."""
        return self._sock.fileno()

    def send_all(self, data: bytes, deadline: float | None = None, *, last: bool = False) -> None:
        """Send all of `data`, in one piece; nothing more after the `last`. Safe from any thread.

        What `send_now` has left goes out first.

        Raises:
            EndOfStream: when the stream ended, or the last was sent.
            TimeoutError: when the deadline has come. Part of `data` may be sent: a stream on which
                that happened is shut down.
        """
        timeout = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if is_mine(self._write_lock):
            raise EndOfStream("a signal's handler cannot send in the middle of a send")
        try:
            if not self._write_lock.acquire(timeout=timeout):
                raise TimeoutError  # noqa: TRY301
            if self._sealed:
                raise EndOfStream
            self._sealed = last
            unsent, self._unsent = self._unsent, b""
            self._write(memoryview(unsent + data if unsent else data), deadline)
        except TimeoutError:
            self.shutdown()
            raise
        finally:
            try:  # noqa: SIM105  see own_lock
                self._write_lock.release()
            except RuntimeError:
                pass  # another thread has it

    def send_now(self, data: bytes) -> bool | None:
        """Send what can be sent of `data` without waiting. Safe from any thread.

        Return True when that was all; False when the next `send_all` has to send the rest; None
        when nothing of it was taken, because another thread sends.

        Raises:
            EndOfStream: when the stream ended.
        """
        write_lock = self._write_lock
        if write_lock._is_owned():  # as is_mine, without its call
            return None
        try:
            if not write_lock.acquire(blocking=False):
                return None
            if self._sealed:
                raise EndOfStream
            if self._unsent:
                return None
            try:
                if self._secure:
                    with self._lock:
                        sent = self._sock.send(data)
                else:
                    sent = self._sock.send(data)
            except _NOT_NOW:
                sent = 0
            except (*self._to_read, *self._to_write):
                sent = 0
            except OSError as error:
                raise EndOfStream(str(error)) from error
            if sent < len(data):
                self._unsent = data[sent:]
                return False
            return True
        finally:
            try:  # noqa: SIM105  see own_lock
                write_lock.release()
            except RuntimeError:
                pass  # another thread has it

    def _write(self, data: memoryview, deadline: float | None) -> None:
        """Send all of `data`. This method requires holding the write lock."""
        while data:
            try:
                with self._lock:
                    sent = self._sock.send(data)
            except _NOT_NOW:
                self._wait(writing=True, deadline=deadline)
            except self._to_write:
                self._wait(writing=True, deadline=deadline)
            except self._to_read:
                self._wait(writing=False, deadline=deadline)
            except OSError as error:
                raise EndOfStream(str(error)) from error
            else:
                data = data[sent:]

    def readable(self) -> bool:
        """Tell whether a read would not wait: something came, or the end."""
        descriptor = self._sock.fileno()
        if descriptor < 0 or self._position < len(self._buffer):
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([descriptor], [], [], 0)[0])  # pragma: no cover - Windows

    def writable(self) -> bool:
        """Tell whether some bytes can be sent without waiting; whether an error can be had, too."""
        descriptor = self._sock.fileno()
        if descriptor < 0:
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            return bool(poll.poll(0))
        return bool(select.select([], [descriptor], [], 0)[1])  # pragma: no cover - Windows

    def _wait(self, *, writing: bool, deadline: float | None) -> None:
        """Wait until the socket can go on."""
        timeout = None if deadline is None else deadline - time.monotonic()
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        descriptor = self._sock.fileno()
        if descriptor < 0:
            raise EndOfStream
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT if writing else select.POLLIN)
            # Up to a whole millisecond, so that a short rest is waited for and not spun through.
            poll.poll(None if timeout is None else int(min(timeout, LONGEST_WAIT) * 1000) + 1)
        else:  # pragma: no cover - Windows
            wanted = [descriptor]
            select.select([] if writing else wanted, wanted if writing else [], wanted, timeout)

    def shutdown(self) -> None:
        """End both directions and wake whoever waits. Safe from any thread, any number of times."""
        self._sealed = True
        # Not SSLSocket.shutdown: that one takes the TLS layer off, and a reader would get the
        # encrypted bytes.
        with self._lock, contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Shut down and give the descriptor back, once no writer uses it."""
        self.shutdown()
        with self._write_lock, self._lock:
            self._sock.close()

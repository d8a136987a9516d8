"""Requests over one kept-alive HTTP/1.1 connection, each before one deadline, from one thread.

Requests are written here and answers read by `http.client`, on a `Stream`: so every byte has the
same deadline, another thread may abort, TLS and proxies are those of the WebSocket. No redirect is
followed, no cookie kept, nothing is sent again by itself.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from phoenix_actors.transport import dial
from phoenix_actors.transport.opening import open_socket
from phoenix_actors.transport.stream import DEFAULT_READ_SIZE, EndOfStream, Stream
from supervisors._locks import new_lock

if TYPE_CHECKING:
    import socket

    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.handshake import Target

__all__ = ["BodyTooLongError", "HttpAnswer", "HttpConnection"]

# What a user's header of that name replaces.
_HOST: Final = "host"


class BodyTooLongError(Exception):
    """The body of an answer is longer than what is taken in."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """Status, headers with names in lower case, body; the repr shows the status alone."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<HttpAnswer {self.status}>"


class HttpConnection:
    """One connection, opened when it is needed. `abort` is for any thread, the rest for one."""

    def __init__(self, target: Target, options: TransportOptions) -> None:
        """Begin with nothing open."""
        self._target = target
        self._options = options
        self._stream: Stream | None = None
        self._held: socket.socket | None = None
        self._lock = new_lock()
        self._aborted = False

    def request(
        self,
        method: str,
        resource: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None,
        deadline: float | None,
    ) -> HttpAnswer:
        """Send a request and return the answer to it.

        A connection that the server closed since the last answer is replaced before anything is
        sent. One that breaks later may have been heard: the request is not sent again.

        Raises:
            BodyTooLongError: the body has more bytes than `max_message_size`.
            EndOfStream: the connection ended, or abort() was called.
            TimeoutError: the deadline has come.
            http.client.HTTPException: the answer is no HTTP.
            ConnectError, TLSError, OSError: there is no connection; see `open_socket`.
        """
        stream = self._connected(deadline)
        try:
            stream.send_all(self._head(method, resource, headers, body), deadline)
            answer, reusable = self._read(stream, method, deadline)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            self.close()
            raise EndOfStream from error
        except BaseException:
            self.close()
            raise
        if not reusable:
            self.close()
        return answer

    def _connected(self, deadline: float | None) -> Stream:
        stream = self._stream
        if stream is not None and stream.readable():
            # Nothing may come now but the end.
            self.close()
            stream = None
        if stream is None:
            sock = open_socket(self._target, self._options, deadline, self._hold)
            stream = Stream(sock, self._options.tcp_opts.buffer or DEFAULT_READ_SIZE)
            with self._lock:
                self._stream, self._held = stream, None
                aborted = self._aborted
            if aborted:
                self.close()
                raise EndOfStream
        return stream

    def _hold(self, sock: socket.socket) -> None:
        """Keep the socket of an attempt where abort() finds it."""
        with self._lock:
            if self._aborted:
                raise EndOfStream
            self._held = sock

    def _head(
        self,
        method: str,
        resource: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None,
    ) -> bytes:
        """Return the request."""
        lines = [f"{method} {resource} HTTP/1.1"]
        if not any(name.lower() == _HOST for name, _ in headers):
            lines.append(f"Host: {self._target.authority}")
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

    def _read(self, stream: Stream, method: str, deadline: float | None) -> tuple[HttpAnswer, bool]:
        """Return the answer, and whether another request may follow."""
        source: Any = _Source(stream, deadline)
        response = http.client.HTTPResponse(source, method=method)
        response.begin()
        limit = self._options.max_message_size
        body = response.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLongError
        if response.length:
            raise EndOfStream("the body is cut short")
        headers = {name.lower(): value for name, value in response.getheaders()}
        reusable = not response.will_close
        response.close()
        return HttpAnswer(response.status, headers, body), reusable

    def abort(self) -> None:
        """End the request under way, and let no other begin. Safe from any thread; never waits."""
        with self._lock:
            self._aborted = True
            stream, held = self._stream, self._held
        if stream is not None:
            stream.shutdown()
        elif held is not None:
            dial.shut_down(held)

    def close(self) -> None:
        """Close the connection, if one is open."""
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class _Incoming(io.RawIOBase):
    """What a stream brings before a deadline, as a file."""

    def __init__(self, stream: Stream, deadline: float | None) -> None:
        super().__init__()
        self._stream = stream
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what there is; 0 at the end."""
        if self._deadline is not None and self._deadline <= time.monotonic():
            # Drops that keep coming do not put the deadline off.
            raise TimeoutError
        try:
            data = self._stream.receive(len(buffer), self._deadline)
        except EndOfStream:
            return 0
        buffer[: len(data)] = data
        return len(data)


class _Source:
    """What `HTTPResponse` takes for a socket."""

    def __init__(self, stream: Stream, deadline: float | None) -> None:
        self._incoming = _Incoming(stream, deadline)

    def makefile(self, _: str) -> io.BufferedReader:
        """Return the file to read from."""
        return io.BufferedReader(self._incoming)

"""The WebSocket transport: frames by websocket-client, everything around them here.

Of websocket-client only the framing is used (`ABNF`, `frame_buffer`). Its connection class closes
by reading from the closing thread, joins fragments in quadratic time, has no bound for a message
and keeps cookies for the process. Here one reader thread per connection reads, answers pings and
closes, and the calls of `TransportEvents` come from it.

A proxy is used where `transport_opts` asks for one, those of the environment only where it asks for
them: else a server on localhost is reached whatever `http_proxy` says.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import websocket

from phoenix_actors.errors import ConnectionLost, EncodeError, NotConnected, PhoenixError
from phoenix_actors.transport import dial
from phoenix_actors.transport.frames import Frames, TooBigError
from phoenix_actors.transport.handshake import Target, target_of, upgrade
from phoenix_actors.transport.opening import failed_opening, open_socket
from phoenix_actors.transport.stream import DEFAULT_READ_SIZE, EndOfStream, Stream

if TYPE_CHECKING:
    import socket

    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.deflate import Deflate
    from phoenix_actors.transport.interface import TransportEvents

__all__ = ["WebSocketHandle", "WebSocketTransport"]

_TEXT: Final = websocket.ABNF.OPCODE_TEXT
_BINARY: Final = websocket.ABNF.OPCODE_BINARY
_CLOSE: Final = websocket.ABNF.OPCODE_CLOSE
_PING: Final = websocket.ABNF.OPCODE_PING
_PONG: Final = websocket.ABNF.OPCODE_PONG

_NO_CODE: Final = 1005
_ABNORMAL: Final = 1006
_PROTOCOL_ERROR: Final = 1002
_TOO_BIG: Final = 1009
_REASON_LIMIT: Final = 123


class WebSocketTransport:
    """Opens WebSockets. Keeps nothing between connections; safe from any thread.

    Example:
        >>> from phoenix_actors.options import TransportOptions
        >>> WebSocketTransport().open("ws://127.0.0.1:1/", TransportOptions(), events=None)
        Traceback (most recent call last):
        phoenix_actors.errors.ConnectError: the server could not be reached (ws://127.0.0.1:1/): \
check the URL and whether the server runs
    """

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> WebSocketHandle:
        """Open a connection on the calling thread; see `Transport.open`.

        `connected` is the first event of the reader thread, so it may come before or after this
        returns.
        """
        target = target_of(url)
        handle = WebSocketHandle(target, options, events)
        if options.announce is not None:
            options.announce(handle)
        handle.open()
        return handle


class WebSocketHandle:
    """One connection; see `TransportHandle`. Made by `WebSocketTransport.open`."""

    def __init__(self, target: Target, options: TransportOptions, events: TransportEvents) -> None:
        self._target = target
        self._options = options
        self._events = events
        self._held: socket.socket | None = None
        self._stream: Stream | None = None
        self._deflate: Deflate | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._aborted = False
        self._closing = False
        self._ended = False

    # ---- opening ----

    def open(self) -> None:
        """Connect, upgrade and start the reader. Once, by the transport."""
        timeout = self._options.connect_timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        shown = self._target.shown
        try:
            self._start(deadline)
        except PhoenixError:
            raise
        except Exception as error:
            # The one border where foreign errors become ours.
            raise failed_opening(error, shown, timeout, aborted=self._aborted) from error

    def _start(self, deadline: float | None) -> None:
        """Do everything that `open` does; raise what comes."""
        target = self._target
        options = self._options
        sock = open_socket(target, options, deadline, self._hold)
        stream = Stream(sock, options.tcp_opts.buffer or DEFAULT_READ_SIZE)
        try:
            self._deflate = upgrade(stream, target, options, deadline)
            self._adopt(stream)
            name = f"phoenix-reader-{target.host}:{target.port}"
            reader = threading.Thread(target=self._read, args=(stream,), name=name, daemon=True)
            reader.start()
            self._reader = reader
        except BaseException:
            stream.close()
            raise

    def _adopt(self, stream: Stream) -> None:
        """Take the stream for the connection, unless abort() was called meanwhile."""
        with self._lock:
            if self._aborted:
                raise EndOfStream
            self._stream = stream

    def _hold(self, sock: socket.socket) -> None:
        """Keep the socket of an attempt where abort() finds it."""
        with self._lock:
            if self._aborted:
                raise EndOfStream
            self._held = sock

    # ---- sending ----

    def send_text(self, data: str) -> None:
        """Send a text message; see `TransportHandle.send_text`."""
        try:
            self._send(data.encode(), _TEXT)
        except UnicodeEncodeError:
            raise EncodeError("it has a lone surrogate", None, None, "text") from None

    def send_binary(self, data: bytes) -> None:
        """Send a binary message; see `TransportHandle.send_binary`."""
        self._send(bytes(data), _BINARY)

    def writable(self) -> bool:
        """Tell whether a short message can be sent without waiting for the peer."""
        stream = self._stream
        return stream is None or stream.writable()

    def _send(self, data: bytes, opcode: int) -> None:
        stream = self._stream
        if stream is None or self._closing or self._ended:
            raise NotConnected
        try:
            self._write(stream, data, opcode)
        except TimeoutError as error:
            took = f"the peer took nothing for {self._options.send_timeout} seconds"
            raise ConnectionLost(_ABNORMAL, took) from error
        except EndOfStream as error:
            if self._closing:
                raise NotConnected from None
            raise ConnectionLost(_ABNORMAL, "the stream ended") from error

    def _write(self, stream: Stream, data: bytes, opcode: int) -> None:
        """Send one frame; nothing after a close frame."""
        timeout = self._options.send_timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        deflated = None
        if self._deflate is not None and opcode < _CLOSE:
            deflated = self._deflate.compress(data)
        frame = websocket.ABNF.create_frame(data if deflated is None else deflated, opcode)
        frame.rsv1 = int(deflated is not None)
        stream.send_all(frame.format(), deadline, last=opcode == _CLOSE)

    def _write_close(self, stream: Stream, code: int, reason: bytes = b"") -> None:
        """Send a close frame, if that is still possible."""
        self._closing = True
        data = b"" if code == _NO_CODE else struct.pack("!H", code) + reason
        with contextlib.suppress(EndOfStream, TimeoutError):
            self._write(stream, data, _CLOSE)

    # ---- ending ----

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and return; see `TransportHandle.close`.

        Raises:
            ValueError: for a code that may not be sent, or a reason over 123 bytes.
        """
        encoded = reason.encode()
        if not (code in (1000, 1001) or 3000 <= code <= 4999):
            msg = f"a client may close with 1000, 1001 or 3000 to 4999, not with {code}"
            raise ValueError(msg)
        if len(encoded) > _REASON_LIMIT:
            msg = f"the reason of a close has at most 123 bytes, not {len(encoded)}"
            raise ValueError(msg)
        with self._lock:
            stream, first = self._stream, not self._closing
            self._closing = True
        if stream is not None and first and not self._ended:
            self._write_close(stream, code, encoded)

    def abort(self) -> None:
        """Drop the connection, or the attempt; see `TransportHandle.abort`."""
        with self._lock:
            self._aborted = True
            stream, held = self._stream, self._held
        if stream is not None:
            stream.shutdown()
        elif held is not None:
            dial.shut_down(held)

    def join(self, timeout: float | None = None) -> None:
        """Wait up to `timeout` seconds until the reader thread has ended; not on that thread."""
        reader = self._reader
        if reader is not None and reader is not threading.current_thread():
            reader.join(timeout)

    # ---- reading ----

    def _read(self, stream: Stream) -> None:
        """Read until the end; the body of the reader thread."""
        outcome = _Ending(_ABNORMAL, "the reader failed", clean=False)
        try:
            self._events.connected()
            outcome = self._read_messages(stream)
        finally:
            # Whatever happened: the socket is closed and `closed` is called, once.
            self._ended = True
            stream.close()
            self._events.closed(*outcome)

    def _read_messages(self, stream: Stream) -> _Ending:
        """Deliver messages until the end, and return it."""
        frames = Frames(stream.receive, self._options.max_message_size, self._deflate)
        while True:
            following = self._next_message(stream, frames)
            if isinstance(following, _Ending):
                return following
            opcode, data = following
            if opcode == _TEXT:
                self._events.text(data)
            else:
                self._events.binary(data)

    def _next_message(self, stream: Stream, frames: Frames) -> tuple[int, bytes] | _Ending:
        """Return opcode and data of the next message; answer what comes before it."""
        try:
            while not self._aborted:
                opcode, fin, data = frames.receive()
                if opcode == _PING:
                    self._answer_ping(stream, data)
                elif opcode == _CLOSE:
                    return self._answer_close(stream, data)
                elif opcode != _PONG and frames.add(opcode, data, fin=fin):
                    return frames.take()
        except websocket.WebSocketProtocolException as error:
            self._write_close(stream, _PROTOCOL_ERROR)
            return _Ending(_PROTOCOL_ERROR, f"the peer broke the protocol: {error}", clean=False)
        except TooBigError:
            self._write_close(stream, _TOO_BIG)
            limit = self._options.max_message_size
            return _Ending(_TOO_BIG, f"a message of more than {limit} bytes", clean=False)
        except (EndOfStream, TimeoutError):
            pass
        reason = "aborted" if self._aborted else "the stream ended"
        return _Ending(_ABNORMAL, reason, clean=False)

    def _answer_ping(self, stream: Stream, data: bytes) -> None:
        """Send a pong (C104), but not after a close frame."""
        try:
            self._write(stream, data, _PONG)
        except EndOfStream:
            if not self._closing:
                raise

    def _answer_close(self, stream: Stream, data: bytes) -> _Ending:
        """Answer a close frame, unless it is an answer itself; return what it says."""
        code = int.from_bytes(data[:2], "big") if data else _NO_CODE
        if not self._closing:
            self._write_close(stream, code)
        return _Ending(code, data[2:].decode(errors="replace"), clean=True)

    def __repr__(self) -> str:
        state = "ended" if self._ended else "closing" if self._closing else "open"
        return f"<WebSocketHandle {self._target.shown} {state}>"


class _Ending(NamedTuple):
    """How a connection ended, as `TransportEvents.closed` is told."""

    code: int
    reason: str
    clean: bool

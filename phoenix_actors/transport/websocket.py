"""The WebSocket transport: one reader thread per connection, and frames by `frames`.

`WebSocketTransport("websocket-client")` has the frames read and written by websocket-client, one at
a time. Its connection class is not used: that closes by reading from the closing thread, joins
fragments in quadratic time, has no bound for a message and keeps cookies for the process. The
reader thread reads, answers pings and closes, and the calls of `TransportEvents` come from it, or
from a caller that has borrowed the reading, see `reading`.

A proxy is used where `transport_opts` asks for one, those of the environment only where it asks for
them: else a server on localhost is reached whatever `http_proxy` says.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from phoenix_actors.errors import ConnectionLost, NotConnected, PhoenixError
from phoenix_actors.transport import dial
from phoenix_actors.transport.frames import BINARY, CLOSE, PING, PONG, TEXT, Run, TooBigError
from phoenix_actors.transport.framing import Framing, framing_of, utf8
from phoenix_actors.transport.handshake import Target, target_of, upgrade
from phoenix_actors.transport.opening import failed_opening, open_socket
from phoenix_actors.transport.reading import Reading
from phoenix_actors.transport.stream import DEFAULT_READ_SIZE, EndOfStream, Stream
from supervisors._locks import new_lock

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.deflate import Deflate
    from phoenix_actors.transport.interface import TransportEvents

__all__ = ["WebSocketHandle", "WebSocketTransport"]

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

    _framing = framing_of("websocket")

    def __init__(self, framing: str = "websocket") -> None:
        """Have frames read and written by this library, or by "websocket-client".

        Raises:
            InvalidOption: for another word.
        """
        self._framing = framing_of(framing)

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> WebSocketHandle:
        """Open a connection on the calling thread; see `Transport.open`.

        `connected` is the first event of the reader thread, so it may come before or after this
        returns.
        """
        handle, read = self.open_here(url, options, events)
        handle.read_by_itself(read)
        return handle

    def open_here(
        self, url: str, options: TransportOptions, events: TransportEvents
    ) -> tuple[WebSocketHandle, Callable[[], None]]:
        """Do the same for a thread that becomes the reader thread: it calls what is returned."""
        handle = WebSocketHandle(target_of(url), options, events, self._framing)
        if options.announce is not None:
            options.announce(handle)
        return handle, handle.open()


class WebSocketHandle:
    """One connection; see `TransportHandle`. Made by `WebSocketTransport.open`."""

    def __init__(
        self,
        target: Target,
        options: TransportOptions,
        events: TransportEvents,
        framing: Framing | None = None,
    ) -> None:
        self._target = target
        self._options = options
        self._events = events
        self._framing = framing = framing or WebSocketTransport._framing
        self._frame_of = framing.frame_of
        # What takes several texts, on the reader thread and in a caller's, where one may be alone.
        self._texts: Any = getattr(events, "texts", None) if framing.together else None
        self._some: Any = getattr(events, "some_texts", None) if framing.together else None
        self._lone: Any = getattr(events, "lone_text", None) if framing.together else None
        self._reading: Reading | None = None
        self._outcome: _Ending | None = None
        self._held: socket.socket | None = None
        self._stream: Stream | None = None
        self._way_out: Stream | None = None  # the same while messages may be sent
        self._deflate: Deflate | None = None
        self._plain = False  # whether a text alone is one frame without more ado
        self._reader: threading.Thread | None = None
        self._lock = new_lock()
        self._aborted = False
        self._closing = False
        self._ended = False

    # ---- opening ----

    def open(self) -> Callable[[], None]:
        """Connect and upgrade, once, by the transport; return the body of the reader thread."""
        timeout = self._options.connect_timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        shown = self._target.shown
        try:
            return self._start(deadline)
        except PhoenixError:
            raise
        except Exception as error:
            # The one border where foreign errors become ours.
            raise failed_opening(error, shown, timeout, aborted=self._aborted) from error

    def _start(self, deadline: float | None) -> Callable[[], None]:
        """Do everything that `open` does; raise what comes."""
        target = self._target
        options = self._options
        sock = open_socket(target, options, deadline, self._hold)
        stream = Stream(sock, options.tcp_opts.buffer or DEFAULT_READ_SIZE)
        try:
            self._deflate = upgrade(stream, target, options, deadline)
            self._plain = self._framing.together and self._deflate is None
            self._adopt(stream)
            limit = options.max_message_size
            reading = Reading(stream, self._framing.reader(limit, self._deflate))
            self._reading = reading
        except BaseException:
            if self._reading is not None:
                self._reading.close()
            stream.close()
            raise
        return partial(self._read, stream, reading)

    def read_by_itself(self, read: Callable[[], None]) -> None:
        """Start a reader thread for what `open` gave."""
        try:
            reader = threading.Thread(target=read, name=self._reader_name(), daemon=True)
            reader.start()
            self._reader = reader  # join() right after this has whom to wait for
        except Exception as error:
            stream, reading = self._stream, self._reading
            if stream is not None and reading is not None:
                stream.shutdown()
                reading.close()
                stream.close()
            raise failed_opening(error, self._target.shown, None, aborted=self._aborted) from error

    def _reader_name(self) -> str:
        return f"phoenix-reader-{self._target.host}:{self._target.port}"

    def _adopt(self, stream: Stream) -> None:
        """Take the stream for the connection, unless abort() was called meanwhile."""
        with self._lock:
            if self._aborted:
                raise EndOfStream
            self._stream = stream
            self._way_out = None if self._closing else stream

    def _hold(self, sock: socket.socket) -> None:
        """Keep the socket of an attempt where abort() finds it."""
        with self._lock:
            if self._aborted:
                raise EndOfStream
            self._held = sock

    # ---- sending ----

    def send_text(self, data: str) -> None:
        """Send a text message; see `TransportHandle.send_text`."""
        self.send_all((data,))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message; see `TransportHandle.send_binary`."""
        self.send_all((data,))

    def send_all(self, messages: Sequence[str | bytes]) -> None:
        """Send text and binary messages in this order, in one go, behind what `send_now` left."""
        stream = self._way_out
        if stream is None:
            raise NotConnected
        try:
            self._write(stream, self._joined(messages))
        except (TimeoutError, EndOfStream) as error:
            raise self._send_error(error) from error

    def send_now(self, messages: Sequence[str | bytes]) -> bool | None:
        """Do the same without waiting: False when `send_all` has to end it, None to begin it."""
        stream = self._way_out
        if stream is None:
            raise NotConnected
        if self._plain and len(messages) == 1 and type(message := messages[0]) is str:
            frames = self._frame_of(utf8(message), TEXT)
        elif self._framing.together:
            frames = self._joined(messages)
        else:
            return None
        try:
            return stream.send_now(frames)
        except EndOfStream as error:
            raise self._send_error(error) from error

    def _send_error(self, error: Exception) -> PhoenixError:
        """Return what to raise for what a send raised."""
        if isinstance(error, TimeoutError):
            took = f"the peer took nothing for {self._options.send_timeout} seconds"
            return ConnectionLost(_ABNORMAL, took)
        return NotConnected() if self._closing else ConnectionLost(_ABNORMAL, "the stream ended")

    def _joined(self, messages: Sequence[str | bytes]) -> bytes:
        return b"".join(map(self._framed, messages))

    def _framed(self, data: str | bytes) -> bytes:
        if isinstance(data, str):
            opcode, encoded = TEXT, utf8(data)
        else:
            opcode, encoded = BINARY, bytes(data)
        if self._deflate is not None:
            deflated = self._deflate.compress(encoded)
            if deflated is not None:
                return self._frame_of(deflated, opcode, deflated=True)
        return self._frame_of(encoded, opcode)

    def writable(self) -> bool:
        """Tell whether a short message can be sent without waiting for the peer."""
        stream = self._stream
        return stream is None or stream.writable()

    def _write(self, stream: Stream, frames: bytes, *, last: bool = False) -> None:
        """Send frames; nothing after a close frame, the last."""
        timeout = self._options.send_timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        stream.send_all(frames, deadline, last=last)

    def _write_close(self, stream: Stream, code: int, reason: bytes = b"") -> None:
        """Send a close frame, if that is still possible."""
        self._closing, self._way_out = True, None
        data = b"" if code == _NO_CODE else struct.pack("!H", code) + reason
        with contextlib.suppress(EndOfStream, TimeoutError):
            self._write(stream, self._frame_of(data, CLOSE), last=True)

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
            self._closing, self._way_out = True, None
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

    def _read(self, stream: Stream, reading: Reading) -> None:
        """Read until the end; the body of the reader thread."""
        self._reader = reader = threading.current_thread()
        reader.name = self._reader_name()
        outcome = _Ending(_ABNORMAL, "the reader failed", clean=False)
        try:
            self._events.connected()
            outcome = self._read_messages(stream, reading)
        finally:
            # Whatever happened: the socket is closed and `closed` is called, once.
            self._ended, self._way_out = True, None
            stream.shutdown()
            reading.close()
            stream.close()
            self._events.closed(*outcome)

    def _read_messages(self, stream: Stream, reading: Reading) -> _Ending:
        """Deliver messages until the end, and return it."""
        deal_with = partial(self._deal_with, stream)
        while not self._aborted and reading.next(deal_with):
            if self._outcome is not None:
                return self._outcome
            if reading.error is not None:
                return self._refuse(stream, reading.error)
        reason = "aborted" if self._aborted else "the stream ended"
        return _Ending(_ABNORMAL, reason, clean=False)

    def _deal_with(self, stream: Stream, runs: list[Run]) -> None:
        """Deliver messages and answer what comes between them, on the reader thread."""
        events, texts = self._events, self._texts
        for opcode, run in runs:
            if self._aborted:
                return
            if opcode == TEXT and texts is not None:
                texts(run)
            elif opcode in (TEXT, BINARY):
                event = events.text if opcode == TEXT else events.binary
                for data in run:
                    if self._aborted:
                        return
                    event(data)
            elif opcode == PING:
                self._answer_ping(stream, run[0])
            elif opcode == CLOSE:
                self._outcome = self._answer_close(stream, run[0])

    def read_until(self, done: Callable[[], bool], timeout: float | None) -> None:
        """Read in this thread, if nobody else does, until `done()` or the timeout, or before."""
        reading = self._reading
        if reading is not None and self._lone is not None:
            reading.borrow(done, timeout, self._lone, self._deal_lent)

    def stop_reading(self) -> None:
        """Have another thread that is in `read_until` return."""
        if self._reading is not None:
            self._reading.wake()

    def _deal_lent(self, runs: list[Run]) -> list[Run]:
        """Deliver texts; return what comes first that is none, or must not be waited for here."""
        for number, (opcode, run) in enumerate(runs):
            rest = self._some(run) if opcode == TEXT else run
            if rest is not None:
                return [(opcode, rest), *runs[number + 1 :]]
        return []

    def _refuse(self, stream: Stream, error: Exception) -> _Ending:
        """Close because of what the peer sent; return how that ends."""
        if isinstance(error, TooBigError):
            self._write_close(stream, _TOO_BIG)
            limit = self._options.max_message_size
            return _Ending(_TOO_BIG, f"a message of more than {limit} bytes", clean=False)
        self._write_close(stream, _PROTOCOL_ERROR)
        return _Ending(_PROTOCOL_ERROR, f"the peer broke the protocol: {error}", clean=False)

    def _answer_ping(self, stream: Stream, data: bytes) -> None:
        """Send a pong (C104), but not after a close frame."""
        # Where that fails, the stream has ended, which the next attempt to read finds.
        with contextlib.suppress(EndOfStream, TimeoutError):
            self._write(stream, self._frame_of(data, PONG))

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

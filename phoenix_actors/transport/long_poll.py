"""The long poll transport: the same frames over plain HTTP, where WebSockets do not get through.

Two threads per connection, each with an HTTP connection of its own that is kept alive: the poller
always has a GET at the server and delivers what it brings, the poster sends what is queued, one
POST at a time. What they do is decided by `machines.long_poll`.

A session lives on the server as long as it is polled, for 1.5 times its window (10 s by default).
So a client that stops reading (`inbound_overflow="block"`) for longer loses its session, and after
disconnect() the server keeps the session, and its channels, for that long.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from phoenix_actors.errors import (
    ConnectError,
    ConnectionLost,
    DecodeError,
    EncodeError,
    HandshakeRefused,
    InvalidOption,
    NotConnected,
    PhoenixError,
)
from phoenix_actors.machines import long_poll as machine
from phoenix_actors.protocol.long_poll import BATCH_TYPE, SINGLE_TYPE, encode_line, read_answer
from phoenix_actors.transport.handshake import retry_after, target_of
from phoenix_actors.transport.http_requests import BodyTooLongError, HttpConnection
from phoenix_actors.transport.opening import failed_opening
from phoenix_actors.transport.stream import EndOfStream
from supervisors._locks import new_rlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.options import TransportOptions
    from phoenix_actors.protocol.long_poll import Answer, Line
    from phoenix_actors.transport.handshake import Target
    from phoenix_actors.transport.http_requests import HttpAnswer
    from phoenix_actors.transport.interface import TransportEvents

__all__ = ["LongPollHandle", "LongPollTransport"]

_HTTP_OK: Final = 200
_TOKEN_HEADER: Final = "X-Phoenix-Longpoll-Token"  # noqa: S105  the name of a header
_AUTH_TOKEN_HEADER: Final = "X-Phoenix-AuthToken"  # noqa: S105  the name of a header
_POLL_HEADERS: Final = (("Accept", "application/json"), ("Cache-Control", "no-cache"))
# Seconds for the poster to end once its request is aborted; it may still look a name up.
_PATIENCE: Final = 1.0
# How many messages, and bytes of them, may wait for the next POST before a send waits.
_MAX_QUEUED: Final = 100
_MAX_QUEUED_BYTES: Final = 1024 * 1024


class LongPollTransport:
    """Opens sessions of long poll. Keeps nothing between connections; safe from any thread.

    `SocketClient.start_link(url=…, transport=LongPollTransport())` uses nothing else;
    `longpoll_fallback=2.5` uses it where the WebSocket does not get through. The URL is the same as
    for a WebSocket: `…/websocket` at its end becomes `…/longpoll`.

    Example:
        >>> from phoenix_actors.options import TransportOptions
        >>> LongPollTransport().open("ws://127.0.0.1:1/websocket", TransportOptions(), events=None)
        Traceback (most recent call last):
        phoenix_actors.errors.ConnectError: the server could not be reached \
(ws://127.0.0.1:1/longpoll): check the URL and whether the server runs
    """

    def open(self, url: str, options: TransportOptions, events: TransportEvents) -> LongPollHandle:
        """Ask for a session on the calling thread; see `Transport.open`."""
        handle = LongPollHandle(_poll_target(target_of(url)), options, events)
        if options.announce is not None:
            options.announce(handle)
        handle.open()
        return handle


class LongPollHandle:
    """One session; see `TransportHandle`. Made by `LongPollTransport.open`."""

    # A poll is answered every window: a server that is gone is noticed without heartbeats (C144).
    needs_heartbeat = False

    def __init__(self, target: Target, options: TransportOptions, events: TransportEvents) -> None:
        self._target = target
        self._options = options
        self._events = events
        self._machine = machine.LongPollMachine()
        # Guards the machine and the POST to be made; told of every change.
        self._lock = new_rlock()
        # To be waited at and notified; never taken itself, see `_locks`.
        self._changed = threading.Condition(self._lock)
        self._post: machine.Post | None = None
        self._polls = HttpConnection(target, options)
        self._posts = HttpConnection(target, options)
        self._poller: threading.Thread | None = None
        self._poster = _thread(self._run_posts, f"phoenix-poster-{target.host}:{target.port}")
        self._aborted = False

    # ---- opening ----

    def open(self) -> None:
        """Get a session and start the threads. Once, by the transport."""
        timeout = self._options.connect_timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        shown = self._target.shown
        try:
            first = self._begin(deadline)
            self._start(first)
        except PhoenixError:
            self._give_up()
            raise
        except Exception as error:
            self._give_up()
            if isinstance(error, http.client.HTTPException) and not self._aborted:
                raise ConnectError("the answer is not HTTP", url=shown) from error
            raise failed_opening(error, shown, timeout, aborted=self._aborted) from error

    def _start(self, first: machine.Poll) -> None:
        name = f"{self._target.host}:{self._target.port}"
        self._poller = _thread(self._run_polls, f"phoenix-poller-{name}", first)
        self._poster.start()
        self._poller.start()

    def _give_up(self) -> None:
        """Leave nothing of an attempt."""
        self._feed(machine.AbortRequested())
        self._polls.close()

    def _begin(self, deadline: float | None) -> machine.Poll:
        """Return the second poll: the first one brought a session."""
        answer = self._get(None, deadline)
        shown = self._target.shown
        if answer.status != _HTTP_OK:
            raise _refusal(answer.status, answer, shown)
        try:
            told = read_answer(answer.body)
        except DecodeError as error:
            raise ConnectError("the answer is none of long poll", url=shown) from error
        for command in self._feed(machine.PollAnswered(told.status, told.token, told.messages)):
            if isinstance(command, machine.Refuse):
                raise _refusal(command.status, answer, shown)
            if isinstance(command, machine.Poll):
                return command
        raise EndOfStream  # aborted meanwhile

    # ---- requests ----

    def _get(self, token: str | None, deadline: float | None) -> HttpAnswer:
        headers = (*_POLL_HEADERS, *self._options.headers)
        auth_token = self._options.auth_token
        if auth_token is not None:
            headers = ((_AUTH_TOKEN_HEADER, _as_header(auth_token)), *headers)
        return self._polls.request("GET", *self._addressed(token, headers), None, deadline)

    def _addressed(
        self, token: str | None, headers: tuple[tuple[str, str], ...]
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return resource and headers of a session, its token in both: servers differ (C141)."""
        resource = self._target.resource
        if token is None:
            return resource, headers
        mark = "&" if "?" in resource else "?"
        return f"{resource}{mark}token={quote(token, safe='')}", ((_TOKEN_HEADER, token), *headers)

    def _poll(self, poll: machine.Poll) -> machine.LongPollEvent:
        """Ask for messages; return what came of it."""
        if poll.delay:
            with self._lock:
                self._changed.wait_for(lambda: self._ending is not None, poll.delay)
        asked = time.monotonic()
        try:
            told = _read(self._get(poll.token, self._deadline()))
        except Exception as error:  # noqa: BLE001  whatever it is, there is no answer
            return machine.PollFailed(self._problem("poll", error))
        took = time.monotonic() - asked
        return machine.PollAnswered(told.status, told.token, told.messages, took)

    def _send_post(self, post: machine.Post) -> machine.LongPollEvent:
        """Send messages; return what came of it."""
        kind = ("Content-Type", BATCH_TYPE if post.batch else SINGLE_TYPE)
        resource, headers = self._addressed(post.token, (kind, *self._options.headers))
        try:
            deadline = self._deadline()
            told = _read(self._posts.request("POST", resource, headers, post.body, deadline))
        except Exception as error:  # noqa: BLE001  whatever it is, there is no answer
            return machine.PostFailed(self._problem("POST", error))
        return machine.PostAnswered(told.status)

    def _deadline(self) -> float | None:
        timeout = self._options.longpoll_timeout
        return None if timeout is None else time.monotonic() + timeout

    def _problem(self, what: str, error: Exception) -> str:
        """Return why a request brought no answer."""
        if isinstance(error, TimeoutError):
            return f"the {what} was not answered within {self._options.longpoll_timeout} seconds"
        if isinstance(error, EndOfStream):
            return f"the connection ended before the {what} was answered"
        if isinstance(error, BodyTooLongError):
            limit = self._options.max_message_size
            return f"the {what} was answered with more than {limit} bytes"
        if isinstance(error, _StatusError):
            return f"the {what} was answered with HTTP status {error}"
        return f"the {what} failed: {type(error).__name__}"

    # ---- the machine ----

    def _feed(self, event: machine.LongPollEvent) -> list[machine.LongPollCommand]:
        with self._lock:
            return self._feed_locked(event)

    def _feed_locked(self, event: machine.LongPollEvent) -> list[machine.LongPollCommand]:
        """Hand in an event; this method requires holding `_lock`. Never waits.

        What threads wait for is carried out here; the rest is for the poller, which gets it back.
        """
        commands = self._machine.handle(event)
        for command in commands:
            match command:
                case machine.Post():
                    self._post = command
                case machine.CancelPoll():
                    self._polls.abort()
                case machine.Ended():
                    self._polls.abort()
                    self._posts.abort()
        self._changed.notify_all()
        return commands

    @property
    def _ending(self) -> machine.Ended | None:
        # One read of a reference, which is set once.
        return self._machine.ending

    # ---- sending ----

    def send_text(self, data: str) -> None:
        """Queue a text message, waiting for room; see `TransportHandle.send_text`."""
        try:
            line = encode_line(data)
        except UnicodeEncodeError:
            line = None
        if line is None:
            # Out here: that error holds the text.
            raise EncodeError("it has a lone surrogate", None, None, "text")
        self._queue(line)

    def send_binary(self, data: bytes) -> None:
        """Queue a binary message; otherwise like `send_text`."""
        self._queue(encode_line(bytes(data)))

    def writable(self) -> bool:
        """Tell whether a message can be queued without waiting for the peer."""
        return self._has_room() or self._machine.phase is not machine.LongPollPhase.OPEN

    def _has_room(self) -> bool:
        # Without the lock it may be out of date, as what `writable` tells always may.
        queue = self._machine
        return queue.queued < _MAX_QUEUED and queue.queued_bytes < _MAX_QUEUED_BYTES

    def _queue(self, line: Line) -> None:
        with self._lock:
            if not self._changed.wait_for(self.writable, self._options.send_timeout):
                took = f"the peer took nothing for {self._options.send_timeout} seconds"
                raise ConnectionLost(1006, took)
            if self._machine.phase is not machine.LongPollPhase.OPEN:
                raise NotConnected
            self._feed_locked(machine.MessageQueued(line.data, line.alone))

    # ---- ending ----

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Post what is queued, then end; the server is told nothing. See `TransportHandle.close`.

        `closed` comes with this code and reason, for long poll has none on the wire.
        """
        self._feed(machine.CloseRequested(code, reason))

    def abort(self) -> None:
        """Drop the session, or the attempt; see `TransportHandle.abort`."""
        self._aborted = True
        self._feed(machine.AbortRequested())
        self._polls.abort()
        self._posts.abort()

    def join(self, timeout: float | None = None) -> None:
        """Wait up to `timeout` seconds until the threads have ended; not on the poller."""
        poller = self._poller
        if poller is not None and poller.ident not in (None, threading.get_ident()):
            poller.join(timeout)

    # ---- the threads ----

    def _run_polls(self, first: machine.Poll) -> None:
        """Poll until the end; the body of the poller, from which all events come."""
        ending = machine.Ended(1006, "the poller failed", clean=False)
        try:
            self._events.connected()
            following: machine.Poll | None = first
            while following is not None:
                following = self._take(self._feed(self._poll(following)))
            with self._lock:
                self._changed.wait_for(lambda: self._ending is not None)
                ending = self._ending or ending
        finally:
            # Whatever happened: nothing is left open or running, and `closed` is called, once.
            self._feed(machine.AbortRequested())
            self._polls.close()
            self._poster.join(_PATIENCE)
            self._events.closed(ending.code, ending.reason, ending.clean)

    def _take(self, commands: list[machine.LongPollCommand]) -> machine.Poll | None:
        """Deliver messages; return the poll that follows, if one does."""
        following = None
        for command in commands:
            if isinstance(command, machine.Deliver):
                self._deliver(command.messages)
            elif isinstance(command, machine.Poll):
                following = command
        return following if self._ending is None else None

    def _deliver(self, messages: tuple[str | bytes, ...]) -> None:
        for message in messages:
            if self._ending is not None:
                return
            if isinstance(message, str):
                self._events.text(message)
            else:
                self._events.binary(message)

    def _run_posts(self) -> None:
        """Post until the end; the body of the poster."""
        with contextlib.closing(self._posts):
            while (post := self._next_post()) is not None:
                self._feed(self._send_post(post))

    def _next_post(self) -> machine.Post | None:
        with self._lock:
            self._changed.wait_for(lambda: self._post is not None or self._ending is not None)
            post, self._post = self._post, None
            return None if self._ending is not None else post

    def __repr__(self) -> str:
        return f"<LongPollHandle {self._target.shown} {self._machine.phase}>"


def _thread(target: Callable[..., None], name: str, *args: Any) -> threading.Thread:
    return threading.Thread(target=target, args=args, name=name, daemon=True)


def _poll_target(target: Target) -> Target:
    """Return where a server answers long poll whose WebSocket is at `target`.

    Example:
        >>> _poll_target(target_of("ws://h/socket/websocket?vsn=2.0.0")).resource
        '/socket/longpoll?vsn=2.0.0'
    """
    path, mark, query = target.resource.partition("?")
    path = f"{path.removesuffix('/websocket')}/longpoll"
    shown = f"{target.shown.removesuffix('/websocket')}/longpoll"
    return msgspec.structs.replace(target, shown=shown, resource=f"{path}{mark}{query}")


def _refusal(status: int, answer: HttpAnswer, shown: str) -> HandshakeRefused:
    """Return the error of a server that gives no session, for the status that says so."""
    wait = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
    return HandshakeRefused(status, answer.headers, answer.body, url=shown, retry_after=wait)


class _StatusError(Exception):
    """An answer with another HTTP status than 200, which Phoenix gives whatever it has to say."""


def _read(answer: HttpAnswer) -> Answer:
    """Return what an answer says."""
    if answer.status != _HTTP_OK:
        raise _StatusError(answer.status)
    return read_answer(answer.body)


def _as_header(token: str) -> str:
    """Return the text whose latin-1 form is the token in UTF-8, which is what Phoenix reads."""
    if any(character < " " or character == "\x7f" for character in token):
        raise InvalidOption("auth_token", "has a character that no header may have (long poll)")
    return token.encode().decode("latin-1")

"""The route of long poll, answered as `Phoenix.Transports.LongPoll` answers it.

The status of an answer stands in its body, the HTTP status is 200. A GET without a session that
lives makes a new one and is told 410 with its token; a POST without one is told 410 and no more.
Phoenix does not know that a session has ended: it looks for it in the cluster first, for 2 seconds.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.testing.http_messages import HttpResponse
from phoenix_actors.testing.long_poll_session import LongPollSession
from phoenix_actors.testing.query import decode_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phoenix_actors.testing.http_messages import HttpRequest

__all__ = ["AUTH_TOKEN_HEADER", "TOKEN_HEADER", "LongPoll"]

TOKEN_HEADER: Final = "x-phoenix-longpoll-token"  # noqa: S105  the name of a header
AUTH_TOKEN_HEADER: Final = "x-phoenix-authtoken"  # noqa: S105  the name of a header

_GONE: Final = 410
# What one POST may hold: further messages are left, a longer body or line is answered with 400.
_MAX_BATCH: Final = 100
_MAX_BODY: Final = 8_000_000
_MAX_LINE: Final = 10_000_000
_LINE_BREAK: Final = re.compile(r"\r\n|\n")
# How many ended sessions are remembered, and the part of a window for which each is looked for:
# Phoenix's pubsub_timeout_ms is 2 s, its window 10 s, and tests set shorter windows.
_REMEMBERED: Final = 1000
_LOOKED_FOR: Final = 0.2
_ANYBODY: Final = ("access-control-allow-origin", "*")


class LongPoll:
    """The sessions of one server, by token. Only from the server's loop.

    `open_session(request, params, token)` makes one, or returns the response that refuses it.
    `window` is how long a poll waits, in seconds.
    """

    def __init__(
        self,
        open_session: Callable[[HttpRequest, dict[str, Any], str], LongPollSession | HttpResponse],
        window: float,
    ) -> None:
        self._open_session = open_session
        self._window = window
        self._sessions: dict[str, LongPollSession] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)

    def forget(self, session: LongPollSession) -> None:
        """Finds a session that has ended no more."""
        if self._sessions.pop(session.token, None) is not None:
            self._ended.append(session.token)

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answers one request, a poll up to a window later."""
        try:
            params = decode_query(request.query)
        except ValueError as error:
            return HttpResponse.text(400, str(error))
        given = request.header(TOKEN_HEADER) or params.get("token")
        session = self._sessions.get(given) if isinstance(given, str) else None
        if given in self._ended and request.method in ("GET", "POST"):
            await asyncio.sleep(self._window * _LOOKED_FOR)
        match request.method, session:
            case "GET", None:
                return self._begin(request, params)
            case "GET", LongPollSession():
                status, messages = await session.poll()
                return _answer_poll(status, session.token, messages)
            case "POST", None:
                return status_answer(_GONE)
            case "POST", LongPollSession():
                return await _publish(session, request)
            case "OPTIONS", _:
                return _preflight(request)
            case _:
                return HttpResponse(400, headers=[_ANYBODY])

    def _begin(self, request: HttpRequest, params: dict[str, Any]) -> HttpResponse:
        token = f"SFMyNTY.{secrets.token_urlsafe(48)}"
        session = self._open_session(request, params, token)
        if isinstance(session, HttpResponse):
            return session
        self._sessions[token] = session
        return _answer_poll(_GONE, token, [])


def status_answer(status: int) -> HttpResponse:
    """Returns an answer that is a status and nothing else."""
    return _json({"status": status})


class _Unreadable(Exception):
    """A body or a line that cannot be read; `status` is the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def _publish(session: LongPollSession, request: HttpRequest) -> HttpResponse:
    try:
        return status_answer(await session.publish(_read_batch(request)))
    except _Unreadable as error:
        return HttpResponse(error.status, headers=[_ANYBODY])


def _read_batch(request: HttpRequest) -> Iterator[str | bytes]:
    """Yields the messages of a POST; what does not begin with a bracket is base64."""
    if len(request.body) > _MAX_BODY:
        raise _Unreadable(400)
    text = request.body.decode(errors="surrogateescape")
    if request.header("content-type") != "application/x-ndjson":
        yield text
        return
    # One by one: those before one that cannot be read are handled.
    for line in _LINE_BREAK.split(text)[:_MAX_BATCH]:
        yield line if line.startswith("[") else _decode(line)


def _decode(line: str) -> bytes:
    # Elixir's Base.decode64!: the standard alphabet, padded, strictly.
    if len(line) > _MAX_LINE:
        raise _Unreadable(400)
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise _Unreadable(500) from error


def _answer_poll(status: int, token: str, messages: list[str | bytes]) -> HttpResponse:
    """Returns the answer to a poll. Bytes that are no UTF-8 do not fit into JSON: that is a 500."""
    try:
        texts = [one if isinstance(one, str) else one.decode() for one in messages]
    except UnicodeDecodeError:
        return HttpResponse(500, headers=[_ANYBODY])
    return _json({"messages": texts, "status": status, "token": token})


def _json(value: dict[str, Any]) -> HttpResponse:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    kind = ("content-type", "application/json; charset=utf-8")
    return HttpResponse(200, body, [("cache-control", "no-store"), _ANYBODY, kind])


def _preflight(request: HttpRequest) -> HttpResponse:
    asked = request.header("access-control-request-headers") or ""
    return HttpResponse(
        200,
        headers=[
            _ANYBODY,
            ("access-control-allow-headers", asked),
            ("access-control-allow-methods", "get, post, options"),
            ("access-control-max-age", "3600"),
        ],
    )

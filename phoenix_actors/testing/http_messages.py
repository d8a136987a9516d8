"""HTTP/1.1 requests and responses: as much as an upgrade, long poll and control routes need."""

from __future__ import annotations

import asyncio
import email.utils
import http
import json
from typing import Any

import msgspec

__all__ = ["BadRequest", "HttpRequest", "HttpResponse", "read_request", "status_phrase"]

# The largest body of a control request, in bytes.
MAX_BODY = 16 * 1024 * 1024

CACHE_CONTROL = ("cache-control", "max-age=0, private, must-revalidate")


class BadRequest(Exception):
    """A request that cannot be read; `status` is the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class HttpRequest(msgspec.Struct, frozen=True):
    """One request; header names are lower case, `query` is not decoded.

    Its text form leaves query, headers and body out.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    version: str = "HTTP/1.1"

    def __repr__(self) -> str:
        return f"<HttpRequest {self.method} {self.path}>"

    @property
    def target(self) -> str:
        """Path and query as they stood in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: str) -> str | None:
        """Returns the value of the first header of that lower case name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection stays open after the answer."""
        connection = (self.header("connection") or "").lower()
        return self.version == "HTTP/1.1" and "close" not in connection


class HttpResponse(msgspec.Struct, frozen=True):
    """One response; `headers` come after date, length, vary and a cache-control of ours."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = []

    @classmethod
    def text(cls, status: int, text: str) -> HttpResponse:
        """Returns a response with a text and nothing else."""
        return cls(status, text.encode())

    @classmethod
    def json(cls, value: Any, status: int = 200) -> HttpResponse:
        """Returns a response with a JSON value."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, [("content-type", "application/json; charset=utf-8")])

    def render(self) -> bytes:
        """Returns the bytes of the response, dated now, as Bandit writes a plain one."""
        own = any(name == CACHE_CONTROL[0] for name, _ in self.headers)
        return _head(
            self.status,
            [
                ("date", email.utils.formatdate(usegmt=True)),
                ("content-length", str(len(self.body))),
                ("vary", "accept-encoding"),
                *([] if own else [CACHE_CONTROL]),
                *self.headers,
            ],
        ) + bytes(self.body)

    def render_upgrade(self) -> bytes:
        """Returns the bytes of a 101, dated now, as Bandit writes it: no length, no vary."""
        date = ("date", email.utils.formatdate(usegmt=True))
        return _head(self.status, [date, *self.headers, CACHE_CONTROL])


def status_phrase(status: int) -> str:
    """Returns the words after a status code, empty for one that has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {status_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """Reads one request with its body; None when the client closed before one began.

    Raises:
        BadRequest: when it is not HTTP/1.1, too large, or cut short.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise BadRequest(400, "the request ends within its headers") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest(431, "the headers are too long") from error
    request = _parse_head(head)
    length = request.header("content-length") or "0"
    if request.header("transfer-encoding"):
        raise BadRequest(501, "transfer codings are not available: send a content-length")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "content-length is not a number")
    if int(length) > MAX_BODY:
        raise BadRequest(413, f"a body may have at most {MAX_BODY} bytes")
    try:
        body = await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise BadRequest(400, "the request ends within its body") from error
    return msgspec.structs.replace(request, body=body)


def _parse_head(head: bytes) -> HttpRequest:
    first, *lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise BadRequest(400, "the request line is not that of HTTP/1.1")
    headers = []
    for line in lines:
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "a header line has no name and colon")
        headers.append((name.lower(), value.strip()))
    path, _, query = words[1].partition("?")
    return HttpRequest(words[0], path, query, headers, version=words[2])

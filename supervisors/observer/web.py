"""`serve_http()`: what `top` shows, as a page."""

from __future__ import annotations

import hmac
import secrets
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from supervisors.observer.encodable import encode
from supervisors.observer.facts import ActorRequest, LookRequest, Refusal, Request
from supervisors.observer.http_port import HttpHandler, HttpPort, is_loopback
from supervisors.observer.service import Service

__all__ = ["WebObserver", "serve_http"]

_SHORTEST_TOKEN: Final = 16
_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_encode = partial(encode, msgspec.json.Encoder())


def serve_http(
    port: int,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    show_state: bool = False,
    count_messages: bool = False,
) -> WebObserver:
    """Let this process be looked at with a browser, until `close()` or its end.

    The page shows what `serve()` shows and takes no orders. It loads nothing from elsewhere, and
    asks for news each second. It speaks HTTP without TLS: put a proxy before it in open networks.

    Args:
        port: 0 takes a free one; see `.url`.
        host: the address to listen on.
        token: without it nothing is shown. Required unless the host is a loopback address, where
            every user of the machine could look. The page takes it after a #, so that it is in no
            log: `http://host:port/#token`.
        show_state: as for `serve()`.
        count_messages: as for `serve()`.

    Raises:
        ValueError: a host that is no loopback address needs a token; or it has less than 16
            characters.
        OSError: the address cannot be listened on.

    Example:
        >>> import urllib.request
        >>> with serve_http(0) as page, urllib.request.urlopen(page.url) as answer:
        ...     answer.status
        200
    """
    if token is None and not is_loopback(host):
        msg = f"{host} can be reached by others: give serve_http() a token=, or a loopback host"
        raise ValueError(msg)
    if token is not None and len(token) < _SHORTEST_TOKEN:
        msg = "the token is short enough to be guessed: take secrets.token_urlsafe()"
        raise ValueError(msg)
    service = Service(show_state=show_state, control=False, count_messages=count_messages)
    try:
        return WebObserver(host, port, token, service)
    except BaseException:
        service.close()
        raise


class WebObserver(HttpPort):
    """The open port, made by `serve_http()`. Safe from any thread; the process's end closes it."""

    def __init__(self, host: str, port: int, token: str | None, service: Service) -> None:
        """Listen and begin to answer."""
        self._service = service
        super().__init__(host, port, partial(_Handler, service, host, token), "observer-http")

    def _after_close(self) -> None:
        self._service.close()


class _Handler(HttpHandler):
    """Answers GET of the page and of its data; all else is refused."""

    def __init__(self, service: Service, host: str, token: str | None, *args: Any) -> None:
        self._service, self._served_at, self._token = service, host, token
        super().__init__(*args)

    def answer(self) -> None:
        """Serve the page, or what it asks for."""
        if not self.asked_by_name_of(self._served_at):
            # A foreign page whose name was made to point here must not read the answers.
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this host name is not served here")
            return
        where = self.where
        if where.path == "/":
            nonce = secrets.token_urlsafe(16)
            page = files("supervisors.observer").joinpath("page.html").read_text(encoding="utf-8")
            text = page.replace("{{nonce}}", nonce).encode()
            self.send(HTTPStatus.OK, "text/html; charset=utf-8", text, _POLICY.format(nonce))
        elif where.path not in ("/look", "/actor"):
            self._refuse(HTTPStatus.NOT_FOUND, "there is / and /look and /actor")
        elif not self._allowed():
            self._refuse(HTTPStatus.UNAUTHORIZED, "a token is required: open http://…/#token")
        else:
            self._look(where.path, where.query)

    def _look(self, path: str, query: str) -> None:
        try:
            given = {name: values[0] for name, values in parse_qs(query, max_num_fields=8).items()}
            kind: Any = LookRequest if path == "/look" else ActorRequest
            request: Request = msgspec.convert(given, kind, strict=False)
        except ValueError as error:
            known = str(error) if isinstance(error, msgspec.MsgspecError) else "not a query"
            self._refuse(HTTPStatus.BAD_REQUEST, known)
            return
        answer = self._service.handle(request)
        refused = isinstance(answer, Refusal)
        status = HTTPStatus.NOT_FOUND if refused else HTTPStatus.OK
        self.send(status, "application/json", _encode(answer))

    def _allowed(self) -> bool:
        if self._token is None:
            return True
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        self.send(status, "application/json", _encode(Refusal(problem)))

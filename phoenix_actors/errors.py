"""Every error that `phoenix_actors` raises, one tree with one root.

::

    PhoenixError
    ├── ConnectError
    │   ├── ConnectTimeout
    │   ├── HandshakeRefused
    │   ├── AuthTokenIgnored
    │   ├── TLSError
    │   └── InvalidURL
    ├── ConnectionLost
    ├── NotConnected
    ├── NotJoined
    ├── JoinError
    │   ├── JoinRejected
    │   ├── JoinTimeout
    │   ├── JoinCancelled
    │   └── AlreadyJoined
    ├── PushError
    │   ├── PushRejected
    │   ├── PushTimeout
    │   └── ChannelClosed
    ├── QueueFull
    ├── EncodeError
    ├── DecodeError
    ├── ProtocolError
    ├── WouldDeadlock
    └── InvalidOption

Time-outs are also `TimeoutError`, whatever concerns the connection is also a `ConnectionError`,
a bad URL and a bad option are also `ValueError` (C191). Every error pickles with its fields (C190).
Texts name topics, events, refs, codes and numbers of seconds. Values of a query, tokens, headers,
payloads and bodies are in fields at most, never in a text or a repr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phoenix_actors import advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "AlreadyJoined",
    "AuthTokenIgnored",
    "ChannelClosed",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "DecodeError",
    "EncodeError",
    "HandshakeRefused",
    "InvalidOption",
    "InvalidURL",
    "JoinCancelled",
    "JoinError",
    "JoinRejected",
    "JoinTimeout",
    "NotConnected",
    "NotJoined",
    "PhoenixError",
    "ProtocolError",
    "PushError",
    "PushRejected",
    "PushTimeout",
    "QueueFull",
    "TLSError",
    "WouldDeadlock",
]


def _restore(kind: type[PhoenixError], args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    """Make an error again as it was pickled, without running its constructor."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(fields)
    return error


class PhoenixError(Exception):
    """The root of everything that this package raises by itself.

    Example:
        >>> try:
        ...     raise JoinTimeout("room:lobby", 10.0)
        ... except PhoenixError as error:
        ...     print(isinstance(error, TimeoutError), error.topic)
        True room:lobby
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the text and the fields, whatever the constructor looks like."""
        return _restore, (type(self), self.args, self._portable())

    def _portable(self) -> dict[str, Any]:
        """Return the fields that another process can use."""
        return dict(self.__dict__)


class ConnectError(PhoenixError, ConnectionError):
    """No connection came about; `__cause__` is why, `.url` where to, without its query."""

    def __init__(
        self, problem: str = "the server could not be reached", *, url: str | None = None
    ) -> None:
        where = "" if url is None else f" ({url})"
        super().__init__(f"{problem}{where}: check the URL and whether the server runs")
        self.url = url


class ConnectTimeout(ConnectError, TimeoutError):
    """DNS, TCP, TLS and upgrade together took longer than `.timeout` seconds (C122)."""

    def __init__(self, timeout: float, *, url: str | None = None) -> None:
        super().__init__(f"no connection within {timeout} seconds", url=url)
        self.timeout = timeout


class HandshakeRefused(ConnectError):
    """The server answered the upgrade with a status other than 101.

    403 is what Phoenix answers when `connect/3` says no, the version or the origin is not accepted;
    404 is a wrong path.

    Attributes:
        status, headers, body: the answer; header names in lower case, the first bytes of the body.
        retry_after: the seconds that the server asked to wait, or None.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        url: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        PhoenixError.__init__(self, advice.refused(status, url))  # ConnectError: it did not answer
        self.status, self.url = status, url
        self.headers = {name.lower(): value for name, value in dict(headers).items()}
        self.body = body
        self.retry_after = retry_after


class AuthTokenIgnored(ConnectError):
    """The server opened the connection without a look at the `auth_token`; tried again (C12)."""

    def __init__(self, *, url: str | None = None) -> None:
        where = "" if url is None else f" ({url})"
        told = "the server ignored auth_token: give its socket the option `auth_token: true`"
        PhoenixError.__init__(self, f"{told}{where}")
        self.url = url


class TLSError(ConnectError):
    """TLS could not be agreed on, such as a certificate that does not verify; not retried."""

    def __init__(self, problem: str, *, url: str | None = None) -> None:
        super().__init__(f"TLS failed: {problem}", url=url)
        self.problem = problem


class InvalidURL(ConnectError, ValueError):
    """The URL cannot be used; not retried. `.url` is without its query."""

    def __init__(self, problem: str, *, url: str | None = None) -> None:
        where = "" if url is None else f" {url!r}"
        text = f"the URL{where} {problem}: give one like ws://localhost:4000/socket"
        PhoenixError.__init__(self, text)  # not ConnectError's text: nothing was tried
        self.url = url
        self.problem = problem


class ConnectionLost(PhoenixError, ConnectionError):
    """An open connection ended; also what `handle_close` gets, so it compares by its fields.

    Attributes:
        code: the WebSocket close code; 1006 when the stream ended without one, None when unknown.
        reason: the reason the peer gave, or what was noticed here.
    """

    __match_args__ = ("code", "reason")

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        said = f", {reason!r}" if reason else ""
        super().__init__(
            f"the connection was lost (close code {code}{said}): what was on the wire may or may "
            "not have been handled; the client reconnects unless reconnect=False"
        )
        self.code = code
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConnectionLost):
            return NotImplemented
        return (self.code, self.reason) == (other.code, other.reason)

    def __hash__(self) -> int:
        return hash((ConnectionLost, self.code, self.reason))


class NotConnected(PhoenixError, ConnectionError):
    """There is no open connection to send on: connect() and wait_connected() first."""

    def __init__(self, problem: str = "there is no open connection") -> None:
        super().__init__(f"{problem}: connect() and wait_connected() first")


class NotJoined(PhoenixError):
    """A push on a topic that was never joined: join() it first (C67)."""

    def __init__(self, topic: str, event: str | None = None) -> None:
        super().__init__(f"topic {topic!r} is not joined: join() it first")
        self.topic = topic
        self.event = event


class JoinError(PhoenixError):
    """A topic could not be joined; `.topic` names it."""

    def __init__(self, topic: str, problem: str = "could not be joined") -> None:
        super().__init__(f"topic {topic!r} {problem}")
        self.topic = topic


class JoinRejected(JoinError):
    """The server answered the join with an error; `.response` is what it said, any JSON value.

    Example:
        >>> JoinRejected("room:private", {"reason": "unauthorized"}).reason
        'unauthorized'
    """

    def __init__(self, topic: str, response: Any = None) -> None:
        super().__init__(topic, "was refused by the server: .response holds its answer")
        self.response = response

    @property
    def reason(self) -> str | None:
        """The server's `reason`, such as "unmatched topic" or "join crashed" (C57), or None."""
        reason = self.response.get("reason") if isinstance(self.response, dict) else None
        return reason if isinstance(reason, str) else None


class JoinTimeout(JoinError, TimeoutError):
    """The server did not answer the join in time; the topic stays wanted and is tried again."""

    def __init__(self, topic: str, timeout: float | None = None) -> None:
        problem = f"was not joined within {timeout} seconds: it stays wanted until leave()"
        super().__init__(topic, problem)
        self.timeout = timeout


class JoinCancelled(JoinError):
    """The join was cut short, by leave() or by the end of the client."""

    def __init__(self, topic: str, problem: str = "closed before the join was answered") -> None:
        super().__init__(topic, problem)


class AlreadyJoined(JoinError):
    """The topic is joined, or about to be; `.channel` is live and goes on working (C53).

    Pickled, it has None for the channel, which lives in one process.
    """

    def __init__(self, channel: Any, topic: str | None = None) -> None:
        super().__init__(
            str(getattr(channel, "topic", "")) if topic is None else topic,
            "is joined already: use .channel of this error, or leave() it first",
        )
        self.channel = channel

    def _portable(self) -> dict[str, Any]:
        return {**self.__dict__, "channel": None}


class PushError(PhoenixError):
    """A push got no answer of use; `.topic`, `.event` and `.ref` name it."""

    def __init__(
        self, problem: str, topic: str | None, event: str | None, ref: str | None = None
    ) -> None:
        what = "a push" if topic is None else f"push of {event!r} on topic {topic!r}"
        super().__init__(f"{what} {problem}")
        self.topic = topic
        self.event = event
        self.ref = ref


class PushRejected(PushError):
    """The reply's status is not "ok"; raised by `PushReply.unwrap()` only."""

    def __init__(
        self,
        status: str,
        response: Any = None,
        topic: str | None = None,
        event: str | None = None,
        ref: str | None = None,
    ) -> None:
        problem = f"was answered with status {status!r}: .response holds the answer"
        super().__init__(problem, topic, event, ref)
        self.status = status
        self.response = response


class PushTimeout(PushError, TimeoutError):
    """No reply came within `.timeout` seconds (C75); `.ref` is None where it was never sent."""

    def __init__(
        self,
        topic: str | None,
        event: str | None,
        timeout: float | None = None,
        ref: str | None = None,
    ) -> None:
        super().__init__(advice.unanswered(timeout, ref), topic, event, ref)
        self.timeout = timeout


class ChannelClosed(PushError):
    """The channel closed, or its server side crashed, before the reply came (C83, C91).

    `.reason` is what `handle_close` got, such as `Left()` or `ServerError(payload)`.
    """

    def __init__(
        self,
        topic: str | None,
        event: str | None = None,
        reason: Any = None,
        ref: str | None = None,
    ) -> None:
        super().__init__(advice.closed(reason), topic, event, ref)
        self.reason = reason


class QueueFull(PhoenixError):
    """Too much waits; this push was refused or, if `.dropped`, dropped, or a message received."""

    def __init__(
        self, limit: int, topic: str | None = None, event: str | None = None, dropped: bool = False
    ) -> None:
        what = f"message {event!r} of topic {topic!r} {'dropped' if dropped else 'refused'}"
        why = f"{limit} messages, or as many bytes as may, wait"
        super().__init__(f"{what}: {why}; slow down or raise the options max_…_messages and _bytes")
        self.limit, self.topic, self.event, self.dropped = limit, topic, event, dropped


class EncodeError(PhoenixError, ValueError):
    """`.field` (payload, topic, event, join_ref, ref) cannot be sent; nothing was (C26, C35)."""

    def __init__(
        self, problem: str, topic: str | None, event: str | None, field: str = "payload"
    ) -> None:
        super().__init__(f"{field} of {event!r} on topic {topic!r} cannot be sent: {problem}")
        self.problem = problem
        self.topic = topic
        self.event = event
        self.field = field


class DecodeError(PhoenixError, ValueError):
    """A frame from the server is not what the protocol says; it was ignored (C18, C27, C37)."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"a frame from the server was ignored: {problem}")
        self.problem = problem


class ProtocolError(PhoenixError):
    """A rule of the protocol was broken on this side: a mistake in the calling code."""


class WouldDeadlock(PhoenixError):
    """A call would wait for what its own thread does next, as on the reader thread."""

    def __init__(self, operation: str, instead: str = advice.ELSEWHERE) -> None:
        super().__init__(f"{operation} would wait for the thread it is called on: {instead}")
        self.operation = operation


class InvalidOption(PhoenixError, ValueError):
    """`.option` is unknown, has a wrong value, or is not available in this version.

    `.problem` says what is wrong; it never holds a value of params, headers or a token.
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"option {option} {problem}")
        self.option = option
        self.problem = problem

"""Spans of clients for OpenTelemetry, by `opentelemetry-api` (extra `otel`).

>>> tracing = ClientTracing()
>>> tracing.close()

| span | from | to | parent |
|---|---|---|---|
| `phoenix connect` | an attempt begins | it has a connection, or failed | none |
| `phoenix join` | the join is sent | the server's answer, or why there is none | who joins |
| `phoenix push` | `push` is called | the reply, or why there is none | who pushes |

Who joins or pushes is the span that is current in the calling thread. A join that the client makes
by itself, after a loss or a crash, has no parent. Attributes: `phoenix.topic`, `phoenix.event`,
`phoenix.status`, `url.full` without its query, `error.type`, which is a class name or a word; never
params, payloads, headers or an error's text. A push or a join is an error where it got no reply or
not "ok".

`supervisors.contrib.otel.CallTracing` has the spans of calls between actors.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from supervisors._locks import new_lock

try:
    from opentelemetry import context, trace
    from opentelemetry.trace import Span, SpanKind, TracerProvider
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "opentelemetry":
        raise
    raise ImportError(
        "phoenix_actors.contrib.otel needs opentelemetry-api: pip install 'phoenix-actors[otel]'"
    ) from error

from phoenix_actors import telemetry as names
from supervisors.contrib.otel import failed
from supervisors.telemetry import Event, attach_many, detach

__all__ = ["ClientTracing"]

Facts = Mapping[str, Any]


class _Kind(NamedTuple):
    name: str
    first: Event
    # Ends: those that are an error, too.
    last: tuple[Event, ...]


_KINDS: Final = (
    _Kind(
        "phoenix connect",
        names.CONNECTION_START,
        (names.CONNECTION_STOP, names.CONNECTION_EXCEPTION),
    ),
    _Kind(
        "phoenix join",
        names.CHANNEL_JOIN_START,
        (names.CHANNEL_JOIN_STOP, names.CHANNEL_JOIN_ERROR),
    ),
    _Kind("phoenix push", names.PUSH_START, (names.PUSH_STOP,)),
)
_FIRST: Final = {kind.first: kind for kind in _KINDS}
_ATTRIBUTES: Final = {
    "topic": "phoenix.topic",
    "event": "phoenix.event",
    "status": "phoenix.status",
    "url": "url.full",
}

# One step in C, so no two threads get the same number.
_numbers = itertools.count(1)


class ClientTracing:
    """Traces all clients of the process, until `close`. Safe from any thread.

    Args:
        tracer_provider: where spans are made; the global one if left out.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("phoenix_actors", tracer_provider=tracer_provider)
        self._lock = new_lock()
        # By the number of the events: what was begun, and what was told to end before it began.
        self._open: dict[int, Span] = {}
        self._early: dict[int, tuple[Facts, Facts, int]] = {}
        # What began before this is not told of: its beginning will not come.
        self._since = names.Span(names.PUSH_START).number
        self._handler_id = f"ClientTracing {next(_numbers)}"
        events = [event for kind in _KINDS for event in (kind.first, *kind.last)]
        attach_many(self._handler_id, events, self._tell)

    def close(self) -> None:
        """Trace no more; spans that are open end now. Harmless when repeated."""
        detach(self._handler_id)
        with self._lock:
            spans, self._open = list(self._open.values()), {}
            self._early.clear()
        for span in spans:
            span.end()

    def __enter__(self) -> Self:
        """Return itself; the end of the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, event: Event, measured: Facts, told: Facts, _: Any) -> None:
        number, kind = told["telemetry_span_context"], _FIRST.get(event)
        if number < self._since:
            return
        if kind is not None:
            self._begin(kind, number, told)
            return
        with self._lock:
            span = self._open.pop(number, None)
            if span is None:
                # Another thread is about to tell of the beginning.
                self._early[number] = measured, told, time.time_ns()
        if span is not None:
            _end(span, told, time.time_ns())

    def _begin(self, kind: _Kind, number: int, told: Facts) -> None:
        # Attempts and joins of the client's own are made in threads that may be anybody's.
        root = kind.first is names.CONNECTION_START
        early = self._early.get(number)
        began = None
        if early is not None:
            began = early[2] - int(early[0]["duration_seconds"] * 1e9)
        span = self._tracer.start_span(
            kind.name,
            context=context.Context() if root else None,
            kind=SpanKind.CLIENT,
            attributes=_attributes(told),
            start_time=began,
        )
        with self._lock:
            early = self._early.pop(number, None)
            if early is None:
                self._open[number] = span
        if early is not None:
            _end(span, early[1], early[2])


def _attributes(told: Facts) -> dict[str, str]:
    return {
        attribute: str(told[key])
        for key, attribute in _ATTRIBUTES.items()
        if told.get(key) is not None
    }


def _end(span: Span, told: Facts, moment: int) -> None:
    """End a span, at a moment in nanoseconds, by what the last event told."""
    span.set_attributes(_attributes(told))
    status = told.get("status")
    error = told.get("error")
    if error is None and status != "ok" and ("end" in told or status is not None):
        end = told.get("end", status)
        error = status if end == "replied" else end
    if error is not None:
        failed(span, str(error))
    span.end(end_time=moment)

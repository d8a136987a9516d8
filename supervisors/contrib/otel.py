"""Spans of calls for OpenTelemetry, by `opentelemetry-api` (extra `otel`).

>>> from supervisors import GenServer
>>> class Echo(GenServer):
...     def handle_call(self, request, sender):
...         return request
>>> with CallTracing():
...     ref = Echo.start()
...     ref.call("hi")
'hi'
>>> ref.stop()
True

While it is on, each `ask`, `call` and proxied call makes a span `call Echo` in the asker's thread,
a child of the span that is current there; it ends with the reply. The handler runs in a span
`handle Echo`, a child of that one, in which spans of the handler's own code belong. So a trace
follows calls from actor to actor. The attributes are `supervisors.actor_class` and, where it
failed, `error.type`: class names; never a message, a reply or an error's text.

Not traced: `tell`, `cast`, `send_info`, calls to supervisors (their span ends with the reply, but
nothing is handled inside it) and to plain Pykka actors. A call whose time-out passed ends its span
then, with `error.type` "CallTimeout".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

try:
    from opentelemetry import context, trace
    from opentelemetry.trace import Span, Status, StatusCode, Tracer, TracerProvider
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "opentelemetry":
        raise
    raise ImportError(
        "supervisors.contrib.otel needs opentelemetry-api: pip install 'phoenix-actors[otel]'"
    ) from error

from supervisors._runtime.carrying import carry, carry_no_more, ended

__all__ = ["CallTracing", "failed"]

_CLASS = "supervisors.actor_class"
# Who is called, for the name of the handler's span.
_TARGET = context.create_key("supervisors.target")


def failed(span: Span, error: str) -> None:
    """Mark a span as failed by an error of this class or word. Its text may hold a secret.

    Example:
        >>> failed(trace.INVALID_SPAN, "ArithmeticError")
    """
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR, error))


class CallTracing:
    """Traces calls of all actors in the process, until `close`. Safe from any thread.

    Args:
        tracer_provider: where spans are made; the global one if left out.

    Raises:
        RuntimeError: calls are traced already.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        tracer = trace.get_tracer("supervisors", tracer_provider=tracer_provider)
        self._carrier = _Carrier(tracer)
        if not carry(self._carrier):
            raise RuntimeError("calls are traced already: close() the other CallTracing first")

    def close(self) -> None:
        """Trace no more calls; those under way end their spans. Harmless when repeated."""
        carry_no_more(self._carrier)

    def __enter__(self) -> Self:
        """Return itself; the end of the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Carrier:
    """Makes the span of a call, and carries the context that it is current in."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def ask(self, target: Any, send: Callable[[], Any], *, block: bool) -> Any:
        name = target.actor_class.__name__
        span = self._tracer.start_span(f"call {name}", attributes={_CLASS: name})
        token = context.attach(context.set_value(_TARGET, name, trace.set_span_in_context(span)))
        try:
            answer = send()
        except BaseException as error:
            failed(span, type(error).__name__)
            span.end()
            raise
        finally:
            context.detach(token)
        if block:
            span.end()
        else:
            ended(answer, lambda error: _end(span, error))
        return answer

    def around(self) -> AbstractContextManager[object]:
        return self._handling(context.get_current())

    @contextmanager
    def _handling(self, carried: context.Context) -> Iterator[None]:
        name = str(context.get_value(_TARGET, carried))
        token = context.attach(carried)
        try:
            with self._tracer.start_as_current_span(
                f"handle {name}",
                attributes={_CLASS: name},
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    yield
                except BaseException as error:
                    failed(span, type(error).__name__)
                    raise
        finally:
            context.detach(token)


def _end(span: Span, error: BaseException | None) -> None:
    if error is not None:
        failed(span, type(error).__name__)
    span.end()

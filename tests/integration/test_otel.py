"""Spans as the SDK of OpenTelemetry exports them: of a client against a server, and of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from phoenix_actors import ChannelActor, JoinRejected, SocketClient, telemetry
from phoenix_actors.contrib.otel import ClientTracing
from phoenix_actors.link.join_span import JoinSpan
from phoenix_actors.testing import PhoenixServer
from supervisors import NO_REPLY, CallTimeout, GenServer, Supervisor, whereis
from supervisors.contrib.otel import CallTracing
from supervisors.telemetry import wanted
from tests.e2e.rig import DEADLINE, QUICK, eventually


class Spans:
    """What was exported so far."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = trace.get_tracer("test", tracer_provider=self.provider)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def wait(self, name: str, count: int = 1) -> ReadableSpan:
        return eventually(lambda: self.named(name), lambda found: len(found) >= count)[count - 1]

    def text(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans())


@pytest.fixture
def spans(no_leaks: None) -> Iterator[Spans]:
    """Traces clients and calls to an exporter in memory."""
    spans = Spans()
    with CallTracing(spans.provider), ClientTracing(spans.provider):
        yield spans
    spans.provider.shutdown()


def is_child(span: ReadableSpan, parent: Any) -> bool:
    """Tells whether a span is a child of another one."""
    parent = getattr(parent, "context", None) or parent.get_span_context()
    return (
        span.parent is not None
        and span.context is not None
        and (span.parent.span_id, span.context.trace_id) == (parent.span_id, parent.trace_id)
    )


class Doubler(GenServer):
    """Answers, asks the one below, raises, or answers later."""

    reply_exceptions = (KeyError,)

    def init(self, tracer: Any = None, below: Any = None) -> None:
        self.tracer, self.below = tracer, below

    def handle_call(self, request: Any, sender: Any) -> Any:
        match request:
            case "later":
                self.later = sender
                return NO_REPLY
            case "key":
                raise KeyError("SECRET")
            case "crash":
                raise ArithmeticError("SECRET")
            case "below":
                return self.below.call(2)
            case int():
                with self.tracer.start_as_current_span("work"):
                    return request * 2
            case _:
                return None

    def handle_cast(self, message: Any) -> None:
        self.later.reply("done")

    def count(self) -> int:
        return 7


def test_a_call_is_traced_into_its_handler(spans: Spans) -> None:
    """What the handler traces is below its span, that below the call's, that below the asker's."""
    ref = Doubler.start(spans.tracer)
    with spans.tracer.start_as_current_span("request") as request:
        assert ref.call(21) == 42
    call, handle, work = map(spans.wait, ("call Doubler", "handle Doubler", "work"))
    assert is_child(call, request)
    assert is_child(handle, call)
    assert is_child(work, handle)
    # The answer is given within the handler's span, so either of the two may end first.
    assert call.start_time <= handle.start_time <= call.end_time  # type: ignore[operator]
    assert call.attributes == {"supervisors.actor_class": "Doubler"}
    with spans.tracer.start_as_current_span("by proxy") as request:
        assert ref.proxy().count().get(timeout=DEADLINE) == 7
    assert is_child(spans.wait("call Doubler", 2), request)
    ref.stop()


@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_a_trace_follows_calls_from_actor_to_actor(spans: Spans, dispatcher: str) -> None:
    """A call made in a handler belongs to the same trace; nothing stays in the actor's thread."""
    low = Doubler.start(spans.tracer, dispatcher=dispatcher)
    high = Doubler.start(spans.tracer, low, dispatcher=dispatcher)
    with spans.tracer.start_as_current_span("request") as request:
        assert high.call("below") == 4
    spans.wait("handle Doubler", 2)
    assert high.call(1) == 2
    spans.wait("handle Doubler", 3)
    spans.wait("call Doubler", 3)
    inner, outer, alone = sorted(spans.named("call Doubler"), key=lambda span: span.end_time or 0)
    below, above = sorted(
        spans.named("handle Doubler")[:2], key=lambda span: -(span.start_time or 0)
    )
    assert is_child(outer, request)
    assert is_child(inner, above)
    assert is_child(below, inner)
    assert alone.parent is None
    assert is_child(spans.named("work")[1], spans.named("handle Doubler")[2])
    for ref in (high, low):
        ref.stop()


def test_errors_are_told_by_class_alone(spans: Spans, quiet: None) -> None:
    """An error that is answered, a crash, a time-out: the class is there, the text is not."""
    ref = Doubler.start()
    for request, error in (("key", KeyError), ("later", CallTimeout), ("crash", ArithmeticError)):
        with pytest.raises(error):
            ref.call(request, timeout=0.1 if error is CallTimeout else DEADLINE)
    calls, handled = spans.named("call Doubler"), spans.named("handle Doubler")
    errors = ["KeyError", "CallTimeout", "ArithmeticError"]
    assert [(span.attributes or {}).get("error.type") for span in calls] == errors
    assert [span.status.status_code for span in calls] == [StatusCode.ERROR] * 3
    assert [span.status.is_ok for span in handled] == [True, True, False]
    assert "SECRET" not in spans.text()


def test_a_future_ends_its_span_with_the_reply(spans: Spans) -> None:
    """Not before: a call that is answered later lasts until then."""
    ref = Doubler.start()
    future = ref.ask("later", block=False)
    spans.wait("handle Doubler")
    assert spans.named("call Doubler") == []
    ref.tell("now")
    assert future.get(timeout=DEADLINE) == "done"
    assert spans.wait("call Doubler").status.is_ok
    ref.stop()
    with pytest.raises(LookupError):
        ref.ask("dead", block=False).get(timeout=DEADLINE)
    assert (spans.wait("call Doubler", 2).attributes or {})["error.type"] == "NoProcError"


def test_supervisors_and_the_plain_are_as_without(spans: Spans) -> None:
    """Requests to supervisors and restarts work; a second tracing is refused, the first goes on."""
    with Supervisor.start_link([Doubler.child_spec(name="it")], strategy="one_for_one") as top:
        assert top.count_children().active == 1
        with pytest.raises(RuntimeError, match="traced already"):
            CallTracing(spans.provider)
        whereis("it").call(None)
        spans.wait("handle Doubler")
    assert len(spans.named("handle Doubler")) == 1


def test_after_close_nothing_is_traced() -> None:
    """Calls and clients are plain again."""
    spans = Spans()
    with CallTracing(spans.provider), ClientTracing(spans.provider):
        ref = Doubler.start()
    assert ref.call(None) is None
    assert not wanted(telemetry.PUSH_START)
    ref.stop()
    assert spans.exporter.get_finished_spans() == ()


def test_closing_again_leaves_the_next_one_alone() -> None:
    """Only who traces can end it."""
    spans = Spans()
    first = CallTracing(spans.provider)
    first.close()
    with CallTracing(spans.provider):
        first.close()
        ref = Doubler.start()
        assert ref.call(None) is None
        with pytest.raises(RuntimeError):
            CallTracing(spans.provider)
    ref.stop()
    assert len(spans.named("call Doubler")) == 1


class Asking(ChannelActor):
    """Pushes while it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return self.push("echo", request).get(timeout=DEADLINE).response


@pytest.fixture
def server(spans: Spans) -> Iterator[PhoenixServer]:
    """A server."""
    with PhoenixServer() as server:
        yield server


@pytest.fixture
def start(server: PhoenixServer) -> Iterator[Callable[..., SocketClient]]:
    """Starts clients of it."""
    started: list[SocketClient] = []

    def start(**options: Any) -> SocketClient:
        options = {"url": server.url, "params": {"token": "SECRET"}, **QUICK, **options}
        started.append(SocketClient.start_link(**options))
        return started[-1]

    yield start
    for client in started:
        client.stop()


@pytest.mark.contract("C188")
def test_a_session_as_it_is_traced(
    spans: Spans, server: PhoenixServer, start: Callable[..., SocketClient]
) -> None:
    """Connect, join and push are spans; the caller's is the parent; a rejoin has none."""
    client = start()
    with spans.tracer.start_as_current_span("request") as request:
        room = client.join("room:a", {"token": "SECRET"}, channel=Asking)
        assert room.push("echo", {"token": "SECRET"}).get().status == "ok"
        assert room.push("fail", {"token": "SECRET"}).get().status == "error"
        with pytest.raises(JoinRejected):
            client.join("room:private")
        assert room.ask({"token": "SECRET"}) == {"token": "SECRET"}
    connect = spans.wait("phoenix connect")
    assert connect.parent is None
    assert (connect.attributes or {})["url.full"] == server.url
    join, refused = spans.wait("phoenix join"), spans.wait("phoenix join", 2)
    assert is_child(join, request)
    assert is_child(refused, request)
    assert join.attributes == {"phoenix.topic": "room:a", "phoenix.status": "ok"}
    assert (refused.attributes or {})["error.type"] == "refused"
    echo, fail, within = (spans.wait("phoenix push", count) for count in (1, 2, 3))
    assert is_child(echo, request)
    assert echo.attributes == {
        "phoenix.topic": "room:a",
        "phoenix.event": "echo",
        "phoenix.status": "ok",
    }
    assert (echo.status.is_ok, fail.status.status_code) == (True, StatusCode.ERROR)
    # Pushed by the channel's handler: below the span of the call that it answers.
    (handled,) = spans.named("handle Asking")
    assert is_child(within, handled)
    server.kill_sockets()
    again = spans.wait("phoenix join", 3)
    assert again.parent is None
    assert spans.wait("phoenix connect", 2).parent is None
    assert "SECRET" not in spans.text()


def test_a_push_without_reply_is_an_error(spans: Spans, start: Callable[..., SocketClient]) -> None:
    """Its span ends with its time-out; an attempt that fails names its error."""
    room = start().join("room:a")
    with pytest.raises(TimeoutError):
        room.push("no_reply", timeout=0.05).get()
    assert (spans.wait("phoenix push").attributes or {})["error.type"] == "timeouts"
    client = start(url="ws://127.0.0.1:1/socket", backoff=[60.0])
    failed = spans.wait("phoenix connect", 2)
    assert (failed.attributes or {})["error.type"] == "ConnectError"
    assert not client.connected


def test_an_end_that_is_told_before_its_beginning() -> None:
    """Two threads may tell in either order; the span is the same, with its parent and length."""
    spans = Spans()
    with ClientTracing(spans.provider), spans.tracer.start_as_current_span("request") as request:
        told = telemetry.Span(telemetry.CHANNEL_JOIN_START, telemetry.CHANNEL_JOIN_STOP)
        took = {"duration_seconds": 2.0}
        told.emit(telemetry.CHANNEL_JOIN_STOP, took, topic="room:a", status="ok")
        assert spans.named("phoenix join") == []
        told.emit(telemetry.CHANNEL_JOIN_START, topic="room:a")
        (join,) = spans.named("phoenix join")
    assert is_child(join, request)
    assert join.end_time - join.start_time == 2_000_000_000  # type: ignore[operator]


def test_the_joiner_is_the_parent_and_nobody_else() -> None:
    """Not who happens to be busy in the thread that sends a join."""
    spans = Spans()
    with ClientTracing(spans.provider):
        with spans.tracer.start_as_current_span("request") as request:
            joiner = copy_context()
        join = JoinSpan("room:a")
        with spans.tracer.start_as_current_span("unrelated"):
            for emission in (*join.start("1", 0.0, joiner), *join.error("lost", 1.0)):
                emission()
            for emission in (*join.start("2", 2.0), *join.stop(3.0)):
                emission()
    first, again = spans.named("phoenix join")
    assert is_child(first, request)
    assert again.parent is None


def test_what_is_open_ends_with_the_tracing() -> None:
    """And what was begun before it is not told of."""
    spans = Spans()
    before = telemetry.Span(telemetry.PUSH_START, telemetry.PUSH_STOP)
    with ClientTracing(spans.provider):
        before.emit(telemetry.PUSH_STOP, {"duration_seconds": 1.0}, topic="a", end="lost")
        telemetry.Span(telemetry.PUSH_START).emit(telemetry.PUSH_START, topic="a", event="b")
    assert [span.name for span in spans.exporter.get_finished_spans()] == ["phoenix push"]

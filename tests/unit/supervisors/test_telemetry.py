"""Events and those who listen to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import telemetry

EVENT = ("test", "telemetry", "event")


@pytest.fixture
def calls() -> Iterator[list[tuple[Any, ...]]]:
    """What the handler "test" was called with; it is detached afterwards."""
    calls: list[tuple[Any, ...]] = []
    yield calls
    telemetry.detach("test")
    telemetry.detach("test-2")


def test_handler_gets_all_four(calls: list[tuple[Any, ...]]) -> None:
    """Event, measurements, metadata and the handler's own config."""
    telemetry.attach("test", EVENT, lambda *args: calls.append(args), config=7)
    telemetry.execute(EVENT, {"count": 1}, {"who": "me"})
    assert calls == [(EVENT, {"count": 1}, {"who": "me"}, 7)]


def test_exact_events_only(calls: list[tuple[Any, ...]]) -> None:
    """Neither a longer nor a shorter event reaches a handler."""
    telemetry.attach("test", EVENT, lambda *args: calls.append(args))
    telemetry.execute(EVENT[:2], {}, {})
    telemetry.execute((*EVENT, "more"), {}, {})
    assert calls == []


def test_detach(calls: list[tuple[Any, ...]]) -> None:
    """A handler that is detached hears nothing more; its id is free."""
    telemetry.attach_many("test", [EVENT, ("other",)], lambda *args: calls.append(args))
    assert telemetry.detach("test")
    assert not telemetry.detach("test")
    telemetry.execute(EVENT, {}, {})
    telemetry.execute(("other",), {}, {})
    assert calls == []
    telemetry.attach("test", EVENT, lambda *args: calls.append(args))


def test_one_id_once(calls: list[tuple[Any, ...]]) -> None:
    """An id that is taken is refused by name, whatever the event."""
    telemetry.attach("test", EVENT, lambda *_: None)
    with pytest.raises(ValueError, match="'test' is attached already"):
        telemetry.attach("test", ("other",), lambda *_: None)


@pytest.mark.parametrize("event", ["supervisors", (), ("supervisors", 1)], ids=repr)
def test_no_event(calls: list[tuple[Any, ...]], event: Any) -> None:
    """What no event can be is refused, for its handler would never be called."""
    with pytest.raises(TypeError, match="an event is a tuple of words"):
        telemetry.attach("test", event, lambda *args: calls.append(args))
    with pytest.raises(TypeError, match="an event is a tuple of words"):
        telemetry.attach_many("test", [EVENT, event], lambda *args: calls.append(args))
    assert not telemetry.detach("test")


def test_no_handler() -> None:
    """What cannot be called is refused where it is attached."""
    handler: Any = 3
    with pytest.raises(TypeError, match="a telemetry handler is a function, not 3"):
        telemetry.attach("test", EVENT, handler)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_failing_handler(calls: list[tuple[Any, ...]], error: type[BaseException]) -> None:
    """It is detached and reported once; the others and the emitter go on."""
    failed = ("supervisors", "telemetry", "handler_failed")

    def broken(*_: object) -> None:
        raise error

    telemetry.attach("test-broken", EVENT, broken)
    telemetry.attach("test-2", EVENT, lambda *args: calls.append(args))
    telemetry.attach("test", failed, lambda *args: calls.append(args))
    telemetry.execute(EVENT, {}, {})
    telemetry.execute(EVENT, {}, {})
    assert [call[0] for call in calls] == [failed, EVENT, EVENT]
    assert calls[0][2]["handler_id"] == "test-broken"
    assert not telemetry.detach("test-broken")


def test_failing_handler_of_the_failure(calls: list[tuple[Any, ...]]) -> None:
    """A handler that fails at the report of a failure is detached in silence."""

    def broken(*_: object) -> None:
        raise RuntimeError

    telemetry.attach("test-broken", ("supervisors", "telemetry", "handler_failed"), broken)
    telemetry.attach("test", EVENT, broken)
    telemetry.execute(EVENT, {}, {})
    assert not telemetry.detach("test-broken")


def test_span(calls: list[tuple[Any, ...]]) -> None:
    """Start, then stop or exception, with the time in between and the error's type."""
    events = [(*EVENT, word) for word in ("start", "stop", "exception")]
    telemetry.attach_many("test", events, lambda *args: calls.append(args))
    with telemetry.span(EVENT, {"job": 1}):
        pass
    with pytest.raises(KeyError), telemetry.span(EVENT, {"job": 2}):
        raise KeyError
    assert [call[0][-1] for call in calls] == ["start", "stop", "start", "exception"]
    assert calls[1][1]["duration_seconds"] >= 0
    assert calls[3][2] == {"job": 2, "error": "KeyError"}

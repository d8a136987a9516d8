"""Which events are told: sampling, the limit, exclusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import InvalidOption, telemetry
from phoenix_actors.telemetry import (
    CHANNEL_JOIN_START,
    CHANNEL_JOIN_STOP,
    HEARTBEAT_SENT,
    HOOK_FAILED,
    MESSAGE_SENT,
    Span,
    emit,
)
from supervisors import telemetry as bus

NAMES = (CHANNEL_JOIN_START, CHANNEL_JOIN_STOP, HEARTBEAT_SENT, HOOK_FAILED, MESSAGE_SENT)


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, Any]]]:
    """What is told, as pairs of event and metadata."""
    log: list[tuple[Any, Any]] = []
    bus.attach_many("test", NAMES, lambda event, _, metadata, __: log.append((event, metadata)))
    yield log
    bus.detach("test")
    telemetry.reset()


@pytest.mark.contract("C189")
def test_a_sample_has_whole_spans(heard: list[tuple[Any, Any]]) -> None:
    """About half of the spans is told, and each of those from its start to its end."""
    telemetry.configure(sampler_rate=0.5)
    for number in range(1000):
        span = Span(CHANNEL_JOIN_START, CHANNEL_JOIN_STOP)
        span.emit(CHANNEL_JOIN_START, number=number)
        span.emit(CHANNEL_JOIN_STOP, number=number)
    told = Counter(metadata["number"] for _, metadata in heard)
    assert set(told.values()) == {2}
    # Beyond these lies a chance of 1 in 10 ** 9.
    assert 400 < len(told) < 600
    assert telemetry.stats() == {"sampled_out": 1000 - len(told), "dropped": 0}


@pytest.mark.contract("C189")
def test_the_limit_drops_and_counts(heard: list[tuple[Any, Any]]) -> None:
    """A second has room for so many; the room comes back with time, and faults need none."""
    now = [100.0]
    config = {**telemetry.get_config(), "max_events_per_second": 10}
    telemetry._policy = telemetry._Policy(config, now=lambda: now[0])
    for _ in range(25):
        emit(MESSAGE_SENT)
    assert len(heard) == 10
    assert telemetry.stats() == {"sampled_out": 0, "dropped": 15}
    emit(HOOK_FAILED)
    now[0] += 0.5
    for _ in range(25):
        emit(MESSAGE_SENT)
    assert len(heard) == 16
    now[0] += 3600.0
    span = Span(CHANNEL_JOIN_START, CHANNEL_JOIN_STOP)
    for _ in range(25):
        emit(MESSAGE_SENT)
    span.emit(CHANNEL_JOIN_STOP)
    assert heard[-1][0] == CHANNEL_JOIN_STOP
    assert len(heard) == 26


@pytest.mark.contract("C189")
def test_what_nobody_hears_takes_no_room(heard: list[tuple[Any, Any]]) -> None:
    """The limit is one of what is told."""
    telemetry.configure(max_events_per_second=1)
    for _ in range(5):
        emit(telemetry.MESSAGE_RECEIVED)
    emit(MESSAGE_SENT)
    assert [event for event, _ in heard] == [MESSAGE_SENT]


def test_excluded_and_disabled(heard: list[tuple[Any, Any]]) -> None:
    """Single events, or all but faults."""
    telemetry.configure(exclude=[HEARTBEAT_SENT])
    emit(HEARTBEAT_SENT)
    emit(MESSAGE_SENT)
    telemetry.configure(enabled=False)
    assert telemetry.get_config()["enabled"] is False
    emit(MESSAGE_SENT)
    emit(HOOK_FAILED)
    telemetry.reset()
    emit(HEARTBEAT_SENT)
    assert [event for event, _ in heard] == [MESSAGE_SENT, HOOK_FAILED, HEARTBEAT_SENT]


@pytest.mark.parametrize(
    "option", [{"sampler_rate": 2}, {"sampler_rate": "x"}, {"max_events_per_second": 0}]
)
def test_values_that_make_no_sense(option: dict[str, Any]) -> None:
    """They are refused, and nothing changes."""
    with pytest.raises(InvalidOption):
        telemetry.configure(**option)
    assert telemetry.get_config()["sampler_rate"] == 1.0


@pytest.mark.contract("C189")
def test_a_handler_that_raises_is_detached(heard: list[tuple[Any, Any]]) -> None:
    """It is reported; the others, and whoever told the event, go on."""
    failed: list[Any] = []

    def broken(*_: Any) -> None:
        raise RuntimeError("a handler's bug")

    bus.attach("broken", MESSAGE_SENT, broken)
    name = ("supervisors", "telemetry", "handler_failed")
    bus.attach("watch", name, lambda _, __, metadata, ___: failed.append(metadata["handler_id"]))
    try:
        emit(MESSAGE_SENT)
        emit(MESSAGE_SENT)
    finally:
        bus.detach("watch")
    assert failed == ["broken"]
    assert len(heard) == 2
    assert bus.detach("broken") is False

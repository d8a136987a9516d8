"""Log lines: where they go, what is in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from supervisors import Crashed, GaveUp, logs, telemetry
from supervisors.exits import TraceEntry

EVENT = ("test", "logs", "happened")


@pytest.fixture
def installed() -> Iterator[str]:
    """Logging of one event under a logger of its own."""
    logs.install("test-logs", {EVENT: logging.WARNING}, "test-logs")
    yield "test-logs"
    logs.uninstall("test-logs")
    structlog.reset_defaults()


@pytest.fixture
def structured() -> Iterator[list[dict[str, Any]]]:
    """A configured structlog that keeps its entries."""
    entries: list[dict[str, Any]] = []

    def keep(_: object, method: str, entry: Any) -> Any:
        entries.append({**entry, "method": method})
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield entries
    structlog.reset_defaults()


def test_standard_logger(
    installed: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a configured structlog a line goes to the standard logger, none to the output."""
    telemetry.execute(EVENT, {"count": 1}, {"child": "a", "reason": None})
    [record] = caplog.records
    assert (record.name, record.levelno) == ("test-logs", logging.WARNING)
    assert record.getMessage() == "test.logs.happened count=1 child=a"
    assert capsys.readouterr() == ("", "")


def test_a_second_install_takes_the_place_of_the_first(
    installed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A package that is imported again, as by `importlib.reload`, logs once."""
    logs.install(installed, {EVENT: logging.ERROR}, installed)
    telemetry.execute(EVENT, {}, {})
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_was_asked_for_has_a_level_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """An event whose `requested` is true is logged, or left out, at the level given for that."""
    caplog.set_level(logging.INFO, "test-logs")
    logs.install(
        "test-logs", {EVENT: logging.WARNING}, "test-logs", if_requested={EVENT: logging.INFO}
    )
    for requested in (True, False):
        telemetry.execute(EVENT, {}, {"requested": requested})
    logs.uninstall("test-logs")
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING]


def test_unconfigured_logging_prints_nothing(
    installed: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that configured nothing sees nothing, not even by the last resort."""
    monkeypatch.setattr(logging.getLogger("test-logs"), "propagate", False)
    telemetry.execute(EVENT, {}, {})
    assert capfd.readouterr() == ("", "")


def test_structlog(installed: str, structured: list[dict[str, Any]]) -> None:
    """A configured structlog gets the event and its fields."""
    telemetry.execute(EVENT, {"count": 1}, {"child": "a"})
    assert structured == [
        {"event": "test.logs.happened", "count": 1, "child": "a", "method": "warning"}
    ]


def test_decided_at_the_first_event(
    installed: str, structured: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """What the first event found is taken from then on."""
    telemetry.execute(EVENT, {}, {})
    structlog.reset_defaults()
    telemetry.execute(EVENT, {}, {})
    assert len(structured) == 1
    assert caplog.records == []


def test_fields_named_as_structlogs_own(installed: str, structured: list[dict[str, Any]]) -> None:
    """Fields that are named event and level do not break the line."""
    telemetry.execute(EVENT, {}, {"event": "new_message", "level": "high"})
    [entry] = structured
    assert (entry["event_name"], entry["level_name"]) == ("new_message", "high")


def test_failed_handler_is_logged_with_structlog(structured: list[dict[str, Any]]) -> None:
    """The package's own line about a failing handler works, and logging goes on after it."""
    logs.uninstall()
    logs.install()

    def broken(*_: object) -> None:
        raise RuntimeError

    telemetry.attach("test-broken", EVENT, broken)
    telemetry.execute(EVENT, {}, {})
    assert [entry["handler_id"] for entry in structured] == ["test-broken"]
    assert logs.uninstall()
    logs.install()


def test_reasons_are_named_not_shown(installed: str, caplog: pytest.LogCaptureFixture) -> None:
    """Reasons are named by type, a trace by its innermost entry; no exception's text is there."""
    crash = Crashed(ValueError("s3cret"))
    trace = (TraceEntry("a.py", 1, "f"), TraceEntry("b.py", 2, "g"))
    telemetry.execute(EVENT, {}, {"reason": GaveUp("app", 1, 5.0, "a", crash), "trace": trace})
    line = caplog.records[0].getMessage()
    assert "reason=Crashed(ValueError)" in line
    assert "trace=b.py:2 in g" in line
    assert "s3cret" not in line


def test_level_that_nobody_wants(installed: str, caplog: pytest.LogCaptureFixture) -> None:
    """A line below the logger's level is not made."""
    caplog.set_level(logging.ERROR, "test-logs")
    telemetry.execute(EVENT, {}, {"child": "a"})
    assert caplog.records == []


def test_each_event_has_a_level() -> None:
    """Trouble is logged as warning or error, progress below."""
    levels = {event[-1]: level for event, level in logs._LEVELS.items()}
    assert levels["gave_up"] == levels["crashed"] == levels["shutdown_error"] == logging.ERROR
    assert levels["started"] == levels["restarted"] < levels["terminated"]


def test_a_limit_of_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many lines a minute, and then the number of those that were left out."""
    now = [1000.0]
    monkeypatch.setattr("supervisors.logs.time.monotonic", lambda: now[0])
    logs.install("test-logs", {EVENT: logging.WARNING}, "test-logs", {EVENT: 2})
    try:
        for _ in range(5):
            telemetry.execute(EVENT, {"count": 1}, {})
        now[0] += 59.9
        telemetry.execute(EVENT, {"count": 1}, {})
        assert [record.getMessage() for record in caplog.records] == [
            "test.logs.happened count=1"
        ] * 2
        now[0] += 0.1
        telemetry.execute(EVENT, {"count": 1}, {})
        telemetry.execute(EVENT, {"count": 1}, {})
    finally:
        logs.uninstall("test-logs")
    assert [record.getMessage() for record in caplog.records[2:]] == [
        "test.logs.happened count=1 left_out=4",
        "test.logs.happened count=1",
    ]

"""What supervisors report of their children, as events and as log lines."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    Normal,
    Shutdown,
    StartError,
    telemetry,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen
from tests.unit.supervisors.trees import Worker, child, start, worker

PREFIX = "supervisors."


def told(lines: list[logging.LogRecord]) -> list[tuple[str, str]]:
    """Returns level and event of the lines about children and supervisors."""
    words = [(line.levelname, line.getMessage().split()[0]) for line in lines]
    return [(level, name.removeprefix(PREFIX)) for level, name in words if "actor" not in name]


@pytest.mark.contract("S194", "S195")
def test_progress_of_a_static_supervisor(
    turns: ManualDispatcher, lines: list[logging.LogRecord]
) -> None:
    """Starts and restarts of its own are told at info level, those that a caller asks at debug."""
    sup = start(turns, worker(turns, "a", restart="transient", shutdown=2.0), name="app")
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    sup.start_child(worker(turns, "b"))
    sup.terminate_child("b")
    sup.restart_child("b")
    assert told(lines) == [
        ("INFO", "child.started"),
        ("WARNING", "child.terminated"),
        ("INFO", "child.restarted"),
        ("DEBUG", "child.started"),
        ("DEBUG", "child.started"),
    ]
    text = lines[0].getMessage()
    for part in (
        "supervisor=app",
        "child=a",
        "ref=<ActorRef for Worker (urn:uuid:",
        "start=Worker",
        "restart='transient'",
        "shutdown=2.0",
        "type='worker'",
    ):
        assert part in text


@pytest.mark.contract("S194")
def test_progress_tells_significance(
    turns: ManualDispatcher, lines: list[logging.LogRecord]
) -> None:
    """The line of a significant child says so."""
    spec = worker(turns, "a", restart="transient", significant=True)
    start(turns, spec, auto_shutdown="any_significant")
    assert "type='worker', significant=True)" in lines[0].getMessage()


@pytest.mark.contract("S200", "S195")
def test_progress_of_a_dynamic_supervisor(
    turns: ManualDispatcher, lines: list[logging.LogRecord]
) -> None:
    """Each start and restart of a dynamic child is told too."""
    sup = DynamicSupervisor.start_link(dispatcher=turns)
    ref = sup.start_child(worker(turns, "a"))
    ref.tell("crash")
    turns.run_until_idle()
    assert told(lines) == [
        ("DEBUG", "child.started"),
        ("WARNING", "child.terminated"),
        ("INFO", "child.restarted"),
    ]


@pytest.mark.contract("S196")
def test_four_kinds_of_trouble(
    turns: ManualDispatcher, lines: list[logging.LogRecord], seen: Seen
) -> None:
    """A failed start, an end, a bad end in a shutdown and giving up are told apart, with names."""
    child_events = (("supervisors", "child", word) for word in ("start_failed", "terminated"))
    seen.of(
        *child_events,
        ("supervisors", "child", "shutdown_error"),
        ("supervisors", "supervisor", "gave_up"),
    )

    class Bad(Worker):
        def terminate(self, reason: Any) -> None:
            raise KeyError(self.name)

    bad = Bad.child_spec("bad", id="bad", dispatcher=turns)
    sup = start(turns, bad, worker(turns, "a"), name="app", max_restarts=0)
    with pytest.raises(StartError):
        sup.start_child(worker(turns, "c", fail=True))
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    assert not sup.is_alive()
    found = [
        (event[-1], data["supervisor"], data["child"], type(data["reason"]).__name__)
        for event, _, data in seen.events
    ]
    assert found == [
        ("start_failed", "app", "c", "Crashed"),
        ("terminated", "app", "a", "Crashed"),
        ("gave_up", "app", "a", "GaveUp"),
        ("shutdown_error", "app", "bad", "Crashed"),
    ]
    trouble = [entry for entry in told(lines) if entry[0] != "INFO"]
    assert trouble == [
        ("ERROR", "child.start_failed"),
        ("WARNING", "child.terminated"),
        ("ERROR", "supervisor.gave_up"),
        ("ERROR", "child.shutdown_error"),
    ]


@pytest.mark.contract("S197")
@pytest.mark.parametrize(
    ("restart", "reason", "told_of"),
    [
        ("permanent", Normal(), True),
        ("permanent", Shutdown(), True),
        ("transient", Normal(), False),
        ("transient", Shutdown(), False),
        ("temporary", Normal(), False),
    ],
)
def test_clean_ends(
    turns: ManualDispatcher,
    lines: list[logging.LogRecord],
    restart: str,
    reason: Any,
    told_of: bool,
) -> None:
    """The clean end of a permanent child writes a line, that of another child none."""
    sup = start(turns, worker(turns, "a", restart=restart))
    child(sup, "a").tell(reason)
    turns.run_until_idle()
    assert (("WARNING", "child.terminated") in told(lines)) is told_of


@pytest.mark.contract("S198")
def test_giving_up_is_told_first(turns: ManualDispatcher, log: list[str]) -> None:
    """Who listens hears that the supervisor gave up before it stops the other children."""
    telemetry.attach(
        "test-gave-up",
        ("supervisors", "supervisor", "gave_up"),
        lambda *_: log.append("gave up"),
    )
    sup = start(turns, worker(turns, "a"), worker(turns, "b"), max_restarts=0)
    log.clear()
    child(sup, "b").tell("crash")
    turns.run_until_idle()
    telemetry.detach("test-gave-up")
    assert log == ["terminate b", "gave up", "terminate a"]


@pytest.mark.contract("S199")
def test_each_failed_attempt_is_told(
    turns: ManualDispatcher, lines: list[logging.LogRecord]
) -> None:
    """Each attempt to restart that fails writes a line of its own."""
    fails = iter([False, True, True, False])
    sup = start(
        turns, ChildSpec("a", lambda: Worker.start("a", fail=next(fails), dispatcher=turns))
    )
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    assert [name for _, name in told(lines)] == [
        *("child.started", "child.terminated"),
        *("child.start_failed", "child.start_failed", "child.restarted"),
    ]

"""Turns and time by hand for the unit tests of `supervisors`: no thread, no sleep."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from pykka import ActorRegistry

from supervisors import ActorRef, logs
from supervisors._runtime.current import current
from supervisors._runtime.timers import timers
from supervisors.testing import ManualDispatcher
from tests.leaks import resources
from tests.unit.supervisors.stepped import Seen, SteppedTimers
from tests.unit.supervisors.trees import LOG


@pytest.fixture
def turns() -> ManualDispatcher:
    """A dispatcher that the test steps."""
    return ManualDispatcher()


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Kills the actors that a test leaves, and lets this thread wait really again."""
    before = set(ActorRegistry.get_all())
    yield
    for ref in set(ActorRegistry.get_all()) - before:
        if isinstance(ref, ActorRef) and ref.process is not None:
            ref.process.kill()
    current.host = None


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SteppedTimers:
    """Timers that fire when the test lets time pass, everywhere in the package."""
    stepped, real = SteppedTimers(), timers
    for module in list(sys.modules.values()):
        if module.__name__.startswith("supervisors.") and vars(module).get("timers") is real:
            monkeypatch.setattr(module, "timers", stepped)
    return stepped


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Collects the telemetry events that the test chooses with `seen.of(...)`."""
    seen = Seen()
    yield seen
    seen.close()


class Keeping(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.records = records

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def lines() -> Iterator[list[logging.LogRecord]]:
    """Collects the package's log lines, which go through the standard logger."""
    records: list[logging.LogRecord] = []
    logger, handler = logging.getLogger("supervisors"), Keeping(records)
    level = logger.level
    structlog.reset_defaults()
    # Where lines go is decided at the first event after this.
    logs.uninstall()
    logs.install()
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)
    logs.uninstall()
    logs.install()


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What the workers of tests/unit/supervisors/trees.py note."""
    LOG.clear()
    yield LOG
    LOG.clear()


@pytest.fixture(autouse=True)
def no_thread() -> Iterator[None]:
    """Fails a unit test that starts a thread; the process's pool may need one for what is left."""
    before = resources().threads
    yield
    assert [thread.name for thread in resources().threads - before] == []

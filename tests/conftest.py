"""Fixtures for every test of the project.

- `no_leaks`: the test fails when it leaves a thread or an open socket behind.
- `fast_switching`: threads take turns every microsecond, which brings races out.
- `quiet`: the packages log nothing, for pytest keeps every line and what it speaks of.

Name `no_leaks` before fixtures that start something (or use `pytest.mark.usefixtures`), so that it
looks after they have cleaned up.
"""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from supervisors._runtime.current import current
from tests import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester", "tests.contracts.plugin"]

SWITCH_INTERVAL = 1e-6


def pytest_configure() -> None:
    """A shell that runs the tests in the background has them, and their programs, ignore SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_turns() -> Iterator[None]:
    """A test that fails while it steps actors by hand leaves the next one a thread that waits."""
    yield
    current.host = current.process = None


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails the test when a thread or socket of it outlives it by `leaks.DEADLINE` seconds."""
    before = leaks.resources()
    yield
    left = leaks.leaked(before, leaks.DEADLINE)
    if left:
        pytest.fail("\n".join(left), pytrace=False)


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Lets threads take turns every microsecond during the test."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Lets the packages log nothing during the test."""
    loggers = [logging.getLogger(name) for name in ("phoenix_actors", "supervisors")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)

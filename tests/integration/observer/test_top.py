"""The live screen in a terminal: keys, the process's end, and its next life."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.observer.programs import Observed, Terminal, observed

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(sys.platform == "win32", reason="Python has no Unix sockets on Windows"),
]


@pytest.fixture
def program(no_leaks: None, tmp_path: Path) -> Iterator[Observed]:
    """A program of its own."""
    with observed(tmp_path) as running:
        yield running


@pytest.fixture
def terminal(program: Observed) -> Iterator[Terminal]:
    """A terminal that shows it."""
    shown = Terminal(program.path)
    yield shown
    shown.close()


def test_a_walk_through_the_screen(terminal: Terminal) -> None:
    """Overview, order, one actor with its stack, its attributes' note, events, and out."""
    first = terminal.wait_for("Supervision", "Actors", "Caches", "Events", "by mailbox", "shop")
    assert "s3cret" not in first
    terminal.type("b")
    terminal.wait_for("by memory")
    terminal.type("1jj")
    terminal.wait_for("class or strategy")
    terminal.type("\r")
    terminal.wait_for("where it is, innermost call first", "in handle_cast", "show_state=True")
    terminal.type("\x1b4")
    terminal.wait_for("Events, newest first", "supervisors.actor.crashed")
    terminal.type("q")
    assert terminal.finish() == 0


def test_nothing_in_a_label_steers_the_terminal(terminal: Terminal) -> None:
    """Control characters are replaced; what rich would take for markup is text."""
    terminal.wait_for("Supervision")
    terminal.type("1")
    shown = terminal.wait_for("class or strategy", "[2J")
    assert "\x07" not in shown
    assert "onerror=alert(1)>\x1b[2J" not in shown
    assert "onerror=alert(1)>�[2J" in shown
    terminal.type("q")
    assert terminal.finish() == 0


def test_an_order_needs_a_yes(terminal: Terminal) -> None:
    """X asks first; y has the actor stopped, and its end is told."""
    terminal.wait_for("Supervision")
    terminal.type("1j\r")
    terminal.wait_for("x stop")
    terminal.type("x")
    terminal.wait_for("stop this actor?")
    terminal.type("y")
    terminal.wait_for("stop: done", "it has ended")
    terminal.type("q")
    assert terminal.finish() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_give_the_terminal_back(terminal: Terminal, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM leave the other screen and end with their codes."""
    assert "\x1b[?1049h" in terminal.wait_for("\x1b[?1049h", "Supervision")
    terminal.process.send_signal(number)
    terminal.wait_for("\x1b[?1049l")
    assert terminal.finish() == code


def test_it_is_honest_when_the_process_is_gone(
    program: Observed, terminal: Terminal, tmp_path: Path
) -> None:
    """The end is told with the age of what is shown; a new process is followed, and named."""
    terminal.wait_for("Supervision")
    program.kill()
    terminal.wait_for(f"process {program.process.pid} is gone", "what you see is of")
    with observed(tmp_path) as successor:
        terminal.wait_for(
            f"another process: {successor.process.pid} instead of {program.process.pid}"
        )
        terminal.type("q")
        assert terminal.finish() == 0

"""The command line as a process: signals, pipes that break, and a terminal of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phoenix_actors.testing import PhoenixServer
from tests.integration.cli.terminal import DEADLINE, command, environment, start

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals and other signals here", allow_module_level=True)

from tests.integration.cli.terminal import Terminal

CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")


@pytest.fixture
def server(no_leaks: None) -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer() as running:
        yield running


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_signals_end_listen_cleanly(server: PhoenixServer, number: int, code: int) -> None:
    """The connection is closed in order, the code is the shell's, and there is no traceback."""
    process = start("listen", server.url, "room:a", "--quiet")
    server.assert_join("room:a", timeout=DEADLINE)
    server.broadcast("room:a", "line", {"n": 1})
    assert process.stdout is not None
    assert process.stdout.readline() == 'line {"n": 1}\n'
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out, err) == (code, "", "")
    assert server.stats()["transports"] == 0


def test_nobody_reads_any_more(server: PhoenixServer) -> None:
    """With `listen … | head -1` the second line finds no reader: code 141 and no traceback."""
    process = start("listen", server.url, "room:a", "--quiet")
    server.assert_join("room:a", timeout=DEADLINE)
    server.broadcast("room:a", "line", {})
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    server.broadcast("room:a", "line", {})
    assert process.wait(DEADLINE) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_ctrl_c_in_a_terminal(server: PhoenixServer) -> None:
    """Typed Ctrl-C ends `listen` with 130; what was received has not steered the terminal."""
    terminal = Terminal("listen", server.url, "room:a")
    try:
        terminal.read_until(b"joined room:a")
        server.broadcast("room:a", "line\x1b[2J", {"body": "\x1b]0;x\x07 \x9b1m caf\u00e9"})
        terminal.read_until("café".encode())
        terminal.type(b"\x03")
        code, shown = terminal.finish()
    finally:
        terminal.close()
    assert code == 130
    assert b"Traceback" not in shown
    assert CONTROL.findall(shown) == []
    assert rb'line\u001b[2J {"body": "\u001b]0;x\u0007 \u009b1m caf' in shown


def test_bench_draws_a_bar_on_a_terminal(server: PhoenixServer) -> None:
    """The bar is drawn over itself and wiped out before the numbers."""
    terminal = Terminal("bench", server.url, "--count", "2000")
    try:
        code, shown = terminal.finish()
    finally:
        terminal.close()
    assert code == 0
    assert re.search(rb"\r\[#+\.*\] +\d+ % \d+/2000, [\d,]+ a second\x1b\[K", shown)
    before, wiped, after = shown.rpartition(b"\r\x1b[K")
    assert wiped
    assert b"2000/2000" in before
    assert after.startswith(b"count ")
    assert CONTROL.findall(after) == []


def test_bench_without_a_server_starts_one() -> None:
    """It measures against a server in a process of its own, and prints a table."""
    result = subprocess.run(
        command("bench", "--count", "20"),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment(),
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"^per_second +\d+\.\d$", result.stdout, re.MULTILINE)


def test_words_are_completed(tmp_path: Path) -> None:
    """With argcomplete a shell asks the program itself what the words may be."""
    pytest.importorskip("argcomplete")

    def complete(line: str) -> list[str]:
        answer = tmp_path / "answer"
        variables = {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        subprocess.run(
            [str(Path(sys.executable).with_name("phoenix-actors"))],
            env=environment(**variables),
            timeout=DEADLINE,
            check=True,
        )
        return [word.strip() for word in answer.read_text(encoding="utf-8").split("\n")]

    assert complete("phoenix-actors l") == ["listen"]
    assert complete("phoenix-actors push --no") == ["--no-reply"]


def test_an_output_that_lacks_characters(server: PhoenixServer) -> None:
    """In a terminal without Unicode the characters are escaped, and nothing fails."""
    result = subprocess.run(
        command("push", server.url, "room:a", "echo", '{"body": "caf\u00e9"}'),
        capture_output=True,
        timeout=DEADLINE,
        env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0"),
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode("ascii").replace(os.linesep, "\n") == 'ok {"body": "caf\\xe9"}\n'

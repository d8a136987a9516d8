"""The demo and the command line, as a newcomer runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from phoenix_actors import cli
from phoenix_actors.testing import PhoenixServer

FAULTS = ("the channel actor raises", "the Socket actor is killed", "the server drops the TCP")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m phoenix_actors` with these words."""
    inherited = {key: value for key, value in os.environ.items() if key != "PHOENIX_URL"}
    return subprocess.run(
        [sys.executable, "-m", "phoenix_actors", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=inherited | environment,
        check=False,
    )


def test_demo_heals_three_faults() -> None:
    """The demo exits 0 in under 20 s, with every check held and the tree before and after."""
    began = time.monotonic()
    result = run("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert time.monotonic() - began < 20
    for number, fault in enumerate(FAULTS, start=1):
        assert f"fault {number}: {fault}" in result.stdout
    assert "FAILED" not in result.stdout
    assert result.stdout.count("channel_manager") >= 3
    for actor in ("CounterChannel", "Socket"):
        assert re.search(
            rf" {actor} +running +restarted 1×  last: \S+$", result.stdout, re.MULTILINE
        )
    assert result.stdout.splitlines()[-1].startswith("demo passed: ")


def test_demo_takes_a_server_by_environment() -> None:
    """PHOENIX_URL makes the demo use that server, its control routes included."""
    with PhoenixServer() as server:
        result = run("demo", PHOENIX_URL=server.url)
        assert result.returncode == 0, result.stdout + result.stderr
        assert server.connections_total >= 3


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("ws://:secret@127.0.0.1:1/?token=secret", 3, "no reference application answers (ws://127"),
        ("nonsense", 2, "the URL must begin with"),
    ],
)
def test_demo_without_a_server_fails_with_a_line(url: str, code: int, said: str) -> None:
    """A server that is not there, and what is no URL, have their exit codes and a sentence."""
    result = run("demo", url)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr.splitlines()[0]
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


def test_top_is_the_one_of_supervisors(monkeypatch: pytest.MonkeyPatch) -> None:
    """`phoenix-actors top` hands its arguments on and returns the exit code."""
    given: list[list[str]] = []

    def observe(arguments: list[str], program: str) -> int:
        given.append([program, *arguments])
        return 7

    monkeypatch.setattr("supervisors.__main__.main", observe)
    assert cli.main(["top", "--once", "path"]) == 7
    assert given == [["phoenix-actors", "top", "--once", "path"]]


@pytest.mark.parametrize("words", [[], ["nonsense"], ["demo", "--fast"]])
def test_wrong_arguments_are_usage_errors(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong arguments are exit status 2 with a usage line."""
    assert cli.main(words) == cli.EXIT_USAGE
    assert "usage: phoenix-actors" in capsys.readouterr().err


def test_serve_refuses_a_bad_port(capsys: pytest.CaptureFixture[str]) -> None:
    """The server's own arguments are checked too."""
    assert run("serve", "--port", "nonsense").returncode == cli.EXIT_USAGE
    capsys.readouterr()

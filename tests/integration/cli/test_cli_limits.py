"""What no command line is made for: closed and full outputs, values nested a thousand deep."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from phoenix_actors import cli
from phoenix_actors.cli.tree_file import TreeFile, TreeFileError
from phoenix_actors.testing import PhoenixServer
from tests.integration.cli.terminal import DEADLINE, command, environment

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
DEEP = 100_000


@pytest.fixture
def server(no_leaks: None) -> Iterator[PhoenixServer]:
    """A server."""
    with PhoenixServer() as running:
        yield running


def in_shell(redirection: str, *words: str) -> tuple[int, str]:
    """Runs it with a redirection; returns its code and its notices."""
    result = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command(*words)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment(),
        check=False,
    )
    return result.returncode, result.stderr


@POSIX
@pytest.mark.parametrize(
    ("redirection", "payload", "code", "notice"),
    [
        (">&-", "{}", 141, ""),
        ("<&-", "-", 2, "PAYLOAD is to be read from standard input, which is closed"),
        pytest.param(
            ">/dev/full",
            "{}",
            1,
            "cannot go on: No space left on device",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full"),
        ),
    ],
)
def test_closed_and_full(
    server: PhoenixServer, redirection: str, payload: str, code: int, notice: str
) -> None:
    """Each has its exit code and at most a sentence, and no traceback."""
    told = f"phoenix-actors: {notice}\n" if notice else ""
    assert in_shell(redirection, "push", server.url, "room:a", "echo", payload) == (code, told)


@POSIX
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_listen_ends_with_its_output(server: PhoenixServer) -> None:
    """A full disk ends `listen` with a sentence."""
    words = command("listen", server.url, "room:a", "--quiet")
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", *words],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    server.assert_join("room:a", timeout=DEADLINE)
    server.broadcast("room:a", "news", {})
    _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (
        1,
        "phoenix-actors: cannot go on: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("words", "notice"),
    [
        (["--params", "[" * DEEP], "--params cannot be read: it is nested too deep"),
        (["--params", '{"a": "\udcff"}'], "--params is no JSON: it is not UTF-8"),
        (["--timeout", "1e308"], "must be more than 0 seconds, and 2,000,000 at most"),
        (["--timeout", "nan"], "must be more than 0 seconds, and 2,000,000 at most"),
    ],
)
def test_wrong_values(
    capsys: pytest.CaptureFixture[str], words: list[str], notice: str, no_leaks: None
) -> None:
    """They are refused before anything is connected."""
    assert cli.main(["push", "ws://localhost:1/socket", "room:a", "echo", *words]) == 2
    err = capsys.readouterr().err
    assert notice in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("a = " + "[" * DEEP, "", "is nested too deep"),
        ("a." + ".".join("b" * 5000) + " = 1", "", "is nested too deep"),
        ("name = [1]", "name", "must be text, not list"),
        ("path = [1]", "path", "must be text, not int"),
        ("[[child]]\nclass = 'odd_parts:A'\nname = [1]", "child 1, name", "must be text, not list"),
        (
            "[[child]]\nclass = 'odd_parts:B'",
            "child 1, class",
            "cannot import 'odd_parts': ValueError: no B",
        ),
        (
            "[[child]]\nclass = 'odd_exit:A'",
            "child 1, class",
            "cannot import 'odd_exit': SystemExit: 0",
        ),
    ],
)
def test_odd_tree_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, where: str, problem: str
) -> None:
    """Each mistake names its key, even where a module raises what no module should."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = """
        from supervisors import GenServer as A

        def __getattr__(name):
            raise ValueError("no " + name)
    """
    (tmp_path / "odd_parts.py").write_text(textwrap.dedent(module), encoding="utf-8")
    (tmp_path / "odd_exit.py").write_text("raise SystemExit(0)", encoding="utf-8")
    file = tmp_path / "app.toml"
    file.write_text(f"strategy = 'one_for_one'\n{text}\n", encoding="utf-8")
    try:
        with pytest.raises(TreeFileError) as caught:
            TreeFile(str(file))
    finally:
        sys.modules.pop("odd_parts", None)
    assert (caught.value.key, caught.value.problem) == (where, problem)

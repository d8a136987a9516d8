"""The examples run to their end, say what they promise, and leave nothing behind."""

from __future__ import annotations

import contextlib
import runpy
import subprocess
import sys

import pytest

from tests.sources import ROOT

EXAMPLES = {
    "chat": [
        "alice hears bob: Hi, alice",
        "(the server drops both)",
        "bob hears alice: Still here",
    ],
    "live_data": ["ACME: 250 prices, the last 104.0", "GLOBEX: 250 prices", "last=42.0"],
    "connections": [
        "{'dev': 'ok', 'staging': 'ok', 'prod': 'ok'}\n",
        "joined there: {'room:announcements': ",
        "{'dev': 'connected', 'staging': 'connected', 'prod': 'connected'}",
    ],
}


def test_every_example_is_run_and_named() -> None:
    """No example is left out, here or in README; none is longer than 120 lines."""
    files = sorted((ROOT / "examples").glob("*.py"))
    assert [file.stem for file in files] == sorted(EXAMPLES)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for file in files:
        assert f"examples/{file.name}" in readme
        assert len(file.read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_in_this_process(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its demo says what it promises and leaves no thread and no socket."""
    monkeypatch.setattr(sys, "argv", [name, "--demo"])
    with contextlib.suppress(SystemExit):
        runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    for promised in EXAMPLES[name]:
        assert promised in said


def test_the_chat_as_a_program() -> None:
    """What is typed is said; the end of the input ends it."""
    command = [sys.executable, "examples/chat.py", "carol"]
    done = subprocess.run(
        command,
        check=False,
        input="Good evening\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr

"""docs/testing.md is true: its files, put into an empty folder, are tests that pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from phoenix_actors.testing import PhoenixServer
from supervisors.testing import ProbeRef
from tests.sources import ROOT

GUIDE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
FILE = re.compile(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILES = dict(FILE.findall(GUIDE))
# Names in the first column of a table.
ROW = re.compile(r"^\| (`.*?) \|", re.MULTILINE)
CALL = re.compile(r"`(?:(probe)\.)?([a-z_]+)\(")


def test_the_guides_tests_pass(tmp_path: Path) -> None:
    """A new user who copies the files of the guide and runs pytest sees every test pass."""
    assert set(FILES) == {"chat.py", "conftest.py", "test_chat.py", "test_reminder.py"}
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    tests = sum(text.count("\ndef test_") for text in FILES.values())
    assert f"{tests} passed" in result.stdout


def calls() -> list[tuple[str, str]]:
    """Returns (object, method) for each call in the first column of the guide's tables."""
    return [call for row in ROW.findall(GUIDE) for call in CALL.findall(row)]


@pytest.mark.parametrize(("thing", "method"), calls())
def test_tables_name_what_is_there(thing: str, method: str) -> None:
    """Each method in the guide's tables exists."""
    assert callable(getattr(ProbeRef if thing == "probe" else PhoenixServer, method))

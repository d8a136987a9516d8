"""docs/running.md is true: its file is a tree, and `--check` prints what the guide shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from phoenix_actors import cli
from tests.sources import ROOT

GUIDE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
MODULE = """
from phoenix_actors import ChannelActor
from supervisors import GenServer

class Orders(ChannelActor): pass
class Dispatcher(GenServer): pass
class Worker(GenServer): pass
"""


def block(mark: str) -> str:
    """Returns the fenced block after a mark."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_file_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The guide's app.toml describes the tree that the guide says it does."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("CHAT_URL", "ws://localhost:4000/socket/websocket")
    (tmp_path / "shop.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "chat-token").write_text("secret\n", encoding="utf-8")
    (tmp_path / "app.toml").write_text(block("file: app.toml"), encoding="utf-8")
    try:
        assert cli.main(["run", str(tmp_path / "app.toml"), "--check"]) == 0
    finally:
        sys.modules.pop("shop", None)
    assert capsys.readouterr().out == block("check")

"""What README.md says is so: its commands exist, and its Python imports what is public.

Every Python block runs, against a loopback server, and the tree is the one that a client has.
"""

from __future__ import annotations

import ast
import importlib
import re
import textwrap

import pytest

from phoenix_actors import SocketClient
from phoenix_actors.testing import PhoenixServer
from supervisors.observer import render, snapshot
from tests.sources import PACKAGES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
TARGET = re.compile(r"^(?P<name>[a-z0-9]+):", re.MULTILINE)


def blocks(language: str) -> list[str]:
    """Returns the fenced blocks of a language."""
    return [fence["text"] for fence in FENCE.finditer(README) if fence["language"] == language]


def imported(block: str) -> list[tuple[str, str]]:
    """Returns (module, name) of each name that a block imports from the two packages."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if node.module.partition(".")[0] in PACKAGES
    ]


def test_make_targets_exist() -> None:
    """Every `make` command that README shows is a target of the Makefile."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    named = set(re.findall(r"^\s*(?:\$ )?(?:\w+=\S+ )*make ([a-z0-9]+)", README, re.MULTILINE))
    named |= set(re.findall(r"`make ([a-z0-9]+)`", README))
    assert {"demo", "test"} <= named
    assert named <= targets


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_blocks_import_what_is_there(number: int) -> None:
    """Every Python block is valid, and the names it imports are public."""
    block = blocks("python")[number]
    for module, name in imported(block):
        assert name in importlib.import_module(module).__all__, f"{module}.{name}"


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_blocks_run(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Every Python block runs to its end and prints what its comments say."""
    block = blocks("python")[number]
    with PhoenixServer() as server:
        code = block.replace("ws://localhost:4000/socket/websocket", server.url)
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
    printed = capsys.readouterr().out
    for promised in re.findall(r"print\(.*\)\s+# ((?:ok |\{|\d)\S*)", block):
        assert promised in printed


@pytest.mark.usefixtures("no_leaks")
def test_the_tree_is_what_the_observer_prints() -> None:
    """README's picture of the tree is the output of the observer on a started client."""
    drawn = README.partition("<!-- tree -->\n```text\n")[2].partition("```")[0]
    with PhoenixServer() as server, SocketClient.start_link(url=server.url, name="chat") as client:
        client.join("room:lobby")
        client.join("room:42")
        assert render(snapshot([client])) == textwrap.dedent(drawn).rstrip()

"""The server answers the captured exchanges of a real Phoenix frame by frame.

The captures are in `wire/`, the language of their steps is in `replay.py`. With `PHOENIX_URL` they
are replayed against that server instead, but for those that need a server of their own.
"""

from __future__ import annotations

import functools
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from phoenix_actors.testing import ControlClient, PhoenixServer, ServerProcess
from tests.conformance.replay import Mismatch, NothingCame, Replay
from tests.e2e.rig import eventually

FOLDER = Path(__file__).with_name("wire")
PHOENIX_URL = os.environ.get("PHOENIX_URL")

# Captures by (file, name).
CAPTURES: dict[tuple[str, str], dict[str, Any]] = {
    (path.stem, capture["name"]): capture
    for path in sorted(FOLDER.glob("*.json"))
    for capture in json.loads(path.read_text(encoding="utf-8"))["captures"]
}


def exchanges() -> list[Any]:
    """Returns a case for each exchange of each capture."""
    cases = []
    for (file, name), capture in CAPTURES.items():
        for number, exchange in enumerate(capture["exchanges"]):
            case = f"{file}: {name}: {number + 1} {exchange['name']}".replace("/", " ")
            cases.append(pytest.param(file, name, number, id=case))
    return cases


@functools.cache
def outcomes(file: str, name: str) -> list[str | None]:
    """Replays a capture and returns what went wrong in each exchange, None for nothing."""
    capture = CAPTURES[file, name]
    found: list[str | None] = []
    with ExitStack() as stack:
        replay = stack.enter_context(_replay(capture, stack))
        stuck = False
        for exchange in capture["exchanges"]:
            if stuck:
                found.append("not reached: an exchange before it was not answered")
                continue
            try:
                for step in exchange["steps"]:
                    replay.step(step)
                if exchange is capture["exchanges"][-1]:
                    replay.finish()
            except (Mismatch, OSError) as error:
                found.append(f"{type(error).__name__}: {error}")
                stuck = isinstance(error, NothingCame | OSError)
            else:
                found.append(None)
    return found


def _replay(capture: dict[str, Any], stack: ExitStack) -> Replay:
    if capture.get("process"):
        process = stack.enter_context(ServerProcess())
        return Replay(process.url, process.http_url, signal=lambda: process.stop() or 0)
    if PHOENIX_URL is not None:
        control = ControlClient(PHOENIX_URL)
        # What other tests left is none of the capture's.
        control.kill_sockets()
        eventually(lambda: control.stats()["transports"] == 0)
        return Replay(PHOENIX_URL, control.http_url)
    server = stack.enter_context(PhoenixServer(**capture.get("server", {})))
    return Replay(server.url, server.http_url)


@pytest.mark.parametrize(("file", "name", "number"), exchanges())
def test_exchange_is_answered_as_captured(file: str, name: str, number: int) -> None:
    """The server sends exactly the captured answers, and nothing where the capture has nothing."""
    capture = CAPTURES[file, name]
    if PHOENIX_URL is not None and (capture.get("server") or capture.get("process")):
        pytest.skip("needs a server with settings of its own")
    wrong = outcomes(file, name)[number]
    assert wrong is None, wrong


def test_every_capture_is_there() -> None:
    """The captures hold the exchanges of the sections that were recorded."""
    counts = {
        file: sum(len(c["exchanges"]) for (f, _), c in CAPTURES.items() if f == file)
        for file in {file for file, _ in CAPTURES}
    }
    assert counts == {
        "long_poll": 6,
        "timeouts": 4,
        "v1_raw": 26,
        "v2_endings": 13,
        "v2_javascript": 19,
        "v2_raw": 34,
    }

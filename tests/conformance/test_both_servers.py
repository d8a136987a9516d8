"""The loopback server answers drawn frames as the server of `PHOENIX_URL` does.

Without `PHOENIX_URL` there is nothing to compare. `PHOENIX_SEED` and `PHOENIX_SCRIPTS` choose what
is drawn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors.testing import ControlClient, PhoenixServer
from tests.conformance.drawn_frames import answers, script

PHOENIX_URL = os.environ.get("PHOENIX_URL")
SEED = int(os.environ.get("PHOENIX_SEED", "1"))
SCRIPTS = int(os.environ.get("PHOENIX_SCRIPTS", "120")) if PHOENIX_URL else 1
# Seconds without a frame after which nothing more is expected; the latter where servers differed.
QUIET, LONG_QUIET = 0.03, 0.4

pytestmark = pytest.mark.skipif(PHOENIX_URL is None, reason="PHOENIX_URL names no server")


@pytest.fixture(scope="module")
def urls() -> Iterator[tuple[str, str]]:
    """The URL of a loopback server and that of the other."""
    assert PHOENIX_URL is not None
    with PhoenixServer() as server:
        yield server.url, PHOENIX_URL


@pytest.mark.parametrize("number", range(SCRIPTS))
def test_the_same_frames_are_answered_alike(urls: tuple[str, str], number: int) -> None:
    """Frame by frame, up to the end of the connection; each other script speaks vsn 1.0.0."""
    vsn = ("2.0.0", "1.0.0")[number % 2]
    frames = script(random.Random(f"{SEED}/{vsn}/{number}"), vsn)
    told: list[list[Any]] = []
    for quiet in (QUIET, LONG_QUIET):
        told = []
        for url in urls:
            ControlClient(url).reset()
            told.append(answers(url, vsn, frames, quiet))
        if told[0] == told[1]:
            return
    for frame, ours, theirs in zip(frames, *told, strict=False):
        assert (frame, ours) == (frame, theirs)
    assert told[0] == told[1]

"""Frames, where they are read and written by a shorter way than usual."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque

import pytest

from phoenix_actors.transport.frames import TEXT, FrameReader, frame_of

ONE = b"\x81\x03one"


def test_one_short_text_alone() -> None:
    """It is what it is among others."""
    assert FrameReader(limit=3).feed(ONE) == [(TEXT, [b"one"])]
    assert FrameReader(limit=3).feed(ONE + ONE) == [(TEXT, [b"one", b"one"])]
    assert FrameReader(limit=3).feed(b"\x81\x00") == [(TEXT, [b""])]


def test_one_short_text_that_is_too_long() -> None:
    """The limit holds for it, too."""
    frames = FrameReader(limit=2)
    assert (frames.feed(ONE), repr(frames.error)) == ([], "TooBigError()")
    assert frames.feed(b"\x81\x01a") == []


@pytest.mark.parametrize("before", [b"\x01\x01a", b"\x81\x05ab", b"\x88\x00"])
def test_one_short_text_where_it_does_not_stand_alone(before: bytes) -> None:
    """Behind a fragment, in the middle of another one, and behind the close it is none."""
    together, apart = FrameReader(limit=100), FrameReader(limit=100)
    whole = together.feed(before + ONE)
    pieces = [*apart.feed(before), *apart.feed(ONE)]
    assert (pieces, repr(apart.error)) == (whole, repr(together.error))
    assert (TEXT, [b"one"]) not in pieces


def key_of(frame: bytes) -> bytes:
    """The masking key of a short frame."""
    return frame[2:6]


def test_no_key_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame has one of its own, drawn from the operating system."""
    drawn: list[bytes] = []

    def urandom(size: int) -> bytes:
        keys = range(len(drawn) * 1000, len(drawn) * 1000 + size // 4)
        drawn.append(b"".join(key.to_bytes(4, "big") for key in keys))
        return drawn[-1]

    monkeypatch.setattr("phoenix_actors.transport.frames._KEYS", deque())
    monkeypatch.setattr(os, "urandom", urandom)
    keys = [key_of(frame_of(b"hi", TEXT)) for _ in range(600)]
    assert len(set(keys)) == 600
    assert all(any(key in some for some in drawn) for key in keys)


FORKING = """
import os
from phoenix_actors.transport import frames
frames.frame_of(b"hi", frames.TEXT)
left = len(frames._KEYS)
child = os.fork()
if not child:
    os._exit(len(frames._KEYS) > 0)
assert left == len(frames._KEYS) > 0
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_draws_its_own() -> None:
    """The keys that are drawn already belong to the parent."""
    subprocess.run([sys.executable, "-c", FORKING], check=True, timeout=60)

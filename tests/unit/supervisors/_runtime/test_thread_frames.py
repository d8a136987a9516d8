"""`thread_frames`: nothing is collected while the interpreter lists its threads."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator

import pytest

from supervisors import unstopped
from supervisors._runtime import thread_frames as module
from supervisors._runtime.thread_frames import thread_frames


@pytest.fixture(params=[True, False], ids=["collector on", "collector off"])
def collects(request: pytest.FixtureRequest) -> Iterator[bool]:
    """The collector of garbage, switched on or off by the application."""
    collects: bool = request.param
    if not collects:
        gc.disable()
    yield collects
    gc.enable()


def test_no_collection(monkeypatch: pytest.MonkeyPatch, collects: bool) -> None:
    """The collector is off while threads are listed, and as it was before and afterwards."""
    seen: list[bool] = []

    def listing() -> dict[int, None]:
        seen.append(gc.isenabled())
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_COLLECTS", True)
    monkeypatch.setattr(sys, "_current_frames", listing)
    with pytest.raises(KeyboardInterrupt):
        thread_frames()
    assert (seen, gc.isenabled()) == ([False], collects)


@pytest.mark.parametrize("collecting", [True, False])
def test_frames(monkeypatch: pytest.MonkeyPatch, collecting: bool) -> None:
    """Every thread is there, whatever the version of Python."""
    monkeypatch.setattr(module, "_COLLECTS", collecting)
    assert threading.get_ident() in thread_frames()


def test_nobody_is_looked_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is stuck the threads are not listed at all."""
    monkeypatch.delattr(sys, "_current_frames")
    assert unstopped() == []

"""The list of what is stopped when the interpreter ends."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import CallTimeout, Reply
from supervisors._runtime.items import StopOrder
from supervisors._runtime.root import Root
from supervisors.exits import Shutdown
from tests.unit.supervisors.stepped import Seen


class Member:
    """A process that stops at once, or never."""

    def __init__(self, name: str, log: list[str], *, stuck: bool = False) -> None:
        self.name, self.log, self.stuck = name, log, stuck
        self.actor_ref = name

    def tie(self) -> bool:
        """Is not ended."""
        return True

    def has_ended(self) -> bool:
        return False

    def order(self, order: StopOrder) -> None:
        assert order.reason == Shutdown()
        self.log.append(self.name)
        if not self.stuck and order.reply is not None:
            order.reply.settle(value=True)


def root_of(*members: Any) -> Root:
    """Returns a root with these members and no exit hook."""
    root = Root()
    root._hooked = True
    for member in members:
        root.add(member)
    return root


def test_reverse_order() -> None:
    """The last one that was started is stopped first."""
    log: list[str] = []
    root = root_of(*(Member(name, log) for name in "abc"))
    assert root.stop_all() == []
    assert log == ["c", "b", "a"]


def test_time_is_left_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take half of the time that is left, the last one all of it."""
    limits: list[float] = []

    def block(_: Reply, timeout: float) -> None:
        limits.append(timeout)
        raise CallTimeout(timeout)

    monkeypatch.setattr(Reply, "block", block)
    root_of(*(Member(name, [], stuck=True) for name in "abc")).stop_all(timeout=8.0)
    assert limits == [4.0, 4.0, 8.0]


def test_one_deadline_for_all() -> None:
    """Those that would not stop are returned and reported; the others are stopped all the same."""
    seen = Seen().of(("supervisors", "root", "exit_deadline_passed"))
    log: list[str] = []
    stuck = Member("b", log, stuck=True)
    root = root_of(Member("a", log), stuck, Member("c", log))
    stuck_ones: list[Any] = root.stop_all(timeout=0.0)
    assert stuck_ones == [stuck]
    seen.close()
    assert log == ["c", "b", "a"]
    assert [metadata["actor"] for _, _, metadata in seen.events] == ["b"]

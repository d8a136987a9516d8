"""Two lanes, one slot, and no message lost behind the last drain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from supervisors._runtime.mailbox import Mailbox, making


def mailbox() -> tuple[Mailbox, list[Any]]:
    """Returns a mailbox and what it rejects."""
    rejected: list[Any] = []
    return Mailbox(SimpleNamespace(_reject=rejected.append)), rejected


def test_only_the_first_putter_schedules() -> None:
    """Who takes the slot must schedule; the others need not, until it is given back."""
    box, _ = mailbox()
    assert [box.put(1), box.put(2), box.put_control(3)] == [True, False, False]
    assert box.give_back_slot()
    assert not box.put_control(4)
    assert (list(box.user), list(box.control), box.closed) == ([1, 2], [3, 4], False)


def test_several_at_once() -> None:
    """They lie there in their order, with one scheduling; too late, each of them is rejected."""
    box, rejected = mailbox()
    box.add_all([1, 2])
    box.add_all([3])
    assert [box.put(4), box.put(5)] == [True, False]
    assert list(box.user) == [1, 2, 3, 4, 5]
    box.close()
    box.add_all([6, 7])
    assert rejected == [1, 2, 3, 4, 5, 6, 7]


def test_close_rejects_what_waits() -> None:
    """Control messages first, each lane in order; nothing is left."""
    box, rejected = mailbox()
    for item in "ab":
        box.put(item)
    box.put_control("stop")
    box.close()
    assert rejected == ["stop", "a", "b"]
    assert not box.has_work()


def test_put_after_close() -> None:
    """A message that comes too late is rejected by who puts it, and nobody is scheduled."""
    box, rejected = mailbox()
    box.close()
    assert [box.put("a"), box.put_control("b")] == [False, False]
    assert rejected == ["a", "b"]


def test_a_message_that_comes_too_late_may_be_taken_back() -> None:
    """Once, by who put it; what else waits is rejected, and so is the same message of another."""
    box, rejected = mailbox()
    late = object()
    for item in ("other", late, late):
        box.lane().append(item)
    box.closed = True
    assert box.take_back(late)
    assert rejected == ["other", late]
    assert not box.take_back(late)


def test_message_between_the_look_and_the_close() -> None:
    """A message that was appended when the mailbox closed is found by one of the two."""
    box, rejected = mailbox()
    append = box.lane().append

    class Racing(list[Any]):
        def append(self, item: Any) -> None:
            append(item)
            box.close()

        def popleft(self) -> Any:
            raise IndexError

    user, box.user = box.user, Racing()  # type: ignore[assignment]
    box.put("a")
    box.user = user
    box.drain()
    assert rejected == ["a"]


def test_rejecting_may_put_again() -> None:
    """A rejection that sends another message does not end the drain."""
    rejected: list[Any] = []

    def reject(item: Any) -> None:
        rejected.append(item)
        if item == "a":
            box.put("b")

    box = Mailbox(SimpleNamespace(_reject=reject))
    box.put("a")
    box.close()
    assert rejected == ["a", "b"]


def test_a_signal_handler_sends_while_a_lane_is_made() -> None:
    """What interrupts the making of a lane, in the same thread, may need a lane itself."""
    box, _ = mailbox()
    with making:
        assert box.put("from a handler")
    assert list(box.user) == ["from a handler"]

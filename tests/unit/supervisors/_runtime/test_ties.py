"""What a process is tied to, where a race is forced by hand."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import GenServer, Shutdown, whereis
from supervisors._runtime.in_place import end_idle
from supervisors._runtime.mailbox import Mailbox
from supervisors._runtime.reply import Reply
from supervisors._runtime.ties import FREE, Bonds
from supervisors.testing import ManualDispatcher


def start(turns: ManualDispatcher, **options: Any) -> Any:
    """An idle actor."""
    ref = GenServer.start(dispatcher=turns, **options)
    turns.run_until_idle()
    return ref


def values(bonds: Bonds) -> list[Any]:
    """Everything that stands in them."""
    return [getattr(bonds, name) for name in Bonds.__struct_fields__]


def test_a_process_that_nothing_is_tied_to_has_no_bonds_of_its_own(turns: ManualDispatcher) -> None:
    """All such share one object, in which nobody ever writes; and each is its own mailbox."""
    usual = values(FREE)
    alone, one, two = start(turns), start(turns, name="one"), start(turns)
    one.process.actor.link(two)
    one.process.actor.monitor(two)
    two.process.actor.send_after(60.0, "late")
    reply = Reply()
    one.process.defer(reply)
    ended = alone.stop(block=False)
    turns.run_until_idle()
    assert ended.get(timeout=0)
    two.stop(Shutdown(), block=False)
    turns.run_until_idle()
    assert (reply.done(), whereis("one")) == (True, None)
    last = start(turns)
    assert (last.process.bonds is FREE, values(FREE)) == (True, usual)
    assert (isinstance(last.process, Mailbox), last.process.mailbox is last.process) == (True, True)


class Lock:
    """A claim that does something else before it is taken, or when it was given back."""

    def __init__(self, claim: Any, *, before: Any = None, after: Any = None) -> None:
        self.claim, self.before, self.after = claim, before, after

    def __enter__(self) -> None:
        act, self.before = self.before, None
        if act:
            act()
        self.claim.acquire()

    def __exit__(self, *_: object) -> None:
        self.claim.release()
        act, self.after = self.after, None
        if act:
            act()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("tied", [True, False])
def test_who_begins_to_wait_while_the_actor_ends(moment: str, tied: bool) -> None:
    """Is told, whether all others were told before or look for who waits afterwards."""
    process = GenServer.start().process
    if tied:
        process.tie()
    claim = process.claim

    def end() -> None:
        process.claim = claim
        assert end_idle(process, Shutdown())

    process.claim = Lock(claim, **{moment: end})
    reply = Reply()
    process.await_end(reply)
    assert (process.ended, reply.get(timeout=0)) == (True, True)

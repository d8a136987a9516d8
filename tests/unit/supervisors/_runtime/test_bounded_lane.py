"""Bounded mailboxes: what is refused or dropped, who is told, and what always comes in."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    GenServer,
    MailboxFullError,
    NoProcError,
    Normal,
    Shutdown,
    Supervisor,
    dead_letters,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen, SteppedTimers

DROPPED = ("supervisors", "mailbox", "dropped")
POLICIES = ["error", "block", "drop_oldest", "drop_newest"]


class Noting(GenServer):
    """Notes what it handles."""

    def init(self) -> None:
        self.notes: list[Any] = []

    def handle_call(self, request: Any, sender: Any) -> Any:
        if callable(request):
            return request(self)
        self.notes.append(request)
        return request

    def handle_cast(self, message: Any) -> None:
        self.notes.append(message)

    def handle_info(self, message: Any) -> None:
        self.notes.append(("info", message))


def bounded(policy: str, limit: int | None = 2) -> type[Noting]:
    return type("Bounded", (Noting,), {"mailbox_limit": limit, "mailbox_overflow": policy})


def full(turns: ManualDispatcher, policy: str) -> Any:
    """Returns an actor in whose mailbox two casts wait, which is all it takes."""
    ref = bounded(policy).start(dispatcher=turns)
    ref.tell("one")
    ref.tell("two")
    return ref


def handled(turns: ManualDispatcher, ref: Any) -> list[Any]:
    turns.run_until_idle()
    notes: list[Any] = ref.process.actor.notes
    return notes


def test_no_limit_by_default(turns: ManualDispatcher) -> None:
    """Then the mailbox is a plain deque."""
    ref = Noting.start(dispatcher=turns)
    ref.tell(0)
    assert type(ref.process.mailbox.user).__name__ == "deque"
    for number in range(10_000):
        ref.tell(number)
    assert len(handled(turns, ref)) == 10_001


@pytest.mark.parametrize(("limit", "arrived"), [(None, [1, 2, 3]), (2, [1, 2])])
def test_several_casts_at_once(
    turns: ManualDispatcher, limit: int | None, arrived: list[int]
) -> None:
    """Their order stays, a limit holds for each of them, and what is left out is a dead letter."""
    cls = bounded("error", limit)
    ref = cls.start(dispatcher=turns)
    letters: list[Any] = []
    with dead_letters.subscribe(letters.append):
        ref.cast_all([1, 2, 3])
        assert handled(turns, ref) == arrived
        ref.stop(block=False)
        turns.run_until_idle()
        ref.cast_all([4, 5])
    assert len(letters) == 5 - len(arrived)


def test_error(turns: ManualDispatcher, seen: Seen) -> None:
    """Tell and ask raise, a cast becomes a dead letter; each is counted."""
    seen.of(DROPPED)
    ref = full(turns, "error")
    letters: list[Any] = []
    with pytest.raises(MailboxFullError, match="mailbox_limit") as caught:
        ref.tell({"token": "s3cret"})
    with pytest.raises(MailboxFullError):
        ref.ask("ask", timeout=0)
    with dead_letters.subscribe(letters.append):
        ref.cast("cast")
    with pytest.raises(MailboxFullError):
        ref.proxy().notes.get(timeout=0)
    assert caught.value.limit == 2
    assert [letter.why for letter in letters] == ["mailbox_full"]
    assert [m["dropped"] for _, m, _ in seen.events] == [1, 2, 3, 4]
    assert [d["message_type"] for _, _, d in seen.events][:3] == ["dict", "str", "str"]
    assert "s3cret" not in repr(seen.events)
    assert handled(turns, ref) == ["one", "two"]
    ref.tell("three")
    assert handled(turns, ref) == ["one", "two", "three"]


def test_drop_newest(turns: ManualDispatcher, seen: Seen) -> None:
    """The new one goes: an asker is told, a tell is a dead letter."""
    seen.of(DROPPED)
    ref = full(turns, "drop_newest")
    letters: list[Any] = []
    with dead_letters.subscribe(letters.append):
        ref.tell("three")
        ask = ref.ask("four", block=False)
    assert isinstance(ask.exception(0), MailboxFullError)
    assert len(letters) == 1
    assert len(seen.events) == 2
    assert handled(turns, ref) == ["one", "two"]


def test_drop_oldest(turns: ManualDispatcher) -> None:
    """What has waited longest goes, and if it was a call its asker is told."""
    ref = bounded("drop_oldest").start(dispatcher=turns)
    ask = ref.ask("one", block=False)
    ref.tell("two")
    letters: list[Any] = []
    with dead_letters.subscribe(letters.append):
        ref.tell("three")
        assert isinstance(ask.exception(0), MailboxFullError)
        assert letters == []
        last = ref.ask("four", block=False)
        assert [letter.why for letter in letters] == ["mailbox_full"]
    assert handled(turns, ref) == ["three", "four"]
    assert last.get(timeout=0) == "four"


@pytest.mark.parametrize("policy", POLICIES)
def test_what_always_comes_in(turns: ManualDispatcher, clock: SteppedTimers, policy: str) -> None:
    """Infos, timers, Down and the actor's own stop are neither refused nor dropped."""
    ref = full(turns, policy)
    other = Noting.start(dispatcher=turns)
    actor = ref.process.actor
    actor.monitor(other)
    actor.send_after(1.0, "timer")
    ref.send_info("info")
    other.stop()
    clock.advance(1.0)
    notes = actor.notes
    actor.stop()
    watch = ref.monitor()
    turns.run_until_idle()
    assert notes[:2] == ["one", "two"]
    assert [type(note[1]).__name__ for note in notes[2:]] == ["str", "Down", "str"]
    assert watch.wait(0).reason == Normal()


def test_only_infos_wait(turns: ManualDispatcher) -> None:
    """Where nothing may be dropped for it, the new message is, whatever the policy."""
    ref = bounded("drop_oldest").start(dispatcher=turns)
    ref.send_info(1)
    ref.send_info(2)
    ask = ref.ask("x", block=False)
    assert isinstance(ask.exception(0), MailboxFullError)
    assert handled(turns, ref) == [("info", 1), ("info", 2)]


@pytest.mark.parametrize("policy", POLICIES)
def test_stop_overtakes(turns: ManualDispatcher, policy: str) -> None:
    """An order to stop finds its way past a full mailbox; who waits there is told."""
    ref = bounded(policy).start(dispatcher=turns)
    asks = [ref.ask(number, block=False) for number in range(2)]
    watch = ref.monitor()
    assert ref.stop(Shutdown())
    assert watch.wait(0).reason == Shutdown()
    assert all(isinstance(ask.exception(0), NoProcError) for ask in asks)


def test_block_to_oneself(turns: ManualDispatcher) -> None:
    """The actor itself would wait for ever, so it gets the error."""
    ref = bounded("block", 1).start(dispatcher=turns)

    def fill(actor: Noting) -> str:
        actor.actor_ref.tell("one")
        try:
            actor.actor_ref.tell("two")
        except MailboxFullError:
            return "full"
        return "taken"

    assert ref.call(fill) == "full"
    assert handled(turns, ref) == ["one"]


@pytest.mark.parametrize(
    "keys",
    [
        {"mailbox_limit": 0},
        {"mailbox_limit": True},
        {"mailbox_limit": 1.5},
        {"mailbox_overflow": "drop"},
        {"mailbox_limit": 1, "mailbox_overflow": "drop"},
        {"stash_limit": 0},
    ],
    ids=repr,
)
def test_bad_limits(keys: dict[str, Any]) -> None:
    """They are refused where the class is written."""
    with pytest.raises(ValueError, match=r"Bad\.(mailbox|stash)_"):
        type("Bad", (GenServer,), keys)


def test_child_with_a_bound(turns: ManualDispatcher) -> None:
    """A restarted child has the bound as well."""
    cls = bounded("error", 1)
    spec = cls.child_spec(dispatcher=turns)
    sup = Supervisor.start_link([spec], strategy="one_for_one", dispatcher=turns)
    (info,) = sup.which_children()
    info.ref.process.kill()
    turns.run_until_idle()
    (info,) = sup.which_children()
    info.ref.tell(1)
    with pytest.raises(MailboxFullError):
        info.ref.tell(2)
    sup.stop()

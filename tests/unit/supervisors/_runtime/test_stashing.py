"""The stash: put aside, taken up again in order before newer messages, never lost unseen."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    GenServer,
    Killed,
    NoProcError,
    StashFullError,
    dead_letters,
)
from supervisors.exits import Crashed
from supervisors.testing import ManualDispatcher


class Gate(GenServer):
    """Stashes everything until it is opened."""

    stash_limit = 3

    def init(self) -> None:
        self.open = False
        self.notes: list[Any] = []

    def take(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        if message == "open":
            self.open = True
            return self.unstash_all()
        if not self.open:
            self.stash()
        else:
            self.notes.append(message)
        return message

    def handle_call(self, request: Any, sender: Any) -> Any:
        return self.take(request)

    def handle_cast(self, message: Any) -> None:
        self.take(message)

    def handle_info(self, message: Any) -> None:
        self.take(message)


def gate(turns: ManualDispatcher, cls: type[Gate] = Gate) -> Any:
    return cls.start(dispatcher=turns)


def test_order(turns: ManualDispatcher) -> None:
    """Stashed messages of every kind come in their order, and before those that came later."""
    ref = gate(turns)
    ref.tell(1)
    ask = ref.ask(2, block=False)
    ref.send_info(3)
    turns.run_until_idle()
    assert not ask.done()
    opened = ref.ask("open", block=False)
    ref.tell(4)
    turns.run_until_idle()
    assert opened.get(timeout=0) == 3
    assert ref.process.actor.notes == [1, 2, 3, 4]
    assert ask.get(timeout=0) == 2


def test_stashed_again(turns: ManualDispatcher) -> None:
    """What is put aside again keeps its place."""
    ref = gate(turns)
    for number in (1, 2):
        ref.tell(number)
    ref.tell(lambda actor: actor.unstash_all())
    ref.tell(3)
    ref.tell("open")
    turns.run_until_idle()
    assert ref.process.actor.notes == [1, 2, 3]


def test_nothing_stashed(turns: ManualDispatcher) -> None:
    """Then unstash_all() does nothing."""
    assert gate(turns).call("open") == 0


def test_limit(turns: ManualDispatcher) -> None:
    """One message too many raises; unless the class catches that, the actor crashes."""
    ref = gate(turns)
    watch = ref.monitor()
    asks = [ref.ask(number, block=False) for number in range(4)]
    turns.run_until_idle()
    reason = watch.wait(0).reason
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, StashFullError)
    assert isinstance(asks[3].exception(0), StashFullError)
    assert all(isinstance(ask.exception(0), NoProcError) for ask in asks[:3])


@pytest.mark.parametrize("end", ["crash", "stop", "kill"])
def test_the_end(turns: ManualDispatcher, end: str) -> None:
    """Whatever ends the actor: stashed calls get NoProcError, the others are dead letters."""
    ref = gate(turns)
    letters: list[Any] = []
    ask = ref.ask(1, block=False)
    ref.tell("two")
    ref.send_info(3.0)
    turns.run_until_idle()
    with dead_letters.subscribe(letters.append):
        if end == "crash":
            ref.tell(lambda actor: 1 / 0)
        elif end == "stop":
            ref.stop()
        else:
            ref.exit(Killed())
        turns.run_until_idle()
    assert isinstance(ask.exception(0), NoProcError)
    assert [letter.message_type for letter in letters] == ["str", "float"]


def test_crash_behind_stash(turns: ManualDispatcher) -> None:
    """A handler that stashes its call and then raises leaves the asker not waiting."""
    ref = gate(turns)

    def stash_and_raise(actor: Gate) -> None:
        actor.stash()
        raise ValueError

    ask = ref.ask(stash_and_raise, block=False)
    turns.run_until_idle()
    assert isinstance(ask.exception(0), NoProcError)


def test_killed_within(turns: ManualDispatcher) -> None:
    """What a fenced-off handler stashes or takes up is rejected, too."""
    ref = gate(turns)
    ref.tell("waiting")
    turns.run_until_idle()
    letters: list[Any] = []
    process = ref.process

    def stash_when_dead(actor: Gate) -> None:
        # As another thread's kill would find it.
        process.ended = True
        actor.stash()
        process.ended = False

    with dead_letters.subscribe(letters.append):
        ref.tell(stash_when_dead)
        turns.run_until_idle()
        assert [letter.message_type for letter in letters] == ["str", "function"]
        ref.tell("again")
        turns.run_until_idle()

        def unstash_when_closed(actor: Gate) -> None:
            process.mailbox.closed = True
            actor.unstash_all()

        ref.tell(unstash_when_closed)
        turns.run_until_idle()
        assert letters[2].message_type == "str"


def test_where_it_may_be_called(turns: ManualDispatcher) -> None:
    """Once, in a handler, by the actor itself."""
    ref = gate(turns)
    actor = ref.process.actor

    def twice(actor: Gate) -> None:
        actor.stash()
        with pytest.raises(RuntimeError, match="once"):
            actor.stash()

    ref.tell(twice)
    turns.run_until_idle()
    assert len(actor._otp_stash) == 1
    with pytest.raises(RuntimeError, match="own handlers"):
        actor.stash()
    with pytest.raises(RuntimeError, match="own handlers"):
        actor.unstash_all()

    class Hasty(Gate):
        def init(self) -> None:
            self.stash()

    with pytest.raises(Exception, match="RuntimeError"):
        gate(turns, Hasty)


def test_proxied_method(turns: ManualDispatcher) -> None:
    """A proxied method has its caller's answer to give, so there is nothing to put aside."""

    class Proxied(Gate):
        def work(self) -> None:
            self.stash()

    ref = gate(turns, Proxied)
    with pytest.raises(RuntimeError, match="there is none here"):
        ref.proxy().work().get(timeout=0)
    assert not ref.is_alive()


def test_past_a_bound(turns: ManualDispatcher) -> None:
    """What is unstashed goes back into a full mailbox, too."""

    class Small(Gate):
        mailbox_limit = 2

    ref = gate(turns, Small)
    for number in (1, 2):
        ref.tell(number)
    turns.run_until_idle()
    ref.tell("open")
    ref.tell(3)
    turns.run_until_idle()
    assert ref.process.actor.notes == [1, 2, 3]

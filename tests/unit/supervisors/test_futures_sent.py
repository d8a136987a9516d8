"""Futures and senders are calls inside; as messages they are messages like all others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    DynamicSupervisor,
    GenServer,
    Killed,
    NoProcError,
    introspect,
)
from supervisors._runtime.carrying import carry, carry_no_more
from supervisors._runtime.current import current
from supervisors._runtime.items import Carried
from supervisors.dead_letters import DeadLetter, subscribe
from supervisors.testing import ManualDispatcher


class Silent(GenServer):
    """Keeps who asked, and does not answer."""

    def init(self) -> None:
        """Knows nobody yet."""
        self.senders: list[Any] = []

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Keeps the sender."""
        self.senders.append(sender)
        return NO_REPLY


class Keeper(GenServer):
    """Keeps its casts, and answers each call."""

    def init(self) -> None:
        """Has nothing yet."""
        self.casts: list[Any] = []

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answers."""
        return "wrong"

    def handle_cast(self, message: Any) -> None:
        """Keeps it."""
        self.casts.append(message)


class Receiver(Keeper):
    """Handles all in Pykka's hook."""

    def on_receive(self, message: Any) -> Any:
        """Keeps it."""
        self.casts.append(message)


class Narrow(Keeper):
    """Has room for one."""

    mailbox_limit = 1
    mailbox_overflow = "drop_oldest"


def _asked(turns: ManualDispatcher) -> tuple[Any, Any]:
    """Return an open future and its sender."""
    current.host = turns
    ref = Silent.start(dispatcher=turns)
    current.host = None
    future = ref.ask("question", block=False)
    turns.run_until_idle()
    return future, ref.process.actor.senders[0]


SENDS: list[Callable[[Any, Any], None]] = [
    lambda ref, message: ref.tell(message),
    lambda ref, message: ref.cast(message),
    lambda ref, message: ref.cast_all([message]),
]


@pytest.mark.parametrize("cls", [Keeper, Receiver])
@pytest.mark.parametrize("send", SENDS, ids=["tell", "cast", "cast_all"])
@pytest.mark.contract("S164", "S165")
def test_future_or_sender_is_a_cast(
    turns: ManualDispatcher, cls: type[Keeper], send: Callable[[Any, Any], None]
) -> None:
    """It arrives as it was sent, and nobody answers in its name."""
    future, sender = _asked(turns)
    ref = cls.start(dispatcher=turns)
    send(ref, future)
    send(ref, sender)
    turns.run_until_idle()
    assert ref.process.actor.casts == [future, sender]
    assert not future.done()
    assert sender.reply("right")
    assert future.get(timeout=0) == "right"


def test_future_in_a_mailbox_that_is_closed(turns: ManualDispatcher) -> None:
    """It is a dead letter of its own type, and does not fail with the actor it was sent to."""
    future, sender = _asked(turns)
    ref = Keeper.start(dispatcher=turns)
    ref.tell(future)
    letters: list[DeadLetter] = []
    with subscribe(letters.append):
        ref.exit(Killed())
    assert [letter.message_type for letter in letters] == ["Asked"]
    assert not future.done()
    assert sender.reply(1)


def test_future_that_a_full_mailbox_drops(turns: ManualDispatcher) -> None:
    """It is no call that fails for it."""
    future, _ = _asked(turns)
    ref = Narrow.start(dispatcher=turns)
    ref.tell(future)
    ref.tell("newer")
    turns.run_until_idle()
    assert ref.process.actor.casts == ["newer"]
    assert not future.done()


def test_future_told_to_a_supervisor(turns: ManualDispatcher) -> None:
    """It is refused, as every message, without an answer in its name."""
    future, _ = _asked(turns)
    current.host = turns
    ref = DynamicSupervisor.start_link(dispatcher=turns)
    ref.tell(future)
    turns.run_until_idle()
    assert ref.is_alive()
    assert not future.done()


def test_future_is_traced_as_a_cast(turns: ManualDispatcher) -> None:
    """Observers see the message itself."""
    future, _ = _asked(turns)
    ref = Keeper.start(dispatcher=turns)
    seen: list[Any] = []
    current.host = turns
    introspect.trace(ref, lambda event: seen.append((str(event.kind), event.message)))
    ref.tell(future)
    turns.run_until_idle()
    assert seen[0] == ("cast", future)


@pytest.mark.contract("S164")
def test_a_future_that_carries_something_is_a_message_too(turns: ManualDispatcher) -> None:
    """Also while somebody carries, who takes the place of what `ask` sends."""

    class Bearer:
        """Carries next to nothing."""

        def ask(self, target: Any, send: Callable[[], Any], *, block: bool) -> Any:
            return send()

        def around(self) -> Any:
            return nullcontext()

    silent, keeper = Silent.start(dispatcher=turns), Keeper.start(dispatcher=turns)
    plain = silent.ask("plain", block=False)
    bearer = Bearer()
    assert carry(bearer)
    try:
        carried = silent.ask("carried", block=False)
        assert type(carried) is Carried
        keeper.tell(plain)
        keeper.tell(carried)
        keeper.cast(carried)
        keeper.cast_all([plain, carried])
        turns.run_until_idle()
    finally:
        carry_no_more(bearer)
    assert keeper.process.actor.casts == [plain, carried, carried, plain, carried]
    assert not plain.done()
    assert not carried.done()


class Putting(Keeper):
    """Puts each call aside until it is told to take them up; raises where it was told so."""

    def init(self) -> None:
        """Puts aside."""
        super().init()
        self.aside = True

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answers later, or with the request."""
        if self.aside:
            self.stash()
        return request

    def handle_cast(self, message: Any) -> None:
        """Takes up the calls that were put aside, or keeps the message, and raises."""
        if message == "take up":
            self.aside = False
            self.unstash_all()
        else:
            super().handle_cast(message)
            if len(self.casts) > 1 and self.casts[0] == "raise next":
                raise ValueError


@pytest.mark.parametrize("cls", [Keeper, Receiver, Putting])
@pytest.mark.parametrize("to", ["same", "other"])
@pytest.mark.contract("S164")
def test_a_call_that_waits_is_told_of(turns: ManualDispatcher, cls: type[Keeper], to: str) -> None:
    """Whoever takes it out first, it is one call to the one that was asked and a cast else."""
    asked = cls.start(dispatcher=turns)
    other = asked if to == "same" else Keeper.start(dispatcher=turns)
    assert asked.process.mailbox.take_slot()
    future = asked.ask("question", block=False)
    other.tell(future)
    if to == "other":
        turns.run_until_idle()
        assert other.process.actor.casts == [future]
        assert not future.done()
    asked.process.schedule()
    turns.run_until_idle()
    if cls is Putting:
        assert not future.done()
        asked.tell("take up")
        turns.run_until_idle()
    assert future.done()
    assert other.process.actor.casts[-1] is future


@pytest.mark.contract("S164")
def test_a_call_outlives_who_was_told_of_it(turns: ManualDispatcher) -> None:
    """A crash in the handler that is told of a call that waits elsewhere is none of that call's."""
    asked = Putting.start(dispatcher=turns)
    teller = Putting.start(dispatcher=turns)
    assert asked.process.mailbox.take_slot()
    future = asked.ask("question", block=False)
    for message in ("raise next", future):
        teller.tell(message)
    turns.run_until_idle()
    assert not teller.is_alive()
    assert not future.done()
    asked.process.schedule()
    asked.tell("take up")
    turns.run_until_idle()
    assert future.get(timeout=0) == "question"


@pytest.mark.contract("S164")
def test_a_call_that_was_put_aside_ends_with_its_actor(turns: ManualDispatcher) -> None:
    """Its asker is told."""
    asked = Putting.start(dispatcher=turns)
    future = asked.ask("question", block=False)
    turns.run_until_idle()
    asked.exit(Killed())
    turns.run_until_idle()
    assert isinstance(future.exception(0), NoProcError)


def test_a_call_of_many_is_told_of(turns: ManualDispatcher) -> None:
    """Also among so many messages that they are taken out in another way."""
    future, _ = _asked(turns)
    ref = Keeper.start(dispatcher=turns)
    own = []
    for number in range(100):
        ref.tell(number)
        ref.tell(future)
        own.append(ref.ask(number, block=False))
    turns.run_until_idle()
    assert ref.process.actor.casts == [x for number in range(100) for x in (number, future)]
    assert [reply.get(timeout=0) for reply in own] == ["wrong"] * 100
    assert not future.done()

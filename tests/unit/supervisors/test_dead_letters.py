"""Dead letters as a stream: who hears of what, and that it ends."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import GenServer, NoProcError, Reply, dead_letters, telemetry
from supervisors.dead_letters import DeadLetter, Why
from supervisors.testing import ManualDispatcher


class Quiet(GenServer):
    """Takes what comes."""

    def handle_cast(self, message: Any) -> None:
        """Nothing."""


def test_what_is_a_dead_letter(turns: ManualDispatcher) -> None:
    """Queued tells at the end, and what is cast or sent to the dead; asks get errors instead."""
    letters: list[DeadLetter] = []
    ref = Quiet.start(dispatcher=turns)
    with dead_letters.subscribe(letters.append) as subscription:
        ref.tell({"token": "s3cret"})
        ask = ref.ask("ask", block=False)
        ref.stop()
        ref.cast(1.5)
        ref.send_info([])
        assert ask.exception(0) is not None
        assert [letter.message_type for letter in letters] == ["dict", "float", "list"]
        assert {(letter.actor, letter.why) for letter in letters} == {(str(ref), Why.ENDED)}
        assert "s3cret" not in repr(letters)
    ref.cast(1)
    assert len(letters) == 3
    assert not subscription.cancel()


@pytest.mark.parametrize("message", [7, Reply()])
def test_a_tell_that_raises_is_no_dead_letter(turns: ManualDispatcher, message: Any) -> None:
    """Its sender knows; that holds as soon as the mailbox is closed, before the rest is told."""
    letters: list[DeadLetter] = []
    ref = Quiet.start(dispatcher=turns)
    assert ref.process is not None
    ref.process.mailbox.close()
    with dead_letters.subscribe(letters.append), pytest.raises(NoProcError):
        ref.tell(message)
    assert not letters
    assert len(ref.process.mailbox.user) == 0
    ref.process.mailbox.closed = False
    ref.stop()


def test_letters_of_a_subscriber(turns: ManualDispatcher) -> None:
    """One that sends to a dead actor itself is not told of that for ever."""
    letters: list[DeadLetter] = []
    dead = Quiet.start(dispatcher=turns)
    dead.stop()

    def forward(letter: DeadLetter) -> None:
        letters.append(letter)
        dead.send_info(letter)

    with dead_letters.subscribe(forward), dead_letters.subscribe(letters.append):
        dead.cast("x")
        dead.cast("y")
    assert [letter.message_type for letter in letters] == ["str"] * 4


def test_subscriber_that_raises(turns: ManualDispatcher) -> None:
    """It is dropped and reported; the sender notices nothing, the others go on."""
    letters: list[DeadLetter] = []
    failed: list[Any] = []
    event = ("supervisors", "telemetry", "handler_failed")
    telemetry.attach("failed", event, lambda *args: failed.append(args))
    dead = Quiet.start(dispatcher=turns)
    dead.stop()
    bad = dead_letters.subscribe(lambda letter: letter.missing)  # type: ignore[attr-defined]
    with dead_letters.subscribe(letters.append):
        dead.cast(1)
        dead.cast(2)
    telemetry.detach("failed")
    assert (len(letters), len(failed), bad.cancel()) == (2, 1, False)


def test_no_subscriber() -> None:
    """What cannot be called is refused at once."""
    subscriber: Any = 3
    with pytest.raises(TypeError, match="a subscriber to dead letters is a function, not 3"):
        dead_letters.subscribe(subscriber)

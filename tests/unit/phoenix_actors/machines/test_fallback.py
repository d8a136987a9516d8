"""When long poll takes the place of the WebSocket."""

from __future__ import annotations

import pytest

from phoenix_actors.machines.fallback import (
    AttemptBegan,
    AttemptFailed,
    AttemptOpened,
    Carrier,
    ConnectAsked,
    FallbackEvent,
    FallbackMachine,
    GiveUpAttempt,
    Probe,
    ProbeAnswered,
    ProbeFailed,
    Try,
)

PRIMARY, LONG_POLL = Carrier.PRIMARY, Carrier.LONG_POLL
LIMITED = [Try(PRIMARY, 2.5)]


def after(*events: FallbackEvent) -> FallbackMachine:
    """Return a machine that has met these events."""
    choice = FallbackMachine(2.5)
    for event in events:
        choice.handle(event)
    return choice


@pytest.mark.contract("C138")
def test_a_primary_that_does_not_open_leads_to_long_poll() -> None:
    """Within the same attempt."""
    choice = FallbackMachine(2.5)
    assert choice.handle(AttemptBegan()) == LIMITED
    assert choice.handle(AttemptFailed(PRIMARY)) == [Try(LONG_POLL)]
    assert choice.handle(AttemptOpened(LONG_POLL)) == []


def test_what_long_poll_would_not_heal_fails_the_attempt() -> None:
    """Such as a certificate that does not verify."""
    choice = after(AttemptBegan())
    assert choice.handle(AttemptFailed(PRIMARY, final=True)) == [GiveUpAttempt()]
    assert choice.handle(AttemptBegan()) == LIMITED


def test_long_poll_that_opened_is_remembered() -> None:
    """Reconnects go straight to it, even when one of them fails."""
    choice = after(AttemptBegan(), AttemptFailed(PRIMARY), AttemptOpened(LONG_POLL))
    assert choice.handle(AttemptBegan()) == [Try(LONG_POLL)]
    assert choice.handle(AttemptFailed(LONG_POLL)) == [GiveUpAttempt()]
    assert choice.handle(AttemptBegan()) == [Try(LONG_POLL)]


def test_nothing_is_learned_where_both_fail() -> None:
    """The server may be down."""
    choice = after(AttemptBegan(), AttemptFailed(PRIMARY))
    assert choice.handle(AttemptFailed(LONG_POLL)) == [GiveUpAttempt()]
    assert choice.handle(AttemptBegan()) == LIMITED


def test_connect_forgets_long_poll() -> None:
    """The next attempt begins with the primary."""
    choice = after(AttemptBegan(), AttemptFailed(PRIMARY), AttemptOpened(LONG_POLL), ConnectAsked())
    assert choice.handle(AttemptBegan()) == LIMITED


@pytest.mark.contract("C138")
def test_a_primary_that_opens_has_to_answer_a_ping() -> None:
    """Else long poll comes next."""
    choice = after(AttemptBegan())
    assert choice.handle(AttemptOpened(PRIMARY)) == [Probe(2.5)]
    assert choice.handle(ProbeFailed()) == []
    assert choice.handle(AttemptBegan()) == [Try(LONG_POLL)]


def test_long_poll_that_never_opened_is_not_tried_first_again() -> None:
    """A server without long poll is reached by the primary, if by anything."""
    choice = after(AttemptBegan(), AttemptOpened(PRIMARY), ProbeFailed(), AttemptBegan())
    assert choice.handle(AttemptFailed(LONG_POLL)) == [GiveUpAttempt()]
    assert choice.handle(AttemptBegan()) == LIMITED


@pytest.mark.contract("C146")
def test_a_primary_that_answered_is_never_left() -> None:
    """Neither when it does not open later, nor for a ping that is late."""
    choice = after(AttemptBegan(), AttemptOpened(PRIMARY), ProbeAnswered())
    assert choice.handle(AttemptBegan()) == [Try(PRIMARY, None)]
    assert choice.handle(AttemptFailed(PRIMARY)) == [GiveUpAttempt()]
    assert choice.handle(AttemptOpened(PRIMARY)) == []
    assert choice.handle(ProbeFailed()) == []
    assert choice.handle(AttemptBegan()) == [Try(PRIMARY, None)]

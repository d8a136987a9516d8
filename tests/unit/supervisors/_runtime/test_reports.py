"""Crash reports: by types, by content where the actor opts in, and never hidden."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from supervisors import Continue, GenServer, Normal, Shutdown, Stop, introspect
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen

CRASHED = ("supervisors", "actor", "crashed")


class Account(GenServer):
    """Holds a secret; its hook shows what the test says."""

    def init(self, hook: Any = None) -> None:
        self.hook = hook
        self.token = "s3cret"  # noqa: S105  to be found where it must not be
        self.balance = 7

    def handle_call(self, request: Any, sender: Any) -> Any:
        raise ValueError("of s3cret")

    def handle_cast(self, message: Any) -> Any:
        return message() if callable(message) else Stop(message)

    def handle_continue(self, continuation: Any) -> Any:
        raise ValueError("of s3cret")

    def format_status(self, parts: introspect.StatusParts) -> Any:
        return self.hook(parts) if callable(self.hook) else self.hook


class Unreadable:
    """What has no text."""

    def __repr__(self) -> str:
        raise LookupError


def fail(turns: ManualDispatcher, hook: Any, message: Any = "s3cret of the message") -> None:
    """Starts an account with this hook and lets it crash at an ask."""
    ref = Account.start(hook, dispatcher=turns)
    with pytest.raises(ValueError, match="of s3cret"):
        ref.ask(message)


def raises(_: object) -> None:
    """A hook that raises."""
    raise LookupError("s3cret")


def leaves(_: object) -> None:
    """A hook that would end the thread."""
    raise SystemExit


@pytest.mark.contract("S176")
@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("x")])
def test_clean_ends_are_silent(
    turns: ManualDispatcher, lines: list[logging.LogRecord], reason: Any
) -> None:
    """An end with a clean reason, by a directive or an order, writes no line."""
    by_directive, by_order = (Account.start(dispatcher=turns) for _ in range(2))
    by_directive.tell(reason)
    by_order.stop(reason)
    turns.run_until_idle()
    assert not by_directive.is_alive()
    assert lines == []


@pytest.mark.contract("S176")
def test_crash_names_types_only(
    turns: ManualDispatcher, lines: list[logging.LogRecord], seen: Seen
) -> None:
    """Without the hook one error line names the types of message, state and reason."""
    seen.of(CRASHED)
    fail(turns, None)
    [line] = lines
    assert line.levelno == logging.ERROR
    text = line.getMessage()
    assert text.startswith("supervisors.actor.crashed ")
    assert "error=ValueError message_type=str state_type=Account" in text
    assert "s3cret" not in text
    [(_, _, metadata)] = seen.events
    assert (metadata["status"], metadata["status_error"]) == (None, None)


@pytest.mark.contract("S176")
def test_hook_opts_in_to_content(
    turns: ManualDispatcher, lines: list[logging.LogRecord], seen: Seen
) -> None:
    """What format_status returns is in the line; it gets state, last message and reason."""
    seen.of(CRASHED)
    parts: list[introspect.StatusParts] = []

    def shows(given: introspect.StatusParts) -> dict[str, Any]:
        parts.append(given)
        return {"balance": given.state["balance"], "message": len(given.message)}

    fail(turns, shows, "12345")
    assert "status={'balance': 7, 'message': 5}" in lines[0].getMessage()
    assert "s3cret" not in lines[0].getMessage()
    [given] = parts
    assert (given.message, given.state["token"]) == ("12345", "s3cret")
    assert type(given.reason).__name__ == "Crashed"
    assert seen.events[0][2]["status"] == "{'balance': 7, 'message': 5}"


def test_hook_may_return_text(turns: ManualDispatcher, lines: list[logging.LogRecord]) -> None:
    """Text is shown as it is."""
    fail(turns, "balance 7")
    assert lines[0].getMessage().endswith("status=balance 7")


@pytest.mark.contract("S176")
@pytest.mark.parametrize(
    ("hook", "error"),
    [(raises, "LookupError"), (leaves, "SystemExit"), (Unreadable(), "LookupError")],
)
def test_hook_that_raises(
    turns: ManualDispatcher, lines: list[logging.LogRecord], hook: Any, error: str
) -> None:
    """A hook that raises, or returns what cannot be shown, hides nothing of the crash."""
    fail(turns, hook)
    [line] = lines
    assert "error=ValueError message_type=str state_type=Account" in line.getMessage()
    assert line.getMessage().endswith(f"status_error={error}")
    assert "s3cret" not in line.getMessage()


def test_crash_outside_a_message(turns: ManualDispatcher, seen: Seen) -> None:
    """A crash in what follows a message is reported with that message's type."""
    seen.of(CRASHED)
    ref = Account.start(dispatcher=turns)
    ref.tell(lambda: Continue("x"))
    turns.run_until_idle()
    assert [metadata["message_type"] for _, _, metadata in seen.events] == ["function"]

"""Whether anybody wants to see pushes and messages: told at once, whoever comes or goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from phoenix_actors.link.session import Session
from phoenix_actors.options import SocketOptions
from phoenix_actors.telemetry import MESSAGE_RECEIVED, MESSAGE_SENT, PUSH_START, PUSH_STOP
from supervisors import telemetry


def seen(session: Session) -> bool:
    """What who asks for every push finds."""
    onlookers = session.onlookers
    return onlookers.none_beside is not telemetry._table and not onlookers.none()


def let_look(session: Session, who: str) -> Callable[[], object]:
    """Lets somebody look; returns what ends that."""
    if who == "hook":
        return session.hooks.message.add(print).off
    if who == "message hook":
        return session.message_hooks.add(lambda message: message).off
    event = {e[-1] + e[-2]: e for e in (MESSAGE_SENT, MESSAGE_RECEIVED, PUSH_START, PUSH_STOP)}[who]
    telemetry.attach("looks", event, lambda *_: None)
    return lambda: telemetry.detach("looks")


@pytest.mark.parametrize(
    "who",
    ["hook", "message hook", "sentmessage", "receivedmessage", "startpush", "stoppush"],
)
def test_who_looks_is_seen_at_once_and_forgotten_at_once(who: str) -> None:
    """Also where it was found before that nobody does."""
    session = Session(SocketOptions.of(url="ws://h/s"))
    for _ in range(2):
        assert not seen(session)
        assert session.onlookers.none_beside is telemetry._table
        end = let_look(session, who)
        assert seen(session)
        assert session.onlookers.hooked is ("hook" in who)
        end()
    assert not seen(session)


def test_others_do_not_matter() -> None:
    """Hooks of the connection, and listeners to other events."""
    session = Session(SocketOptions.of(url="ws://h/s"))
    session.hooks.open.add(print)
    telemetry.attach("else", ("else",), lambda *_: None)
    assert not seen(session)
    telemetry.detach("else")
    assert not seen(session)


def test_counts_by_topic_look() -> None:
    """From the first time on that somebody asks for them."""
    session = Session(SocketOptions.of(url="ws://h/s"))
    assert not seen(session)
    traffic = session.count_traffic()
    assert seen(session)
    assert session.count_traffic() is traffic is session.traffic


def test_a_hook_that_comes_while_it_is_looked_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may add it at any moment."""
    session = Session(SocketOptions.of(url="ws://h/s"))
    onlookers: Any = session.onlookers
    plain, looks = type(onlookers)._none, list[int]()

    def look(self: Any, table: Any) -> bool:
        answer: bool = plain(self, table)
        looks.append(1)
        if len(looks) == 1:
            session.hooks.message.add(print)
        return answer

    monkeypatch.setattr(type(onlookers), "_none", look)
    assert not onlookers.none()
    assert seen(session)

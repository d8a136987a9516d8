"""A channel machine and its end by leave()."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import ChannelClosed, ConnectionLost, JoinCancelled
from phoenix_actors.machines.channel_events import (
    ChannelTimer,
    ClientStopping,
    DropCause,
    FailInFlight,
    FailJoin,
    FailPush,
    Forget,
    ReportDrop,
    SendJoin,
    SendLeave,
    SettleLeave,
    TellClosed,
)
from phoenix_actors.message import Left
from tests.unit.phoenix_actors.machines.channel_bench import LEAVER, Bench

OK = {"response": {}, "status": "ok"}


@pytest.mark.contract("C43", "C85")
def test_leave_waits_for_the_servers_ok() -> None:
    """phx_leave with the join_ref; then closed, told once, forgotten."""
    bench = Bench().joined()
    bench.leave()
    assert bench.one(SendLeave) == SendLeave("1", "2")
    assert bench.state == "leaving"
    assert bench.all(TellClosed) == []
    bench.frame("phx_reply", OK, join_ref="1", ref="2")
    assert bench.state == "closed"
    assert bench.one(TellClosed).reason == Left()
    assert bench.one(SettleLeave).token == LEAVER
    assert bench.one(FailInFlight).reason == Left()
    assert isinstance(bench.commands[-1], Forget)
    assert not bench.timers


@pytest.mark.contract("C85", "C161")
def test_leave_ends_by_itself_when_the_server_is_silent() -> None:
    """After its timeout the channel is closed all the same."""
    bench = Bench().joined()
    bench.leave(timeout=3.0)
    bench.advance(2.9)
    assert bench.state == "leaving"
    bench.advance(0.2)
    assert bench.has_one(SettleLeave)
    assert bench.state == "closed"


def test_leave_without_a_timeout_waits_for_the_server() -> None:
    """None means that no timer runs."""
    bench = Bench().joined()
    bench.leave(timeout=None)
    assert not bench.timers
    assert repr(bench.machine) == "<ChannelMachine 'room:lobby' leaving join_ref='1' joins=1>"


@pytest.mark.contract("C86")
def test_leave_without_a_connection_closes_at_once() -> None:
    """Nothing is sent, now or later."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.leave()
    assert bench.has_one(SettleLeave)
    assert bench.one(TellClosed).reason == Left()
    assert bench.state == "closed"
    assert bench.open() == []
    assert bench.logged(SendLeave) == []


@pytest.mark.contract("C87")
def test_leave_while_joining_cancels_the_join() -> None:
    """The caller of join is told; a late ok does not join; the leave's answer ends it."""
    bench = Bench()
    bench.open()
    bench.join()
    bench.push("p")
    bench.leave()
    assert isinstance(bench.one(FailJoin).error, JoinCancelled)
    assert isinstance(bench.one(FailPush).error, ChannelClosed)
    assert bench.one(SendLeave) == SendLeave("1", "2")
    assert set(bench.timers) == {ChannelTimer.LEAVE}
    bench.frame("phx_reply", OK, join_ref="1", ref="1")
    assert bench.commands == [ReportDrop(DropCause.UNMATCHED, "phx_reply")]
    assert bench.state == "leaving"
    bench.frame("phx_reply", OK, join_ref="1", ref="2")
    assert bench.state == "closed"


@pytest.mark.contract("C87")
def test_leave_before_the_join_was_sent_needs_no_server() -> None:
    """A topic that waits for the socket is forgotten at once."""
    bench = Bench()
    bench.join()
    bench.leave()
    assert isinstance(bench.one(FailJoin).error, JoinCancelled)
    assert isinstance(bench.commands[-1], Forget)
    assert bench.open() == []


@pytest.mark.contract("C62", "C87")
def test_leave_during_backoff_cancels_the_rejoin() -> None:
    """A channel that was left never joins again."""
    bench = Bench().joined()
    bench.frame("phx_error", join_ref="1")
    bench.leave()
    assert not bench.timers
    bench.advance(100.0)
    bench.lose(ConnectionLost(1006))
    bench.open()
    assert len(bench.logged(SendJoin)) == 1


@pytest.mark.contract("C88")
def test_leaving_twice_sends_one_leave() -> None:
    """Both callers are told at the end, a third one later at once."""
    bench = Bench().joined()
    bench.leave("first")
    assert bench.leave("second") == []
    bench.frame("phx_reply", OK, join_ref="1", ref="2")
    assert [settled.token for settled in bench.all(SettleLeave)] == ["first", "second"]
    assert bench.leave("third") == [SettleLeave("third")]
    assert bench.leave(None) == []
    assert len(bench.logged(SendLeave)) == 1
    assert len(bench.logged(TellClosed)) == 1


@pytest.mark.contract("C89")
@pytest.mark.parametrize("first", ["reply", "close"])
def test_whatever_comes_after_the_end_is_dropped(first: str) -> None:
    """Leave reply, phx_close, pushes made in terminate: the first ends it, the rest is nothing."""
    bench = Bench().joined()
    bench.leave()
    bench.frame("shout", join_ref="1")
    assert bench.commands == [ReportDrop(DropCause.NOT_JOINED, "shout")]
    if first == "reply":
        bench.frame("phx_reply", OK, join_ref="1", ref="2")
    else:
        bench.frame("phx_close", join_ref="1", ref="1")
    assert bench.one(TellClosed).reason == Left()
    for event, ref in (("phx_reply", "2"), ("phx_close", "1"), ("shout", None)):
        bench.frame(event, OK, join_ref="1", ref=ref)
        assert [type(command) for command in bench.commands] == [ReportDrop]


@pytest.mark.contract("C62", "C123")
def test_losing_the_socket_while_leaving_ends_the_leave() -> None:
    """It closes with Left, not with the loss, and does not come back."""
    bench = Bench().joined()
    bench.leave()
    bench.lose(ConnectionLost(1006))
    assert bench.one(TellClosed).reason == Left()
    assert bench.has_one(SettleLeave)
    assert bench.open() == []


def test_a_crash_of_the_servers_channel_ends_the_leave() -> None:
    """phx_error while leaving is as good as an answer."""
    bench = Bench().joined()
    bench.leave()
    bench.frame("phx_error", join_ref="1")
    assert bench.one(TellClosed).reason == Left()


def test_stopping_the_client_ends_a_leave() -> None:
    """Nobody waits for an answer of the server then."""
    bench = Bench().joined()
    bench.leave()
    bench.handle(ClientStopping())
    assert bench.has_one(SettleLeave)
    assert not bench.timers


def test_a_channel_nobody_joined_is_left_in_silence() -> None:
    """Its handlers are not told of an end that had no beginning."""
    for event in ("leave", "stop"):
        bench = Bench()
        if event == "leave":
            bench.leave(None)
        else:
            bench.handle(ClientStopping())
        assert bench.commands == [Forget()]

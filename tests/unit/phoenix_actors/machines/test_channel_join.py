"""A channel machine from its join to its rejoins."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import (
    ConnectError,
    ConnectionLost,
    EncodeError,
    JoinCancelled,
    JoinRejected,
    JoinTimeout,
    ProtocolError,
)
from phoenix_actors.machines.channel_events import (
    ChannelTimer,
    ClientStopping,
    DropCause,
    FailJoin,
    Forget,
    FrameArrived,
    JoinRequested,
    JoinUnsent,
    ReportDrop,
    SendJoin,
    SendLeave,
    SettleJoin,
    SocketLost,
    SocketOpened,
    TellClosed,
    TellJoined,
    TellJoinError,
)
from phoenix_actors.machines.reconnect import RejoinPolicy
from phoenix_actors.message import (
    ClientStopped,
    Frame,
    HeartbeatTimeout,
    JoinTimedOut,
    ServerClosed,
    ServerError,
)
from tests.unit.phoenix_actors.machines.channel_bench import JOINER, TOPIC, Bench


@pytest.mark.contract("C42", "C50")
def test_a_join_is_sent_and_answered() -> None:
    """Closed, joining, joined; join_ref and ref are the same; the response reaches the caller."""
    bench = Bench()
    assert bench.state == "closed"
    bench.open()
    bench.join()
    assert bench.one(SendJoin) == SendJoin("1")
    assert bench.state == "joining"
    bench.answer("ok", {"hello": 1})
    assert bench.state == "joined"
    assert bench.one(SettleJoin) == SettleJoin(JOINER, {"hello": 1})
    assert bench.one(TellJoined) == TellJoined({"hello": 1}, 1)
    assert not bench.timers


@pytest.mark.contract("C51")
def test_a_channel_joins_once() -> None:
    """A second request raises in every phase after the first, and changes nothing."""
    bench = Bench().joined()
    with pytest.raises(ProtocolError):
        bench.handle(JoinRequested(10.0, "second"))
    assert bench.state == "joined"
    assert bench.push("p")


@pytest.mark.contract("C63")
def test_a_join_while_down_is_sent_when_the_socket_opens() -> None:
    """It is kept, and its timeout runs from the request."""
    bench = Bench()
    bench.join(timeout=10.0)
    assert bench.state == "joining"
    assert bench.all(SendJoin) == []
    bench.advance(6.0)
    bench.open()
    assert bench.has_one(SendJoin)
    bench.advance(3.9)
    assert bench.all(FailJoin) == []
    bench.advance(0.2)
    assert isinstance(bench.one(FailJoin).error, JoinTimeout)


@pytest.mark.contract("C63")
def test_a_join_that_never_gets_a_socket_times_out() -> None:
    """The caller is told; the topic stays wanted and is joined when the socket opens."""
    bench = Bench()
    bench.join(timeout=10.0)
    bench.advance(10.0)
    assert isinstance(bench.one(FailJoin).error, JoinTimeout)
    assert bench.one(TellClosed).reason == JoinTimedOut()
    assert bench.all(SendLeave) == []
    assert not bench.timers
    bench.open()
    assert bench.has_one(SendJoin)


@pytest.mark.contract("C56", "C57", "C58")
@pytest.mark.parametrize("reason", ["unauthorized", "unmatched topic", "join crashed"])
def test_a_refused_join_is_the_end_of_the_topic(reason: str) -> None:
    """The caller gets the server's map, the state is errored, and nothing is tried again."""
    bench = Bench()
    bench.open()
    bench.join()
    bench.answer("error", {"reason": reason})
    error = bench.one(FailJoin).error
    assert isinstance(error, JoinRejected)
    assert (error.topic, error.response, error.reason) == (TOPIC, {"reason": reason}, reason)
    assert bench.one(TellJoinError).response == {"reason": reason}
    assert isinstance(bench.commands[-1], Forget)
    assert bench.state == "errored"
    assert not bench.timers
    assert bench.open() == []


@pytest.mark.contract("C58")
def test_a_refused_rejoin_is_tried_again() -> None:
    """As phoenix.js does, on the rejoin backoff, and handle_join_error is told each time."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.open()
    for delay in (1.0, 2.0, 5.0, 10.0, 10.0):
        bench.answer("error", {"reason": "full"})
        assert bench.one(TellJoinError).response == {"reason": "full"}
        assert bench.all(Forget) == []
        assert bench.advance(delay - 0.01) == []
        bench.advance(0.01)
        assert bench.has_one(SendJoin)
    bench.answer("ok")
    assert bench.state == "joined"


@pytest.mark.contract("C58")
def test_a_refused_rejoin_can_be_the_end() -> None:
    """With retry_refused off the topic is given up."""
    bench = Bench(rejoin=RejoinPolicy(retry_refused=False)).joined()
    bench.lose(ConnectionLost(1006))
    bench.open()
    bench.answer("error", {"reason": "unauthorized"})
    assert bench.has_one(TellJoinError)
    assert isinstance(bench.commands[-1], Forget)
    assert not bench.timers


def test_a_refusal_without_a_caller_is_that_of_a_rejoin() -> None:
    """Topics of join_channels, and of restarted channels, are tried again."""
    bench = Bench(join_count=3)
    bench.open()
    bench.join(caller=None)
    bench.answer("error", {"reason": "full"})
    assert bench.all(Forget) == []
    bench.advance(1.0)
    bench.answer("ok")
    assert bench.one(TellJoined).join_count == 4


@pytest.mark.contract("C59")
def test_a_join_timeout_sends_a_leave_and_tries_again() -> None:
    """No ghost is left on the server, the caller is told once, the next has its own time."""
    bench = Bench()
    bench.open()
    bench.join(timeout=10.0)
    bench.advance(10.0)
    error = bench.one(FailJoin).error
    assert isinstance(error, JoinTimeout)
    assert error.timeout == 10.0
    assert bench.one(SendLeave) == SendLeave("1", "2")
    assert bench.one(TellClosed).reason == JoinTimedOut()
    assert bench.state == "errored"
    bench.advance(1.0)
    assert bench.one(SendJoin) == SendJoin("3")
    bench.advance(10.0)
    assert bench.all(FailJoin) == []
    assert bench.one(SendLeave) == SendLeave("3", "4")


@pytest.mark.contract("C44", "C64")
def test_a_late_ok_does_not_join() -> None:
    """The answer to a join that was given up has an old join_ref and is dropped."""
    bench = Bench()
    bench.open()
    bench.join(timeout=10.0)
    bench.advance(10.0)
    late = {"status": "ok", "response": {}}
    bench.frame("phx_reply", late, join_ref="1", ref="1")
    assert bench.commands == [ReportDrop(DropCause.STALE, "phx_reply")]
    bench.advance(1.0)
    bench.frame("phx_reply", late, join_ref="1", ref="1")
    assert bench.state == "joining"
    assert bench.machine.dropped[DropCause.STALE] == 2


def test_a_join_without_a_timeout_waits_for_ever() -> None:
    """None means that no timer runs."""
    bench = Bench()
    bench.open()
    bench.join(timeout=None)
    assert not bench.timers


@pytest.mark.contract("C61", "C123")
@pytest.mark.parametrize("reason", [ConnectionLost(1001, "bye"), HeartbeatTimeout()])
def test_a_joined_channel_rejoins_when_the_socket_opens(reason: ConnectionLost) -> None:
    """It is errored with the reason at the loss, and joins at once on the next connection."""
    bench = Bench().joined()
    bench.lose(reason)
    assert bench.state == "errored"
    assert bench.one(TellClosed).reason == reason
    assert not bench.timers
    assert bench.advance(1000.0) == []
    bench.open()
    assert bench.one(SendJoin) == SendJoin("2")
    bench.answer()
    assert bench.state == "joined"


@pytest.mark.contract("C44", "C66")
def test_a_rejoin_has_a_fresh_ref_and_tells_the_user() -> None:
    """Response and number of joins are told; nobody waits any more."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.open()
    bench.answer("ok", {"again": 1})
    assert bench.one(TellJoined) == TellJoined({"again": 1}, 2)
    assert bench.all(SettleJoin) == []


@pytest.mark.contract("C60")
def test_rejoin_delays_follow_the_steps_and_are_reset_by_a_join() -> None:
    """1, 2, 5, then 10 s; from 1 s again after a success."""
    bench = Bench().joined(timeout=None)
    for delay in (1.0, 2.0, 5.0, 10.0, 10.0):
        bench.frame("phx_error", join_ref=bench.machine.join_ref)
        assert bench.timers[ChannelTimer.REJOIN][0] == bench.now + delay
        bench.advance(delay)
        assert bench.state == "joining"
    bench.answer()
    bench.frame("phx_error", join_ref=bench.machine.join_ref)
    assert bench.timers[ChannelTimer.REJOIN][0] == bench.now + 1.0


@pytest.mark.contract("C60")
def test_rejoin_delays_may_be_a_list_or_a_function() -> None:
    """The user's own are taken, from attempt 1."""
    seen: list[int] = []

    def delay(attempt: int) -> float:
        seen.append(attempt)
        return 0.5 * attempt

    bench = Bench(rejoin=RejoinPolicy(backoff=delay)).joined()
    for _ in range(3):
        bench.frame("phx_error", join_ref=bench.machine.join_ref)
        bench.fire(ChannelTimer.REJOIN)
    assert seen == [1, 2, 3]


@pytest.mark.contract("C61")
def test_opening_the_socket_cuts_the_rejoin_delay_short() -> None:
    """A channel in backoff joins at once on a new connection, and once."""
    bench = Bench().joined()
    bench.frame("phx_error", join_ref="1")
    bench.lose(ConnectionLost(1006))
    assert not bench.timers
    bench.open()
    assert bench.has_one(SendJoin)
    assert ChannelTimer.REJOIN not in bench.timers


def test_a_loss_while_joining_keeps_the_caller_waiting() -> None:
    """The join goes out again on the next connection, within the caller's time."""
    bench = Bench()
    bench.open()
    bench.join(timeout=10.0)
    bench.advance(4.0)
    bench.lose(ConnectionLost(1006))
    assert bench.one(TellClosed).reason == ConnectionLost(1006)
    assert bench.all(FailJoin) == []
    bench.advance(4.0)
    bench.open()
    assert bench.one(SendJoin) == SendJoin("2")
    bench.answer()
    assert bench.one(SettleJoin).token == JOINER


def test_the_callers_time_ends_during_backoff() -> None:
    """A join that errs and waits to be tried again still times out for its caller."""
    bench = Bench(rejoin=RejoinPolicy(backoff=(60.0,)))
    bench.open()
    bench.join(timeout=10.0)
    bench.frame("phx_error", join_ref="1")
    bench.advance(10.0)
    assert isinstance(bench.one(FailJoin).error, JoinTimeout)
    bench.advance(50.0)
    assert bench.has_one(SendJoin)


def test_an_attempt_that_failed_has_no_time_left_to_run() -> None:
    """The timeout of a rejoin ends with it, so that it cannot end the next one."""
    bench = Bench(rejoin=RejoinPolicy(backoff=(9.0,))).joined()
    bench.lose(ConnectionLost(1006))
    bench.open()
    bench.advance(5.0)
    bench.frame("phx_error", join_ref="2")
    assert set(bench.timers) == {ChannelTimer.REJOIN}
    bench.advance(9.0 + 9.9)
    assert bench.state == "joining"


@pytest.mark.contract("C116")
def test_giving_up_fails_a_join_that_waits() -> None:
    """The caller gets the socket's error, and the topic is not wanted."""
    bench = Bench()
    bench.join()
    error = ConnectError("gone")
    bench.give_up(error)
    assert bench.one(FailJoin) == FailJoin(JOINER, error)
    assert isinstance(bench.commands[-1], Forget)
    assert bench.open() == []


@pytest.mark.contract("C116")
def test_giving_up_keeps_a_channel_that_was_joined() -> None:
    """connect() later rejoins it."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    assert bench.give_up(ConnectError("gone")) == []
    bench.open()
    assert bench.has_one(SendJoin)


def test_a_join_that_cannot_be_sent_fails_its_caller() -> None:
    """Params that raise or do not encode are the caller's error, later a failed attempt."""
    error = EncodeError("it has a set", TOPIC, "phx_join")
    first = Bench()
    first.open()
    first.join()
    first.handle(JoinUnsent("1", error))
    assert first.one(FailJoin).error is error
    assert isinstance(first.commands[-1], Forget)
    again = Bench().joined()
    again.lose(ConnectionLost(1006))
    again.open()
    again.handle(JoinUnsent("old", error))
    assert again.commands == []
    again.handle(JoinUnsent("2", error))
    assert again.state == "errored"
    again.advance(1.0)
    assert again.has_one(SendJoin)


def test_a_server_that_closes_during_the_join_ends_it() -> None:
    """phx_close before the reply: the caller is told, and nothing is tried again."""
    bench = Bench()
    bench.open()
    bench.join()
    bench.frame("phx_close", join_ref="1", ref="1")
    assert isinstance(bench.one(FailJoin).error, JoinCancelled)
    assert bench.one(TellClosed).reason == ServerClosed()
    assert isinstance(bench.commands[-1], Forget)


def test_an_error_during_the_join_is_tried_again() -> None:
    """phx_error before the reply leaves the caller waiting."""
    bench = Bench()
    bench.open()
    bench.join()
    bench.frame("phx_error", {"reason": "channel_crash"}, join_ref="1")
    assert bench.one(TellClosed).reason == ServerError({"reason": "channel_crash"})
    bench.advance(1.0)
    bench.answer()
    assert bench.one(SettleJoin).token == JOINER


def test_a_stopping_client_cuts_the_join_short() -> None:
    """The caller is told, handle_close too, and it is over."""
    bench = Bench()
    bench.open()
    bench.join()
    bench.handle(ClientStopping())
    assert isinstance(bench.one(FailJoin).error, JoinCancelled)
    assert bench.one(TellClosed).reason == ClientStopped()
    assert isinstance(bench.commands[-1], Forget)
    assert not bench.timers


@pytest.mark.contract("C125")
def test_nothing_of_an_old_connection_counts() -> None:
    """Its frames, its loss, and its opening told again change nothing."""
    bench = Bench().joined()
    bench.lose(ConnectionLost(1006))
    bench.open()
    bench.answer()
    old = FrameArrived(Frame(None, None, TOPIC, "phx_close", {}), generation=1)
    bench.handle(old)
    assert bench.commands == [ReportDrop(DropCause.STALE, "phx_close")]
    assert bench.handle(SocketLost(1, ConnectionLost(1006))) == []
    assert bench.handle(SocketOpened(1)) == []
    assert bench.handle(SocketOpened(2)) == []
    assert bench.state == "joined"


def test_a_loss_that_was_not_told_is_made_up_for() -> None:
    """A new connection means that the old one is gone: the channel falls and joins again."""
    bench = Bench().joined()
    bench.open()
    assert bench.one(TellClosed).reason == ConnectionLost()
    assert bench.one(SendJoin) == SendJoin("2")
    assert not [name for name in bench.timers if name == ChannelTimer.REJOIN]

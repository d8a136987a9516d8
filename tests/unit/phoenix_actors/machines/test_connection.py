"""A connection machine: connect, lose, reconnect, disconnect."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import (
    ConnectError,
    ConnectionLost,
    HandshakeRefused,
    InvalidURL,
    TLSError,
)
from phoenix_actors.machines.connection_events import (
    AbortTransport,
    AnnounceLost,
    AnnounceOpen,
    AnnounceStatus,
    CloseTransport,
    ConnectFailed,
    ConnectionTimer,
    GiveUp,
    OpenTransport,
    ReportAttempt,
    ReportFailure,
    TransportClosed,
    TransportConnected,
)
from phoenix_actors.machines.timers import TimerFired
from tests.unit.phoenix_actors.machines.connection_bench import Bench


@pytest.mark.contract("C105")
def test_connect_is_idempotent() -> None:
    """Any number of calls, while connecting and when connected, open one transport."""
    bench = Bench()
    assert bench.status == "disconnected"
    for _ in range(3):
        bench.connect()
    assert bench.status == "connecting"
    bench.opened()
    for _ in range(3):
        bench.connect()
    assert bench.status == "connected"
    assert bench.logged(OpenTransport) == [OpenTransport(1)]
    assert bench.logged(AnnounceOpen) == [AnnounceOpen(1)]


@pytest.mark.contract("C154")
def test_changes_of_status_are_announced_in_order() -> None:
    """Each begins where the one before ended; waiting to reconnect is disconnected."""
    bench = Bench().connected()
    bench.dropped()
    bench.advance(1.0)
    bench.opened()
    bench.disconnect()
    bench.dropped(1000, clean=True)
    bench.connect()
    bench.opened()
    bench.dropped()
    bench.disconnect()  # while it waits to reconnect, which is disconnected too
    steps = [(str(change.old), str(change.new)) for change in bench.logged(AnnounceStatus)]
    assert steps == [
        ("disconnected", "connecting"),
        ("connecting", "connected"),
        ("connected", "disconnected"),
        ("disconnected", "connecting"),
        ("connecting", "connected"),
        ("connected", "closing"),
        ("closing", "disconnected"),
        ("disconnected", "connecting"),
        ("connecting", "connected"),
        ("connected", "disconnected"),
    ]


@pytest.mark.contract("C110", "C187")
@pytest.mark.parametrize("code", [1001, 1002, 1005, 1006, 1009, 1011, 1012, 1013, 4000, 4999])
def test_every_abnormal_end_leads_to_a_reconnect(code: int) -> None:
    """The loss is announced with its code, and one attempt is made."""
    bench = Bench().connected()
    bench.dropped(code, "why", clean=code != 1006)
    lost = bench.one(AnnounceLost)
    assert (lost.generation, lost.reason, lost.clean) == (
        1,
        ConnectionLost(code, "why"),
        code != 1006,
    )
    assert bench.one(ReportAttempt) == ReportAttempt(1, 0.5)
    bench.advance(0.49)
    assert bench.all(OpenTransport) == []
    bench.advance(0.02)
    assert bench.one(OpenTransport) == OpenTransport(2)


@pytest.mark.contract("C111")
def test_a_normal_close_of_the_server_is_a_loss_by_default() -> None:
    """With the switch off the client stays closed, and says that it gave up."""
    bench = Bench().connected()
    bench.dropped(1000, clean=True)
    assert ConnectionTimer.RECONNECT in bench.timers
    stays = Bench(after_normal_close=False).connected()
    stays.dropped(1000, clean=True)
    assert stays.one(GiveUp).error == ConnectionLost(1000, "")
    assert not stays.timers
    again = Bench(after_normal_close=False).connected()
    again.dropped(1001, clean=True)
    assert ConnectionTimer.RECONNECT in again.timers


@pytest.mark.contract("C106", "C187")
def test_failed_attempts_follow_the_steps() -> None:
    """Each failure is reported with the true number and delay of the next attempt."""
    bench = Bench()
    bench.connect()
    delays = [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 5.0]
    for number, delay in enumerate(delays, 1):
        error = ConnectError(f"failure {number}")
        bench.failed(error)
        assert bench.one(ReportFailure).error is error
        assert bench.one(ReportAttempt) == ReportAttempt(number, delay)
        assert bench.status == "disconnected"
        bench.advance(delay)
        assert bench.one(OpenTransport) == OpenTransport(number + 1)


@pytest.mark.contract("C108")
def test_attempts_are_counted_anew_only_after_a_connection_that_lasted() -> None:
    """A server that accepts and drops meets growing delays; five seconds make it stable."""
    bench = Bench(sample=0.0).connected()
    for number in range(1, 12):
        bench.dropped()
        assert bench.one(ReportAttempt).number == number
        bench.advance(10.0)
        bench.opened()
    assert bench.logged(ReportAttempt)[-1].delay == 2.5
    bench.now += 5.0
    bench.dropped()
    assert bench.one(ReportAttempt) == ReportAttempt(1, 0.0)


@pytest.mark.contract("C109")
def test_a_close_told_twice_schedules_once() -> None:
    """There is one reconnect timer and one attempt."""
    bench = Bench().connected()
    bench.dropped()
    assert bench.dropped() == []
    assert bench.failed() == []
    bench.advance(100.0)
    assert len(bench.logged(AnnounceLost)) == 1
    assert len(bench.logged(OpenTransport)) == 2


@pytest.mark.contract("C112", "C113")
def test_a_refusal_is_tried_again_slowly() -> None:
    """A 403 waits a second, Retry-After as long as it says; each is reported."""
    bench = Bench()
    bench.connect()
    bench.failed(HandshakeRefused(403))
    assert bench.one(ReportAttempt) == ReportAttempt(1, 1.0)
    bench.advance(1.0)
    bench.failed(HandshakeRefused(429, retry_after=30.0))
    assert bench.one(ReportAttempt) == ReportAttempt(2, 30.0)


@pytest.mark.contract("C114")
@pytest.mark.parametrize("error", [TLSError("expired"), InvalidURL("has no host")])
def test_tls_and_url_errors_are_terminal(error: ConnectError) -> None:
    """No attempt could do better: the client gives up with that error."""
    bench = Bench()
    bench.connect()
    bench.failed(error)
    assert bench.one(GiveUp).error is error
    assert bench.status == "disconnected"
    assert not bench.timers


@pytest.mark.contract("C115")
def test_without_reconnect_there_is_one_attempt() -> None:
    """Its failure, or a later loss, is the end until connect()."""
    bench = Bench(reconnect=False)
    bench.connect()
    bench.failed()
    assert bench.has_one(GiveUp)
    assert not bench.timers
    bench.connect()
    bench.opened()
    bench.dropped()
    assert bench.has_one(AnnounceLost)
    assert bench.one(GiveUp).error == ConnectionLost(1006, "")
    assert not bench.timers


@pytest.mark.contract("C116")
def test_giving_up_after_so_many_reconnecting_attempts() -> None:
    """The first attempt is none; n reconnecting ones in a row may fail."""
    bench = Bench(max_attempts=3)
    bench.connect()
    for _ in range(3):
        bench.failed()
        assert bench.all(GiveUp) == []
        bench.advance(10.0)
    bench.failed()
    assert bench.has_one(GiveUp)
    assert len(bench.logged(OpenTransport)) == 4
    assert not bench.timers


@pytest.mark.contract("C116")
def test_an_open_connection_and_a_connect_reset_the_failures() -> None:
    """They are counted in a row."""
    bench = Bench(max_attempts=3)
    bench.connect()
    for _ in range(3):
        bench.failed()
        bench.advance(10.0)
        bench.failed()
        bench.advance(10.0)
        bench.opened()
        bench.dropped()
        bench.advance(10.0)
    assert bench.logged(GiveUp) == []
    none = Bench(max_attempts=0).connected()
    none.dropped()
    assert none.has_one(GiveUp)


@pytest.mark.contract("C117")
def test_disconnect_closes_and_nothing_follows() -> None:
    """Close 1000, heartbeat cancelled, no reconnect when the transport is gone."""
    bench = Bench().connected()
    bench.disconnect()
    assert bench.one(CloseTransport) == CloseTransport(1, 1000, "")
    assert bench.status == "closing"
    assert set(bench.timers) == {ConnectionTimer.CLOSE}
    bench.dropped(1000, clean=True)
    assert bench.one(AnnounceLost).reason == ConnectionLost(1000, "")
    assert bench.all(GiveUp) == []
    assert bench.status == "disconnected"
    assert not bench.timers


@pytest.mark.contract("C117")
@pytest.mark.parametrize("when", ["waiting", "connecting"])
def test_disconnect_stops_a_retry_and_an_attempt(when: str) -> None:
    """Whatever was pending is cancelled, and an attempt that succeeds late is aborted."""
    bench = Bench()
    bench.connect()
    if when == "waiting":
        bench.failed()
    bench.disconnect()
    assert bench.status == "disconnected"
    assert not bench.timers
    if when == "connecting":
        assert bench.one(AbortTransport) == AbortTransport(1)
        assert bench.opened() == [AbortTransport(1)]
    bench.advance(1000.0)
    assert len(bench.logged(OpenTransport)) == 1
    assert bench.logged(AnnounceOpen) == []


@pytest.mark.contract("C117")
def test_a_peer_that_does_not_answer_the_close_is_dropped() -> None:
    """After the close timeout the transport is aborted."""
    bench = Bench(close_timeout=2.0).connected()
    bench.disconnect()
    bench.advance(2.0)
    assert bench.one(AbortTransport) == AbortTransport(1)
    assert not bench.one(AnnounceLost).clean
    assert bench.status == "disconnected"
    assert bench.dropped() == []


@pytest.mark.contract("C119")
def test_disconnect_twice_or_without_a_connection_is_harmless() -> None:
    """The loss is announced once, and without a connection not at all."""
    bench = Bench()
    assert bench.disconnect() == []
    bench.connect()
    bench.opened()
    bench.disconnect()
    assert bench.disconnect() == []
    bench.dropped(1000, clean=True)
    assert bench.disconnect() == []
    assert len(bench.logged(AnnounceLost)) == 1
    assert len(bench.logged(CloseTransport)) == 1


@pytest.mark.contract("C120")
def test_disconnect_then_connect_ends_with_one_connection() -> None:
    """The next opens when the old one has ended, and reconnects by itself from then on."""
    bench = Bench().connected()
    bench.disconnect()
    bench.connect()
    assert bench.all(OpenTransport) == []
    bench.dropped(1000, clean=True)
    kinds = [type(command) for command in bench.commands]
    assert kinds.index(AnnounceLost) < kinds.index(OpenTransport)
    bench.opened()
    bench.dropped()
    bench.advance(1.0)
    assert bench.logged(OpenTransport) == [OpenTransport(1), OpenTransport(2), OpenTransport(3)]


@pytest.mark.contract("C120")
def test_the_last_word_counts_while_closing() -> None:
    """Whatever was asked for last is what happens when the old connection has ended."""
    bench = Bench(close_timeout=1.0).connected()
    bench.disconnect()
    bench.connect()
    bench.disconnect()
    bench.dropped(1000, clean=True)
    assert bench.all(OpenTransport) == []
    bench.connect()
    bench.opened()
    bench.disconnect()
    bench.connect()
    bench.advance(1.0)
    assert bench.has_one(AbortTransport)
    assert bench.one(OpenTransport) == OpenTransport(3)


@pytest.mark.contract("C121")
def test_connect_during_backoff_tries_now_and_counts_anew() -> None:
    """The timer is cancelled, and the next failure is the first."""
    bench = Bench()
    bench.connect()
    for _ in range(9):
        bench.failed()
        bench.advance(10.0)
    bench.failed()
    bench.connect()
    assert bench.has_one(OpenTransport)
    assert not bench.timers
    bench.failed()
    assert bench.one(ReportAttempt).number == 1


@pytest.mark.contract("C125")
def test_nothing_of_an_old_connection_counts() -> None:
    """Its end, its failure and its late success change nothing; a late success is aborted."""
    bench = Bench().connected()
    bench.dropped()
    bench.advance(1.0)
    bench.opened()
    assert bench.handle(TransportClosed(1, 1006, "", clean=False)) == []
    assert bench.handle(ConnectFailed(1, ConnectError("late"))) == []
    assert bench.handle(TransportConnected(1)) == [AbortTransport(1)]
    assert bench.handle(TransportConnected(2)) == []
    assert bench.status == "connected"


def test_a_firing_that_comes_late_changes_nothing() -> None:
    """A timer cancelled by disconnect may be in the mailbox already."""
    bench = Bench().connected()
    bench.dropped()
    armed = bench.timers[ConnectionTimer.RECONNECT][1]
    bench.disconnect()
    assert bench.handle(TimerFired(armed.timer, armed.serial)) == []
    assert bench.status == "disconnected"


def test_a_transport_that_closes_before_it_opens_failed() -> None:
    """A transport of a user's may report so instead of raising."""
    bench = Bench()
    bench.connect()
    bench.dropped(1006)
    assert isinstance(bench.one(ReportFailure).error, ConnectError)
    assert bench.has_one(ReportAttempt)
    assert bench.logged(AnnounceLost) == []


def test_the_repr_tells_the_state() -> None:
    """Phase, generation and attempt."""
    bench = Bench()
    bench.connect()
    bench.failed()
    assert repr(bench.machine) == "<ConnectionMachine waiting generation=1 attempt=1>"

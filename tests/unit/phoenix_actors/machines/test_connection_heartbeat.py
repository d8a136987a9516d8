"""A connection machine and its heartbeat."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import ConnectionLost
from phoenix_actors.machines.connection_events import (
    AbortTransport,
    AnnounceLost,
    ConnectionTimer,
    GiveUp,
    HeartbeatReplied,
    OpenTransport,
    ReadingChanged,
    ReportAttempt,
    ReportHeartbeat,
    ReportHeartbeatTimeout,
    SendHeartbeat,
    TrafficAnswered,
    TransportConnected,
)
from phoenix_actors.machines.timers import TimerFired
from phoenix_actors.message import HeartbeatTimeout
from tests.unit.phoenix_actors.machines.connection_bench import Bench


@pytest.mark.contract("C95")
def test_a_heartbeat_goes_out_every_interval() -> None:
    """Every 30 s by default, as long as each is answered."""
    bench = Bench().connected()
    for number in range(1, 6):
        assert bench.advance(29.9) == []
        bench.advance(0.1)
        assert bench.one(SendHeartbeat) == SendHeartbeat(str(number))
        bench.handle(HeartbeatReplied(str(number)))
    assert bench.now == pytest.approx(150.0)


@pytest.mark.contract("C95")
def test_without_an_interval_there_is_none() -> None:
    """None switches heartbeats off."""
    bench = Bench(heartbeat_interval=None).connected()
    assert not bench.timers
    assert bench.advance(1000.0) == []


@pytest.mark.contract("C144")
def test_a_transport_that_needs_none_has_none() -> None:
    """As long as it carries; the next one may need them again."""
    bench = Bench()
    bench.connect()
    bench.handle(TransportConnected(1, heartbeat=False))
    assert bench.status == "connected"
    assert not bench.timers
    assert bench.advance(1000.0) == []
    bench.dropped()
    bench.advance(1.0)
    bench.opened()
    assert set(bench.timers) == {ConnectionTimer.HEARTBEAT}


@pytest.mark.contract("C98", "C187")
def test_an_unanswered_heartbeat_is_a_loss() -> None:
    """Reported, the transport aborted, channels told, and a reconnect scheduled."""
    bench = Bench(heartbeat_interval=30.0, heartbeat_timeout=10.0).connected()
    bench.advance(30.0)
    assert bench.advance(9.9) == []
    bench.advance(0.1)
    assert bench.one(ReportHeartbeatTimeout).timeout == 10.0
    assert bench.one(AbortTransport) == AbortTransport(1)
    assert bench.one(AnnounceLost).reason == HeartbeatTimeout()
    assert bench.one(ReportAttempt).number == 1
    assert set(bench.timers) == {ConnectionTimer.RECONNECT}
    assert bench.dropped() == []
    bench.advance(1.0)
    assert bench.one(OpenTransport) == OpenTransport(2)


@pytest.mark.contract("C97", "C187")
def test_only_the_pending_ref_acknowledges() -> None:
    """Other refs, and the right one again, count for nothing; the round trip is reported."""
    bench = Bench().connected()
    assert bench.handle(HeartbeatReplied("1")) == []
    bench.advance(30.0)
    bench.now += 2.0
    for wrong in ("0", "2", None):
        assert bench.handle(HeartbeatReplied(wrong)) == []
    bench.handle(HeartbeatReplied("1"))
    assert bench.one(ReportHeartbeat).round_trip == 2.0
    assert bench.handle(HeartbeatReplied("1")) == []
    bench.advance(20.0)
    assert bench.status == "connected"


@pytest.mark.contract("C98")
def test_a_reply_to_an_old_heartbeat_does_not_save_the_connection() -> None:
    """Only the answer to the last one does."""
    bench = Bench(heartbeat_interval=5.0, heartbeat_timeout=3.0).connected()
    bench.advance(5.0)
    bench.handle(HeartbeatReplied("1"))
    bench.advance(5.0)
    bench.handle(HeartbeatReplied("1"))
    bench.advance(3.0)
    assert bench.has_one(AbortTransport)


def test_a_timeout_longer_than_the_interval_sends_one_at_a_time() -> None:
    """While one is out no other goes out, and its own time counts."""
    bench = Bench(heartbeat_interval=1.0, heartbeat_timeout=10.0).connected()
    bench.advance(10.9)
    assert bench.logged(SendHeartbeat) == [SendHeartbeat("1")]
    bench.advance(0.2)
    assert bench.has_one(AbortTransport)


def test_without_a_timeout_a_silent_server_is_not_given_up() -> None:
    """None waits for ever; heartbeats go on."""
    bench = Bench(heartbeat_interval=1.0, heartbeat_timeout=None).connected()
    bench.advance(3.5)
    assert len(bench.logged(SendHeartbeat)) == 3
    assert bench.status == "connected"
    bench.handle(HeartbeatReplied("3"))
    assert bench.has_one(ReportHeartbeat)


@pytest.mark.contract("C103")
def test_heartbeats_stop_with_the_connection() -> None:
    """After disconnect and after a loss no timer of theirs runs, and a late firing does nothing."""
    bench = Bench().connected()
    bench.advance(30.0)
    armed = [armed for _, armed in bench.timers.values()]
    assert {arming.timer for arming in armed} == {"heartbeat", "heartbeat_timeout"}
    bench.disconnect()
    assert set(bench.timers) == {ConnectionTimer.CLOSE}
    for arming in armed:
        assert bench.handle(TimerFired(arming.timer, arming.serial)) == []
    assert bench.machine.pending_heartbeat is None


@pytest.mark.contract("C103")
def test_the_pending_ref_is_cleared_by_a_new_connection() -> None:
    """An answer to a heartbeat of the old connection means nothing to the new one."""
    bench = Bench().connected()
    bench.advance(30.0)
    assert bench.machine.pending_heartbeat == "1"
    bench.dropped()
    assert bench.machine.pending_heartbeat is None
    bench.advance(1.0)
    bench.opened()
    assert bench.handle(HeartbeatReplied("1")) == []
    bench.advance(30.0)
    assert bench.one(SendHeartbeat) == SendHeartbeat("2")


def test_giving_up_after_a_silent_server_is_a_lost_connection() -> None:
    """Without reconnect, wait_connected() gets an error and no reason."""
    bench = Bench(reconnect=False).connected()
    bench.advance(40.0)
    assert isinstance(bench.one(GiveUp).error, ConnectionLost)


@pytest.mark.contract("C82", "C101")
def test_the_deadline_stands_still_while_nobody_reads() -> None:
    """Heartbeats go out all the same; reading on, the server has what was left of its time."""
    bench = Bench(heartbeat_interval=30.0, heartbeat_timeout=10.0).connected()
    bench.advance(30.0)
    bench.advance(4.0)
    bench.handle(ReadingChanged(1, paused=True))
    assert set(bench.timers) == {ConnectionTimer.HEARTBEAT}
    bench.advance(20.0)
    bench.handle(ReadingChanged(1, paused=False))
    assert bench.advance(5.9) == []
    bench.advance(0.1)
    assert bench.one(AnnounceLost).reason == HeartbeatTimeout()


@pytest.mark.contract("C82", "C101")
def test_heartbeats_of_a_long_pause() -> None:
    """One every interval; the last one counts, with its whole time, and no round trip is told."""
    bench = Bench(heartbeat_interval=30.0, heartbeat_timeout=10.0).connected()
    bench.handle(ReadingChanged(1, paused=True))
    for number in ("1", "2", "3"):
        bench.advance(30.0)
        assert bench.one(SendHeartbeat) == SendHeartbeat(number)
    bench.handle(ReadingChanged(1, paused=False))
    assert bench.handle(HeartbeatReplied("1")) == []
    assert bench.advance(9.9) == []
    bench.handle(HeartbeatReplied("3"))
    assert bench.all(ReportHeartbeat) == []
    assert ConnectionTimer.HEARTBEAT_TIMEOUT not in bench.timers
    bench.advance(20.1)
    bench.handle(HeartbeatReplied("4"))
    assert bench.has_one(ReportHeartbeat)


@pytest.mark.contract("C101")
def test_a_pause_of_a_former_connection_changes_nothing() -> None:
    """A new connection begins as one that is read."""
    bench = Bench(heartbeat_interval=30.0, heartbeat_timeout=10.0).connected()
    bench.handle(ReadingChanged(1, paused=True))
    bench.dropped()
    bench.fire(ConnectionTimer.RECONNECT)
    bench.opened()
    bench.handle(ReadingChanged(1, paused=True))
    bench.advance(30.0)
    assert ConnectionTimer.HEARTBEAT_TIMEOUT in bench.timers


@pytest.mark.contract("C102")
def test_answered_traffic_stands_for_one_heartbeat() -> None:
    """One that is due is left out; the next one is sent, unless there was traffic again."""
    bench = Bench(heartbeat_interval=30.0, heartbeat_timeout=10.0).connected()
    bench.handle(TrafficAnswered(1))
    assert [type(command).__name__ for command in bench.advance(30.0)] == ["ArmTimer"]
    bench.advance(30.0)
    assert bench.one(SendHeartbeat) == SendHeartbeat("1")
    assert ConnectionTimer.HEARTBEAT_TIMEOUT in bench.timers


@pytest.mark.contract("C102")
def test_traffic_acknowledges_no_heartbeat() -> None:
    """One that was sent must be answered itself; traffic of a former connection says nothing."""
    bench = Bench(heartbeat_interval=30.0, heartbeat_timeout=40.0).connected()
    bench.handle(TrafficAnswered(0))
    bench.advance(30.0)
    assert bench.one(SendHeartbeat) == SendHeartbeat("1")
    bench.handle(TrafficAnswered(1))
    bench.advance(30.0)
    assert ConnectionTimer.HEARTBEAT_TIMEOUT in bench.timers
    bench.advance(10.0)
    assert bench.log.count(ReportHeartbeatTimeout(40.0)) == 1

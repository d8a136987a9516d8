"""The machine of a channel that hibernates is a number, and made anew it is what it was."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import ConnectionLost
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.channel_record import ChannelRecord
from phoenix_actors.machines.timers import ArmTimer, Timers
from tests.unit.phoenix_actors.machines.channel_bench import TOPIC, Bench

pytestmark = pytest.mark.contract("C184")

LOST = ConnectionLost(1006, "")


def woken(machine: ChannelMachine) -> ChannelMachine:
    """The machine, given back and made anew by a shell that knows what shells know."""
    packed = machine.packed()
    assert packed is not None
    return ChannelMachine.resumed(
        TOPIC,
        machine.policy,
        join_count=machine.join_count,
        join_ref=machine.join_ref,
        timeout=machine._timeout,
        packed=packed,
    )


@pytest.mark.parametrize("joins", [1, 3])
def test_nothing_is_lost(joins: int) -> None:
    """It has the same state, and goes on as it would have."""
    bench = Bench().joined(timeout=7.0)
    for _ in range(joins - 1):
        bench.lose(LOST)
        bench.open()
        bench.answer()
    before = bench.machine
    bench.machine = after = woken(before)
    for name in (*Timers.__slots__, *ChannelRecord.__slots__):
        assert getattr(after, name) == getattr(before, name), name
    assert (after.generation, after.join_count, after._timeout) == (joins, joins, 7.0)
    bench.push("caller")
    assert bench.one(events.SendPush).join_ref == before.join_ref
    bench.lose(LOST)
    bench.open()
    serial = before._serial + 1
    assert [timer.serial for timer in bench.all(ArmTimer)] == [serial]


def test_a_channel_that_is_busy_stays_as_it_is() -> None:
    """One that joins, is not connected, has dropped frames, or leaves, is no number."""
    bench = Bench()
    assert bench.machine.packed() is None
    bench.open()
    bench.join()
    assert bench.machine.packed() is None
    bench.answer()
    assert bench.machine.packed() is not None
    bench.lose(LOST)
    assert bench.machine.packed() is None
    bench.open()
    bench.answer()
    assert bench.machine.packed() is not None
    bench.frame("shout", join_ref="old")
    assert bench.machine.dropped
    assert bench.machine.packed() is None
    bench = Bench().joined()
    bench.leave()
    assert bench.machine.packed() is None

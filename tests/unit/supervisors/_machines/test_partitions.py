"""Keys and partitions: who serves which, and how many are in use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from supervisors import ChildSpecError, Crashed, SpecProblem
from supervisors._machines.partitions import partition_of
from tests.unit.supervisors.rig import Rig, rig, spec

BOOM = Crashed(RuntimeError("boom"))


def parted(count: int, **flags: Any) -> Rig:
    """A booted machine with this many partitions."""
    return Rig(*(spec(number) for number in range(count)), partitioned=True, **flags).boot()


@pytest.mark.contract("S119")
@pytest.mark.parametrize("number", [0, 1, 5, -1, -5, 10**30, -(10**30), True])
def test_whole_numbers(number: int) -> None:
    """They go by their absolute value modulo the number of partitions."""
    assert partition_of(number, 3) == abs(number) % 3


@pytest.mark.contract("S119")
@pytest.mark.parametrize(
    "equal",
    [
        (1, 1.0, True, Decimal(1), Fraction(1)),
        (10**30, Decimal(10**30)),
        ((1, ("a", None)), (1.0, ("a", None))),
        ("a", type("Text", (str,), {})("a")),
        (float("inf"), Decimal("Infinity")),
        (0.5, Fraction(1, 2)),
        (frozenset("abc"), frozenset("cba")),
    ],
)
def test_equal_keys(equal: tuple[Any, ...]) -> None:
    """Keys that are equal meet the same partition, whatever their types."""
    assert len({partition_of(key, 10**9) for key in equal}) == 1


@pytest.mark.contract("S119")
def test_other_keys_differ() -> None:
    """A string is not its bytes, nor a tuple its parts, and each partition gets its share."""
    keys = ["1", b"1", 1, ("1",), ("1", "1"), ("11",), (("1",),), None, 1.5, "\udc80"]
    assert len({partition_of(key, 10**9) for key in keys}) == len(keys)
    for count in (2, 7, 8):
        shares = Counter(partition_of(f"user-{number}", count) for number in range(8000))
        assert sorted(shares) == list(range(count))
        assert min(shares.values()) > 0.8 * 8000 / count


@pytest.mark.contract("S119")
def test_the_same_in_every_run() -> None:
    """Python's salted hash of strings and bytes decides nothing."""
    keys = "['alice', b'bob', ('a', 1, b'c'), None]"
    text = (
        "from supervisors._machines.partitions import partition_of; "
        f"print([partition_of(key, 1000) for key in {keys}])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", text],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {"[806, 790, 940, 146]\n"}


@pytest.mark.contract("S123")
def test_fewer_and_again_more() -> None:
    """The last partitions are stopped in reverse order, and started again in order."""
    machine = parted(4)
    assert machine.ask("resize", 1) == 4
    assert (machine.log, machine.machine.partitions.in_use) == (["stop 3", "stop 2", "stop 1"], 1)
    machine.log.clear()
    assert machine.ask("resize", 3) == 1
    assert (machine.log, machine.machine.partitions.in_use) == (["start 1", "start 2"], 3)
    assert [report.kind for report in machine.reports] == ["started", "started"]
    assert machine.ask("resize", 3) == 3
    assert machine.ask("resize", 0) == 3
    assert machine.states() == dict.fromkeys(range(4), "stopped")


@pytest.mark.contract("S123")
@pytest.mark.parametrize("wanted", [-1, 5, "2", 1.0, True, None])
def test_bad_sizes(wanted: Any) -> None:
    """Only whole numbers from 0 to what was started; anything else changes nothing."""
    machine = parted(4)
    error = machine.ask("resize", wanted)
    assert isinstance(error, ChildSpecError)
    assert error.problem is SpecProblem.BAD_PARTITIONS
    assert f"0 to 4 partitions, the number that was started, not {wanted!r}" in str(error)
    assert (machine.log, machine.machine.partitions.in_use) == ([], 4)


@pytest.mark.contract("S123")
def test_out_of_use_before_it_is_stopped() -> None:
    """No key is routed to a partition that is about to stop, nor to one that is about to start."""
    machine = parted(3)
    machine.stubborn.add(2)
    token = machine.send("resize", 1)
    assert machine.answers[token] == []
    assert machine.machine.partitions.in_use == 1
    machine.feed(machine.gone(2, BOOM))
    assert machine.answers[token] == [3]
    machine.slow.add(1)
    machine.send("resize", 3)
    assert machine.machine.partitions.in_use == 1
    machine.finish_start()
    assert machine.machine.partitions.in_use == 3


def test_a_start_that_fails() -> None:
    """The caller gets the error; those that came up before are in use."""
    machine = parted(3)
    machine.ask("resize", 0)
    machine.inits[1] = [BOOM]
    assert isinstance(machine.ask("resize", 3), RuntimeError)
    assert machine.machine.partitions.in_use == 1
    assert machine.states() == {0: "running", 1: "stopped", 2: "stopped"}
    assert machine.ask("resize", 3) == 1


def test_a_partition_that_runs_already_or_ignores() -> None:
    """One that was restarted by hand is taken as it is, one that ignores counts."""
    machine = parted(3)
    machine.ask("resize", 0)
    machine.ask("restart_child", 0)
    machine.inits[1] = ["ignore"]
    machine.log.clear()
    assert machine.ask("resize", 3) == 0
    assert (machine.log, machine.machine.partitions.in_use) == (["start 1", "start 2"], 3)


def test_a_partition_that_is_gone() -> None:
    """A temporary child that ended is not there to be started again, and that is said."""
    machine = Rig(spec(0), spec(1, restart="temporary"), partitioned=True).boot()
    machine.end(1, BOOM)
    assert machine.ask("resize", 1) == 2
    assert "no child 1" in str(machine.ask("resize", 2))
    assert machine.machine.partitions.in_use == 1


def test_a_supervisor_without_partitions() -> None:
    """Its children are none of a resize's business."""
    machine = rig([0, 1])
    assert isinstance(machine.ask("resize", 1), ChildSpecError)
    assert machine.ask("resize", 0) == 0
    assert machine.states() == {0: "running", 1: "running"}

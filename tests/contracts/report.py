"""How far the tests show the contract: from outcomes to statuses to text.

An item is *failing* when one of its tests failed. It is *shown* when at least one of its tests
passed and every other one passed or skipped. Otherwise it is *not shown yet*: no test, only skipped
ones, one that is expected to fail, or one that did not run.
"""

from __future__ import annotations

import textwrap
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIDTH = 100
LABEL_WIDTH = 15


class Outcome(StrEnum):
    """How one test ended; of several phases the worst counts, and worse stands later."""

    NOT_RUN = "not run"
    PASSED = "passed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    FAILED = "failed"


class Status(StrEnum):
    """How far an item is shown."""

    SHOWN = "shown"
    FAILING = "failing"
    NOT_SHOWN = "not shown yet"


def worse(one: Outcome, other: Outcome) -> Outcome:
    """Returns the worse of two outcomes."""
    order = list(Outcome)
    return max(one, other, key=order.index)


def status_of(outcomes: Iterable[Outcome]) -> Status:
    """Returns the status of an item from the outcomes of its tests."""
    found = set(outcomes)
    if Outcome.FAILED in found:
        return Status.FAILING
    if Outcome.PASSED in found and found <= {Outcome.PASSED, Outcome.SKIPPED}:
        return Status.SHOWN
    return Status.NOT_SHOWN


def ranges(ids: Iterable[str]) -> str:
    """Returns ids of one contract as ranges: S1, S2, S3, S5 become `S1-S3, S5`."""
    runs: list[list[str]] = []
    for identifier in sorted(ids, key=lambda one: int(one[1:])):
        if runs and int(identifier[1:]) == int(runs[-1][-1][1:]) + 1:
            runs[-1].append(identifier)
        else:
            runs.append([identifier])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def render(
    contract: str, items: Mapping[str, str], tests: Mapping[str, Mapping[str, Outcome]]
) -> str:
    """Returns the three lists of one contract; `tests` is id → test → outcome."""
    by_status: dict[Status, list[str]] = {status: [] for status in Status}
    for identifier in items:
        by_status[status_of(tests.get(identifier, {}).values())].append(identifier)
    lines = [f"{contract} contract, {len(items)} items"]
    for status, ids in by_status.items():
        label = f"  {f'{status} ({len(ids)})':<{LABEL_WIDTH + 6}}"
        indent = " " * len(label)
        lines.append(
            textwrap.fill(ranges(ids) or "-", WIDTH, initial_indent=label, subsequent_indent=indent)
        )
        if status is Status.FAILING:
            lines += [
                f"    {identifier} {items[identifier]}: {test}"
                for identifier in ids
                for test, outcome in tests[identifier].items()
                if outcome is Outcome.FAILED
            ]
    return "\n".join(lines)

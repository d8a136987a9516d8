"""`supervisors` does what OTP does: the same scenarios on both, and equal event logs.

An event log holds each init and terminate in the order in which they ran, with the reason's word;
each answer of the API; and why the top supervisor ended. Where the two may differ:

- Specifications and options are checked in the caller, so a refused start logs no init before.
- count_children of a dynamic supervisor counts its children as specs, as Elixir's does, where OTP
  counts its one template (`subject.look`).
- terminate_child of a dynamic supervisor refuses a reference that is dead, as Elixir's does, where
  OTP says ok (`subject.terminate_dynamic`).
- The children of a dynamic supervisor are stopped all at once, in any order (`comparable`).
- A dynamic child whose restart is ignored is dropped, which OTP 25 does not do: not drawn.
- GaveUp is the reason of a supervisor past its intensity; OTP's word is shutdown (`subject.word`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from supervisors.testing import ManualDispatcher
from tests.differential import subject
from tests.differential.drawn import scenarios
from tests.differential.fixed import fixed
from tests.differential.oracle import ESCRIPT, Oracle
from tests.differential.scenario import Scenario, StartDynamic

pytestmark = pytest.mark.skipif(
    ESCRIPT is None, reason="escript is missing: no OTP to compare with"
)

LISTED = fixed()
SEED = int(os.environ.get("OTP_SEED") or 20140101)
DRAWN = int(os.environ.get("OTP_SCENARIOS") or 200)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """One escript for all scenarios."""
    with Oracle() as oracle:
        yield oracle


def comparable(log: list[str], crowd: set[str]) -> list[str]:
    """Returns the log without what may differ."""
    if log[-1].startswith("start refused"):
        return log[-1:]
    lines: list[str] = []
    for together, run in groupby(log, lambda line: is_crowd_end(line, crowd)):
        found = list(run)
        lines += sorted(found) if together else found
    return lines


def is_crowd_end(line: str, crowd: set[str]) -> bool:
    """Tells whether this is the end of a child of a dynamic supervisor."""
    words = line.split()
    return words[0] == "terminate" and words[1] in crowd


def crowd_of(scenario: Scenario) -> set[str]:
    """Returns the names that are started in dynamic supervisors."""
    return {step.name for step in scenario.steps if isinstance(step, StartDynamic)}


def compare(oracle: Oracle, scenario: Scenario, dispatcher: object) -> None:
    """Runs the scenario on both."""
    crowd = crowd_of(scenario)
    theirs = comparable(oracle.run(scenario), crowd)
    ours = comparable(subject.run(scenario, dispatcher), crowd)
    assert ours == theirs, scenario.term()


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=name, marks=pytest.mark.contract(*items))
        for name, (scenario, items) in LISTED.items()
    ],
)
@pytest.mark.parametrize("dispatcher", ["manual", "pool"])
def test_listed(oracle: Oracle, scenario: Scenario, dispatcher: str) -> None:
    """The log of a listed scenario is OTP's, stepped by hand and on the pool."""
    compare(oracle, scenario, ManualDispatcher() if dispatcher == "manual" else dispatcher)


@pytest.mark.parametrize("dispatcher", ["manual", "pool"])
def test_drawn(oracle: Oracle, dispatcher: str) -> None:
    """Drawn scenarios give OTP's logs; OTP_SEED=… draws others, OTP_SCENARIOS=… more of them."""
    print(f"OTP_SEED={SEED}")  # noqa: T201  shown when the test fails

    @seed(SEED)
    @settings(
        max_examples=DRAWN // 2,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(scenario=scenarios())
    def check(scenario: Scenario) -> None:
        compare(oracle, scenario, ManualDispatcher() if dispatcher == "manual" else dispatcher)

    check()

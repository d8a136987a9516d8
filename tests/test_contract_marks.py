"""The plugin behind `@pytest.mark.contract` and `make contract`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.contracts import catalogue
from tests.contracts.report import Outcome, Status, ranges, render, status_of, worse

if TYPE_CHECKING:
    from pathlib import Path

INI = """
[pytest]
markers = contract(*ids): ids
"""

SUITE = """
import pytest

@pytest.mark.contract("S1")
@pytest.mark.contract("S2", "C1")
def test_passes():
    pass

@pytest.mark.contract("S2")
@pytest.mark.parametrize("number", [1, 2])
def test_second_fails(number):
    assert number == 1

@pytest.mark.contract("S3")
def test_skips():
    pytest.skip("nothing here")

@pytest.mark.contract("S4")
@pytest.mark.xfail(reason="not yet")
def test_expected():
    raise RuntimeError

@pytest.fixture
def broken_afterwards():
    yield
    raise RuntimeError

@pytest.mark.contract("S5")
def test_teardown_fails(broken_afterwards):
    pass

def test_unmarked():
    pass
"""


def run(pytester: pytest.Pytester, suite: str, *arguments: str) -> pytest.RunResult:
    """Runs a suite with the plugin and nothing else of this project."""
    pytester.makeini(INI)
    pytester.makepyfile(suite)
    return pytester.runpytest_inprocess("-p", "tests.contracts.plugin", *arguments)


@pytest.mark.parametrize(
    ("contract", "letter", "count"), [("supervision", "S", 200), ("client", "C", 191)]
)
def test_catalogue_is_whole(contract: str, letter: str, count: int) -> None:
    """Each contract numbers its items without a gap and describes each in at most ten words."""
    items = catalogue.load(contract)
    assert list(items) == [f"{letter}{number}" for number in range(1, count + 1)]
    assert [
        identifier for identifier, words in items.items() if not 0 < len(words.split()) <= 10
    ] == []
    assert len(set(items.values())) == count


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        pytest.param("contract('S201')", "no item 'S201'", id="beyond the last"),
        pytest.param("contract('s1')", "no item 's1'", id="small letter"),
        pytest.param("contract(1)", "no item 1", id="number"),
        pytest.param("contract()", "takes one or more ids", id="nothing"),
        pytest.param("contract('S1', why='x')", "takes one or more ids", id="keyword"),
    ],
)
def test_wrong_mark_ends_the_run(pytester: pytest.Pytester, mark: str, said: str) -> None:
    """A mark that names no item is refused before any test runs, with the test's name."""
    suite = f"import pytest\n@pytest.mark.{mark}\ndef test_one():\n    pass\n"
    result = run(pytester, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([rf".*::test_one: .*{re.escape(said)}.*"])
    result.stdout.no_fnmatch_line("*1 passed*")


def test_report_file(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """The report lists for each item its tests, their outcomes and the status that follows."""
    path = tmp_path / "new" / "report.json"
    result = run(pytester, SUITE, f"--contract-report={path}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    report = json.loads(path.read_text(encoding="utf-8"))
    assert len(report) == 391
    statuses = {
        identifier: report[identifier]["status"]
        for identifier in ("S1", "S2", "S3", "S4", "S5", "S6", "C1")
    }
    assert statuses == {
        "S1": "shown",
        "S2": "failing",
        "S3": "not shown yet",
        "S4": "not shown yet",
        "S5": "failing",
        "S6": "not shown yet",
        "C1": "shown",
    }
    assert list(report["S3"]["tests"].values()) == ["skipped"]
    assert list(report["S4"]["tests"].values()) == ["xfailed"]
    outcomes = {test.partition("::")[2]: outcome for test, outcome in report["S2"]["tests"].items()}
    assert outcomes == {
        "test_passes": "passed",
        "test_second_fails[1]": "passed",
        "test_second_fails[2]": "failed",
    }


def test_deselected_and_unreached_tests_do_not_count(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """An item whose tests did not run is not shown."""
    path = tmp_path / "report.json"
    run(pytester, SUITE, f"--contract-report={path}", "-k", "test_second_fails or test_skips", "-x")
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["S1"] == {"words": report["S1"]["words"], "status": "not shown yet", "tests": {}}
    assert list(report["S3"]["tests"].values()) == ["not run"]


def test_printed_lists(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Three lists per contract are printed, and for failing items the tests."""
    result = run(pytester, SUITE, f"--contract-report={tmp_path / 'report.json'}")
    result.stdout.re_match_lines(
        [
            r"supervision contract, 200 items",
            r"  shown \(1\) +S1$",
            r"  failing \(2\) +S2, S5$",
            r"    S2 .*: .*::test_second_fails\[2\]$",
            r"    S5 .*: .*::test_teardown_fails$",
            r"  not shown yet \(197\) +S3-S4, S6-S200$",
            r"client contract, 191 items",
            r"  shown \(1\) +C1$",
            r"  failing \(0\) +-$",
            r"  not shown yet \(190\) +C2-C191$",
        ]
    )


def test_without_the_option_nothing_is_printed(pytester: pytest.Pytester) -> None:
    """A plain run says nothing of contracts."""
    result = run(pytester, SUITE)
    result.stdout.no_fnmatch_line("*contract, * items*")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], Status.NOT_SHOWN),
        ([Outcome.PASSED], Status.SHOWN),
        ([Outcome.PASSED, Outcome.SKIPPED], Status.SHOWN),
        ([Outcome.SKIPPED], Status.NOT_SHOWN),
        ([Outcome.PASSED, Outcome.XFAILED], Status.NOT_SHOWN),
        ([Outcome.PASSED, Outcome.NOT_RUN], Status.NOT_SHOWN),
        ([Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED], Status.FAILING),
    ],
    ids=str,
)
def test_status(outcomes: list[Outcome], status: Status) -> None:
    """An item is shown when a test of it passed and every other one passed or skipped."""
    assert status_of(outcomes) is status


def test_worse() -> None:
    """Of two phases of one test the worse outcome stays."""
    assert worse(Outcome.FAILED, Outcome.PASSED) is Outcome.FAILED
    assert worse(Outcome.NOT_RUN, Outcome.SKIPPED) is Outcome.SKIPPED


def test_ranges() -> None:
    """Neighbours are joined, whatever order they come in."""
    assert ranges(["S10", "S2", "S1", "S3", "S12"]) == "S1-S3, S10, S12"
    assert ranges([]) == ""


def test_long_lists_are_wrapped() -> None:
    """A list longer than a line goes on below, indented."""
    items = {f"S{number}": "words" for number in range(1, 101)}
    tests = {f"S{number}": {"test": Outcome.PASSED} for number in range(1, 101, 2)}
    lines = render("supervision", items, tests).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) > 4

"""pytest plugin: `@pytest.mark.contract("S1", …)` names the contract items that a test shows.

A mark with an id that is in no contract ends the run before the first test. With
`--contract-report=FILE` the plugin writes, as JSON, id → words, status and tests with outcomes, and
prints three lists per contract at the end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contracts import catalogue
from tests.contracts.report import Outcome, render, status_of, worse

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = "contract"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--contract-report`."""
    group = parser.getgroup("contract")
    group.addoption(
        "--contract-report", metavar="FILE", type=Path, help="write id → tests and outcomes as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Starts recording when a report is wanted."""
    path = config.getoption("contract_report")
    if path is not None:
        config.pluginmanager.register(Recorder(path), "contract-recorder")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses marks that name no item of a contract."""
    known = {identifier for contract in catalogue.load_all().values() for identifier in contract}
    slips = [slip for item in items for slip in mark_slips(item, known)]
    if slips:
        raise pytest.UsageError("\n".join(slips))


def mark_slips(item: pytest.Item, known: set[str]) -> Iterable[str]:
    """Yields a sentence for each wrong contract mark of a test."""
    for mark in item.iter_markers(MARK):
        if not mark.args or mark.kwargs:
            yield f"{item.nodeid}: contract() takes one or more ids, as in contract('S1', 'S2')"
        for identifier in mark.args:
            if identifier not in known:
                yield f"{item.nodeid}: no item {identifier!r} in tests/contracts/*.toml"


def marked_ids(item: pytest.Item) -> list[str]:
    """Returns the ids of all contract marks of a test, each once."""
    return list(
        dict.fromkeys(identifier for mark in item.iter_markers(MARK) for identifier in mark.args)
    )


class Recorder:
    """Keeps how the marked tests ended, and writes and prints it at the end of the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: dict[str, list[str]] = {}
        self.outcomes: dict[str, Outcome] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notes the tests that are about to run."""
        for item in session.items:
            if ids := marked_ids(item):
                self.ids[item.nodeid] = ids
                self.outcomes[item.nodeid] = Outcome.NOT_RUN

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes in the outcome of one phase of one test."""
        if report.nodeid not in self.outcomes:
            return
        if report.passed and report.when != "call":
            return
        outcome = Outcome(report.outcome)
        if outcome is Outcome.SKIPPED and hasattr(report, "wasxfail"):
            outcome = Outcome.XFAILED
        self.outcomes[report.nodeid] = worse(self.outcomes[report.nodeid], outcome)

    def tests(self) -> dict[str, dict[str, Outcome]]:
        """Returns id → test → outcome."""
        tests: dict[str, dict[str, Outcome]] = {}
        for test, ids in self.ids.items():
            for identifier in ids:
                tests.setdefault(identifier, {})[test] = self.outcomes[test]
        return tests

    def pytest_sessionfinish(self) -> None:
        """Writes the report."""
        tests = self.tests()
        report = {
            identifier: {
                "words": words,
                "status": status_of(tests.get(identifier, {}).values()),
                "tests": tests.get(identifier, {}),
            }
            for contract in catalogue.load_all().values()
            for identifier, words in contract.items()
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(report, indent=1), encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints the three lists of each contract."""
        tests = self.tests()
        for contract, items in catalogue.load_all().items():
            terminalreporter.write_line("")
            terminalreporter.write_line(render(contract, items, tests))

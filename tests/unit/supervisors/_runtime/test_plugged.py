"""What other packages add to the observer: nothing is lost that comes while something is added."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors._runtime import plugged


class Meddling(dict[Any, Any]):
    """Lets another one add, as another thread may, in the middle of what is done with it."""

    def __init__(self, content: dict[Any, Any], meddle: Callable[[], object]) -> None:
        super().__init__(content)
        self._meddle = meddle

    def __iter__(self) -> Iterator[Any]:
        self._meddle()
        return super().__iter__()

    def keys(self) -> Any:
        self._meddle()
        return super().keys()


@pytest.fixture(autouse=True)
def own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test adds goes with it."""
    monkeypatch.setattr(plugged, "_tables", {})
    monkeypatch.setattr(plugged, "_events", {})


def titles() -> list[str]:
    """The titles of all tables."""
    return [table.title for table in plugged.tables()]


def test_a_section_added_meanwhile() -> None:
    """Both are there."""
    columns = Meddling({"a": "key"}, lambda: plugged.add_section("Inner", {"a": "key"}, list))
    plugged.add_section("Outer", columns, list)
    assert sorted(titles()) == ["Inner", "Outer"]


def test_events_added_meanwhile() -> None:
    """Both are there."""
    info = logging.INFO
    plugged.add_events(Meddling({("a",): info}, lambda: plugged.add_events({("b",): info})))
    assert plugged.events() == {("a",): info, ("b",): info}


def test_a_section_of_the_same_title() -> None:
    """It takes the place of the former one, and goes with one removal."""
    for title in ("One", "Two", "One"):
        plugged.add_section(title, {"a": "key"}, list)
    assert titles() == ["One", "Two"]
    assert plugged.remove_section("One")
    assert not plugged.remove_section("One")
    assert titles() == ["Two"]

"""Unique keys and their owners."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import pytest
from msgspec.structs import astuple

from supervisors._machines.name_table import NameTable


@pytest.mark.contract("S131", "S144")
def test_second_claim_changes_nothing() -> None:
    """A held key stays with its owner and value, and a refused claim leaves nothing behind."""
    table: NameTable[int] = NameTable()
    assert table.claim("a", 1, "one") is None
    for _ in range(3):
        assert table.claim("a", 2, "two") == 1
    assert list(map(astuple, table.entries("a"))) == [("a", 1, "one")]
    assert table.keys_of(2) == []
    assert table.release_owner(2) == []
    assert len(table) == 1


@pytest.mark.contract("S141")
def test_strict_keys() -> None:
    """1, 1.0 and True are three keys."""
    table: NameTable[str] = NameTable()
    for key in (1, 1.0, True):
        assert table.claim(key, repr(key)) is None
    assert [table.owner_of(key) for key in (1, 1.0, True)] == ["1", "1.0", "True"]
    assert table.release(1.0, "1.0")
    assert (table.owner_of(1), table.owner_of(1.0)) == ("1", None)


class Point(NamedTuple):
    """A key with fields."""

    x: object


class Folded(tuple[str]):
    """A key that says itself what it is equal to."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folded) and other[0].lower() == self[0].lower()

    def __hash__(self) -> int:
        return hash(self[0].lower())


@pytest.mark.contract("S141")
@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (("a", 1), ("a", 1), True),
        (("a", 1), ("a", 1.0), False),
        (("a", (1,)), ("a", (True,)), False),
        (frozenset([1]), frozenset([1]), True),
        (frozenset([1]), frozenset([1.0]), False),
        (Point(1), Point(1), True),
        (Point(1), Point(1.0), False),
        (Point(1), (1,), False),
        (Folded(["A"]), Folded(["a"]), True),
    ],
    ids=str,
)
def test_strict_inside(one: Hashable, other: Hashable, equal: bool) -> None:
    """What a key is made of is compared strictly too, unless the key has an equality of its own."""
    table: NameTable[int] = NameTable()
    table.claim(one, 1)
    assert table.owner_of(other) == (1 if equal else None)


@pytest.mark.contract("S134")
def test_release_owner() -> None:
    """All keys of an owner are freed at once, those of others stay."""
    table: NameTable[int] = NameTable()
    for key in "abc":
        table.claim(key, 1)
    table.claim("d", 2)
    assert table.keys_of(1) == list("abc")
    assert table.release_owner(1) == list("abc")
    assert [entry.key for entry in table.items()] == ["d"]
    assert table.release_owner(1) == []


@pytest.mark.contract("S133", "S137")
def test_only_the_owner_changes() -> None:
    """Values are updated and keys released by their owner only."""
    table: NameTable[int] = NameTable()
    table.claim("a", 1, "old")
    assert not table.update("a", 2, "stolen")
    assert not table.release("a", 2)
    assert not table.update("b", 1, "nothing there")
    assert table.update("a", 1, "new")
    assert list(map(astuple, table.entries("a"))) == [("a", 1, "new")]
    assert table.release("a", 1)
    assert table.entries("a") == []
    assert table.keys_of(1) == []

"""Keys with many owners."""

from __future__ import annotations

import pytest
from msgspec.structs import astuple

from supervisors._machines.duplicate_table import DuplicateTable


def table_of(*entries: tuple[str, int]) -> DuplicateTable[int]:
    """A table with these keys and owners, registered in this order."""
    table: DuplicateTable[int] = DuplicateTable()
    for key, owner in entries:
        table.claim(key, owner)
    return table


@pytest.mark.contract("S132", "S139")
def test_many_owners_in_order() -> None:
    """Everybody gets an entry, as often as it asks, and entries keep their order."""
    table: DuplicateTable[int] = DuplicateTable()
    for value, owner in enumerate((2, 1, 2)):
        table.claim("a", owner, value)
    assert list(map(astuple, table.entries("a"))) == [("a", 2, 0), ("a", 1, 1), ("a", 2, 2)]
    assert table.keys_of(2) == ["a", "a"]
    assert (len(table), table.owners()) == (3, [2, 1])


@pytest.mark.contract("S141")
def test_strict_keys() -> None:
    """1, 1.0 and True are three keys."""
    table: DuplicateTable[str] = DuplicateTable()
    for key in (1, 1.0, True):
        table.claim(key, repr(key))
    assert [[entry.owner for entry in table.entries(key)] for key in (1, 1.0, True)] == [
        ["1"],
        ["1.0"],
        ["True"],
    ]


@pytest.mark.contract("S137")
@pytest.mark.parametrize("others", [0, 5])
def test_release(others: int) -> None:
    """All entries of an owner go from the key, and from no other key, whoever has more of them."""
    table = table_of(("a", 1), ("a", 2), ("a", 1), ("b", 1), *[("a", 3)] * others)
    assert table.release("a", 1)
    assert not table.release("a", 1)
    assert [entry.owner for entry in table.entries("a")] == [2] + [3] * others
    assert table.keys_of(1) == ["b"]


@pytest.mark.contract("S134")
def test_release_owner() -> None:
    """All entries of an owner go at once, those of others stay, and no trace is left."""
    table = table_of(("a", 1), ("b", 2), ("b", 1))
    assert table.release_owner(1) == ["a", "b"]
    assert table.release_owner(1) == []
    assert not table.holds(1)
    assert [entry.key for entry in table.items()] == ["b"]
    table.release_owner(2)
    assert [table._all, table._by_key, table._by_owner] == [{}, {}, {}]


@pytest.mark.contract("S143")
def test_discard() -> None:
    """One entry goes, not its equal; once."""
    table = table_of(("a", 1), ("a", 1))
    first, second = table.entries("a")
    assert first == second
    assert table.discard(first)
    assert not table.discard(first)
    assert table.entries("a")[0] is second

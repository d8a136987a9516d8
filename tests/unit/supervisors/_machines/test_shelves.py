"""Shelves: what is put is found until it is taken out, and none stays empty."""

from __future__ import annotations

from typing import Any

from supervisors._machines.shelves import first, put, take_out


class Meanwhile(dict[Any, Any]):
    """A shelf that is emptied, and taken away, by who comes in between while it is filled."""

    shelves: dict[Any, Any]

    def __setitem__(self, key: Any, value: Any) -> None:
        """As it says."""
        self.shelves.pop("a", None)
        super().__setitem__(key, value)


def test_put_and_take_out() -> None:
    """In order, each under its key, and without a trace."""
    shelves: dict[Any, Any] = {}
    assert put(shelves, "a", 1, "one") is put(shelves, "a", 2, "two")
    assert (shelves, first(shelves["a"])) == ({"a": {1: "one", 2: "two"}}, 1)
    take_out(shelves, "a", 1)
    take_out(shelves, "a", 3)
    assert shelves == {"a": {2: "two"}}
    take_out(shelves, "a", 2)
    take_out(shelves, "a", 2)
    assert (shelves, first(())) == ({}, None)


def test_a_shelf_that_is_taken_away_meanwhile() -> None:
    """The value stands on the shelf that is found."""
    shelves: dict[Any, Any] = {}
    Meanwhile.shelves = shelves
    made = [Meanwhile(), dict[Any, Any]()]
    shelf = put(shelves, "a", 1, "one", lambda: made.pop(0))
    assert shelves == {"a": {1: "one"}}
    assert shelves["a"] is shelf

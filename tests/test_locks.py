"""Locks of the packages are made by `supervisors._locks`, whose `with` nothing interrupts."""

from __future__ import annotations

import re

from tests.sources import ROOT

# Gates, which one thread shuts and another one opens, and a claim that is taken once for all.
OTHERWISE = {
    "phoenix_actors/transport/own_lock.py",
    "supervisors/_locks.py",
    "supervisors/_runtime/giving_way.py",
    "supervisors/_runtime/inquiry.py",
    "supervisors/_runtime/pool.py",
    "supervisors/_runtime/reply.py",
}
PLAIN = re.compile(r"threading\.(R?Lock|Condition)\(\)")


def test_no_plain_lock_is_taken_by_with() -> None:
    """Whoever makes one says here why."""
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("phoenix_actors", "supervisors")
        for path in (ROOT / package).rglob("*.py")
        if PLAIN.search(path.read_text())
    }
    assert found == OTHERWISE

"""Exit reasons."""

from __future__ import annotations

import pytest

from supervisors import Crashed, GaveUp, Killed, Normal, Shutdown
from supervisors.exits import as_reason


@pytest.mark.contract("S51")
def test_detail_is_kept() -> None:
    """Shutdown keeps its term and is compared by it."""
    assert Shutdown({"why": 1}).detail == {"why": 1}
    assert Shutdown("a") != Shutdown("b")
    assert Shutdown() == Shutdown(None)


def test_crashes_are_compared_by_exception() -> None:
    """Two crashes are equal when they carry the same exception object."""
    error = ValueError("secret")
    assert Crashed(error) == Crashed(error)
    assert Crashed(error) != Crashed(ValueError("secret"))
    assert len({Crashed(error), Crashed(error)}) == 1


def test_no_content_in_repr() -> None:
    """A crash names the type of its exception only."""
    assert repr(Crashed(ValueError("secret"))) == "Crashed(ValueError)"
    assert "secret" not in repr(GaveUp("app", 1, 1.0, "a", Crashed(ValueError("secret"))))


def test_as_reason() -> None:
    """Reasons stay, exceptions become crashes, anything else is refused."""
    error = KeyError("x")
    assert as_reason(Killed()) == Killed()
    assert as_reason(error) == Crashed(error)
    for bad in ("normal", None, 0, Normal):
        with pytest.raises(TypeError, match="is no exit reason"):
            as_reason(bad)
    with pytest.raises(TypeError, match="is given an exception, not 'boom'"):
        as_reason(Crashed("boom"))  # type: ignore[arg-type]

"""The 58 functions and options of the documentation that this client follows, one case each.

Each is named by its number in the contract's list and shows that it does what is documented, in
Python's words: seconds, exceptions, methods.
"""

from __future__ import annotations

import pytest

from tests.e2e import documented_client, documented_rest
from tests.e2e.documented import CASES
from tests.e2e.rig import Connect, Phoenix

MODULES = (documented_client, documented_rest)


def test_none_is_left_out() -> None:
    """There are 58."""
    assert sorted(CASES) == list(range(1, 59))
    assert {case.__module__ for case in CASES.values()} == {module.__name__ for module in MODULES}


@pytest.mark.parametrize("number", range(1, 59))
def test_it_does_what_is_documented(number: int, phoenix: Phoenix, connect: Connect) -> None:
    """Each of them."""
    CASES[number](phoenix, connect)

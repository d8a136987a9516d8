"""How the children of a specification are started: found once, and shared by those of a class."""

from __future__ import annotations

import pytest

from supervisors import ChildSpec, GenServer
from supervisors._runtime.launching import launch_of
from supervisors.testing import ManualDispatcher


@pytest.mark.parametrize("kwargs", [{"dispatcher": ManualDispatcher()}, {"start_timeout": 1.0}])
def test_what_one_says_is_not_said_of_others(kwargs: dict[str, object]) -> None:
    """A dispatcher or a time-out of one specification is not that of the others of its class."""

    class Worker(GenServer):
        """Without an init."""

    told = launch_of(ChildSpec("told", Worker, kwargs=kwargs))
    plain, another = (launch_of(ChildSpec(number, Worker)) for number in range(2))
    assert told is not None
    assert plain is not None
    assert not told.options.are_bare()
    assert plain.options.are_bare()
    assert plain is another

"""Whoever is called back at an end is a user's code: no signals are put off meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import NO_REPLY, ChildSpec, GenServer, Supervisor
from supervisors._runtime.ref import ActorRef
from supervisors.errors import ActorError
from tests.concurrency.conftest import DEADLINE


class Silent(GenServer):
    """Never answers."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Keeps the asker waiting; or shows that what was sent before is handled."""
        return NO_REPLY if request == "open" else request


def _terminate(sup: Any, child: ActorRef) -> None:
    sup.terminate_child("a")


def _stop(sup: Any, child: ActorRef) -> None:
    child.stop()


@pytest.mark.parametrize("end", [_terminate, _stop])
def test_the_asker_of_an_open_call_is_called_back_with_the_handlers_in_place(
    end: Callable[[Any, ActorRef], None],
) -> None:
    """In the main thread, too, which ends idle actors itself."""
    sup = Supervisor.start([ChildSpec("a", Silent, restart="temporary")], strategy="one_for_one")
    (child,) = (each.ref for each in sup.which_children())
    before = signal.getsignal(signal.SIGINT)
    seen: list[Any] = []
    call = child.ask("open", block=False)
    assert child.call("handled?") == "handled?"
    call.add_done_callback(lambda _: seen.append(signal.getsignal(signal.SIGINT)))
    end(sup, child)
    with pytest.raises(ActorError):
        call.get(timeout=DEADLINE)
    assert seen == [before]
    sup.stop()

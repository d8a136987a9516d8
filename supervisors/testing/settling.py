"""Waiting until every actor is at rest."""

from __future__ import annotations

import threading
from datetime import timedelta

from supervisors._runtime.actor_list import living
from supervisors._runtime.current import current
from supervisors._runtime.ref import ActorRef
from supervisors.clock import Deadline, MonotonicClock, as_seconds
from supervisors.testing.stepper import ManualDispatcher

__all__ = ["settle"]

# Between two looks, in seconds.
_INTERVAL = 0.001
# One look is no proof: while it goes round, who was seen at rest may get a message from another.
_LOOKS = 3


def settle(timeout: float | timedelta | None = 1.0) -> bool:
    """Wait until no actor has a message to handle or is in a handler.

    Plain Pykka actors, threads of other kinds and what is on its way through a socket are not
    seen. An actor that waits inside a handler is not at rest, which is what `timeout` is for.

    Args:
        timeout: real seconds in all; None waits for ever.

    Returns:
        Whether all actors were at rest.

    Example:
        >>> from supervisors import GenServer
        >>> class Adder(GenServer):
        ...     def init(self, results):
        ...         self.results = results
        ...     def handle_cast(self, message):
        ...         self.results.append(message)
        >>> results = []
        >>> adder = Adder.start(results)
        >>> adder.tell(1)
        >>> settle(), results, adder.stop()
        (True, [1], True)
    """
    host = current.host
    if isinstance(host, ManualDispatcher):
        host.run_until_idle()
    deadline = Deadline(as_seconds(timeout, "timeout"), MonotonicClock())
    pause = threading.Event()
    looks = 0
    while looks < _LOOKS:
        looks = 0 if _anybody_busy() else looks + 1
        left = deadline.remaining()
        if left == 0.0 and looks == 0:
            return False
        if looks < _LOOKS:
            pause.wait(_INTERVAL)
    return True


def _anybody_busy() -> bool:
    own = current.process
    for ref in living():
        if isinstance(ref, ActorRef):
            process = ref.process
            # The slot is held from the moment a message is put until nothing is left to handle.
            if process is not None and process is not own and not process.mailbox.slot:
                return True
    return False

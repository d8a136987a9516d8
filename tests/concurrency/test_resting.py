"""An idle actor gives back its lane and its thread, and no message is lost meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import GenServer
from supervisors._runtime.mailbox import _GIL
from supervisors._runtime.resting import holds, rest

DEADLINE = 10.0


class Adding(GenServer):
    """Keeps what it is told."""

    def init(self) -> None:
        self.seen: list[Any] = []

    def handle_cast(self, message: Any) -> None:
        """Keeps it."""
        self.seen.append(message)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Gives all."""
        return self.seen


def test_an_actor_that_is_busy() -> None:
    """It gives nothing back."""
    entered, go_on = threading.Event(), threading.Event()

    class Busy(GenServer):
        def handle_cast(self, message: Any) -> None:
            entered.set()
            go_on.wait(DEADLINE)

    ref = Busy.start()
    process = ref.process
    assert process is not None
    ref.tell(1)
    assert entered.wait(DEADLINE)
    assert rest(process) is None
    go_on.set()
    ref.stop()
    assert rest(process) is None


@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_no_message_is_lost(dispatcher: str) -> None:
    """While others tell, it gives back what it can; what one tells keeps its order.

    Without the GIL lanes are kept, so an actor of the pool has nothing to give back.
    """
    ref = Adding.start(dispatcher=dispatcher)
    process = ref.process
    assert process is not None
    given_back = 0
    gives = _GIL or dispatcher == "thread"

    def tell(who: int) -> None:
        pause = threading.Event()
        for number in range(200):
            ref.tell((who, number))
            if number % 10 == 0:
                pause.wait(0.001)

    threads = [threading.Thread(target=tell, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    pause = threading.Event()
    # Idle in the end, it must give something back at the latest then.
    while (gives and not given_back) or any(thread.is_alive() for thread in threads):
        given = rest(process)
        given_back += given is not None and (given.bytes > 0 or given.thread)
        pause.wait(0.0001)
    seen = ref.call(None, timeout=DEADLINE)
    for who in range(2):
        assert [number for teller, number in seen if teller == who] == list(range(200))
    assert bool(given_back) == gives
    assert holds(process) > 0
    ref.stop()

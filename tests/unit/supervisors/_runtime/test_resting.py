"""An idle actor gives back its lane and its thread, and no message is lost meanwhile."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import Any

import pytest

from supervisors import GenServer
from supervisors._runtime.mailbox import NOTHING, Mailbox
from supervisors._runtime.resting import holds, rest

DEADLINE = 10.0
with_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="lanes are kept without the GIL"
)


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


@with_gil
def test_a_lane_that_nobody_holds() -> None:
    """It goes, and comes anew with the next message."""
    mailbox = Mailbox(None)
    assert mailbox.give_back_lane() == 0
    mailbox.put(1)
    assert mailbox.give_back_lane() == 0
    mailbox.user.popleft()
    assert mailbox.give_back_lane() == sys.getsizeof(deque())
    assert mailbox.user is NOTHING
    mailbox.put(2)
    assert list(mailbox.user) == [2]


@with_gil
def test_a_lane_that_somebody_holds() -> None:
    """Whoever has read it may be about to put a message into it."""
    mailbox = Mailbox(None)
    mailbox.put(1)
    lane = mailbox.user
    lane.popleft()
    assert mailbox.give_back_lane() == 0
    assert mailbox.user is lane
    del lane
    assert mailbox.give_back_lane() > 0


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
    """While others tell, it gives back what it can; what one tells keeps its order."""
    ref = Adding.start(dispatcher=dispatcher)
    process = ref.process
    assert process is not None
    over = threading.Event()
    given_back = 0

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
    while any(thread.is_alive() for thread in threads):
        given = rest(process)
        given_back += given is not None and (given.bytes > 0 or given.thread)
        pause.wait(0.0001)
    over.set()
    seen = ref.call(None, timeout=DEADLINE)
    for who in range(2):
        assert [number for teller, number in seen if teller == who] == list(range(200))
    assert given_back
    assert holds(process) > 0
    ref.stop()

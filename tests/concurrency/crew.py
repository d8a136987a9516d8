"""Actors and threads for the concurrency tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from supervisors import GenServer

DEADLINE = 10.0


class Doer(GenServer):
    """Does what it is sent: messages are functions of the actor."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        self.sender = sender
        return request(self) if callable(request) else request

    def handle_cast(self, message: Any) -> Any:
        return message(self) if callable(message) else None

    def handle_info(self, message: Any) -> None:
        pass


class Noting(Doer):
    """Notes what handle_info and terminate get."""

    def init(self, trap: bool = False) -> None:
        self.trap_exit = trap
        self.notes: list[Any] = []
        self.ends: list[Any] = []

    def handle_info(self, message: Any) -> None:
        self.notes.append(message)

    def terminate(self, reason: Any) -> None:
        self.ends.append(reason)


def boom(_: object = None) -> None:
    """Raises."""
    raise ValueError("boom")


def waits(entered: Callable[[], object], gate: threading.Event) -> Callable[[object], None]:
    """Returns a message whose handler tells that it was entered and waits for the gate."""

    def handle(_: object) -> None:
        entered()
        gate.wait(DEADLINE)

    return handle


def together(*acts: Callable[[], object]) -> None:
    """Runs each in a thread of its own, all from the same moment; raises what they raised."""
    gate = threading.Barrier(len(acts))
    errors: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            gate.wait(DEADLINE)
            act()
        except BaseException as error:  # noqa: BLE001  handed to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE * 3)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def stop(refs: Iterable[Any]) -> None:
    """Stops actors."""
    for ref in refs:
        ref.stop(timeout=DEADLINE)


def wait_for(check: Any) -> None:
    """Waits until the check is true."""
    pause = threading.Event()
    for _ in range(int(DEADLINE / 0.002)):
        if check():
            return
        pause.wait(0.002)
    raise TimeoutError("it never came to that")

"""Children that say when they start, ours and Pykka's, and the least supervisor on Pykka alone.

`TheirSupervisor` has no limit of restarts and no specifications: it does less than ours.
"""

from __future__ import annotations

import queue
from typing import Any

import pykka
from actors import Theirs

from supervisors import GenServer

__all__ = ["CRASH", "OurChild", "Started", "TheirChild", "TheirSupervisor"]

CRASH = "crash"
Started = queue.SimpleQueue[tuple[int, Any]]
"""Where a child puts its number and its reference."""


class OurChild(GenServer):
    """Says when it starts, if it is to, and crashes when told to."""

    def init(self, number: int, started: Started | None) -> None:
        """Say so."""
        if started is not None:
            started.put((number, self.actor_ref))

    def handle_cast(self, message: Any) -> None:
        """Crash."""
        raise RuntimeError(message)


class TheirChild(pykka.ThreadingActor):
    """Does the same on Pykka alone, and tells its parent of the crash."""

    def __init__(self, parent: Any, number: int, started: Started | None) -> None:
        """Keep the arguments."""
        super().__init__()
        self.parent, self.number, self.started = parent, number, started

    def on_start(self) -> None:
        """Say so."""
        if self.started is not None:
            self.started.put((self.number, self.actor_ref))

    def on_failure(self, *_: object) -> None:
        """Tell the parent."""
        self.parent.tell(("failed", self.number))

    def on_receive(self, message: Any) -> None:
        """Crash."""
        raise RuntimeError(message)


class TheirSupervisor(pykka.ThreadingActor):
    """Starts children, and when one has crashed that one or all of them anew."""

    def __init__(self, started: list[Started | None], *, all_at_once: bool = False) -> None:
        """Take what each child puts itself into."""
        super().__init__()
        self.started, self.all_at_once = started, all_at_once
        self.refs: dict[int, Any] = {}

    def on_start(self) -> None:
        """Start the children."""
        for number in range(len(self.started)):
            self._start(number)

    def on_stop(self) -> None:
        """Stop the children, the last first."""
        for ref in reversed(self.refs.values()):
            ref.stop()

    def on_receive(self, message: Any) -> Any:
        """Start a child anew, start one more, or stop one."""
        match message:
            case ("failed", number) if self.all_at_once:
                del self.refs[number]
                for ref in reversed(self.refs.values()):
                    ref.stop()
                self.refs.clear()
                self.on_start()
            case ("failed", number):
                self._start(number)
            case ("terminate", ref):
                ref.stop()
            case "start":
                return Theirs.start()
        return None

    def _start(self, number: int) -> None:
        self.refs[number] = TheirChild.start(self.actor_ref, number, self.started[number])

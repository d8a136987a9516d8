"""What gives processes their turns: the protocol behind `pool` and `thread`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["Dispatcher"]


class Dispatcher(Protocol):
    """What gives processes their turns; `pool` and `thread` are the two there are."""

    def attach(self, process: Process) -> None:
        """Take a new process, whose slot is taken already, and run its first batch soon."""
        ...

    def schedule(self, process: Process) -> None:
        """Run a batch of a process whose slot was just taken."""
        ...

    def offer(self, process: Process) -> None:
        """Take the slot of a process and have a batch run, unless somebody has the slot."""
        ...

    def detach(self, process: Process) -> None:
        """Forget a process that has ended."""
        ...

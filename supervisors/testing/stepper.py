"""A dispatcher whose turns the test gives: no thread, and an order that a seed decides."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING

from supervisors._runtime.current import current
from supervisors._runtime.turns import run_turn
from supervisors.errors import CallTimeout

if TYPE_CHECKING:
    from supervisors._runtime.current import Host
    from supervisors._runtime.process import Process
    from supervisors._runtime.reply import Reply

__all__ = ["ManualDispatcher"]


class ManualDispatcher:
    """Runs actors in the test's own thread, one turn at a step.

    A wait for a reply in the test's thread (`start()`, `ask()`, `stop()`) steps until the reply is
    there. With a `seed`, the actor of each step is drawn by chance; without, it is the one that
    has waited longest. Only for one thread at a time, and only for actors that are all run by it:
    the thread's waits step from the start of the first actor to the end of the last one.
    """

    runs_in_any_thread = False

    def __init__(self, seed: int | None = None) -> None:
        """Start with nothing to do."""
        self._ready: deque[Process] = deque()
        self._living: set[Process] = set()
        self._host_before: Host | None = None
        self._random = None if seed is None else random.Random(seed)  # noqa: S311  no secret

    def attach(self, process: Process) -> None:
        """Take a new process and let waits in this thread step."""
        if current.host is not self:
            self._host_before, current.host = current.host, self
        self._living.add(process)
        self.schedule(process)

    def schedule(self, process: Process) -> None:
        """Note that a process has something to do."""
        self._ready.append(process)

    def offer(self, process: Process) -> None:
        """Note that a process has something to do, unless that is known."""
        if process.mailbox.take_slot():
            self.schedule(process)

    def detach(self, process: Process) -> None:
        """Forget a process that has ended; with the last one, waits are real ones again."""
        self._living.discard(process)
        if not self._living and current.host is self:
            current.host = self._host_before

    def step(self) -> bool:
        """Give one actor its turn; False when none has anything to do."""
        if not self._ready:
            return False
        if self._random is not None:
            self._ready.rotate(self._random.randrange(len(self._ready)))
        process = self._ready.popleft()
        if run_turn(process):
            self._ready.append(process)
        return True

    def run_until_idle(self, limit: int = 100_000) -> int:
        """Step until nobody has anything to do; return how many steps that took.

        Raises:
            RuntimeError: after `limit` steps, since some actors keep one another busy for ever.
        """
        for steps in range(limit):
            if not self.step():
                return steps
        msg = f"actors are still busy after {limit} steps: do they keep one another busy?"
        raise RuntimeError(msg)

    def wait(self, reply: Reply, timeout: float | None) -> None:
        """Step until the reply is settled.

        Raises:
            CallTimeout: nobody has anything to do and the reply is not there; it never would be.
        """
        while not reply.done():
            if self.step():
                continue
            if self._living:
                raise CallTimeout(timeout)
            # None of its actors lives: this wait is for somebody else.
            reply.block(timeout)

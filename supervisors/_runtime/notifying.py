"""What a service manager is told: systemd's `sd_notify(3)` protocol, where it listens.

READY=1 once the whole tree runs, STOPPING=1 when it begins to stop, and, where the unit has
`WatchdogSec=`, WATCHDOG=1 twice in each such span as long as every supervisor of the tree answers.
The datagrams go to the Unix socket that the environment names, and never wait.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from supervisors._locks import new_lock
from supervisors._machines.vocabulary import RequestVerb
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.supervising import SupervisingActor, SupervisorRequest
from supervisors._runtime.timers import Timer, timers
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.reply import Reply

__all__ = ["Notifier", "when_all_answered"]

_MICROSECONDS = 1_000_000


class Notifier:
    """Tells the service manager how one tree is. Safe from any thread.

    Without NOTIFY_SOCKET it does nothing. What cannot be sent is told as the telemetry event
    `("supervisors", "system", "notify_failed")`: a program goes on without its manager.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the environment, as the manager has set it for this process."""
        self._address = environment.get("NOTIFY_SOCKET") or None
        self._period = _watchdog_period(environment)
        self._lock = new_lock()
        self._timer: Timer | None = None
        self._open = self._address is not None

    def ready(self, top: ActorRef) -> None:
        """Say that the tree runs, and begin to say that it lives."""
        self._send("READY=1")
        if self._period is not None:
            self._ask(top)

    def stopping(self) -> None:
        """Say that the tree stops; from now on the manager's own patience counts."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Say nothing more."""
        with self._lock:
            self._open = False
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _ask(self, top: ActorRef) -> None:
        """Ask every supervisor; one that does not answer ends the signs of life."""
        with self._lock:
            if not self._open or self._period is None:
                return
            self._timer = timers.after(self._period, lambda: self._ask(top))
        when_all_answered(top, lambda: self._send("WATCHDOG=1"))

    def _send(self, state: str) -> None:
        if not self._open or self._address is None:
            return
        address = self._address
        # "@" stands for the zero byte of a name that is no file's.
        name = f"\0{address[1:]}" if address.startswith("@") else address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.setblocking(False)
                connection.sendto(state.encode(), name)
        except (OSError, AttributeError) as error:
            # AttributeError: no such sockets on this system.
            event = ("supervisors", "system", "notify_failed")
            execute(event, {"count": 1}, {"state": state, "error": type(error).__name__})


def _watchdog_period(environment: Mapping[str, str]) -> float | None:
    """Return the seconds between two signs of life, half of what the manager waits, or None."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID") or str(os.getpid())
    if not microseconds.isdecimal() or int(microseconds) == 0 or meant != str(os.getpid()):
        return None
    return int(microseconds) / _MICROSECONDS / 2


def when_all_answered(top: ActorRef, call: Callable[[], None]) -> None:
    """Call once, as soon as `top` and every supervisor below it has answered; never, if one hangs.

    One that has ended meanwhile counts as answered: its own supervisor sees to it.
    """
    walk = _Walk(call)
    walk.visit(top)


class _Walk:
    """Counts the supervisors that have been asked and have not answered."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._lock = new_lock()
        self._waiting = 0

    def visit(self, ref: ActorRef) -> None:
        with self._lock:
            self._waiting += 1
        request = SupervisorRequest(RequestVerb.WHICH_CHILDREN, None)
        ref.ask(request, block=False).add_done_callback(self._answered)

    def _answered(self, reply: Reply) -> None:
        children: list[Any] = reply.get() if reply.exception() is None else []
        for child in children:
            ref = child.ref
            if isinstance(ref, ActorRef) and issubclass(ref.actor_class, SupervisingActor):
                self.visit(ref)
        with self._lock:
            self._waiting -= 1
            over = self._waiting == 0
        if over:
            self._call()

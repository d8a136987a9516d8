"""A program of one tree: `run()` until it ends or a signal stops it, `System` for a `with` block.

Both stop the tree in the reverse of its start order within one deadline for all, and say what did
not stop. They are the recommended owners of a tree; what nobody owns is stopped when the
interpreter ends.

>>> from supervisors import GenServer
>>> with System([GenServer.child_spec(name="worker")], strategy="one_for_one") as system:
...     system.supervisor.count_children().active
1
>>> system.unstopped
[]
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from types import FrameType
from typing import Any, Self

from supervisors._machines.application import (
    AbandonTree,
    ApplicationMachine,
    ApplicationState,
    DeadlinePassed,
    Event,
    FailStart,
    Finish,
    SignalReceived,
    StopRequested,
    StopTree,
    TreeEnded,
    TreeFailed,
    exit_code,
)
from supervisors._runtime.calling import take_options
from supervisors._runtime.ending import GRACE, kill_tree, order_end
from supervisors._runtime.handover import flush
from supervisors._runtime.notifying import Notifier
from supervisors._runtime.outcomes import Started, StartFailed, StartIgnored
from supervisors._runtime.process import Process
from supervisors._runtime.root import root
from supervisors._runtime.signals import watch_with
from supervisors._runtime.spawn import spawn
from supervisors._runtime.timers import timers
from supervisors._runtime.unstopped import Unstopped, unstopped_under
from supervisors.clock import Deadline, as_seconds
from supervisors.exits import Killed, Shutdown
from supervisors.supervisor import Supervisor, SupervisorRef, SupervisorSpec

__all__ = ["System", "run"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHUTDOWN_TIMEOUT = 10.0


_open_systems: set[System] = set()


def _forget_parent() -> None:
    for system in list(_open_systems):
        system._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


class _Wakes:
    """Events for the thread that waits for them; a signal handler may post too.

    The wait is a read from a socket, which the interpreter ends for every signal, whatever thread
    the operating system has chosen to deliver it to.
    """

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        import socket

        self._near, self.far = socket.socketpair()
        self.far.setblocking(False)

    def post(self, event: Event) -> None:
        self.events.append(event)
        # Full: then it is awake already. Closed: then nobody waits any more.
        with suppress(OSError):
            self.far.send(b"\0")

    def wait(self, timeout: float | None) -> bool:
        """Wait until there may be something; tell whether the time was enough."""
        self._near.settimeout(timeout if timeout is None else max(timeout, 1e-3))
        try:
            self._near.recv(4096)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._near.close()
        self.far.close()


class _Handlers:
    """Our handlers of SIGINT and SIGTERM, in the main thread, and what was there before them."""

    def __init__(self, wakes: _Wakes, handler: Callable[[int, FrameType | None], None]) -> None:
        self._here = threading.current_thread() is threading.main_thread()
        if self._here:
            self._fd = signal.set_wakeup_fd(wakes.far.fileno(), warn_on_full_buffer=False)
            self._before = [(number, signal.signal(number, handler)) for number in _SIGNALS]

    def restore(self) -> None:
        if not self._here:
            return
        self._here = False
        for number, before in self._before:
            # What was not installed from Python cannot be put back from it.
            signal.signal(number, signal.SIG_DFL if before is None else before)
        signal.set_wakeup_fd(self._fd)


class System:
    """A tree for the time of a `with` block, stopped in order however the block ends.

    In the main thread, SIGINT raises KeyboardInterrupt in the block and SIGTERM raises
    `SystemExit(143)`; either ends the block and so stops the tree. A signal that comes while it is
    being stopped abandons what has not stopped and prints a report of it to standard error. The
    handlers from before are back after the block. In other threads signals are left alone.

    Args:
        children: as for `Supervisor.start_link`.
        strategy: likewise.
        name: a name to register the topmost supervisor under.
        shutdown_timeout: seconds the whole tree may take to stop; None waits for ever.
        **rules: the other options of `Supervisor.start_link`.

    Raises:
        ChildSpecError: a child or a rule is wrong; raised here, nothing was started.

    Example:
        >>> with System([], strategy="one_for_one") as system:
        ...     system.supervisor.is_alive()
        True
        >>> system.supervisor.is_alive()
        False
    """

    supervisor: SupervisorRef
    """The topmost supervisor, once the block was entered."""

    unstopped: list[Unstopped]
    """What still ran when the tree was over: abandoned, each with path, stack and age."""

    def __init__(
        self,
        children: Iterable[Any],
        *,
        strategy: str,
        name: Any = None,
        shutdown_timeout: float | timedelta | None = _SHUTDOWN_TIMEOUT,
        **rules: Any,
    ) -> None:
        """Check everything; nothing is started before the block is entered."""
        self._options, rest = take_options({**rules, "name": name})
        self._spec = SupervisorSpec(children, strategy=strategy, **rest)
        self._timeout = as_seconds(shutdown_timeout, "shutdown_timeout")
        self._deadline = Deadline(None, timers.clock)
        self._machine = ApplicationMachine()
        self._process: Process | None = None
        self._error: BaseException | None = None
        self._code = 0
        self._notifier = Notifier({})
        self.unstopped = []

    def __repr__(self) -> str:
        """Tell the state."""
        return f"<System {self._machine.state.name.lower()}>"

    def __enter__(self) -> Self:
        """Start the tree; return when all of it runs.

        Raises:
            StartError: a child did not start; those before it were stopped again (S64).
            RuntimeError: it was entered before.
        """
        self._open(self._interrupt)
        try:
            self._loop(until_started=True)
        except BaseException:
            # A signal during the start: stop what there is of the tree.
            self.__exit__(None, None, None)
            raise
        if self._is_over():
            self._close()
            if self._error is not None:
                raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the tree in order; return when it is over, and let an exception go on."""
        self._leaving = True
        self._wakes.post(StopRequested())
        try:
            self._loop()
        finally:
            self._close()

    # ---- the thread that owns the tree ---------------------------------------------------------

    def _open(self, handler: Callable[[int, FrameType | None], None]) -> None:
        if self._process is not None:
            msg = "a System is for one block: make a new one"
            raise RuntimeError(msg)
        self._leaving = False
        self._started = False
        self._wakes = _Wakes()
        self._handlers = _Handlers(self._wakes, handler)
        _open_systems.add(self)
        try:
            args = (self._spec,)
            spawn(Supervisor, args, {}, self._options, self._on_started, before_launch=self._take)
            # In a pooled handler it may have become this thread's next turn; it waits otherwise.
            flush()
        except BaseException:
            self._close()
            raise

    def _take(self, process: Process) -> None:
        self._process = process
        ref = process.actor_ref
        assert isinstance(ref, SupervisorRef)  # noqa: S101  the class of a Supervisor's refs
        self.supervisor = ref
        root.add(process)

    def _on_started(self, outcome: Started | StartIgnored | StartFailed) -> None:
        if isinstance(outcome, StartFailed):
            self._error = outcome.error
            self._wakes.post(TreeFailed())
            return
        self._started = True
        self._notifier.ready(self.supervisor)
        post = self._wakes.post
        watch_with(self._process, self.supervisor, lambda down: post(TreeEnded(down.reason)))
        # Only to wake whoever waits for the start.
        with suppress(OSError):
            self._wakes.far.send(b"\0")

    def _loop(self, *, until_started: bool = False) -> None:
        """Wait for events and do what the machine orders, until the tree is over, or runs."""
        while not self._is_over():
            while self._wakes.events:
                event = self._wakes.events.popleft()
                for command in self._machine.handle(event):
                    self._carry_out(command)
            if self._is_over() or (until_started and self._started):
                return
            if not self._wakes.wait(self._deadline.remaining()):
                self._deadline = Deadline(None, timers.clock)
                self._wakes.events.append(DeadlinePassed())

    def _is_over(self) -> bool:
        return self._machine.state is ApplicationState.OVER

    def _carry_out(self, command: StopTree | AbandonTree | Finish | FailStart) -> None:
        process = self._process
        match command:
            case StopTree(number):
                self._notifier.stopping()
                if number is not None:
                    name = signal.Signals(number).name
                    _say(f"supervisors: stopping on {name}; a second signal abandons the rest")
                if process is not None:
                    order_end(process, Shutdown(), self._timeout)
                if self._timeout is not None:
                    self._deadline = Deadline(self._timeout + GRACE, timers.clock)
            case AbandonTree():
                if process is not None:
                    kill_tree(process)
            case Finish(reason, number):
                self.unstopped = [] if process is None else unstopped_under(process)
                if self.unstopped:
                    _say("supervisors: abandoned, and still running:", *map(str, self.unstopped))
                self._code = exit_code(reason, number, len(self.unstopped))

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        """Leave the block; once it is left, hand the signal to the loop."""
        if self._leaving:
            self._wakes.post(SignalReceived(number, timers.clock.now()))
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)

    def _after_fork(self) -> None:
        """In the child: signals are as they were before, and leaving the block waits for nobody."""
        self._handlers.restore()
        self._wakes.close()
        self._wakes = _Wakes()
        self._wakes.post(TreeEnded(Killed()))

    def _close(self) -> None:
        _open_systems.discard(self)
        self._notifier.close()
        self._handlers.restore()
        self._wakes.close()

    def _run(self) -> int:
        self._notifier = Notifier(os.environ)
        self._open(lambda number, _: self._wakes.post(SignalReceived(number, timers.clock.now())))
        try:
            self._loop()
        finally:
            self._close()
        if self._error is not None and self._code == 0:
            raise self._error
        return self._code


def run(
    children: Iterable[Any],
    *,
    strategy: str,
    name: Any = None,
    shutdown_timeout: float | timedelta | None = _SHUTDOWN_TIMEOUT,
    **rules: Any,
) -> int:
    """Run a tree in the main thread until it ends; return the exit code for `sys.exit`.

    It blocks without holding up signals. SIGINT or SIGTERM stops the tree in the reverse of its
    start order, all of it within `shutdown_timeout` seconds; a second signal abandons at once what
    has not stopped. What still runs then is printed to standard error, one `unstopped()` entry a
    line. The signal handlers from before are back when it returns.

    The exit code: 0 when the tree ended by itself and in order, as with `auto_shutdown`; 130 or 143
    (128 and the signal's number) when SIGINT or SIGTERM stopped it in order; 1 when it gave up or
    crashed; 3 when something was abandoned and still runs, whatever else happened.

    Under systemd (`Type=notify`) the service is ready once the whole tree runs, and with
    `WatchdogSec=` it is restarted when a supervisor of the tree no longer answers. Where
    NOTIFY_SOCKET is not set nothing is told.

    Args:
        children: as for `Supervisor.start_link`.
        strategy: likewise.
        name: a name to register the topmost supervisor under.
        shutdown_timeout: seconds the whole tree may take to stop; None waits for ever.
        **rules: the other options of `Supervisor.start_link`.

    Raises:
        ChildSpecError: a child or a rule is wrong; nothing was started.
        StartError: a child did not start; those before it were stopped again (S64).
        RuntimeError: outside the main thread, where signals cannot be handled: use `System`.

    Example:
        >>> from supervisors import GenServer, Stop, Normal
        >>> class Job(GenServer):
        ...     def init(self):
        ...         self.send_after(0, "done")
        ...     def handle_info(self, message):
        ...         return Stop(Normal())
        >>> job = Job.child_spec(restart="transient", significant=True)
        >>> run([job], strategy="one_for_one", auto_shutdown="any_significant")
        0
    """
    if threading.current_thread() is not threading.main_thread():
        msg = "run() handles signals, which only the main thread can: use System(...) elsewhere"
        raise RuntimeError(msg)
    rules = {**rules, "strategy": strategy, "name": name, "shutdown_timeout": shutdown_timeout}
    return System(children, **rules)._run()


def _say(*lines: str) -> None:
    """Write to standard error, if there is one."""
    # A closed one raises ValueError, a broken one OSError.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()

"""Links, monitors and exit signals: who is told what when a process ends.

Down, and Exit to a trapping process, are ordinary messages and come behind what the process sent
before (S153). Fatal exit signals take the control lane. A signal cannot interrupt a handler; it
is obeyed at the next message boundary.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.items import Info, StopOrder
from supervisors._runtime.reply import Reply
from supervisors.errors import SelfCallError
from supervisors.exits import Abandoned, Down, Exit, ExitReason, Killed, NoProc, Normal

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["Monitor", "end_link", "link", "send_exit", "unlink", "watch", "watch_with"]


class Monitor:
    """A watch on one actor that fires exactly once, with the real reason (S151).

    In an actor the `Down` arrives in `handle_info`; elsewhere `wait()` returns it.
    """

    __slots__ = ("_reply", "_target", "_watcher", "active", "ref")

    def __init__(
        self, ref: Any, watcher: Process | None, call: Callable[[Down], object] | None = None
    ) -> None:
        """Made by `monitor()`; `watcher` is the actor that gets the Down, if one watches."""
        self.ref = ref
        self.active = True
        self._watcher = watcher
        # A plain Pykka actor's reference does not know its process.
        self._target: Process | None = None
        self._reply = Reply()
        if call is not None:
            self._reply.add_done_callback(lambda reply: self.active and call(reply.get()))

    def __repr__(self) -> str:
        """Tell what is watched and whether that goes on."""
        return f"<Monitor of {self.ref}{'' if self.active else ', over'}>"

    def fire(self, reason: ExitReason) -> None:
        """Deliver the Down; called once, when the watched actor has ended."""
        self._target = None
        down = Down(self, self.ref, reason)
        if not self._reply.settle(down):
            return
        watcher = self._leave_watcher()
        if watcher is not None and self.active:
            watcher.post(Info(down))

    def wait(self, timeout: float | timedelta | None = None) -> Down:
        """Return the Down, waiting up to `timeout` seconds.

        Raises:
            CallTimeout: when the actor still lives then.
            RuntimeError: the monitor was cancelled; there will be no Down.
            SelfCallError: an actor waits for its own end.
        """
        if not self.active and not self._reply.done():
            msg = "this monitor was cancelled: monitor() the actor again"
            raise RuntimeError(msg)
        own = current.process
        # Of an abandoned one another thread tells the end.
        is_own = own is self._target and own is not None and type(own.reason) is not Abandoned
        if is_own and not self._reply.done():
            raise SelfCallError(self.ref, "waits for its own end, which comes after that")
        down: Down = self._reply.get(timeout=timeout)
        return down

    def cancel(self) -> bool:
        """Stop watching; no Down of this monitor is handled any more, even a queued one (S152)."""
        was_active, self.active = self.active, False
        process = getattr(self.ref, "process", None) or self._target
        self._target = None
        if process is not None:
            process.forget_monitor(self)
        self._leave_watcher()
        return was_active

    def _leave_watcher(self) -> Process | None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.drop_watch(self)
        return watcher


def watch(target: Process | None, ref: Any, watcher: Process | None) -> Monitor:
    """Monitor a process; a dead one fires at once with NoProc (S151)."""
    monitor = Monitor(ref, watcher)
    monitor._target = target
    if watcher is not None and not watcher.add_watch(monitor):
        # Fenced off meanwhile: nobody is there to be told.
        monitor.cancel()
    elif target is None or not target.add_monitor(monitor):
        monitor.fire(NoProc())
    return monitor


def watch_with(target: Process | None, ref: Any, call: Callable[[Down], object]) -> Monitor:
    """Monitor a process by a function, called in the thread in which the process ends.

    It is called before links and the supervisor are told, so what belongs to the process can be
    closed before a successor starts. It must not wait; what it raises is reported.
    """
    monitor = Monitor(ref, None, call)
    if target is None or not target.add_monitor(monitor):
        monitor.fire(NoProc())
    return monitor


def link(one: Process, other: Process) -> None:
    """Tie two processes: the abnormal end of either ends the other (S147).

    Who ends signals a partner only while the partner has the link too, and takes it away; so of
    this function and an end that happens meanwhile exactly one sends the signal.
    """
    if one is other:
        return
    one.add_link(other)
    if not other.add_link(one):
        end_link(one, other, NoProc())
    if one.ended:
        end_link(other, one, one.reason or NoProc())


def unlink(one: Process, other: Process) -> None:
    """Untie two processes; an Exit that is queued already stays queued (S156)."""
    one.drop_link(other)
    other.drop_link(one)


def send_exit(target: Process, sender: Any, reason: ExitReason) -> None:
    """Send an exit signal, as OTP's exit/2 does (S147-S150, S154)."""
    match _signal(target, sender, reason):
        case StopOrder() as order:
            target.order(order)
        case Info() as message:
            target.post(message)


def _signal(target: Process, sender: Any, reason: ExitReason) -> StopOrder | Info | None:
    """Return what the signal comes to: an order to the target, a message, or nothing."""
    parent = target.parent
    if not target.trap_exit:
        return None if isinstance(reason, Normal) else StopOrder(reason)
    if parent is not None and sender is parent.actor_ref:
        return StopOrder(reason)
    return Info(Exit(sender, reason))


def end_link(partner: Process, dead: Process, reason: ExitReason) -> None:
    """Signal a partner that still has the link, and take it away.

    Both at once, under the partner's claim: after its unlink() has returned nothing arrives (S156).
    """
    signal = _signal(partner, dead.actor_ref, reason)
    with partner.claim:
        if partner.ended or not partner.remove_link(dead):
            return
        mailbox = partner.mailbox
        if signal is None:
            return
        add = mailbox.add_control if isinstance(signal, StopOrder) else mailbox.add
        add(signal)
    partner.offer()


def exit_process(target: Process, reason: ExitReason) -> None:
    """Carry out `ref.exit(reason)`: a kill cannot be trapped (S149), Normal is ignored (S150)."""
    if isinstance(reason, Killed):
        target.kill()
        return
    process = current.process
    send_exit(target, None if process is None else process.actor_ref, reason)

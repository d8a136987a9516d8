"""What the world holds of an actor."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pykka
from pykka import ActorProxy, ActorRegistry

from supervisors._runtime import signals
from supervisors._runtime.awaiting import refuse_call, refuse_end
from supervisors._runtime.current import current
from supervisors._runtime.giving_way import PASSED, asked, give_way
from supervisors._runtime.handover import help_along
from supervisors._runtime.in_place import end_in_caller
from supervisors._runtime.items import Asked, Info, StopOrder
from supervisors._runtime.mailbox import NoLaneError
from supervisors._runtime.reply import Reply
from supervisors._runtime.reports import report_dead_letter
from supervisors.errors import MailboxFullError, NoProcError, SelfCallError
from supervisors.exits import Down, ExitReason, Normal, as_reason

if TYPE_CHECKING:
    from supervisors._runtime.process import Process
    from supervisors._runtime.signals import Monitor

__all__ = ["ActorRef"]

# Who carries something along with each ask puts something else in its place, see `carrying`.
new_asked: Callable[[], Asked] = Asked


def _find(urn: str) -> Any:
    """Return the living actor of this URN, or None: what a pickled ref comes back as."""
    return ActorRegistry.get_by_urn(urn)


class ActorRef(pykka.ActorRef[Any]):
    """A reference to an actor, alive or dead. Safe from any thread, compared by identity.

    It is a `pykka.ActorRef`. `ask` and `call` reach `handle_call`, `tell` and `cast` reach
    `handle_cast`, `send_info` reaches `handle_info`. Time-outs raise `CallTimeout`, dead actors
    `NoProcError`.

    Example:
        >>> from supervisors import GenServer
        >>> class Echo(GenServer):
        ...     def handle_call(self, request, sender):
        ...         return request
        >>> ref = Echo.start()
        >>> ref.call("hi"), ref.ask("ho", timeout=5), ref.stop(), ref.is_alive()
        ('hi', 'ho', True, False)
    """

    actor_class: type[Any]
    process: Process | None
    # Of its own only where the actor has one.
    name: Any = None

    def __init__(self, process: Process) -> None:
        """Made with its actor."""
        self.actor_class = type(process.actor)
        self.process = process

    # ---- what it is ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        """Name class, name and URN."""
        return f"<ActorRef for {self}>"

    def __str__(self) -> str:
        """Name the class, and the actor's name or else its URN."""
        which = self.actor_urn if self.name is None else repr(self.name)
        return f"{self.actor_class.__name__} ({which})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by URN; it comes back as the same ref, or None where the actor is unknown."""
        return _find, (self.actor_urn,)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """The actor's unique name, made when it is first asked for."""
        urn: str | None = self.__dict__.get("_urn")
        # setdefault: two threads that ask first at once must get the same one.
        return urn or self.__dict__.setdefault("_urn", uuid.uuid4().urn)

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The actor's mailbox, as Pykka sees it.

        Raises:
            NoProcError: when the actor is dead.
        """
        return self._living().actor.actor_inbox

    @property
    def actor_stopped(self) -> Event:  # type: ignore[override]
        """An event that is set once the actor has ended."""
        process = self.process
        if process is not None:
            return process.actor.actor_stopped
        return _set_event()

    def _actor_weakref(self) -> Any:  # type: ignore[override]
        """Give the actor to Pykka's proxies, which expect to call a weak reference."""
        process = self.process
        return None if process is None else process.actor

    def _living(self) -> Process:
        process = self.process
        if process is None or process.has_ended():
            raise NoProcError(self)
        return process

    def is_alive(self) -> bool:
        """Tell whether the actor lives: true until its terminate() has returned."""
        process = self.process
        return process is not None and not process.has_ended()

    # ---- messages -----------------------------------------------------------------------------

    def tell(self, message: Any) -> None:
        """Send a message to handle_cast and do not wait.

        Raises:
            NoProcError: when the actor is dead.
            MailboxFullError: it has a `mailbox_limit`, which is reached.
        """
        # As Process.post, without its calls, which take half as long again. What is seldom so is
        # left to exceptions, which cost nothing where none is raised.
        process: Any = self.process
        try:
            process.user.append(message)
        except NoLaneError:
            process.lane().append(message)
        except AttributeError:
            if process is not None:
                raise
            raise NoProcError(self) from None
        if process.closed:
            if process.take_back(message):
                raise NoProcError(self)
        elif process.slot:
            process.dispatcher.offer(process)
        elif asked:
            give_way(asked)

    def cast(self, message: Any) -> None:
        """Send a message to handle_cast; never raises, even to a dead actor (S167).

        What does not arrive is a dead letter, see `supervisors.dead_letters`.
        """
        process = self.process
        if process is None:
            report_dead_letter(self, message)
            return
        try:
            process.post(message)
        except MailboxFullError:
            report_dead_letter(self, message, "mailbox_full")
        except NoProcError:
            # It ended while this sender was blocked by its full mailbox.
            report_dead_letter(self, message)

    def cast_all(self, messages: list[Any]) -> None:
        """Cast several messages, with nothing between them; one by one where there is a limit.

        It costs little more than one cast.

        Example:
            >>> from supervisors import GenServer
            >>> class Sum(GenServer):
            ...     total = 0
            ...     def handle_cast(self, message):
            ...         self.total += message
            ...     def handle_call(self, request, sender):
            ...         return self.total
            >>> ref = Sum.start()
            >>> ref.cast_all([1, 2, 3])
            >>> ref.call("total"), ref.stop()
            (6, True)
        """
        process = self.process
        if process is None or getattr(process.actor, "mailbox_limit", None) is not None:
            for message in messages:
                self.cast(message)
        else:
            process.post_all(list(messages))

    def send_info(self, message: Any) -> None:
        """Send a message to handle_info; never raises, even to a dead actor."""
        process = self.process
        if process is None:
            report_dead_letter(self, message)
        else:
            process.post(Info(message))

    def ask(
        self, message: Any, *, block: bool = True, timeout: float | timedelta | None = None
    ) -> Any:
        """Send a message to handle_call and return its reply, or a future of it.

        Args:
            message: anything.
            block: wait here (True) or return the future at once (False).
            timeout: seconds to wait; None waits for ever.

        Raises:
            CallTimeout: no reply in time; the actor is not disturbed.
            NoProcError: the actor is dead, or ended before it answered.
            MailboxFullError: it has a `mailbox_limit`, and the call was not taken or was dropped.
            SelfCallError: an actor asks itself, or in its init who waits for that, having started
                it linked: it would wait for ever.
            Exception: what the handler raised; unless it is one of `reply_exceptions`, the actor
                has ended by it.
        """
        process = self.process
        asker = current.__dict__["here"].process
        # As Asked.of(message, …), without its call.
        call = new_asked()
        call.message = message
        call.ref = None
        call.to = process
        call._cell = []
        call._callbacks = None
        if asker is not None:
            if block and (asker is process or not asker.initialised):
                self._refuse_deadlock(asker)
            call.ref = asker.actor_ref
        if block:
            return self._wait_for(call, timeout)
        if process is None:
            call.fail(NoProcError(self))
            return call
        # As in tell.
        try:
            process.user.append(call)
        except NoLaneError:
            process.lane().append(call)
        if process.closed:
            process.drain()
        elif process.slot:
            process.dispatcher.offer(process)
        elif asked:
            give_way(asked)
        return call

    def _refuse_deadlock(self, asker: Process) -> None:
        process = self.process
        if process is asker:
            raise SelfCallError(self)
        if process is not None:
            refuse_call(self, process, asker)

    def _wait_for(self, call: Asked, timeout: float | timedelta | None) -> Any:
        """Send a call that was just made, and wait here for its answer."""
        process: Process | None = call.to
        # As soon as the actor's thread is awake this one is to wait, for it has the GIL.
        gate = call.gate()
        if process is None:
            call.fail(NoProcError(self))
        else:
            process.add(call)
            if process.slot and not process.closed:
                process.dispatcher.offer(process)
                gate.expect()
        try:
            return call.get_at(gate, timeout)
        finally:
            gate.until = PASSED

    def call(self, request: Any, timeout: float | timedelta | None = 5.0) -> Any:
        """Ask and wait up to `timeout` seconds, 5 by default; raises what ask() raises."""
        return self.ask(request, timeout=timeout)

    # ---- the end ------------------------------------------------------------------------------

    def stop(
        self,
        reason: ExitReason | BaseException = Normal(),  # noqa: B008  frozen
        *,
        block: bool = True,
        timeout: float | timedelta | None = None,
    ) -> Any:
        """Stop the actor after the message it is handling; tell whether it was alive.

        The order overtakes queued messages: their asks get NoProcError. terminate() runs.

        Args:
            reason: what monitors and links see.
            block: wait here until it has ended (True) or return a future of the answer (False).
            timeout: seconds to wait; None waits for ever. The actor goes on stopping after it.

        Raises:
            CallTimeout: it has not ended in time.
            SelfCallError: an actor waits for its own end, where `self.stop()` is right; or for that
                of who is starting or stopping it, without a `timeout`.
        """
        process = self.process
        reason = as_reason(reason)
        if block and process is not None:
            asker = current.__dict__["here"].process
            if asker is process:
                raise SelfCallError(self)
            if asker is not None and timeout is None:
                refuse_end(self, process, asker)
            if timeout is None and end_in_caller(process, reason):
                return True
        reply = Reply()
        order = StopOrder(reason, reply)
        if process is None or process.has_ended():
            reply.settle(value=False)
        elif block and timeout is None:
            help_along(lambda: process.order_next(order), reply)
        else:
            process.order(order)
        return reply.get(timeout=timeout) if block else reply

    def exit(self, reason: ExitReason | BaseException) -> None:
        """Send an exit signal, as a linked actor's end would.

        A trapping actor gets an `Exit` message, another one ends with this reason; Normal() is
        ignored by the latter, and Killed() cannot be trapped (S148-S150).
        """
        process = self.process
        if process is not None:
            signals.exit_process(process, as_reason(reason))

    def monitor(self, call: Callable[[Down], None] | None = None) -> Monitor:
        """Watch the actor: in an actor Down arrives in handle_info, elsewhere use `.wait()`.

        Args:
            call: called with the Down instead, in the thread in which the actor ends and before
                its supervisor is told; it must not wait. For what belongs to the actor and must be
                closed however it ends.
        """
        if call is not None:
            return signals.watch_with(self.process, self, call)
        return signals.watch(self.process, self, current.process)

    def proxy(self) -> ActorProxy[Any]:
        """Wrap the ref in Pykka's proxy; an exception in a proxied method is a crash too.

        Raises:
            NoProcError: when the actor is dead.
        """
        self._living()
        return ActorProxy(actor_ref=self)


def _set_event() -> Event:
    event = Event()
    event.set()
    return event

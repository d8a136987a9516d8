"""The one subclass of `pykka.Actor`: Pykka's names and hooks on top of a process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pykka

from supervisors._runtime.items import EndSelf, Forwarded, StopOrder
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors._runtime.reports import report_crash
from supervisors._runtime.status import StatusParts, attributes_of, replace_attributes
from supervisors._runtime.tracing import crashed
from supervisors.errors import NotAvailableError
from supervisors.exits import Crashed, ExitReason

if TYPE_CHECKING:
    from collections import deque

    from supervisors._runtime.dispatcher import Dispatcher

__all__ = ["Actor", "Inbox", "furnish"]

_new: Any = object.__new__


class Inbox:
    """The mailbox as Pykka's `ActorInbox` protocol sees it: it takes and gives envelopes."""

    __slots__ = ("_process",)

    def __init__(self, process: Process) -> None:
        """Look into the mailbox of this process."""
        self._process = process

    def put(self, envelope: Any, /) -> None:
        """Post the envelope's message as a call or a cast."""
        if envelope.reply_to is None:
            self._process.post(envelope.message)
        else:
            process = self._process
            process.post(Forwarded.of(envelope.message, process).passing_on(envelope.reply_to))

    def get(self) -> Any:
        """Refuse: only the actor itself takes messages out."""
        msg = "messages are taken out by the actor's own turns"
        raise NotImplementedError(msg)

    def empty(self) -> bool:
        """Tell whether no user message waits."""
        return not self._process.mailbox.user


class Actor(pykka.Actor):
    """What GenServer and Supervisor have in common; not for direct use.

    Everything of the runtime is in `self._process`; the attributes of a subclass are its own.
    """

    dispatcher: ClassVar[str | Dispatcher] = "pool"
    """Who runs the actor: "pool" (many actors on few threads) or "thread" (one of its own)."""

    trap_exit: bool = False
    """Whether exit signals of linked actors arrive as `Exit` messages instead of ending it."""

    ref_class: ClassVar[type[ActorRef]] = ActorRef
    """The class of the actor's reference."""

    _process: Process
    _stopped_event: threading.Event | None = None

    # Whether the class handles messages in Pykka's on_receive.
    _otp_gets_everything: ClassVar[bool] = False
    # Whether a cast, where nothing is unusual, goes straight to handle_cast.
    _otp_direct: ClassVar[bool] = False
    # Whether the end runs nothing that a user wrote.
    _otp_plain_end: ClassVar[bool] = True
    # Whether an order to stop is obeyed in one step, too.
    _otp_ends_at_once: ClassVar[bool] = True
    # Whether an actor has started when its init has returned, and nobody else has a part in that.
    _otp_comes_up_at_once: ClassVar[bool] = True
    # How children of the class are started, once one was.
    _otp_launch: ClassVar[Any]
    # What a supervisor has; here, for a user's __getattr__ is not to be asked for it.
    _otp_machine: Any = None
    _otp_asked: Any = None
    # Whether a supervisor was told to stop by its own, which it does step by step.
    _otp_is_awaited = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Notice whether the class has something to run at its end."""
        super().__init_subclass__(**kwargs)
        cls._otp_plain_end = all(
            getattr(cls, name) is getattr(Actor, name)
            for name in ("terminate", "on_stop", "on_failure")
        ) and _is_ours(cls._otp_stop_ordered)
        cls._otp_ends_at_once = (
            cls._otp_plain_end and cls._otp_stop_ordered is Actor._otp_stop_ordered
        )

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Create the actor in its starter's thread; an override must call super().__init__()."""
        # Nobody can run it before its first turn, and that one is its launcher's to give.
        furnish(self).slot.pop()

    def __str__(self) -> str:
        """Name the class and the actor's name or URN."""
        return str(self._process.actor_ref)

    # ---- Pykka's attributes, made when they are first asked for --------------------------------

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """The actor's unique name."""
        return self._process.actor_ref.actor_urn

    @property
    def actor_inbox(self) -> Inbox:  # type: ignore[override]
        """The actor's mailbox, as Pykka sees it."""
        return Inbox(self._process)

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        """An event that is set once the actor has ended."""
        # setdefault: two threads that ask first at once must get the same one.
        event: threading.Event = self.__dict__.setdefault("_stopped_event", threading.Event())
        if not self._process.tie():
            event.set()
        return event

    @property
    def actor_ref(self) -> ActorRef:
        """The actor's own reference, to be given to others."""
        return self._process.actor_ref

    @property
    def _actor_ref(self) -> ActorRef:  # type: ignore[override]
        """What Pykka calls its own."""
        return self._process.actor_ref

    @staticmethod
    def _create_actor_inbox() -> Any:
        """Unused: the mailbox comes with the process."""

    @staticmethod
    def _create_future() -> Reply:
        return Reply()

    def _start_actor_loop(self) -> None:
        """Unused: the actor is launched by its process."""

    # ---- what subclasses decide ---------------------------------------------------------------

    def _otp_furnish_mailbox(self) -> None:
        """Change the new mailbox before anybody can know of it."""

    @classmethod
    def _otp_starts_plainly(cls) -> bool:
        """Tell whether a start, as one of the pool's, runs nothing of a user's and cannot fail."""
        return False

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the class's own init; return what the launcher is to make of it."""
        raise NotImplementedError

    def _otp_goes_on(self) -> bool:
        """Tell whether `_otp_after_start` runs something that a user wrote."""
        return False

    def _otp_after_start(self) -> None:
        """Do what comes after the starter was told and before any message."""

    def _otp_receive(self, item: Any) -> None:
        """Handle one item of the mailbox."""
        raise NotImplementedError

    def _otp_look_again(self) -> None:
        """Tell the process what to look at before a message, since that has changed."""

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        """Obey a stop order between two messages."""
        self._process.end(reason)

    def _otp_child_ended(self, incarnation: int, reason: ExitReason) -> None:
        """Take note of the end of a supervised child; called where the child ended."""

    def _otp_child_returned(self, incarnation: int) -> None:
        """Take note that an abandoned child's handler has returned; called in its thread."""

    def _otp_give_away(self, taken: deque[tuple[int, Process]]) -> None:
        """Hand over the living children of a supervisor that is about to be killed."""

    def _otp_after_end(self, reason: ExitReason) -> None:
        """Do what is left once everybody has been told of the end."""

    def terminate(self, reason: ExitReason) -> None:
        """Clean up; runs exactly once after a successful init, whatever ends the actor.

        Not after a failed init, a kill or abandonment. An exception here becomes the reason.
        """

    def format_status(self, parts: StatusParts) -> Any:
        """Return what crash reports and `introspect.get_status()` may show; None: only types.

        What is returned is shown as it is, in log lines too: leave out what is secret. Runs in the
        actor; what it raises is named beside the report and hides nothing of it.
        """

    def _otp_state(self) -> Any:
        """Return what `introspect.get_state()` answers."""
        return attributes_of(self)

    def _otp_replace_state(self, fn: Any) -> Any:
        """Make the state what `fn` returns for it, and return it."""
        return replace_attributes(self, fn)

    def _otp_change_code(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take over what new code wants of the state; only while suspended."""
        what = f"change_code of a {type(self).__name__}"
        raise NotAvailableError(what)

    # ---- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop this actor once it has handled what was queued before, as in Pykka."""
        self._process.post(EndSelf())

    @property
    def cancelled(self) -> bool:
        """Whether this actor was told to stop: a flag for long handlers to look at."""
        process = self._process
        # A copy in one step: others may order something at this moment.
        orders = process.mailbox.control.copy()
        return process.ended or any(isinstance(order, StopOrder) for order in orders)

    def _otp_run_terminate(self, reason: ExitReason, last_message: object) -> ExitReason:
        """Call terminate and Pykka's hooks; return the reason, changed by an exception (S173)."""
        report_crash(self._process, reason, last_message)
        try:
            self.terminate(reason)
        except BaseException as error:  # noqa: BLE001  contained: the end goes on
            reason = crashed(error)
            report_crash(self._process, reason, last_message)
        try:
            if isinstance(reason, Crashed):
                cause = reason.exception
                self.on_failure(type(cause), cause, cause.__traceback__)
            else:
                self.on_stop()
        except BaseException as error:  # noqa: BLE001  contained, as above
            reason = crashed(error)
            report_crash(self._process, reason, last_message)
        return reason

    def _otp_has_plain_end(self) -> bool:
        """Tell whether the end runs nothing of a user's; this one object may have a terminate."""
        try:
            return (
                self._otp_ends_at_once
                and self.terminate.__func__ is _TERMINATE  # type: ignore[attr-defined]
                and self.on_stop.__func__ is _ON_STOP  # type: ignore[attr-defined]
            )
        except AttributeError:
            return False

    def _otp_mark_stopped(self) -> None:
        """Set Pykka's event, if anybody has asked for it."""
        event = self._stopped_event
        if event is not None:
            event.set()


def furnish(actor: Actor) -> Process:
    """Give a new actor its process, and return it; the slot is free, and nobody knows it yet."""
    process: Process
    actor._process = process = _new(Process)
    # Called so, it costs a third less.
    Process.__init__(process, actor, actor.ref_class)
    actor._otp_furnish_mailbox()
    return process


_TERMINATE: Any = Actor.terminate
_ON_STOP: Any = pykka.Actor.on_stop


def _is_ours(function: Any) -> bool:
    """Tell whether a hook of the runtime is this package's own."""
    module: str = function.__module__
    return module.startswith("supervisors.")

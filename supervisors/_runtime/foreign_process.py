"""The runtime's side of a plain Pykka actor, so that it can be supervised, linked and watched.

The actor's class, reference and loop stay Pykka's own. The loop calls a handful of underscored
methods of its actor; for these the *instance* gets wrappers, which are taken away at its end:

- `_actor_loop`: the end is told when the loop has been left, after on_stop or on_failure.
- `_actor_loop_setup`: the start is told when on_start has returned.
- `_handle_receive`: what the actor is busy with, so that a kill can tell the truth of it.
- `_handle_failure` and `_stop`: why it ends.

An actor that runs already is *attached*: its loop is on the stack, so its end is told from
`_actor_loop_teardown`, which comes last in it.

Laws:

- Pykka has no control lane: an order to stop is Pykka's own stop, and waits behind the queue.
- As for every process, who begins a handler sets `handling` and *then* looks at `ended`; who
  kills sets `ended` and *then* looks at `handling`. A killed actor runs no hook of its user.
- Why an attached actor ends is only told where that was seen from its beginning; else NoProc().
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pykka
from pykka import ActorDeadError, ActorRegistry

from supervisors._locks import new_lock
from supervisors._runtime import unstopped
from supervisors._runtime.doing import BOOTING, IDLE
from supervisors._runtime.first_turn import refuse
from supervisors._runtime.handover import flush
from supervisors._runtime.items import StopOrder, Urge
from supervisors._runtime.process import Process
from supervisors._runtime.pykka_names import PYKKA_STOP
from supervisors._runtime.reports import report_abandoned, report_crash, report_returned
from supervisors._runtime.tracing import crashed, forget_traceback
from supervisors.exits import Abandoned, Crashed, ExitReason, Killed, NoProc, Normal

__all__ = ["ForeignProcess", "attached_process", "known_process"]

_HOOKS = (
    "_actor_loop",
    "_actor_loop_setup",
    "_actor_loop_teardown",
    "_handle_receive",
    "_handle_failure",
    "_stop",
)
_MUTED = ("on_stop", "on_failure")

_lock = new_lock()
_known: dict[Any, ForeignProcess] = {}


class _Contained(ActorDeadError):
    """What an asker gets instead of a SystemExit that its actor died of."""


class _StandIn:
    """Has of an actor what a process asks of its own; its type bears the user's class's name."""

    trap_exit = False
    _otp_plain_end = False
    _otp_ends_at_once = False
    _stopped_event = None
    _otp_direct = False
    _otp_gets_everything = False

    @staticmethod
    def _otp_has_plain_end() -> bool:
        return False

    def __init__(self, process: ForeignProcess) -> None:
        self._process = process

    def _otp_give_away(self, taken: object) -> None:
        """Nothing: nobody is below it."""

    def _otp_mark_stopped(self) -> None:
        """Nothing: Pykka sets its own event."""

    def _otp_after_end(self, reason: ExitReason) -> None:
        self._process.forget()


class ForeignProcess(Process):
    """A process whose turns are Pykka's."""

    __slots__ = ("_attached", "_failure", "_foreign", "_last_message", "_ordered", "_stopping")

    def __init__(self, actor: pykka.Actor, *, attached: bool) -> None:
        """Wrap the hooks of an actor that is to be launched, or that runs (`attached`)."""
        stand_in = type(type(actor).__name__, (_StandIn,), {})(self)
        super().__init__(stand_in, lambda _: actor.actor_ref)  # type: ignore[arg-type]
        self._foreign = actor
        self._attached = attached
        self._failure: Crashed | None = None
        self._ordered: ExitReason | None = None
        self._stopping = False
        self._last_message: object = None
        if attached:
            # It may be in a handler that began before anybody looked.
            self.initialised = self._came_up = True
            self.handling = BOOTING
        _known[actor.actor_ref] = self
        # The last of them first: once another one was called, the end is certain to be told.
        if attached:
            self._hook("_actor_loop_teardown", self._tear_down)
        else:
            self._hook("_actor_loop", self._loop)
            self._hook("_actor_loop_setup", self._set_up)
        self._hook("_handle_receive", self._receive)
        self._hook("_handle_failure", self._fail)
        self._hook("_stop", self._stop_itself)

    def _hook(self, name: str, wrapper: Any) -> None:
        original = getattr(self._foreign, name)

        def hooked(*args: Any) -> Any:
            return wrapper(original, *args)

        self._foreign.__dict__[name] = hooked

    def _own_label(self) -> str:
        return str(self.label or type(self.actor).__name__)

    def forget(self) -> None:
        """Leave the books; the wrappers go when the loop has been left."""
        _known.pop(self.actor_ref, None)

    # ---- the way in ---------------------------------------------------------------------------

    def offer(self) -> None:
        """Deliver what waits, unless somebody does."""
        if self.mailbox.take_slot():
            self.schedule()

    def schedule(self) -> None:
        """Pass on to Pykka what lies in the mailbox; only for who has just taken its slot."""
        mailbox = self.mailbox
        while True:
            while mailbox.has_work():
                with suppress(IndexError):
                    self._pass_on((mailbox.control or mailbox.user).popleft())
            if not mailbox.give_back_slot():
                return

    def _pass_on(self, item: Any) -> None:
        if isinstance(item, StopOrder):
            self._ordered = item.reason
            if item.reply is not None:
                self.await_end(item.reply)
            self.actor_ref.stop(block=False)
        elif not isinstance(item, Urge):
            with suppress(ActorDeadError):
                self.actor_ref.tell(getattr(item, "message", item))

    def order_next(self, order: StopOrder) -> None:
        """Order the end; its turn never runs in this thread, for Pykka has its own."""
        self.order(order)

    # ---- launching ----------------------------------------------------------------------------

    def launch_loop(self) -> None:
        """Start Pykka's loop, as `pykka.Actor.start` does; a refused thread fails the start."""
        if self.ended:
            return
        ActorRegistry.register(self.actor_ref)
        try:
            self._foreign._start_actor_loop()
        except Exception as error:  # noqa: BLE001  whatever starts no thread fails the start alone
            self._foreign.actor_stopped.set()
            self._unhook()
            self.finish(crashed(error))

    # ---- what the loop calls ------------------------------------------------------------------

    def _loop(self, original: Any) -> None:
        self._thread_id = threading.get_ident()
        self.handling = BOOTING
        try:
            if self.ended:
                self._foreign.actor_stopped.set()
            else:
                original()
        except BaseException as error:  # noqa: BLE001  Pykka lets it end the thread, told to nobody
            self._note_failure(error)
            ActorRegistry.unregister(self.actor_ref)
            self._foreign.actor_stopped.set()
            self._foreign._actor_loop_teardown()
        self._leave()

    def _set_up(self, original: Any) -> None:
        original()
        if self._failure is None:
            self.confirm_start()

    def _tear_down(self, original: Any) -> None:
        original()
        self._leave()

    def _receive(self, original: Any, message: Any) -> Any:
        self._thread_id = threading.get_ident()
        self.handling = BOOTING
        try:
            return self._refuse_fenced(message) if self.ended else original(message)
        except Exception:
            self._last_message = message
            raise
        except BaseException as error:
            self._note_failure(error)
            if self.parent is None:
                raise
            # Pykka would stop every actor of the process; a supervised one ends alone.
            self._foreign.actor_stopped.set()
            text = f"{self.actor_ref} was ended by a {type(error).__name__}"
            raise _Contained(text) from error
        finally:
            self.handling = IDLE

    def _refuse_fenced(self, message: Any) -> None:
        self._mute()
        self._foreign.actor_stopped.set()
        if type(message) is not PYKKA_STOP:
            text = f"{self.actor_ref} stopped before handling the message"
            raise ActorDeadError(text)

    def _fail(self, original: Any, kind: Any, error: Any, trace: Any) -> None:
        # From here on_failure runs, and nothing after it.
        self.handling = BOOTING
        if self.ended:
            self._mute()
        elif not isinstance(error, _Contained):
            self._note_failure(error)
        original(kind, error, trace)

    def _stop_itself(self, original: Any) -> None:
        self._stopping = True
        if self.ended:
            self._mute()
        original()

    def _note_failure(self, error: BaseException) -> None:
        # Pykka's on_failure gets the traceback; afterwards it goes.
        self._failure = crashed(error, keep_traceback=True)

    # ---- the end ------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Tell of the end: the loop has been left, nothing of the user's runs any more."""
        self._unhook()
        self.handling = IDLE
        reason = self._why()
        if isinstance(reason, Crashed):
            if self.parent is not None and not self.ended:
                report_crash(self, reason, self._last_message)
            forget_traceback(reason.exception)
        self._last_message = None
        if self._came_up:
            self.finish(reason)
        else:
            refuse(self, reason)
        with self.claim:
            fenced = isinstance(self.reason, Abandoned)
        if fenced and unstopped.note_returned(self):
            report_returned(self.actor_ref)

    def saw_the_end(self) -> bool:
        """Tell whether a wrapper was called for the end, so that the last one will be, too."""
        return self._stopping or self._failure is not None

    def _why(self) -> ExitReason:
        if self._failure is not None:
            return self._failure
        if not self._stopping and self._attached:
            # It was ending already when it was attached.
            return NoProc()
        return self._ordered or Normal()

    def kill(self) -> None:
        """End at once between messages; fence off what is inside a handler, as any process."""
        with self.claim:
            if self.ended:
                return
            self.ended = True
            stuck = self.handling is not IDLE
            self.reason = Abandoned() if stuck else Killed()
            if stuck:
                unstopped.note_abandoned(self, self._thread_id)
        if stuck:
            report_abandoned(self.actor_ref)
        # Wakes the loop where it waits for a message; it then finds that it has ended.
        with suppress(ActorDeadError):
            self.actor_ref.tell(PYKKA_STOP())
        self._foreign.actor_stopped.set()
        self._tell_the_end()
        # The supervisor must not wait until a handler that has killed returns.
        flush()

    def _mute(self) -> None:
        """Keep Pykka from calling the user's hooks for an actor that was killed."""
        for name in _MUTED:
            self._foreign.__dict__[name] = _nothing

    def _unhook(self) -> None:
        for name in _HOOKS:
            self._foreign.__dict__.pop(name, None)


def _nothing(*_args: Any) -> None:
    """Stand for a hook that must not run."""


def attached_process(ref: Any) -> ForeignProcess | None:
    """Return the process of a plain Pykka actor that is attached, or supervised; else None."""
    return _known.get(ref)


def known_process(ref: Any) -> ForeignProcess | None:
    """Return the process of a living plain Pykka actor, attaching it first; None if it is dead."""
    known = _known.get(ref)
    actor = ref._actor_weakref()
    if known is not None or actor is None or ref.actor_stopped.is_set():
        return known
    return _attach(actor)


def _attach(actor: pykka.Actor) -> ForeignProcess | None:
    ref = actor.actor_ref
    with _lock:
        process = _known.get(ref) or ForeignProcess(actor, attached=True)
    if ref.actor_stopped.is_set() and not process.saw_the_end():
        # Pykka may have looked for the wrappers before they were there.
        process.finish(NoProc())
    return process

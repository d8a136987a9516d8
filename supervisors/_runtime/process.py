"""One process: the life of one actor, from the promise to run it to the news of its end.

The actor object belongs to its user; what the runtime needs to know of it is kept here, in an
object of its own, so that no attribute of a user's class can collide with it. The life:

    made → (name taken) → booting → started → ended
                             └──── start refused ──┘

Laws:

- At most one thread is in a process: the one that took its mailbox's `slot`. An abandoned process
  is the exception that is told: its thread goes on, but it has ended, so nothing it does counts.
- `ended` is set exactly once, under `claim`, or right before that is taken (`lone_end`); what
  follows (mailbox closed and drained, names freed, then monitors, the parent and links told) is
  done by whoever set it.
- Every message is handled or rejected; every asker is answered.
- `handling` is what user code is busy with, IDLE while it is not. Who runs a handler sets it and
  *then* looks at `ended`; who kills sets `ended` and *then* looks at it. So a kill that finds
  IDLE ended the process between two messages, and no handler begins after it.
"""

from __future__ import annotations

from _thread import start_new_thread
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from supervisors._runtime import unstopped
from supervisors._runtime.actor_list import strike
from supervisors._runtime.current import current
from supervisors._runtime.doing import IDLE
from supervisors._runtime.handover import flush
from supervisors._runtime.inquiry import Inquiry
from supervisors._runtime.items import Call, Info, Told, Urge
from supervisors._runtime.mailbox import NO_CONTROL, NOTHING
from supervisors._runtime.outcomes import OnStarted, Started, StartFailed, StartIgnored
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reports import report_abandoned
from supervisors._runtime.root import root
from supervisors._runtime.signals import end_link
from supervisors._runtime.ties import FREE, LAST_CLAIM, claims
from supervisors._runtime.tracing import crashed, forget_traceback
from supervisors._runtime.turning import Turning
from supervisors.errors import StartError
from supervisors.exits import Abandoned, Crashed, ExitReason, Killed, Normal

if TYPE_CHECKING:
    from supervisors._runtime.actor import Actor
    from supervisors._runtime.current import Here
    from supervisors._runtime.dispatcher import Dispatcher

__all__ = ["FirstTurn", "Process", "tell_nobody"]

FirstTurn: TypeAlias = "Callable[[Process, Here], bool]"
"""Gets the process, whose slot is taken, and the thread's `current`; answers as `take_turn`."""

_ASKED = (Call, Inquiry)
_WITH_MESSAGE = (Call, Info, Told)
_new: Any = object.__new__


class Process(Turning):
    """The runtime's side of one actor."""

    __slots__ = (
        "_boot",
        "_came_up",
        "_last_words",
        "_on_started",
        "actor",
        "actor_ref",
        "dispatcher",
        "handling",
        "incarnation",
        "initialised",
        "label",
        "mailbox",
        "parent",
        "reason",
        "unusual",
    )

    def __init__(self, actor: Actor, ref_class: type[ActorRef]) -> None:
        """Made by its actor's __init__; who lets its actor's class run anything takes the slot."""
        # Of what stands near to each other in memory, each has another one.
        self.claim = claims[id(self) >> 8 & LAST_CLAIM]
        self.bonds = FREE
        # As Mailbox.__init__, without its call. The control lane comes with the first turn or
        # order.
        self.mailbox = self.owner = self
        self.user, self.control = NOTHING, NO_CONTROL
        self.slot = [self]
        self.ended = self.suspended = self.closed = self.initialised = self._came_up = False
        # What spares its turns most looks, see `turning`.
        self.steady = False
        self.direct = actor._otp_direct
        # Whether a GenServer hibernates, waits for a Timeout or has Pykka's on_receive.
        self.unusual = actor._otp_gets_everything
        self.actor = actor
        self.handling: Any = IDLE
        # Who started it linked; and, where that is a supervisor, the number it knows it by.
        self.parent: Process | None = None
        self.incarnation = self._thread_id = 0
        self.label: str | None = None
        # Why it has ended; or why it will, where it killed itself in the handler that it is in.
        self.reason: ExitReason | None = None
        self.dispatcher: Any = None
        # What runs in the first turn; dropped with the start arguments it holds (S15).
        self._boot: FirstTurn | None = None
        self._on_started: OnStarted | None = None
        # What the asker of the present call gets at the end: (ok, value).
        self._last_words: tuple[bool, Any] | None = None
        if ref_class is ActorRef:
            # As its __init__, likewise.
            self.actor_ref = ref = _new(ActorRef)
            ref.actor_class = actor.__class__
            ref.process = self
        else:
            # ForeignProcess gives a function.
            self.actor_ref = ref_class(self)

    @property
    def trap_exit(self) -> bool:
        """Whether exit signals arrive as messages."""
        return self.actor.trap_exit

    def has_ended(self) -> bool:
        """Tell whether terminate() has returned, or the process was fenced off."""
        return self.ended

    # ---- the start ----------------------------------------------------------------------------

    def expect_start(self, on_started: OnStarted) -> None:
        """Tell this starter the outcome, exactly once; at once if the process was killed."""
        with self.claim:
            ended = self.ended
            self._on_started = on_started
        if ended:
            self._start_cut_short(self.reason or Normal())

    def launch(self, dispatcher: Dispatcher, boot: FirstTurn) -> None:
        """Hand the process to its dispatcher; `boot` is its first turn."""
        with self.claim:
            if self.ended:
                return
            self._boot = boot
        self.dispatcher = dispatcher
        dispatcher.attach(self)

    def adopt(self, parent: Process, incarnation: int) -> bool:
        """Tell this parent of the end from now on; False when that has come already."""
        with self.claim:
            if self.ended:
                return False
            self.parent = parent
            self.incarnation = incarnation
            return True

    def confirm_start(self) -> bool:
        """The init is through: tell the starter. False when the process was ended meanwhile."""
        on_started = self.come_up()
        if on_started is None:
            return False
        on_started(Started(self.actor_ref))
        return True

    def come_up(self) -> OnStarted | None:
        """The init is through; return who is to be told, None when it was ended meanwhile."""
        with self.claim:
            if self.ended:
                return None
            self.initialised = self._came_up = True
            self.handling = IDLE
            on_started, self._on_started = self._on_started, None
        return on_started or tell_nobody

    def fail_start(self, outcome: StartIgnored | StartFailed, end: Callable[[], None]) -> None:
        """End a process that never came up, then tell the starter: its name is free (S127)."""
        with self.claim:
            if self._came_up:
                return
            on_started, self._on_started = self._on_started, None
        end()
        if on_started is not None:
            on_started(outcome)

    def _start_cut_short(self, reason: ExitReason) -> None:
        with self.claim:
            on_started, self._on_started = self._on_started, None
        if on_started is None:
            return
        name = type(self.actor).__name__
        text = f"{name} was ended ({type(reason).__name__}) before its init had returned"
        on_started(StartFailed(reason, StartError(text, reason=reason)))

    # ---- the end ------------------------------------------------------------------------------

    def crash(self, error: BaseException, item: Any) -> None:
        """End because a handler raised; the asker gets the exception, after terminate (S166).

        A SystemExit or another BaseException ends this actor alone: raised at the asker it would
        end that one too, so the asker is told of the end instead.
        """
        if type(self.handling) is Told or (isinstance(item, Call) and item.to is not None):
            # A call that it was only told of.
            item = Told(item)
        # Pykka's on_failure gets the traceback; afterwards it goes.
        reason = crashed(error, keep_traceback=True)
        if isinstance(error, Exception):
            self._last_words = (False, error)
        if not isinstance(item, _WITH_MESSAGE):
            self.end(reason, item)
            return
        self.end(reason, item.message)
        if isinstance(item, Call):
            item.message = None

    def stop_with_reply(self, reason: ExitReason, value: Any) -> None:
        """End from within a call whose asker gets `value`, after terminate (S170)."""
        self._last_words = (True, value)
        self.end(reason)

    def end(self, reason: ExitReason, last_message: object = None) -> None:
        """Run terminate, then finish. Only inside the process's own turn."""
        if self.reason is not None and not self.ended:
            reason = self.reason
        elif self.initialised and not self.ended:
            self.initialised = False
            reason = self.actor._otp_run_terminate(reason, last_message)
        if isinstance(reason, Crashed):
            forget_traceback(reason.exception, reason.trace)
        self.finish(reason)

    def kill(self) -> None:
        """End at once between messages; fence off what is inside a handler (S78, S149)."""
        try:
            self._kill()
        except BaseException:
            # A signal's handler has raised, in the main thread, or the killer is too deep in calls.
            # What is told twice harms nobody; a supervisor that is not told waits for ever. By C
            # code, in one step and without a call more.
            if self.ended and self.actor_ref.process is not None:
                start_new_thread(self._tell_the_end, ())
            raise

    def _kill(self) -> None:
        killed, abandoned = Killed(), Abandoned()
        with self.claim:
            if self.ended:
                return
            if current.process is self:
                # It kills itself: it ends when this handler returns, without terminate.
                self.reason = Killed()
                self.mailbox.control_lane().appendleft(Urge(lambda process: process.end(Killed())))
                return
            self.ended, self.direct, self.reason = True, False, killed
            # Tells `lone_end`, which does not look under the claim, that this one tells the end.
            self.initialised = False
            # What it is busy with now: before all is told, the handler may leave it unanswered.
            doing = self.handling
            stuck = doing is not IDLE
            if stuck:
                self.reason = abandoned
                unstopped.note_abandoned(self, self._thread_id)
        if stuck:
            report_abandoned(self.actor_ref)
        self._tell_the_end(doing)
        # The supervisor must not wait until a handler that has killed returns.
        flush()

    def finish(self, reason: ExitReason) -> None:
        """Be ended, without terminate: close, free the names, then tell everybody."""
        with self.claim:
            if self.ended:
                return
            self.ended = True
            self.direct = False
            self.reason = reason
        if self.bonds is FREE and self._came_up:
            self._boot = None
            self._tell_parent()
        else:
            self._tell_the_end()

    def _tell_the_end(self, doing: Any = IDLE) -> None:
        reason = self.reason or Normal()
        self._boot = None
        actor, ref = self.actor, self.actor_ref
        # As its close(), without its call.
        mailbox = self.mailbox
        mailbox.closed = True
        if mailbox.control or mailbox.user:
            mailbox.drain()
        for book in self.bonds.books:
            book.release_owner(self)
        strike(ref, None)
        if self in root:
            root.discard(self)
        if actor._stopped_event is not None:
            actor._otp_mark_stopped()
        if doing is IDLE:
            doing = self.handling
        if doing is not IDLE or self.bonds.deferred:
            self._answer_open_calls(reason, doing)
        # Without the claim: `ended` is set, so nothing is added any more.
        undone = None
        if self.bonds is not FREE:
            undone = self._undone()
            undone.undo(reason)
        actor._otp_after_end(reason)
        if not self._came_up:
            self._start_cut_short(reason)
        elif self.parent is not None and self.incarnation:
            # Before the links: those they end must not be known dead to the parent before this one.
            self.parent.actor._otp_child_ended(self.incarnation, reason)
        if self.bonds.stop_waiters:
            # Who waits may be called back.
            flush()
        for linked in () if undone is None else undone.links:
            if not self._came_up and linked is self.parent:
                continue  # the starter is told by the start's error, and by nothing else (S21)
            end_link(linked, self, reason)
        if undone is not None:
            self._untie()
        # Refs outlive their actors; they must not keep the dead one's state alive.
        ref.process = None
        self._answer_waiters()
        if self.dispatcher is not None:
            self.dispatcher.detach(self)

    def _tell_parent(self) -> None:
        """Do as `_tell_the_end`, for a process that has come up and that nothing is tied to."""
        mailbox, ref, reason = self.mailbox, self.actor_ref, self.reason
        mailbox.closed = True
        if mailbox.control or mailbox.user:
            mailbox.drain()
        strike(ref, None)
        if isinstance(self.handling, _ASKED):
            self._answer_open_calls(reason, self.handling)  # type: ignore[arg-type]
        self.actor._otp_after_end(reason)  # type: ignore[arg-type]
        if self.incarnation and self.parent is not None:
            self.parent.actor._otp_child_ended(self.incarnation, reason)  # type: ignore[arg-type]
        ref.process = None
        # Looked at afterwards, as `await_end` does it the other way round.
        if self.bonds.stop_waiters:
            # Who waits may be called back.
            flush()
            self._answer_waiters()
        if self.dispatcher is not None:
            self.dispatcher.detach(self)

    def _answer_open_calls(self, reason: ExitReason, call: Any) -> None:
        words = self._last_words
        # It may have been about to be told of somebody else's call.
        if isinstance(call, _ASKED) and getattr(call, "to", None) in {None, self}:
            if words is None or isinstance(reason, Abandoned):
                call.future.fail(self.gone())
            elif words[0]:
                call.future.settle(words[1])
            else:
                call.future.fail(words[1])
        if self.bonds.deferred:
            # A copy in one step: others may answer, and so take out, at this moment.
            for reply in self.bonds.deferred.copy():
                reply.fail(self.gone())


def tell_nobody(_: object) -> None:
    """Stand in for a starter where there is none."""

"""`GenServer`: an actor with OTP's contract, on Pykka.

>>> class Counter(GenServer):
...     def init(self, start=0):
...         self.count = start
...     def handle_call(self, request, sender):
...         self.count += request
...         return self.count
>>> counter = Counter.start(40)
>>> counter.call(2), counter.stop()
(42, True)

The one break with Pykka: an exception in a handler ends the actor, in `ask` too, where the asker
gets the exception as well. Name the exceptions that are answers in `reply_exceptions`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from supervisors._runtime.calling import call_proxied, start_and_wait, unreachable
from supervisors._runtime.directives import (
    IDLE_TIMEOUT,
    IGNORE,
    NO_REPLY,
    Continue,
    Directive,
    Hibernate,
    Stop,
    Timeout,
)
from supervisors._runtime.doing import IDLE, STASHED
from supervisors._runtime.dozing import DozingActor
from supervisors._runtime.first_turn import IGNORED, READY, Refused
from supervisors._runtime.foreign import any_process_of
from supervisors._runtime.items import (
    NO_CASTS,
    Asked,
    Carried,
    EndSelf,
    Forwarded,
    IdleElapsed,
    Info,
    Sender,
    Told,
)
from supervisors._runtime.launching import start_parts
from supervisors._runtime.pykka_names import PROXY_MESSAGES, PYKKA_STOP, overrides_on_receive
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors._runtime.signals import Monitor, link, send_exit, unlink, watch
from supervisors._runtime.timers import Timer, timers
from supervisors.child_spec import UNSET, ChildSpec, OnStuck
from supervisors.clock import as_seconds
from supervisors.errors import UnhandledMessageError
from supervisors.exits import Down, NoProc, Normal, as_reason
from supervisors.telemetry import execute

__all__ = [
    "IDLE_TIMEOUT",
    "IGNORE",
    "NO_REPLY",
    "Continue",
    "GenServer",
    "Hibernate",
    "Sender",
    "Stop",
    "Timeout",
]


_PROXY_MESSAGES = frozenset(PROXY_MESSAGES)
# Types that are no directive.
_VALUES = frozenset((type(None), bool, int, float, str, bytes, tuple, list, dict, set))
# What child_spec() is called with for the class alone.
_NOTHING_GIVEN = (UNSET, None, "permanent", UNSET, "worker", False, "replace")


class GenServer(DozingActor):
    """An actor whose handlers are methods and whose state is `self`.

    All handlers run in the actor, one at a time. What they may return beside a reply: `NO_REPLY`,
    `Stop`, `Continue`, `Hibernate`, `Timeout`.

    Example:
        >>> class Door(GenServer):
        ...     def handle_cast(self, message):
        ...         return Stop(Normal())
        >>> door = Door.start()
        >>> watch = door.monitor()
        >>> door.tell("close")
        >>> watch.wait(10).reason
        Normal()
    """

    reply_exceptions: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions of handle_call that are answers: the asker gets them and the actor lives."""

    # The specification of the class alone; a specification does not change, so all may share it.
    _otp_bare_spec: ClassVar[ChildSpec]
    _otp_direct = True
    _otp_directive: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Notice whether the class handles messages in Pykka's on_receive."""
        super().__init_subclass__(**kwargs)
        cls._otp_gets_everything = overrides_on_receive(cls)
        own = cls._otp_receive is not GenServer._otp_receive
        cls._otp_direct = not own and not cls._otp_gets_everything

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Any:
        """Start the actor and return its ref once `init` has succeeded (S158).

        Args:
            *args: for init, and for __init__ where the class overrides it.
            **kwargs: likewise, without `name`, `start_timeout` (seconds) and `dispatcher`
                ("pool" or "thread"), which are taken here.

        Returns:
            The ref, or None when init answered IGNORE.

        Raises:
            StartError: init raised, stopped or returned something else; `.reason` says why.
            AlreadyStartedError: the name is held, by `.ref`; init did not run.
            StartTimeout: init did not return in time; the half-started actor was ended.
        """
        return start_and_wait(cls, args, kwargs)

    @classmethod
    def start_link(cls, *args: Any, **kwargs: Any) -> Any:
        """Start the actor linked to the calling actor, else under the process's root.

        Takes, returns and raises what start() does. A plain thread that starts an actor so never
        gets anything raised later; the actor is stopped when the interpreter ends.
        """
        return start_and_wait(cls, args, kwargs, linked=True)

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        id: Any = UNSET,
        name: Any = None,
        restart: str = "permanent",
        shutdown: Any = UNSET,
        type: str = "worker",
        significant: bool = False,
        on_stuck: str = OnStuck.REPLACE,
        **kwargs: Any,
    ) -> ChildSpec:
        """Return how a supervisor starts this class; `id` is the class's name unless given (S12).

        The keys are `ChildSpec`'s, but for `backoff` (`.with_(backoff=...)`); others go to `init`.

        Example:
            >>> GenServer.child_spec(restart="transient")
            ChildSpec('GenServer', start=GenServer, restart='transient', shutdown=5.0,\
 type='worker')
        """
        given = (id, name, restart, shutdown, type, significant, on_stuck)
        # 0 is equal to False, and is refused.
        bare = not args and not kwargs and given == _NOTHING_GIVEN and significant is False
        if bare and "_otp_bare_spec" in cls.__dict__:
            return cls._otp_bare_spec
        spec = ChildSpec(
            cls.__name__ if id is UNSET else id,
            start=cls,
            args=args,
            kwargs=kwargs,
            restart=restart,
            shutdown=shutdown,
            type=type,
            significant=significant,
            name=name,
            on_stuck=on_stuck,
        )
        if bare:
            cls._otp_bare_spec = spec
        return spec

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Set up; an exception fails the start.

        May return None, IGNORE, Stop(reason), Continue, Hibernate or Timeout; anything else fails
        the start (S159). This one takes any arguments, as Pykka's `__init__` does.
        """

    def handle_call(self, request: Any, sender: Sender) -> Any:
        """Answer ask() and call(): what is returned is the reply, unless it is a directive."""
        raise UnhandledMessageError(self, "handle_call", request)

    def handle_cast(self, message: Any) -> Any:
        """Take tell() and cast()."""
        raise UnhandledMessageError(self, "handle_cast", message)

    def handle_info(self, message: Any) -> Any:
        """Take Down, Exit, timers, IDLE_TIMEOUT and what send_info() sent; others are logged."""
        execute(
            ("supervisors", "actor", "unexpected_message"),
            {"count": 1},
            {"actor": str(self), "message_type": type(message).__name__},
        )

    def handle_continue(self, continuation: Any) -> Any:
        """Go on after Continue(continuation), before any message."""
        raise UnhandledMessageError(self, "handle_continue", continuation)

    # ---- what a user calls --------------------------------------------------------------------

    def send_after(self, delay: float | timedelta, message: Any) -> Timer:
        """Send this actor a message in `delay` seconds; it arrives in handle_info."""
        process = self._process
        seconds = as_seconds(delay, "delay")
        if seconds is None:
            raise TypeError("delay must be seconds (a number) or a timedelta, not None")
        timer = timers.after(seconds, lambda: process.post(Info(message)))
        process.keep_timer(timer)
        return timer

    def link(self, ref: ActorRef) -> None:
        """Tie this actor and another: the abnormal end of either ends the other (S147).

        A dead one is as one that ends now, with NoProc().
        """
        other = any_process_of(ref, "link")
        if other is None:
            send_exit(self._process, ref, NoProc())
        else:
            link(self._process, other)

    def unlink(self, ref: ActorRef) -> None:
        """Untie this actor and another (S156)."""
        other = any_process_of(ref, "unlink")
        if other is not None:
            unlink(self._process, other)

    def monitor(self, ref: ActorRef) -> Monitor:
        """Watch another actor; its Down arrives in handle_info, exactly once (S151)."""
        return watch(any_process_of(ref, "monitor"), ref, self._process)

    def demonitor(self, monitor: Monitor) -> bool:
        """Stop watching; no Down of this monitor is handled any more (S152)."""
        return monitor.cancel()

    # ---- how the runtime calls it -------------------------------------------------------------

    @classmethod
    def _otp_starts_plainly(cls) -> bool:
        return bool(start_parts(cls) == _PLAIN_START)

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # Without arguments it costs half.
        result = self.init(*args, **kwargs) if args or kwargs else self.init()
        if result is None:
            return READY
        if result is IGNORE:
            return IGNORED
        if isinstance(result, Stop):
            raise Refused(as_reason(result.reason))
        if isinstance(result, Continue | Hibernate | Timeout):
            self._otp_directive = result
            return READY
        return result

    def _otp_goes_on(self) -> bool:
        return self._otp_directive is not None

    def _otp_after_start(self) -> None:
        directive = self._otp_directive
        if directive is not None:
            self._otp_directive = None
            process = self._process
            process.handling = directive
            if not process.ended:
                self._otp_follow(directive, None)

    def _otp_receive(self, item: Any) -> None:
        kind = type(item)
        if self._process.unusual:
            self._otp_rouse(kind)
            if self._otp_gets_everything and kind not in NO_CASTS:
                self._otp_follow(self.on_receive(item), None)
                return
        if kind not in NO_CASTS:
            result = self.handle_cast(item)
            if result is not None:
                self._otp_follow(result, None)
        elif kind is Asked or kind is Forwarded:
            self._otp_answer(item)
        elif kind is Info:
            self._otp_inform(item.message)
        elif kind is Told:
            take = self.on_receive if self._otp_gets_everything else self.handle_cast
            self._otp_follow(take(item.message), None)
        elif kind is EndSelf or kind is PYKKA_STOP:
            self._process.end(Normal())
        elif kind is IdleElapsed:
            if item.turn == self._otp_turn:
                self._otp_idle = None
                self._otp_follow(self.handle_info(IDLE_TIMEOUT), None)
        elif kind is Carried:
            with item.around:
                self._otp_answer(item)
        elif item.attr_path[0] not in _FRAMEWORK_NAMES:
            call_proxied(self, item)

    def _otp_answer(self, call: Asked) -> None:
        """Handle a call: the result is the reply, unless it is a directive."""
        request, process = call.message, self._process
        call.to = None
        try:
            if type(request) in _PROXY_MESSAGES:
                if request.attr_path[0] in _FRAMEWORK_NAMES:
                    call.fail(unreachable(request.attr_path[0]))
                else:
                    result = call_proxied(self, request)
                    process.handling = IDLE
                    call.settle(result)
                return
            # The first is at hand, and the second true of nobody without it.
            if process.unusual and self._otp_gets_everything:
                result = self.on_receive(request)
            else:
                result = self.handle_call(request, call)
        except self.reply_exceptions as error:
            call.message = None
            call.fail(error)
            return
        if process.handling is STASHED:
            process.defer(call)
            return
        # Of those most replies are, and to look that up costs less than to ask for the class.
        if type(result) not in _VALUES:
            if isinstance(result, Directive):
                self._otp_follow(result, call)
                call.message = None
                return
            if result is NO_REPLY:
                process.defer(call)
                call.message = None
                return
        call.message = None  # the asker may keep the future for long
        # Who got this reply has left the handler behind: a kill now is one between messages.
        process.handling = IDLE
        # As settle(), without its call: whether this is the first answer is nothing to anybody.
        cell, outcome = call._cell, (True, result)
        cell.append(outcome)
        if cell[0] is not outcome:
            call._settle(outcome)
        elif call._callbacks is not None:
            call._run_callbacks()

    def _otp_inform(self, message: Any) -> None:
        if isinstance(message, Down) and not message.monitor.active:
            return
        self._otp_follow(self.handle_info(message), None)

    def _otp_follow(self, directive: Any, reply: Reply | None) -> None:
        """Do what a handler's return value says; what is no directive means nothing here."""
        while isinstance(directive, Stop | Continue | Hibernate | Timeout):
            answer = directive.reply
            if isinstance(directive, Stop):
                if reply is None or answer is UNSET:
                    self._process.end(as_reason(directive.reason))
                else:
                    self._process.stop_with_reply(as_reason(directive.reason), answer)
                return
            if reply is not None:
                if answer is UNSET:
                    self._process.defer(reply)
                else:
                    reply.settle(answer)
                reply = None
            match directive:
                case Continue(continuation):
                    directive = self.handle_continue(continuation)
                case Timeout(seconds):
                    self._otp_arm_idle(seconds)
                    return
                case _:
                    self._otp_sleep()
                    return


# What `start_parts` gives where a user wrote none of them.
_PLAIN_START: Final = start_parts(GenServer)
_FRAMEWORK_NAMES = frozenset(name for name in dir(GenServer) if not name.startswith("_"))

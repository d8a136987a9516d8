"""`Probe`: an actor that keeps what it is sent, for tests to wait for and to answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from supervisors._locks import new_lock
from supervisors._machines.patterns import ANY
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors.clock import Deadline, MonotonicClock, as_seconds
from supervisors.errors import CallTimeout
from supervisors.exits import Down, ExitReason
from supervisors.gen_server import NO_REPLY, GenServer, Sender
from supervisors.testing.matching import described, fits

__all__ = ["Asked", "Probe", "ProbeRef", "Received"]

Seconds = float | timedelta | None

# How many of the messages that did not fit a failure shows.
_SHOWN = 10


class Asked(msgspec.Struct, frozen=True):
    """An `ask` or `call` that a probe got: answer it with `reply(value)`, from any thread.

    Attributes:
        message: what was asked.
        sender: who asked, see `Sender`.
    """

    message: Any
    sender: Sender

    def reply(self, value: Any = None) -> bool:
        """Answer; tell whether this was the first answer and somebody may still get it."""
        return self.sender.reply(value)

    def __repr__(self) -> str:
        return f"Asked({self.message!r})"


class Received:
    """Messages in the order in which they came, and threads that wait for one of them."""

    def __init__(self, limit: int | None = None) -> None:
        """Start empty; beyond `limit` messages the oldest are forgotten."""
        self._lock = new_lock()
        self._messages: deque[Any] = deque(maxlen=limit)
        self._arrival: Reply | None = None

    def put(self, message: Any) -> None:
        """Add a message and wake who waits."""
        with self._lock:
            self._messages.append(message)
            arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.settle(None)

    def all(self) -> list[Any]:
        """Return what nobody has taken yet, oldest first."""
        with self._lock:
            return list(self._messages)

    def clear(self) -> None:
        """Forget what nobody has taken."""
        with self._lock:
            self._messages.clear()

    def find(
        self, accept: Callable[[Any], bool], timeout: float | None, *, take: bool = True
    ) -> tuple[bool, Any]:
        """Wait for a message that is accepted, and take it out; (False, None) when none came."""
        deadline = Deadline(timeout, MonotonicClock())
        # By identity; the messages are kept, so that no other one gets the number.
        refused: dict[int, Any] = {}
        while True:
            with self._lock:
                messages = list(self._messages)
                if self._arrival is None:
                    self._arrival = Reply()
                arrival = self._arrival
            # The predicate is the test's own code, so it runs here and outside the lock.
            for message in messages:
                if id(message) in refused:
                    continue
                if not accept(message):
                    refused[id(message)] = message
                elif not take or self._remove(message):
                    return True, message
            try:
                arrival.get(timeout=deadline.remaining())
            except CallTimeout:
                # It may have come in the meantime, and then this was the last look but one.
                if not arrival.done():
                    return False, None

    def _remove(self, message: Any) -> bool:
        with self._lock:
            # Not by equality, which is the user's.
            places = list(map(id, self._messages))
            if id(message) not in places:
                return False
            del self._messages[places.index(id(message))]
            return True


class ProbeRef(ActorRef):
    """The reference of a `Probe`, with what tests do with it. Safe from any thread.

    A pattern is a value, in which `ANY` and classes may stand for parts, a class, or a predicate
    `fn(message) -> bool`; a dict fits one that has at least its keys.
    """

    def __init__(self, process: Any) -> None:
        """Made with its actor; what was received can be read after the actor's end, too."""
        super().__init__(process)
        self.received = process.actor.received = Received()

    def expect(self, pattern: Any = ANY, timeout: Seconds = 5.0) -> Any:
        """Wait for a message that fits, take it out, and return it.

        Messages that do not fit stay for later, so the order in which different ones come does not
        matter. `ask` and `call` arrive as `Asked`, which `expect_ask` unpacks.

        Args:
            pattern: see the class; left out, the oldest message is taken.
            timeout: real seconds in all; None waits for ever.

        Raises:
            AssertionError: none came in time; it says what came instead.
        """
        __tracebackhide__ = True
        seconds = as_seconds(timeout, "timeout")
        there, message = self.received.find(lambda message: fits(pattern, message), seconds)
        if not there:
            raise AssertionError(self._missing(f"no message is {described(pattern)}", seconds))
        return message

    def expect_none(self, pattern: Any = ANY, timeout: Seconds = 0.1) -> None:
        """Make sure that no message fits, now and for `timeout` seconds.

        Shorter than the truth may need: it can pass although a message is on its way. Prefer to
        `expect` something that comes later, then `expect_none` with timeout 0.

        Raises:
            AssertionError: one fits; it stays.
        """
        __tracebackhide__ = True
        seconds = as_seconds(timeout, "timeout")
        there, message = self.received.find(
            lambda message: fits(pattern, message), seconds, take=False
        )
        if there:
            msg = f"{self} got {message!r}, which is {described(pattern)}"
            raise AssertionError(msg)

    def expect_ask(self, pattern: Any = ANY, timeout: Seconds = 5.0) -> Asked:
        """Wait for an `ask` or `call` whose message fits; answer with its `reply(value)`.

        Raises:
            AssertionError: none came in time.
        """
        __tracebackhide__ = True
        seconds = as_seconds(timeout, "timeout")
        there, asked = self.received.find(
            lambda message: isinstance(message, Asked) and fits(pattern, message.message), seconds
        )
        if not there:
            raise AssertionError(self._missing(f"nobody asks {described(pattern)}", seconds))
        found: Asked = asked
        return found

    def expect_down(self, ref: Any, reason: Any = ANY, timeout: Seconds = 5.0) -> ExitReason:
        """Wait for the end of an actor that the probe watches, and return why it ended.

        Args:
            ref: the actor, one that was given to `watch` before.
            reason: a pattern, such as `Normal()`, `Crashed` or ANY.
            timeout: real seconds in all; None waits for ever.

        Raises:
            AssertionError: it has not ended in time, or for another reason.
        """
        __tracebackhide__ = True
        seconds = as_seconds(timeout, "timeout")
        there, down = self.received.find(
            lambda message: isinstance(message, Down) and message.ref is ref, seconds
        )
        if not there:
            raise AssertionError(self._missing(f"{ref} has not ended", seconds))
        if not fits(reason, down.reason):
            msg = f"{ref} ended with {down.reason!r}, which is not {described(reason)}"
            raise AssertionError(msg)
        found: ExitReason = down.reason
        return found

    def watch(self, ref: Any) -> None:
        """Let the probe monitor an actor, a plain Pykka one too: `expect_down` tells its end."""
        self.call(_Watch(ref))

    def messages(self) -> list[Any]:
        """Return what was received and not yet taken out, oldest first."""
        return self.received.all()

    def _missing(self, what: str, seconds: float | None) -> str:
        got = self.received.all()
        if not got:
            return f"{what}: {self} got nothing else within {seconds} s"
        shown = "".join(f"\n  {message!r}" for message in got[-_SHOWN:])
        more = f"\n  and {len(got) - _SHOWN} before these" if len(got) > _SHOWN else ""
        return f"{what}: within {seconds} s {self} got instead{shown}{more}"


class _Watch(msgspec.Struct, frozen=True):
    """Asks the probe to monitor an actor."""

    ref: Any


class Probe(GenServer):
    """An actor that keeps every message, for tests of what others send.

    Give its reference to the code under test: as a subscriber, as the actor to tell, or by a name.
    `tell`, `cast`, `send_info`, `Down` and timers arrive as they are, `ask` and `call` as `Asked`.

    Args:
        answer: answers each `ask` at once: a function of the message, or `NO_REPLY` (the default),
            with which the test answers by `expect_ask(...).reply(value)`.

    Example:
        >>> probe = Probe.start()
        >>> probe.tell(("price", 7))
        >>> probe.expect(("price", int))
        ('price', 7)
        >>> future = probe.ask("name?", block=False)
        >>> probe.expect_ask("name?").reply("probe"), future.get(timeout=5)
        (True, 'probe')
        >>> probe.expect("other", timeout=0)
        Traceback (most recent call last):
        AssertionError: no message is 'other': Probe (...) got nothing else within 0.0 s
        >>> probe.stop()
        True
    """

    ref_class: ClassVar[type[ActorRef]] = ProbeRef

    received: Received

    def init(self, answer: Any = NO_REPLY) -> None:
        """Begin with nothing received."""
        self._answer = answer

    def handle_call(self, request: Any, sender: Sender) -> Any:
        """Keep what was asked, and answer it if there is a function for that."""
        if isinstance(request, _Watch):
            self.monitor(request.ref)
            return None
        self.received.put(Asked(request, sender))
        return self._answer(request) if callable(self._answer) else NO_REPLY

    def handle_cast(self, message: Any) -> None:
        """Keep it."""
        self.received.put(message)

    def handle_info(self, message: Any) -> None:
        """Keep it."""
        self.received.put(message)

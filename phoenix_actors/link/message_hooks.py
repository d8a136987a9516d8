"""Functions of the user's through which each inbound message passes before it is dispatched.

The rules:

- Hooks run in the order of their registration, on the reader thread; each gets what the one before
  returned. The first that returns `DROP` ends the message, and no later hook sees it.
- Event and payload are taken from the message that a hook returns; the refs stay those of the
  frame, so a new `Message` without refs does no harm.
- A hook that raises, and one that returns anything else (None too, or a message with another
  topic), is reported and counted as `message_hook_errors`; the message goes on as that hook got it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from phoenix_actors.errors import InvalidOption
from phoenix_actors.link.hooks import Subscription
from phoenix_actors.message import Message
from phoenix_actors.telemetry import HOOK_FAILED, emit
from supervisors._locks import new_lock
from supervisors.telemetry import is_interrupt

if TYPE_CHECKING:
    from phoenix_actors.link.counters import Counters

__all__ = ["DROP", "Dropped", "MessageHandler", "MessageHook", "MessageHooks"]

_NAME: Final = "register_message_hook"


class Dropped(Enum):
    """The type of `DROP`."""

    DROP = "DROP"

    def __repr__(self) -> str:
        return self.value


DROP: Final = Dropped.DROP
"""What a message hook returns for a message that nobody is to see."""

Answer: TypeAlias = Message | Literal[Dropped.DROP]


class MessageHandler(Protocol):
    """The object form of a message hook; `client` is the `SocketClient` that got the message."""

    def handle_message(self, message: Message, client: Any) -> Answer:
        """Return the message to pass on, possibly changed, or `DROP`."""
        ...


MessageHook: TypeAlias = Callable[[Message], Answer] | MessageHandler


class MessageHooks:
    """The message hooks of one client. Safe from any thread.

    Example:
        >>> from phoenix_actors.link.counters import Counters
        >>> hooks = MessageHooks(Counters())
        >>> mute = hooks.add(lambda message: DROP if message.event == "typing" else message)
        >>> hooks.run(Message("room:lobby", "typing", {}), client=None)
        DROP
        >>> mute.off()
        >>> hooks.run(Message("room:lobby", "typing", {}), client=None).event
        'typing'
    """

    __slots__ = ("_changed", "_counters", "_lock", "hooks")

    def __init__(self, counters: Counters, changed: Callable[[], object] = bool) -> None:
        """Start with none; `changed` is called when one comes or goes."""
        self._counters = counters
        self._changed = changed
        self._lock = new_lock()
        # Replaced as a whole and never changed in place, so run() needs no lock.
        self.hooks: tuple[tuple[object, Callable[[Message, Any], Any]], ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.hooks)

    def add(self, hook: MessageHook) -> Subscription:
        """Let messages pass through the hook from now on.

        Raises:
            InvalidOption: it is neither a function nor an object with `handle_message`.
        """
        entry = (object(), _as_function(hook))
        with self._lock:
            self.hooks = (*self.hooks, entry)
        self._changed()

        def remove() -> None:
            with self._lock:
                self.hooks = tuple(kept for kept in self.hooks if kept is not entry)
            self._changed()

        return Subscription(remove)

    def run(self, message: Message, client: Any) -> Answer:
        """Return the message as the hooks pass it on, or `DROP`; refs and topic are never changed.

        What a hook does wrong is reported and counted, and the message goes on as that hook got it.
        """
        for _, hook in self.hooks:
            try:
                answer: object = hook(message, client)
            except BaseException as error:
                if is_interrupt(error):
                    raise
                self._report(type(error).__name__)
                continue
            if answer is DROP:
                return Dropped.DROP
            if not isinstance(answer, Message):
                self._report(f"returned {type(answer).__name__}")
            elif answer.topic != message.topic:
                self._report("changed the topic")
            elif answer is not message:
                message = Message(
                    message.topic,
                    answer.event,
                    answer.payload,
                    message.ref,
                    message.join_ref,
                    message.channel,
                )
        return message

    def _report(self, problem: str) -> None:
        self._counters.add("message_hook_errors")
        emit(HOOK_FAILED, hook=_NAME, error=problem)


def _as_function(hook: Any) -> Callable[[Message, Any], Any]:
    """Return how to call a hook of either form."""
    method = getattr(hook, "handle_message", None)
    if method is not None:
        if isinstance(hook, type) or not callable(method):
            problem = "needs an instance whose handle_message(message, client) can be called"
            raise InvalidOption(_NAME, problem)
        handler: Callable[[Message, Any], Any] = method
        return handler
    if not callable(hook):
        problem = (
            "needs a function of the message, or an object with handle_message(message, client)"
        )
        raise InvalidOption(_NAME, f"{problem}, not a {type(hook).__name__}")
    return lambda message, _: hook(message)

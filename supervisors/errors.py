"""Every error that `supervisors` raises, one tree with one root.

::

    ActorError
    ├── StartError
    │   ├── AlreadyStartedError
    │   └── StartTimeout
    ├── CallTimeout
    ├── NoProcError
    ├── SelfCallError
    ├── MailboxFullError
    ├── StashFullError
    ├── CircuitOpenError
    ├── UnhandledMessageError
    ├── UnexpectedMessageError
    ├── ChildSpecError
    ├── AlreadyPresentError
    ├── ChildRunningError
    ├── ChildRestartingError
    ├── ChildStuckError
    ├── ChildNotFoundError
    ├── MaxChildrenError
    ├── NoPartitionError
    ├── UnsupportedRequestError
    ├── AlreadyRegisteredError
    ├── UnknownRegistryError
    ├── TaskAwaitError
    ├── NotUniqueError
    ├── LockHeldError
    └── NotAvailableError

`CallTimeout` is also a `pykka.Timeout` and a `TimeoutError`, `NoProcError` also a
`pykka.ActorDeadError` and a `LookupError`, bad specs are also `ValueError`, so that code written
for Pykka or for plain Python catches them. Each error pickles (a reference to an actor comes out
as `None` where that actor does not live) and names things, never contents.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pykka import ActorDeadError, Timeout

__all__ = [
    "ActorError",
    "AlreadyPresentError",
    "AlreadyRegisteredError",
    "AlreadyStartedError",
    "CallTimeout",
    "ChildNotFoundError",
    "ChildRestartingError",
    "ChildRunningError",
    "ChildSpecError",
    "ChildStuckError",
    "CircuitOpenError",
    "LockHeldError",
    "MailboxFullError",
    "MaxChildrenError",
    "NoPartitionError",
    "NoProcError",
    "NotAvailableError",
    "NotUniqueError",
    "SelfCallError",
    "SpecProblem",
    "StartError",
    "StartTimeout",
    "StashFullError",
    "TaskAwaitError",
    "UnexpectedMessageError",
    "UnhandledMessageError",
    "UnknownRegistryError",
    "UnsupportedRequestError",
]

_GONE = "is not alive{}: look its name up again, or monitor it"
_ITSELF = "asked itself: call the method directly, or use tell()"


class ActorError(Exception):
    """The root: catch it to catch everything this package raises by itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by class, text and fields, since the constructors take fields, not the text."""
        fields = {name: _portable(value) for name, value in self.__dict__.items()}
        return _restore, (type(self), str(self), fields)


def _restore(cls: type[ActorError], text: str, fields: dict[str, Any]) -> ActorError:
    error = cls.__new__(cls)
    error.args = (text,)
    error.__dict__.update(fields)
    return error


def _portable(value: object) -> object:
    """Give the value itself where it pickles, else its type's name: an error must travel."""
    import pickle

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001  any failure to pickle has the same answer
        return f"<{type(value).__name__}>"
    return value


class StartError(ActorError):
    """An actor did not start; nothing of it is left running.

    Attributes:
        reason: the exit reason, such as `Crashed(exception)`; its exception is also `__cause__`.
        child_id: the id of the child, when a supervisor was starting it.
    """

    def __init__(self, text: str, *, reason: Any = None, child_id: Any = None) -> None:
        """Keep the reason and, where a supervisor did the start, the child's id."""
        super().__init__(text)
        self.reason = reason
        self.child_id = child_id


class AlreadyStartedError(StartError):
    """The name, or the child's id, is held by a living actor: `.ref`. It was left alone."""

    def __init__(self, what: object, ref: Any) -> None:
        """Name what is taken and by whom."""
        super().__init__(f"{what!r} is held by {ref}: use that actor, or stop it first")
        self.ref = ref


class StartTimeout(StartError, TimeoutError):
    """The actor's init did not return in time; the half-started actor was ended (S160)."""


class CallTimeout(ActorError, Timeout, TimeoutError):
    """No reply came in time. The actor was not disturbed, and a late reply goes nowhere (S164)."""

    def __init__(self, timeout: float | None, what: str = "reply") -> None:
        """Name what was awaited and for how many seconds."""
        super().__init__(
            f"no {what} within {timeout} s: wait longer with timeout=, or see what the actor does"
        )
        self.timeout = timeout


class NoProcError(ActorError, ActorDeadError, LookupError):
    """The actor is dead, or died before it answered.

    Attributes:
        reason: why it ended, when that was seen; None when it was dead already.
    """

    def __init__(self, who: object, reason: Any = None, problem: str = _GONE) -> None:
        """Name the actor, the reason of its end where known, or another problem."""
        cause = f" ({type(reason).__name__})" if reason is not None else ""
        super().__init__(f"{who} {problem.format(cause)}")
        self.reason = reason


class SelfCallError(ActorError):
    """An actor asked itself, or who waits for it, and would have waited for ever (S163)."""

    def __init__(self, who: object, problem: str = _ITSELF) -> None:
        """Name the actor that was asked, and what is wrong."""
        super().__init__(f"{who} {problem}")


class MailboxFullError(ActorError):
    """The actor's mailbox has reached its `mailbox_limit`; the message was not taken, or dropped.

    Attributes:
        limit: how many messages may wait.
    """

    def __init__(self, who: object, limit: int) -> None:
        """Name the actor and its limit."""
        super().__init__(
            f"{who} has {limit} messages waiting, its mailbox_limit: send less, or try again later"
        )
        self.limit = limit


class StashFullError(ActorError):
    """An actor put more messages aside than its `stash_limit`.

    Attributes:
        limit: how many messages may be stashed.
    """

    def __init__(self, who: object, limit: int) -> None:
        """Name the actor and its limit."""
        super().__init__(
            f"{who} has stashed {limit} messages, its stash_limit: unstash_all() or raise the limit"
        )
        self.limit = limit


class CircuitOpenError(ActorError):
    """A circuit breaker did not let a call through.

    Attributes:
        name: the breaker's name.
        retry_after: seconds until it lets a trial through; 0.0 while a trial runs.
    """

    def __init__(self, name: str, retry_after: float) -> None:
        """Name the breaker and when to try again."""
        super().__init__(f"circuit {name!r} is open: try again in {retry_after:.3g} s")
        self.name = name
        self.retry_after = retry_after


class UnhandledMessageError(ActorError):
    """A call or a cast came to an actor that has no handler for it; this ends the actor (S174)."""

    def __init__(self, who: object, handler: str, message: object) -> None:
        """Name the handler to override and the type of the message, not its content."""
        super().__init__(f"{who} got a {type(message).__name__} but does not override {handler}()")
        self.handler = handler


class UnexpectedMessageError(ActorError):
    """A supervisor was sent something that is not one of its requests; it was refused (S101)."""

    def __init__(self, who: object, message: object) -> None:
        """Name the supervisor and the type of the message, not its content."""
        super().__init__(
            f"{who} does not take a {type(message).__name__}: use start_child(), "
            "which_children() and the other methods of its reference"
        )


class SpecProblem(StrEnum):
    """What is wrong with a child specification or a supervisor's options."""

    MISSING_ID = "missing_id"
    MISSING_START = "missing_start"
    BAD_START = "bad_start"
    BAD_RESTART = "bad_restart"
    BAD_TYPE = "bad_type"
    BAD_SHUTDOWN = "bad_shutdown"
    BAD_SIGNIFICANT = "bad_significant"
    BAD_COMBINATION = "bad_combination"
    BAD_ON_STUCK = "bad_on_stuck"
    BAD_MAX_ABANDONED = "bad_max_abandoned"
    BAD_BACKOFF = "bad_backoff"
    BAD_NAME = "bad_name"
    BAD_STRATEGY = "bad_strategy"
    BAD_INTENSITY = "bad_intensity"
    BAD_PERIOD = "bad_period"
    BAD_AUTO_SHUTDOWN = "bad_auto_shutdown"
    BAD_MAX_CHILDREN = "bad_max_children"
    BAD_PARTITIONS = "bad_partitions"
    BAD_WITH_ARGUMENTS = "bad_with_arguments"
    DUPLICATE_ID = "duplicate_id"
    UNKNOWN_KEY = "unknown_key"
    NOT_A_SPEC = "not_a_spec"


class ChildSpecError(ActorError, ValueError):
    """A child specification or a supervisor's option is wrong; nothing was started.

    Attributes:
        problem: which of the `SpecProblem` it is.
        value: the offending value.
    """

    def __init__(self, problem: SpecProblem, text: str, value: Any = None) -> None:
        """Keep the kind of the problem and the value that caused it."""
        super().__init__(text)
        self.problem = problem
        self.value = value


class _ChildError(ActorError):
    """Something about one child of a supervisor; `.child_id` names it."""

    _text = "child {!r}"

    def __init__(self, child_id: Any) -> None:
        super().__init__(self._text.format(child_id))
        self.child_id = child_id


class AlreadyPresentError(_ChildError):
    """A child with this id is known but not running: restart_child() or delete_child() it."""

    _text = "child {!r} is known but not running: use restart_child() or delete_child()"


class ChildRunningError(_ChildError):
    """The child runs; stop it with terminate_child() first."""

    _text = "child {!r} is running: use terminate_child() first"


class ChildRestartingError(_ChildError):
    """The child waits for its next start attempt; terminate_child() cancels that."""

    _text = "child {!r} is restarting: terminate_child() cancels its next attempt"


class ChildStuckError(_ChildError):
    """An abandoned instance of the child still runs, and its `on_stuck` forbids a twin."""

    _text = (
        "child {!r}: an abandoned instance still runs; try again when unstopped() lists it no more"
    )


class ChildNotFoundError(_ChildError, LookupError):
    """The supervisor has no such child."""

    _text = "no child {!r}: which_children() lists what there is"


class MaxChildrenError(ActorError):
    """The dynamic supervisor holds max_children already; nothing was started."""

    def __init__(self, max_children: int) -> None:
        """Keep the bound."""
        super().__init__(f"max_children={max_children} is reached: end a child first")
        self.max_children = max_children


class NoPartitionError(ActorError, LookupError):
    """The key has no partition: all were taken out of use, or this one never came up (S123)."""

    def __init__(self, who: object, partition: int | None) -> None:
        """Name the partition supervisor and, if there are any, the partition."""
        what = "has no partition in use" if partition is None else f"has no partition {partition}"
        super().__init__(f"{who} {what}: resize() it, or see which_children()")
        self.partition = partition


class UnsupportedRequestError(ActorError):
    """A dynamic supervisor has no stopped children to restart or to delete (S111)."""

    def __init__(self, request: str) -> None:
        """Name the request."""
        super().__init__(
            f"a dynamic supervisor does not {request}: it forgets a child that ends, "
            "so start a new one"
        )
        self.request = request


class AlreadyRegisteredError(ActorError):
    """The key of a unique registry is held by `.ref`; nothing was changed (S131, S144)."""

    def __init__(self, key: object, ref: Any) -> None:
        """Name the key and its holder."""
        super().__init__(f"key {key!r} is held by {ref}: unregister it there first")
        self.key = key
        self.ref = ref


class UnknownRegistryError(ActorError, LookupError):
    """No registry of this name runs (S146)."""

    def __init__(self, registry: object) -> None:
        """Name the registry that was asked for."""
        super().__init__(f"no registry {registry!r} runs: start one with Registry.start_link()")


class TaskAwaitError(ActorError, RuntimeError):
    """The result of a task is not to be had here, or not any more (S180)."""

    def __init__(self, task: object, why: str) -> None:
        """Name the task, and why it cannot be awaited."""
        super().__init__(f"{task} {why}")


class NotUniqueError(ActorError, ValueError):
    """A registry of duplicate keys was asked for what needs one holder of a key (S133, S142)."""

    def __init__(self, what: str, registry: object) -> None:
        """Name what was asked for, and the registry."""
        super().__init__(
            f"{what} needs unique keys, and {registry!r} has duplicate ones: "
            "use a Registry(keys='unique')"
        )


class LockHeldError(ActorError, RuntimeError):
    """Who holds the lock of a key asked for it once more, and would have waited for ever."""

    def __init__(self, key: object) -> None:
        """Name the key."""
        super().__init__(f"the lock of {key!r} is held here already: leave that `with` block first")
        self.key = key


class NotAvailableError(ActorError, NotImplementedError):
    """A name or an option is announced but not part of this version."""

    def __init__(self, what: str) -> None:
        """Name what is missing."""
        super().__init__(f"{what} is not available in this version of supervisors")

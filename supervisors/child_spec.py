"""What a supervisor needs to know of a child, checked before anything is started.

>>> ChildSpec("cache", start=print, restart="transient").shutdown
5.0
>>> ChildSpec("cache", start=print, restart="sometimes")
Traceback (most recent call last):
supervisors.errors.ChildSpecError: child 'cache': restart must be one of 'permanent',\
 'transient', 'temporary', not 'sometimes'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

from supervisors.clock import as_seconds
from supervisors.errors import ChildSpecError, SpecProblem

__all__ = [
    "BRUTAL_KILL",
    "UNSET",
    "AutoShutdown",
    "ChildSpec",
    "ChildType",
    "OnStuck",
    "Restart",
    "Strategy",
    "as_child_spec",
    "check_significant",
    "check_unique",
    "refuse_unknown",
    "word",
]


class Restart(StrEnum):
    """When a child that ended by itself is started again (S41-S46)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class ChildType(StrEnum):
    """Whether a child is a supervisor itself; decides the default of `shutdown` (S2)."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


class Strategy(StrEnum):
    """Which children are restarted together with one that ended (S29-S31)."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(StrEnum):
    """Whether the end of significant children ends their supervisor (S23, S24)."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class OnStuck(StrEnum):
    """What becomes of a restart while an abandoned instance of the child still runs.

    `replace`: a new instance is started beside it. `wait`: none before the stuck handler has
    returned; right for whoever holds something exclusive. `escalate`: the supervisor gives up.
    """

    REPLACE = "replace"
    WAIT = "wait"
    ESCALATE = "escalate"


class _Sentinel(Enum):
    """Values that no user value can equal."""

    UNSET = "UNSET"
    BRUTAL_KILL = "BRUTAL_KILL"

    def __repr__(self) -> str:
        return self.value


UNSET: Final = _Sentinel.UNSET
BRUTAL_KILL: Final = _Sentinel.BRUTAL_KILL

_E = TypeVar("_E", bound=StrEnum)
_NO_KEYWORDS: Final[Mapping[str, Any]] = MappingProxyType({})
_HOW = ("id", "start", "args", "kwargs", "restart", "shutdown", "type")
_KEYS = (*_HOW, "significant", "name", "backoff", "on_stuck")


def word(kind: type[_E], value: Any, problem: SpecProblem, what: str) -> _E:
    """Turn a word into its enum member.

    Raises:
        ChildSpecError: when it is none of the choices, which the text lists.

    Example:
        >>> word(Strategy, "one_for_all", SpecProblem.BAD_STRATEGY, "strategy")
        <Strategy.ONE_FOR_ALL: 'one_for_all'>
    """
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(repr(str(member)) for member in kind)
        text = f"{what} must be one of {choices}, not {value!r}"
        raise ChildSpecError(problem, text, value) from None


class ChildSpec:
    """One child: how to start it, when to restart it, how long it may take to stop.

    Immutable; `with_(...)` gives a changed copy. Defaults as in OTP (S1, S2).

    Args:
        id: any hashable; names the child in its supervisor.
        start: a callable that starts the child and returns its reference, mostly an actor class.
        args: positional arguments of `start`.
        kwargs: keyword arguments of `start`.
        restart: "permanent" (always), "transient" (after an abnormal end) or "temporary" (never).
        shutdown: seconds the child may take to stop before it is killed, None to wait for ever,
            or `BRUTAL_KILL` to kill at once. Default 5.0; None for `type="supervisor"`.
        type: "worker" or "supervisor".
        significant: whether its end can end the supervisor (`auto_shutdown`).
        name: a name to register the child under, or a `via(registry, key)`.
        backoff: a `Backoff` between restarts of this child; None takes the supervisor's.
        on_stuck: what becomes of its restart while an instance that would not stop, and was
            abandoned, still runs: "replace" (a new one is started beside it; the old one is
            fenced off), "wait" (no new one before the old handler has returned; the child is
            RESTARTING, or with its group not started, meanwhile) or "escalate" (the supervisor
            gives up, with `GaveUp.stuck`). It binds those too that take the supervisor's place in
            the tree; not a new top of a tree, nor a dynamic supervisor.

    Raises:
        ChildSpecError: for anything else, with `.problem` and `.value`; an unknown key too (S11).

    Example:
        >>> ChildSpec("a", start=print).with_(shutdown=1).shutdown
        1.0
    """

    # `_launch` is the runtime's: what it found out about `start`.
    __slots__ = (*_KEYS, "_launch")

    id: Any
    start: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    restart: Restart
    shutdown: float | _Sentinel | None
    type: ChildType
    significant: bool
    name: Any
    backoff: Any
    on_stuck: OnStuck
    _launch: Any

    def __init__(
        self,
        id: Any = UNSET,
        start: Any = UNSET,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        restart: str = Restart.PERMANENT,
        shutdown: float | timedelta | _Sentinel | None = UNSET,
        type: str = ChildType.WORKER,
        significant: bool = False,
        name: Any = None,
        backoff: Any = None,
        on_stuck: str = OnStuck.REPLACE,
        **unknown: Any,
    ) -> None:
        """Check every key and fill in the defaults."""
        refuse_unknown(unknown, _KEYS, "key", "a child specification")
        if id is UNSET:
            raise ChildSpecError(SpecProblem.MISSING_ID, "a child specification needs an id")
        if start is UNSET:
            text = f"child {id!r}: start is missing; give an actor class or a callable"
            raise ChildSpecError(SpecProblem.MISSING_START, text)
        put = object.__setattr__
        put(self, "id", _hashable(id))
        put(self, "start", start if callable(start) else _refuse_start(id, start))
        put(self, "args", args if args.__class__ is tuple else _arguments(id, args))
        put(self, "kwargs", _keywords(id, kwargs))
        put(self, "restart", _chosen(Restart, restart, SpecProblem.BAD_RESTART, id, "restart"))
        put(self, "type", _chosen(ChildType, type, SpecProblem.BAD_TYPE, id, "type"))
        put(self, "shutdown", _shutdown(id, shutdown, self.type))
        if significant is not False:
            _check_significance(id, significant, self.restart)
        put(self, "significant", significant)
        put(self, "name", name)
        put(self, "backoff", None if backoff is None else _backoff(id, backoff))
        put(self, "on_stuck", _chosen(OnStuck, on_stuck, SpecProblem.BAD_ON_STUCK, id, "on_stuck"))

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a specification may be shared by many children."""
        msg = f"a ChildSpec does not change: use with_({name}=...)"
        raise AttributeError(msg)

    def with_(self, **overrides: Any) -> ChildSpec:
        """Give a copy with some keys replaced; an unknown key is refused (S12)."""
        return ChildSpec(**{**self._as_dict(), **overrides})

    def _as_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in _KEYS}

    def __eq__(self, other: object) -> bool:
        """Compare by every key."""
        return isinstance(other, ChildSpec) and self._as_dict() == other._as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Name what it is about; arguments may hold secrets and are left out."""
        start = getattr(self.start, "__qualname__", type(self.start).__name__)
        significant = ", significant=True" if self.significant else ""
        return (
            f"ChildSpec({self.id!r}, start={start}, restart={str(self.restart)!r}, "
            f"shutdown={self.shutdown!r}, type={str(self.type)!r}{significant})"
        )


def _chosen(kind: type[_E], value: Any, problem: SpecProblem, child_id: object, key: str) -> _E:
    """Return `word(...)`; its text is made only where it is needed."""
    try:
        return kind._value2member_map_[value]  # type: ignore[return-value]
    except (KeyError, TypeError):
        return word(kind, value, problem, _of(child_id, key))


def _of(child_id: object, key: str) -> str:
    return f"child {child_id!r}: {key}"


def refuse_unknown(
    unknown: Mapping[str, Any], choices: Sequence[str], noun: str, where: str
) -> None:
    """Refuse keyword arguments that nobody takes (S11); the text lists the choices.

    Raises:
        ChildSpecError: naming the first of them, and what was meant by it if that can be guessed.

    Example:
        >>> refuse_unknown({"max_restart": 1}, ["max_restarts"], "option", "a supervisor")
        Traceback (most recent call last):
        supervisors.errors.ChildSpecError: unknown option 'max_restart' of a supervisor (did you\
 mean 'max_restarts'?); there are max_restarts
    """
    for key in unknown:
        from difflib import get_close_matches  # seldom wanted, and slow to import

        hint = "".join(f" (did you mean {like!r}?)" for like in get_close_matches(key, choices, 1))
        text = f"unknown {noun} {key!r} of {where}{hint}; there are {', '.join(choices)}"
        raise ChildSpecError(SpecProblem.UNKNOWN_KEY, text, key)


def _hashable(child_id: object) -> object:
    try:
        hash(child_id)
    except TypeError:
        text = f"a child's id must be hashable, not a {type(child_id).__name__}"
        raise ChildSpecError(SpecProblem.MISSING_ID, text, child_id) from None
    return child_id


def _refuse_start(child_id: object, start: object) -> NoReturn:
    text = f"{_of(child_id, 'start')} must be an actor class or a callable, not {start!r}"
    raise ChildSpecError(SpecProblem.BAD_START, text, start)


def _arguments(child_id: object, args: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(args, str | bytes) or not isinstance(args, Iterable):
        text = f"{_of(child_id, 'args')} must be a tuple of arguments, not a {_type(args)}"
        raise ChildSpecError(SpecProblem.BAD_START, text, args)
    return tuple(args)


def _keywords(child_id: object, kwargs: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if kwargs is None or kwargs is _NO_KEYWORDS or (kwargs.__class__ is dict and not kwargs):
        return _NO_KEYWORDS
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        text = f"{_of(child_id, 'kwargs')} must map words to arguments, not be a {_type(kwargs)}"
        raise ChildSpecError(SpecProblem.BAD_START, text, kwargs)
    return MappingProxyType(dict(kwargs))


def _type(value: object) -> str:
    return type(value).__name__


def _shutdown(
    child_id: object, shutdown: float | timedelta | _Sentinel | None, kind: ChildType
) -> float | _Sentinel | None:
    if shutdown is UNSET:
        return None if kind is ChildType.SUPERVISOR else 5.0
    if isinstance(shutdown, _Sentinel):
        return shutdown
    what = _of(child_id, "shutdown")
    try:
        return as_seconds(shutdown, what)
    except (TypeError, ValueError):
        text = f"{what} must be 0 or more seconds, None or BRUTAL_KILL, not {shutdown!r}"
        raise ChildSpecError(SpecProblem.BAD_SHUTDOWN, text, shutdown) from None


def _check_significance(child_id: object, significant: object, restart: Restart) -> None:
    if not isinstance(significant, bool):
        text = f"{_of(child_id, 'significant')} must be True or False, not {significant!r}"
        raise ChildSpecError(SpecProblem.BAD_SIGNIFICANT, text, significant)
    if significant and restart is Restart.PERMANENT:
        text = f"child {child_id!r}: significant=True does not go with restart='permanent'"
        raise ChildSpecError(SpecProblem.BAD_COMBINATION, text, (significant, str(restart)))


def _backoff(child_id: object, backoff: object) -> object:
    methods = ("delay", "forgets_after")
    if backoff is not None and not all(callable(getattr(backoff, name, None)) for name in methods):
        text = f"{_of(child_id, 'backoff')} must be a Backoff or None, not {backoff!r}"
        raise ChildSpecError(SpecProblem.BAD_BACKOFF, text, backoff)
    return backoff


def as_child_spec(child: object) -> ChildSpec:
    """Turn what a user gave as a child into its specification, in the caller (S13).

    Accepts a `ChildSpec`, a class with `child_spec()`, or a tuple `(class, *args)`.

    Raises:
        ChildSpecError: for anything else; the text says what was expected.

    Example:
        >>> as_child_spec(3)
        Traceback (most recent call last):
        supervisors.errors.ChildSpecError: 3 is no child: give a ChildSpec, a class with\
 child_spec(), or a tuple (class, *args)
    """
    if isinstance(child, ChildSpec):
        return child
    owner, args = (child[0], child[1:]) if isinstance(child, tuple) and child else (child, ())
    publish = getattr(owner, "child_spec", None)
    if isinstance(owner, type) and callable(publish):
        spec = publish(*args)
        if isinstance(spec, ChildSpec):
            return spec
    # Arguments, in a tuple or in a mapping, may hold secrets.
    shown = f"({owner!r}, ...)" if isinstance(child, tuple) and child else repr(child)
    if isinstance(child, Mapping):
        shown = f"a {type(child).__name__}"
    text = (
        f"{shown} is no child: give a ChildSpec, a class with child_spec(), "
        "or a tuple (class, *args)"
    )
    raise ChildSpecError(SpecProblem.NOT_A_SPEC, text, child)


def check_significant(spec: ChildSpec, auto_shutdown: AutoShutdown) -> None:
    """Refuse a significant child where nothing can come of that (S9).

    Raises:
        ChildSpecError: naming both fields.

    Example:
        >>> child = ChildSpec("a", start=print, restart="transient", significant=True)
        >>> check_significant(child, AutoShutdown.NEVER)
        Traceback (most recent call last):
        supervisors.errors.ChildSpecError: child 'a': significant=True does not go with\
 auto_shutdown='never'
    """
    if spec.significant and auto_shutdown is AutoShutdown.NEVER:
        text = f"child {spec.id!r}: significant=True does not go with auto_shutdown='never'"
        raise ChildSpecError(SpecProblem.BAD_COMBINATION, text, (True, str(auto_shutdown)))


def check_unique(specs: Iterable[ChildSpec]) -> None:
    """Refuse two specifications with one id, before any child runs (S10).

    Raises:
        ChildSpecError: naming the id.

    Example:
        >>> check_unique([ChildSpec(1, start=print), ChildSpec(1, start=print)])
        Traceback (most recent call last):
        supervisors.errors.ChildSpecError: two children have the id 1: ids must differ
    """
    seen = set()
    for spec in specs:
        if spec.id in seen:
            text = f"two children have the id {spec.id!r}: ids must differ"
            raise ChildSpecError(SpecProblem.DUPLICATE_ID, text, spec.id)
        seen.add(spec.id)

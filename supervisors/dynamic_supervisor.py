"""`DynamicSupervisor`: children started on demand, in no order, each by itself.

>>> from supervisors import GenServer
>>> with DynamicSupervisor.start_link(max_children=1) as pool:
...     ref = pool.start_child(GenServer)
...     pool.count_children().active
1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from supervisors._machines.backoff import Backoff
from supervisors._machines.rules import MAX_ABANDONED, checked_flags
from supervisors._machines.supervision import Flags
from supervisors._machines.vocabulary import Appended
from supervisors._runtime.asking import ask_for_child
from supervisors._runtime.calling import start_and_wait, take_options
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.supervising import Plan, SupervisingActor
from supervisors.child_spec import (
    UNSET,
    AutoShutdown,
    ChildSpec,
    OnStuck,
    Strategy,
    refuse_unknown,
)
from supervisors.errors import ChildSpecError, SpecProblem
from supervisors.supervisor import SupervisorRef, checked_spec

__all__ = ["DynamicSupervisor", "DynamicSupervisorRef"]

_RULES = ("max_children", "extra_args", "template", "max_restarts", "max_seconds", "backoff")
_OPTIONS = (*_RULES, "max_abandoned", "name")


class DynamicSupervisorRef(SupervisorRef):
    """A reference to a dynamic supervisor: children are addressed by ref (S110)."""

    def start_child(
        self,
        spec: Any = UNSET,
        *,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Start a child and return its ref; its id is not looked at (S105).

        Args:
            spec: what to start; left out where the supervisor has a `template`.
            args: only with a template: put behind its arguments (S104).
            kwargs: likewise; these win over the template's.

        Raises:
            ChildSpecError: the child is wrong, or significant (S115), which is raised in the
                caller; a child was given to a supervisor with a template, or none to one without.
            MaxChildrenError: max_children is reached (S107).
            StartError: the child's init failed; nothing is kept.

        Example:
            >>> from supervisors import GenServer
            >>> class Room(GenServer):
            ...     def init(self, *names):
            ...         self.names = names
            ...     def handle_call(self, request, sender):
            ...         return self.names
            >>> rooms = DynamicSupervisor.start_link(template=(Room, "lobby"))
            >>> rooms.start_child(args=("alice",)).ask("who?"), rooms.stop()
            (('lobby', 'alice'), True)
        """
        if spec is UNSET:
            return ask_for_child(self, Appended(tuple(args), dict(kwargs or {})))
        if args or kwargs:
            text = "arguments of a child stand in its specification; args= goes with a template"
            raise ChildSpecError(SpecProblem.BAD_START, text)
        return ask_for_child(self, checked_spec(spec, AutoShutdown.NEVER))


class DynamicSupervisor(SupervisingActor):
    """Starts children on demand, restarts each alone, stops them all at once (S80).

    A child that ends and is not restarted is forgotten.
    """

    ref_class: ClassVar[type[ActorRef]] = DynamicSupervisorRef

    @classmethod
    def start_link(cls, *, name: Any = None, **options: Any) -> Any:
        """Start an empty dynamic supervisor, linked; return its ref.

        Args:
            name: a name to register it under.
            **options: `max_children=None` (how many at most), `extra_args=()` (put before each
                child's own arguments, S106), `template=None` (the one child whose like
                `start_child(args=...)` starts, as in OTP's simple_one_for_one, S104);
                `max_restarts=3`, `max_seconds=5.0`, `backoff=None`, `max_abandoned=100`, as for a
                Supervisor; `start_timeout` and `dispatcher`, as for any actor.

        Raises:
            ChildSpecError: an option is wrong.
        """
        flags, rest = _split(options)
        return start_and_wait(cls, (flags,), {**rest, "name": name}, linked=True)

    @classmethod
    def start(cls, *, name: Any = None, **options: Any) -> Any:
        """Start it without a link; takes and raises what start_link() does."""
        flags, rest = _split(options)
        return start_and_wait(cls, (flags,), {**rest, "name": name})

    @classmethod
    def child_spec(
        cls,
        *,
        id: Any = UNSET,
        name: Any = None,
        restart: str = "permanent",
        shutdown: Any = UNSET,
        significant: bool = False,
        on_stuck: str = OnStuck.REPLACE,
        **options: Any,
    ) -> ChildSpec:
        """Return how another supervisor starts this one (S117)."""
        flags, rest = _split(options)
        return ChildSpec(
            (cls.__name__ if name is None else name) if id is UNSET else id,
            start=cls,
            args=(flags,),
            kwargs=rest,
            restart=restart,
            shutdown=shutdown,
            type="supervisor",
            significant=significant,
            name=name,
            on_stuck=on_stuck,
        )

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan:
        flags = args[0] if args else _flags(**kwargs)
        return Plan(msgspec.structs.replace(flags, label=self._process.path()))


def _split(options: dict[str, Any]) -> tuple[Flags, dict[str, Any]]:
    """Part the options of the supervisor, checked, from those of every start."""
    taken, rest = take_options(options)
    return _flags(**rest), taken.given()


def _flags(
    *,
    max_children: int | None = None,
    extra_args: Iterable[Any] = (),
    template: Any = None,
    max_restarts: int = 3,
    max_seconds: float | timedelta = 5.0,
    backoff: Backoff | None = None,
    max_abandoned: int | None = MAX_ABANDONED,
    auto_shutdown: str = AutoShutdown.NEVER,
    **unknown: Any,
) -> Flags:
    """Check the options of a dynamic supervisor."""
    refuse_unknown(unknown, _OPTIONS, "option", "a dynamic supervisor")
    if max_children is not None and (
        isinstance(max_children, bool) or not isinstance(max_children, int) or max_children < 0
    ):
        text = f"max_children must be a whole number, 0 or more, or None, not {max_children!r}"
        raise ChildSpecError(SpecProblem.BAD_MAX_CHILDREN, text, max_children)
    if auto_shutdown != AutoShutdown.NEVER:
        text = (
            f"a dynamic supervisor has no auto_shutdown (given: {auto_shutdown!r}): its children "
            "come and go; use a Supervisor for significant children"
        )
        raise ChildSpecError(SpecProblem.BAD_AUTO_SHUTDOWN, text, auto_shutdown)
    if isinstance(extra_args, str | bytes) or not isinstance(extra_args, Iterable):
        text = f"extra_args must be a tuple of arguments, not a {type(extra_args).__name__}"
        raise ChildSpecError(SpecProblem.BAD_START, text, extra_args)
    checked = None if template is None else checked_spec(template, AutoShutdown.NEVER)
    flags = checked_flags(
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=max_restarts,
        max_seconds=max_seconds,
        auto_shutdown=AutoShutdown.NEVER,
        backoff=backoff,
        label="",
        max_abandoned=max_abandoned,
    )
    return msgspec.structs.replace(
        flags,
        dynamic=True,
        max_children=max_children,
        extra_args=tuple(extra_args),
        template=checked,
    )

"""`Supervisor`: keeps its children running, by OTP's rules.

>>> from supervisors import GenServer
>>> class Cache(GenServer):
...     def handle_call(self, request, sender):
...         return "hit"
>>> with Supervisor.start_link([Cache], strategy="one_for_one") as app:
...     [child.id for child in app.which_children()]
['Cache']
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

import msgspec

from supervisors._machines.backoff import Backoff
from supervisors._machines.rules import MAX_ABANDONED, checked_auto_shutdown, checked_flags
from supervisors._machines.vocabulary import ChildCounts, ChildInfo, RequestVerb, SupervisorInfo
from supervisors._runtime.asking import ask_for_child, ask_for_end, ask_supervisor
from supervisors._runtime.awaiting import refuse_request
from supervisors._runtime.calling import start_and_wait, take_options
from supervisors._runtime.current import current
from supervisors._runtime.ending import end_tree
from supervisors._runtime.foreign import plain_spec
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.supervising import Plan, SupervisingActor, SupervisorRequest
from supervisors._runtime.unstopped import Unstopped
from supervisors.child_spec import (
    UNSET,
    AutoShutdown,
    ChildSpec,
    OnStuck,
    as_child_spec,
    check_significant,
    check_unique,
    refuse_unknown,
)
from supervisors.clock import as_seconds
from supervisors.errors import ChildSpecError, SpecProblem
from supervisors.exits import Shutdown
from supervisors.gen_server import IGNORE, GenServer

__all__ = [
    "Supervisor",
    "SupervisorRef",
    "SupervisorSpec",
    "check_childspecs",
    "checked_spec",
]


_RULES = ("strategy", "max_restarts", "max_seconds", "auto_shutdown", "backoff")
_OPTIONS = (*_RULES, "max_abandoned", "name")


_PUBLISH: Any = GenServer.child_spec.__func__  # type: ignore[attr-defined]


def _spec(child: Any) -> ChildSpec:
    # Only a class of plain Pykka publishes no child_spec().
    published = child.__class__ is ChildSpec or hasattr(child, "child_spec")
    return as_child_spec(child if published else plain_spec(child))


def checked_spec(child: Any, auto_shutdown: AutoShutdown) -> ChildSpec:
    """Turn what a user gave into a specification that fits a supervisor's options.

    Raises:
        ChildSpecError: it is no child, or significant where nothing can come of that (S9).
    """
    if child.__class__ is ChildSpec:
        spec: ChildSpec = child
    else:
        # What a class publishes when it is given nothing, if that is known already; but it may
        # publish something else, and have asked its base class for this.
        known: Any = child.__dict__.get("_otp_bare_spec") if isinstance(child, type) else None
        bare = known is not None and child.child_spec.__func__ is _PUBLISH
        spec = known if bare else _spec(child)
    if spec.significant:
        check_significant(spec, auto_shutdown)
    return spec


def check_childspecs(
    children: Iterable[Any], *, auto_shutdown: str = AutoShutdown.NEVER
) -> list[ChildSpec]:
    """Check a list of children without starting any, and return their specifications (S14).

    Raises:
        ChildSpecError: for the first that is wrong, or for two with one id.

    Example:
        >>> check_childspecs([ChildSpec("a", start=print)])
        [ChildSpec('a', start=print, restart='permanent', shutdown=5.0, type='worker')]
    """
    mode = checked_auto_shutdown(auto_shutdown)
    if isinstance(children, str | bytes) or not isinstance(children, Iterable):
        text = f"children must be a list, not a {type(children).__name__}"
        raise ChildSpecError(SpecProblem.NOT_A_SPEC, text, children)
    specs = [checked_spec(child, mode) for child in children]
    check_unique(specs)
    return specs


class SupervisorSpec:
    """What the `init` of a Supervisor class returns: its children and its rules.

    Takes what `Supervisor.start_link` takes and raises what it raises.

    Example:
        >>> SupervisorSpec([], strategy="one_for_one")
        SupervisorSpec(0 children, one_for_one, 3 restarts in 5.0 s)
    """

    __slots__ = ("children", "flags")

    def __init__(
        self,
        children: Iterable[Any],
        *,
        strategy: str,
        max_restarts: int = 3,
        max_seconds: float | timedelta = 5.0,
        auto_shutdown: str = AutoShutdown.NEVER,
        backoff: Backoff | None = None,
        max_abandoned: int | None = MAX_ABANDONED,
        **unknown: Any,
    ) -> None:
        """Check everything before anything is started."""
        refuse_unknown(unknown, _OPTIONS, "option", "a supervisor")
        self.flags = checked_flags(
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            auto_shutdown=auto_shutdown,
            backoff=backoff,
            label="",
            max_abandoned=max_abandoned,
        )
        self.children = check_childspecs(children, auto_shutdown=auto_shutdown)

    def __repr__(self) -> str:
        """Tell the rules and how many children there are."""
        flags = self.flags
        return (
            f"SupervisorSpec({len(self.children)} children, {flags.strategy}, "
            f"{flags.max_restarts} restarts in {flags.max_seconds} s)"
        )


class SupervisorRef(ActorRef):
    """A reference to a supervisor. Safe from any thread, and from inside any handler but its own.

    Requests wait without a time limit, as in OTP, and raise NoProcError when the supervisor is
    dead (S100). A message that is not one of these requests is refused and reported (S101).
    """

    def _request(self, verb: RequestVerb, argument: Any = None) -> Any:
        return ask_supervisor(self, verb, argument)

    def start_child(self, spec: Any) -> Any:
        """Start a new child at the end of the order and return its ref; None for IGNORE.

        Raises:
            ChildSpecError: the child is wrong; the supervisor was not disturbed (S105).
            AlreadyStartedError, AlreadyPresentError: the id is taken (S90).
            MaxChildrenError: a dynamic supervisor is full (S107).
            StartError: the child's init failed; the id is free again (S91).
        """
        return ask_for_child(self, _spec(spec))

    def terminate_child(self, id_or_ref: Any) -> None:
        """Stop a child, by id or by ref (dynamic: by ref); repeating it is fine (S93, S110).

        Raises:
            ChildNotFoundError: there is no such child.
        """
        ask_for_end(self, id_or_ref)

    def restart_child(self, id: Any) -> Any:
        """Start a stopped child again and return its ref; costs no restart (S94, S95).

        Raises:
            ChildNotFoundError, ChildRunningError, ChildRestartingError: it is not stopped.
            StartError: its init failed; it stays stopped.
        """
        return self._request(RequestVerb.RESTART_CHILD, id)

    def delete_child(self, id: Any) -> None:
        """Forget a stopped child (S96).

        Raises:
            ChildNotFoundError, ChildRunningError, ChildRestartingError: it is not stopped.
        """
        self._request(RequestVerb.DELETE_CHILD, id)

    def which_children(self) -> list[ChildInfo]:
        """List the children, those of a static supervisor in reverse start order (S97)."""
        children: list[ChildInfo] = self._request(RequestVerb.WHICH_CHILDREN)
        return children

    def count_children(self) -> ChildCounts:
        """Count the children (S98)."""
        counts: ChildCounts = self._request(RequestVerb.COUNT_CHILDREN)
        return counts

    def get_childspec(self, id_or_ref: Any) -> ChildSpec:
        """Return a child's specification with all defaults filled in (S16).

        Raises:
            ChildNotFoundError: there is no such child.
        """
        spec: ChildSpec = self._request(RequestVerb.GET_CHILDSPEC, id_or_ref)
        return spec

    def describe(self, timeout: float | None = None) -> SupervisorInfo:
        """Return rules, budget and children in one answer, for observers."""
        process, asker = self.process, current.process
        if process is not None and asker is not None:
            refuse_request(self, process, asker)
        request = SupervisorRequest(RequestVerb.DESCRIBE)
        info: SupervisorInfo = self.ask(request, timeout=timeout)
        return info

    def stop_within(self, timeout: float | timedelta) -> list[Unstopped]:
        """Stop the whole tree in order within `timeout` seconds; list what of it still runs (S88).

        Each child may take its own `shutdown`, but of the time that is left half at most while
        others wait behind it, else nine tenths. Then it is killed; inside a handler, abandoned.

        Raises:
            SelfCallError: the supervisor would wait for itself.

        Example:
            >>> Supervisor.start_link([], strategy="one_for_one").stop_within(1.0)
            []
        """
        return end_tree(self, Shutdown(), as_seconds(timeout, "timeout"))

    def __enter__(self) -> Self:
        """Use the supervisor in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the supervisor and all its children, in order."""
        self.stop()


class Supervisor(SupervisingActor):
    """Starts children in order, restarts those that end, stops them in reverse order.

    Start one from a list of children, or derive a class whose `init` returns a `SupervisorSpec`.

    Example:
        >>> class App(Supervisor):
        ...     def init(self, *args):
        ...         return SupervisorSpec([], strategy="rest_for_one")
        >>> app = App.start_link()
        >>> app.count_children(), app.stop()
        (ChildCounts(specs=0, active=0, supervisors=0, workers=0), True)
    """

    ref_class: ClassVar[type[ActorRef]] = SupervisorRef

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Return a SupervisorSpec, or IGNORE. The default takes what start_link was given."""
        return SupervisorSpec(*args, **kwargs)

    @classmethod
    def start_link(cls, *args: Any, name: Any = None, **kwargs: Any) -> Any:
        """Start the supervisor and all its children; return its SupervisorRef when all run (S19).

        `Supervisor.start_link(children, *, strategy, max_restarts=3, max_seconds=5.0,
        auto_shutdown="never", backoff=None, max_abandoned=100, name=None)`; a subclass gets its
        arguments in `init`.

        Args:
            *args: the children: specifications, classes with child_spec(), `(class, *args)`; a
                class may be one of plain Pykka, whose on_start is its init, whose stop() its end.
            name: a name to register the supervisor under.
            **kwargs: `start_timeout` and `dispatcher`, as for any actor, and the rules:
                `strategy` is "one_for_one", "one_for_all" or "rest_for_one";
                more than `max_restarts` restarts within `max_seconds` seconds end the supervisor;
                so do more than `max_abandoned` abandoned children that still run (None: no limit).

        Raises:
            ChildSpecError: a child or a rule is wrong; raised in the caller, nothing was started.
            StartError: a child did not start; those before it were stopped again (S64).
        """
        return cls._otp_start(args, name, kwargs, linked=True)

    @classmethod
    def start(cls, *args: Any, name: Any = None, **kwargs: Any) -> Any:
        """Start the supervisor without a link; takes and raises what start_link() does."""
        return cls._otp_start(args, name, kwargs, linked=False)

    @classmethod
    def _otp_start(
        cls, args: Sequence[Any], name: Any, kwargs: dict[str, Any], *, linked: bool
    ) -> Any:
        if cls.init is Supervisor.init:
            options, rules = take_options(kwargs)
            args, kwargs = (SupervisorSpec(*args, **rules),), options.given()
        return start_and_wait(cls, tuple(args), {**kwargs, "name": name}, linked=linked)

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        id: Any = UNSET,
        name: Any = None,
        restart: str = "permanent",
        shutdown: Any = UNSET,
        significant: bool = False,
        on_stuck: str = OnStuck.REPLACE,
        **kwargs: Any,
    ) -> ChildSpec:
        """Return how another supervisor starts this one; it may take for ever to stop (S2, S79)."""
        if cls.init is Supervisor.init and not (args and isinstance(args[0], SupervisorSpec)):
            options, rules = take_options(kwargs)
            args, kwargs = (SupervisorSpec(*args, **rules),), options.given()
        return ChildSpec(
            (cls.__name__ if name is None else name) if id is UNSET else id,
            start=cls,
            args=args,
            kwargs=kwargs,
            restart=restart,
            shutdown=shutdown,
            type="supervisor",
            significant=significant,
            name=name,
            on_stuck=on_stuck,
        )

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan | None:
        spec = args[0] if args and isinstance(args[0], SupervisorSpec) else None
        if spec is None or type(self).init is not Supervisor.init:
            spec = self.init(*args, **kwargs)
        if spec is IGNORE:
            return None
        if not isinstance(spec, SupervisorSpec):
            msg = (
                f"{type(self).__name__}.init() must return a SupervisorSpec or IGNORE, "
                f"not a {type(spec).__name__}"
            )
            raise TypeError(msg)
        flags = msgspec.structs.replace(spec.flags, label=self._process.path())
        return Plan(flags, tuple(spec.children))

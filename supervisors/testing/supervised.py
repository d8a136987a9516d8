"""Actors for the time of one test, under a supervisor of its own."""

from __future__ import annotations

from typing import Any, Self

from supervisors._runtime.unstopped import unstopped_under
from supervisors.child_spec import as_child_spec
from supervisors.errors import CallTimeout
from supervisors.supervisor import Supervisor, SupervisorRef

__all__ = ["TestSupervisor"]

# Seconds that everything may take to stop beyond the children's own patience.
_STOP_TIMEOUT = 30.0
# A test decides how often a child may crash, and not the supervisor.
_MAX_RESTARTS = 1_000_000
# How many of the innermost calls of a child that does not stop a failure shows.
_FRAMES = 4


class TestSupervisor:
    """What the fixture `start_supervised` gives: call it to start a child.

    Children are restarted as their specs say, stopped in the reverse of their start order, and
    gone when `close()` returns, as with `start_supervised` of ExUnit. Safe from any thread.

    Example:
        >>> from supervisors import GenServer
        >>> class Counter(GenServer):
        ...     def init(self, start=0):
        ...         self.count = start
        ...     def handle_call(self, request, sender):
        ...         return self.count
        >>> with TestSupervisor() as start_supervised:
        ...     counter = start_supervised(Counter, 40, name="counter")
        ...     counter.call("value")
        40
        >>> counter.is_alive()
        False
    """

    # Its name is no test class's.
    __test__ = False

    def __init__(self) -> None:
        """Start nothing before the first child."""
        self._supervisor: SupervisorRef | None = None

    def __repr__(self) -> str:
        """Tell which supervisor it is."""
        return f"<TestSupervisor {self._supervisor}>"

    @property
    def supervisor(self) -> SupervisorRef:
        """The supervisor of this test; has `which_children()` and all the rest."""
        if self._supervisor is None:
            ref = Supervisor.start_link(
                [], strategy="one_for_one", max_restarts=_MAX_RESTARTS, max_seconds=1.0
            )
            self._supervisor = ref
        return self._supervisor

    def __call__(self, child: Any, *args: Any, **options: Any) -> Any:
        """Start a child and return its reference once its `init` has succeeded.

        Args:
            child: a `ChildSpec`, a class, `(class, *args)`, or any `pykka.Actor` subclass.
            *args: for `init`, where `child` is a class with `child_spec`.
            **options: likewise; `id`, `name`, `restart` and `shutdown` are the spec's. With
                another kind of child they are fields of `ChildSpec` to replace.

        Raises:
            StartError: the child did not start.
            AlreadyStartedError: a child of this id runs; give another `id=`.
            ChildSpecError: it cannot be a child.
        """
        __tracebackhide__ = True
        if isinstance(child, type) and hasattr(child, "child_spec"):
            spec = child.child_spec(*args, **options)
        elif args:
            msg = "arguments go with a class that has child_spec: give (class, *args) instead"
            raise TypeError(msg)
        else:
            spec = as_child_spec(child).with_(**options) if options else child
        return self.supervisor.start_child(spec)

    def stop(self, id_or_ref: Any) -> None:
        """Stop a child before the end of the test, and forget its spec.

        Raises:
            ChildNotFoundError: there is no such child.
        """
        supervisor = self.supervisor
        spec = supervisor.get_childspec(id_or_ref)
        supervisor.terminate_child(id_or_ref)
        if any(child.id == spec.id for child in supervisor.which_children()):
            supervisor.delete_child(spec.id)

    def close(self) -> None:
        """Stop all children in the reverse of their start order, and the supervisor.

        Raises:
            AssertionError: a child does not stop; it says where it is.
        """
        __tracebackhide__ = True
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None or supervisor.process is None:
            return
        process = supervisor.process
        try:
            supervisor.stop(timeout=_STOP_TIMEOUT)
        except CallTimeout:
            msg = f"{supervisor} has not stopped within {_STOP_TIMEOUT} s"
            raise AssertionError(msg) from None
        stuck = unstopped_under(process)
        if stuck:
            where = [
                "".join([f"{entry.path}, now at\n", *entry.stack[-_FRAMES:]]) for entry in stuck
            ]
            msg = "children were abandoned since they did not stop in time:\n" + "\n".join(where)
            raise AssertionError(msg)

    def __enter__(self) -> Self:
        """Begin the test."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the test."""
        __tracebackhide__ = True
        self.close()

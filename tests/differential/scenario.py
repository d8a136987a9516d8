"""Supervision scenarios as data: a tree, a script of faults and API calls, and its Erlang term."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

FAULTS = ("normal", "shutdown", "shutdown_detail", "crash", "kill")


class Worker(msgspec.Struct, frozen=True):
    """A worker; `inits` says how its first, second, … init ends: ok, ignore, crash or stop."""

    inits: tuple[str, ...] = ()

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{worker, {atoms(self.inits)}}}"


class Sup(msgspec.Struct, frozen=True):
    """A static supervisor."""

    strategy: str
    intensity: int
    children: tuple[Child, ...] = ()
    auto_shutdown: str = "never"

    def term(self) -> str:
        """Returns the Erlang term."""
        children = ", ".join(child.term() for child in self.children)
        return f"{{sup, {self.strategy}, {self.intensity}, {self.auto_shutdown}, [{children}]}}"


class Dynamic(msgspec.Struct, frozen=True):
    """A dynamic supervisor, in OTP a simple_one_for_one one; all its children are of one type."""

    intensity: int
    restart: str = "permanent"

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{dynamic, {self.intensity}, {self.restart}}}"


Body: TypeAlias = Worker | Sup | Dynamic


class Child(msgspec.Struct, frozen=True):
    """One child of a static supervisor; `shutdown` is "default" or "brutal_kill"."""

    name: str
    restart: str = "permanent"
    body: Body = Worker()
    significant: bool = False
    shutdown: str = "default"

    def term(self) -> str:
        """Returns the Erlang term."""
        significant = str(self.significant).lower()
        return (
            f"{{child, {self.name}, {self.restart}, {significant}, {self.shutdown}, "
            f"{self.body.term()}}}"
        )


class End(msgspec.Struct, frozen=True):
    """The worker ends by itself, or is killed: one of FAULTS."""

    name: str
    fault: str

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{'exit', {self.name}, {self.fault}}}"


class EndTogether(msgspec.Struct, frozen=True):
    """Workers end one after the other while their supervisor handles nothing."""

    supervisor: str
    ends: tuple[End, ...]

    def term(self) -> str:
        """Returns the Erlang term."""
        ends = ", ".join(f"{{{end.name}, {end.fault}}}" for end in self.ends)
        return f"{{together, {self.supervisor}, [{ends}]}}"


class StartChild(msgspec.Struct, frozen=True):
    """start_child of a static supervisor."""

    supervisor: str
    child: Child

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{start_child, {self.supervisor}, {self.child.term()}}}"


class StartDynamic(msgspec.Struct, frozen=True):
    """start_child of a dynamic supervisor."""

    supervisor: str
    name: str
    inits: tuple[str, ...] = ()

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{start_dynamic, {self.supervisor}, {self.name}, {atoms(self.inits)}}}"


class Ask(msgspec.Struct, frozen=True):
    """A request about one child.

    terminate_child, terminate_dynamic (by reference), restart_child, delete_child, get_childspec.
    """

    request: str
    supervisor: str
    name: str

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{{self.request}, {self.supervisor}, {self.name}}}"


class Look(msgspec.Struct, frozen=True):
    """which_children or count_children."""

    request: str
    supervisor: str

    def term(self) -> str:
        """Returns the Erlang term."""
        return f"{{{self.request}, {self.supervisor}}}"


Step: TypeAlias = End | EndTogether | StartChild | StartDynamic | Ask | Look


class Scenario(msgspec.Struct, frozen=True):
    """A tree below a supervisor named top, and what happens to it."""

    top: Sup | Dynamic
    steps: tuple[Step, ...] = ()

    def term(self) -> str:
        """Returns the Erlang term."""
        steps = ", ".join(step.term() for step in self.steps)
        return f"{{scenario, {self.top.term()}, [{steps}]}}"


def atoms(words: tuple[str, ...]) -> str:
    """Returns an Erlang list of atoms."""
    return f"[{', '.join(words)}]"

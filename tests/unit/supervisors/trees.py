"""Workers that note what happens to them, for tests of whole trees stepped by hand."""

from __future__ import annotations

from typing import Any

from supervisors import ChildSpec, GenServer, Stop, Supervisor
from supervisors.testing import ManualDispatcher

LOG: list[str] = []
"""What the workers of the present test did; `Worker.log` is this list."""


class Worker(GenServer):
    """Notes its init and its end under its name; does what it is told."""

    log = LOG

    def init(self, name: Any, *_: Any, fail: bool = False, **__: Any) -> None:
        self.name = name
        self.log.append(f"init {name}")
        if fail:
            raise ValueError(name)

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request(self) if callable(request) else request

    def handle_cast(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError(self.name)
        return Stop(message)

    def terminate(self, reason: Any) -> None:
        self.log.append(f"terminate {self.name}")


def start(
    turns: ManualDispatcher, *children: Any, strategy: str = "one_for_one", **rules: Any
) -> Any:
    """Starts a supervisor of these children on the test's turns."""
    return Supervisor.start_link(list(children), strategy=strategy, dispatcher=turns, **rules)


def worker(turns: ManualDispatcher, name: str, /, **keys: Any) -> ChildSpec:
    """A worker on the test's turns; its name is its id unless another is given."""
    return Worker.child_spec(name, dispatcher=turns, **{"id": name, **keys})


def child(sup: Any, name: str) -> Any:
    """Returns the reference of a child."""
    return next(info.ref for info in sup.which_children() if info.id == name)

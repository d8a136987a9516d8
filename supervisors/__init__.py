"""Erlang/OTP's supervision on Pykka actors.

An application is a tree: supervisors above, workers below. A worker that crashes is started again
by its supervisor, alone or together with its neighbours; a supervisor whose children crash too
often gives up, and its own supervisor decides.

>>> class Cache(GenServer):
...     def init(self):
...         self.values = {}
...     def handle_call(self, key, sender):
...         return self.values[key]            # a missing key is a bug: let it crash
...     def handle_cast(self, item):
...         self.values.update([item])
>>> with Supervisor.start_link([Cache.child_spec(name="cache")], strategy="one_for_one") as app:
...     whereis("cache").tell(("a", 1))
...     whereis("cache").call("a")
1

The one break with Pykka: an exception in a handler ends the actor in `ask` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors import logs as _logs
from supervisors import telemetry
from supervisors._runtime import forking as _forking
from supervisors._runtime.names import (
    Via,
    registered,
    unregister_name,
    via,
    whereis,
)
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors._runtime.signals import Monitor
from supervisors._runtime.timers import Timer
from supervisors._runtime.unstopped import Unstopped, unstopped
from supervisors.child_spec import (
    BRUTAL_KILL,
    UNSET,
    AutoShutdown,
    ChildSpec,
    ChildType,
    OnStuck,
    Restart,
    Strategy,
)
from supervisors.errors import (
    ActorError,
    AlreadyPresentError,
    AlreadyRegisteredError,
    AlreadyStartedError,
    CallTimeout,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ChildSpecError,
    ChildStuckError,
    CircuitOpenError,
    LockHeldError,
    MailboxFullError,
    MaxChildrenError,
    NoPartitionError,
    NoProcError,
    NotAvailableError,
    NotUniqueError,
    SelfCallError,
    SpecProblem,
    StartError,
    StartTimeout,
    StashFullError,
    TaskAwaitError,
    UnexpectedMessageError,
    UnhandledMessageError,
    UnknownRegistryError,
    UnsupportedRequestError,
)
from supervisors.exits import (
    Abandoned,
    Crashed,
    Down,
    Exit,
    ExitReason,
    FailedToStartChild,
    GaveUp,
    Killed,
    NoProc,
    Normal,
    Shutdown,
    is_abnormal,
)
from supervisors.gen_server import (
    IDLE_TIMEOUT,
    IGNORE,
    NO_REPLY,
    Continue,
    GenServer,
    Hibernate,
    Sender,
    Stop,
    Timeout,
)

if TYPE_CHECKING:
    from supervisors import dead_letters, introspect
    from supervisors._machines.backoff import Backoff
    from supervisors._machines.patterns import ANY
    from supervisors._machines.vocabulary import RESTARTING, ChildCounts, ChildInfo, SupervisorInfo
    from supervisors._runtime.naming import register_name
    from supervisors._runtime.task_actor import callers, cancelled
    from supervisors._runtime.watching import monitor
    from supervisors.application import System, run
    from supervisors.circuit_breaker import CircuitBreaker, CircuitState
    from supervisors.dynamic_supervisor import DynamicSupervisor, DynamicSupervisorRef
    from supervisors.partition_supervisor import PartitionSupervisor, PartitionSupervisorRef
    from supervisors.registry import Keys, Registry
    from supervisors.registry_ref import KeyRegistered, KeyUnregistered, RegistryRef
    from supervisors.supervisor import Supervisor, SupervisorRef, SupervisorSpec, check_childspecs
    from supervisors.task import Task, TaskOutcome
    from supervisors.task_supervisor import TaskSupervisor, TaskSupervisorRef

    __version__: str

__all__ = [
    "ANY",
    "BRUTAL_KILL",
    "IDLE_TIMEOUT",
    "IGNORE",
    "NO_REPLY",
    "RESTARTING",
    "UNSET",
    "Abandoned",
    "ActorError",
    "ActorRef",
    "AlreadyPresentError",
    "AlreadyRegisteredError",
    "AlreadyStartedError",
    "AutoShutdown",
    "Backoff",
    "CallTimeout",
    "ChildCounts",
    "ChildInfo",
    "ChildNotFoundError",
    "ChildRestartingError",
    "ChildRunningError",
    "ChildSpec",
    "ChildSpecError",
    "ChildStuckError",
    "ChildType",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitState",
    "Continue",
    "Crashed",
    "Down",
    "DynamicSupervisor",
    "DynamicSupervisorRef",
    "Exit",
    "ExitReason",
    "FailedToStartChild",
    "GaveUp",
    "GenServer",
    "Hibernate",
    "KeyRegistered",
    "KeyUnregistered",
    "Keys",
    "Killed",
    "LockHeldError",
    "MailboxFullError",
    "MaxChildrenError",
    "Monitor",
    "NoPartitionError",
    "NoProc",
    "NoProcError",
    "Normal",
    "NotAvailableError",
    "NotUniqueError",
    "OnStuck",
    "PartitionSupervisor",
    "PartitionSupervisorRef",
    "Registry",
    "RegistryRef",
    "Reply",
    "Restart",
    "SelfCallError",
    "Sender",
    "Shutdown",
    "SpecProblem",
    "StartError",
    "StartTimeout",
    "StashFullError",
    "Stop",
    "Strategy",
    "Supervisor",
    "SupervisorInfo",
    "SupervisorRef",
    "SupervisorSpec",
    "System",
    "Task",
    "TaskAwaitError",
    "TaskOutcome",
    "TaskSupervisor",
    "TaskSupervisorRef",
    "Timeout",
    "Timer",
    "UnexpectedMessageError",
    "UnhandledMessageError",
    "UnknownRegistryError",
    "Unstopped",
    "UnsupportedRequestError",
    "Via",
    "callers",
    "cancelled",
    "check_childspecs",
    "dead_letters",
    "introspect",
    "is_abnormal",
    "monitor",
    "register_name",
    "registered",
    "run",
    "telemetry",
    "unregister_name",
    "unstopped",
    "via",
    "whereis",
]

# What many programs do without is imported when it is first asked for: see `__getattr__`. Actors
# alone need no supervisor, and `phoenix_actors` imports what it needs by itself.
_LATER = {
    "ANY": "_machines.patterns",
    "Backoff": "_machines.backoff",
    "ChildCounts": "_machines.vocabulary",
    "ChildInfo": "_machines.vocabulary",
    "RESTARTING": "_machines.vocabulary",
    "Supervisor": "supervisor",
    "SupervisorInfo": "_machines.vocabulary",
    "SupervisorRef": "supervisor",
    "SupervisorSpec": "supervisor",
    "check_childspecs": "supervisor",
    "CircuitBreaker": "circuit_breaker",
    "CircuitState": "circuit_breaker",
    "DynamicSupervisor": "dynamic_supervisor",
    "DynamicSupervisorRef": "dynamic_supervisor",
    "KeyRegistered": "registry_ref",
    "KeyUnregistered": "registry_ref",
    "Keys": "registry",
    "PartitionSupervisor": "partition_supervisor",
    "PartitionSupervisorRef": "partition_supervisor",
    "Registry": "registry",
    "RegistryRef": "registry_ref",
    "System": "application",
    "Task": "task",
    "TaskOutcome": "task",
    "TaskSupervisor": "task_supervisor",
    "TaskSupervisorRef": "task_supervisor",
    "callers": "_runtime.task_actor",
    "cancelled": "_runtime.task_actor",
    "monitor": "_runtime.watching",
    "register_name": "_runtime.naming",
    "run": "application",
}

_logs.install()
_forking.install()

if not TYPE_CHECKING:  # a type checker that saw it would take every name for one that is there

    def __getattr__(name: str) -> Any:
        """Import what is asked for, once; and give the version."""
        if name == "__version__":
            from importlib import metadata

            return metadata.version("phoenix-actors")
        from importlib import import_module

        if name in {"dead_letters", "introspect"}:
            return import_module(f"supervisors.{name}")
        if name in _LATER:
            value = getattr(import_module(f"supervisors.{_LATER[name]}"), name)
            globals()[name] = value
            return value
        msg = f"module 'supervisors' has no attribute {name!r}"
        raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

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

from importlib import metadata as _metadata
from typing import Any

from supervisors import logs as _logs
from supervisors import telemetry
from supervisors._machines.backoff import Backoff
from supervisors._machines.vocabulary import RESTARTING, ChildCounts, ChildInfo, SupervisorInfo
from supervisors._runtime import forking as _forking
from supervisors._runtime.names import (
    Via,
    register_name,
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
from supervisors._runtime.watching import monitor
from supervisors.application import System, run
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
from supervisors.dynamic_supervisor import DynamicSupervisor, DynamicSupervisorRef
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
    MaxChildrenError,
    NoProcError,
    NotAvailableError,
    SelfCallError,
    SpecProblem,
    StartError,
    StartTimeout,
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
from supervisors.registry import Keys, Registry, RegistryRef
from supervisors.supervisor import (
    Supervisor,
    SupervisorRef,
    SupervisorSpec,
    check_childspecs,
)

__all__ = [
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
    "Keys",
    "Killed",
    "MaxChildrenError",
    "Monitor",
    "NoProc",
    "NoProcError",
    "Normal",
    "NotAvailableError",
    "OnStuck",
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
    "Stop",
    "Strategy",
    "Supervisor",
    "SupervisorInfo",
    "SupervisorRef",
    "SupervisorSpec",
    "System",
    "Timeout",
    "Timer",
    "UnexpectedMessageError",
    "UnhandledMessageError",
    "UnknownRegistryError",
    "Unstopped",
    "UnsupportedRequestError",
    "Via",
    "check_childspecs",
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

_LATER = ("PartitionSupervisor", "TaskSupervisor", "Task", "introspect")

_logs.install()
_forking.install()


def __getattr__(name: str) -> Any:
    """Give the version when asked, and say plainly what is announced but not there yet."""
    if name == "__version__":
        return _metadata.version("phoenix-actors")
    msg = f"module 'supervisors' has no attribute {name!r}"
    if name in _LATER:
        msg = f"supervisors.{name} is not available in this version of supervisors"
    raise AttributeError(msg)

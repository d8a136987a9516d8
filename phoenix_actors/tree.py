"""The supervision tree of a client: one list of children, top to bottom.

Start order is what others need first. The strategy is rest_for_one: everything below a crashed
child is built anew, what stands above stays. What the user asked for is in the session, which no
child's crash touches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from phoenix_actors.actors.binary_pool import BinaryPool
from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.actors.channel_manager import ChannelManager
from phoenix_actors.actors.hibernation_manager import HibernationManager
from phoenix_actors.actors.intents import Intents
from phoenix_actors.actors.message_processor import MessageProcessor
from phoenix_actors.actors.performance_monitor import PerformanceMonitor
from phoenix_actors.actors.route_cache import RouteCache
from phoenix_actors.actors.socket import Socket
from phoenix_actors.joining import Joiner
from phoenix_actors.link.pool import EncodedPool
from phoenix_actors.link.routes import Routes
from phoenix_actors.link.session import Session
from phoenix_actors.options import SocketOptions
from phoenix_actors.telemetry import (
    CONNECTION_START,
    HIBERNATION_STARTED,
    MONITOR_STARTED,
    PROCESSOR_STARTED,
    ROUTES_STARTED,
    SOCKET_STATUS,
)
from supervisors import (
    AlreadyStartedError,
    ChildSpec,
    ExitReason,
    Registry,
    Supervisor,
    SupervisorSpec,
    UnknownRegistryError,
)
from supervisors._machines.vocabulary import EmitReport, Report
from supervisors._runtime.names import NameBook, book_and_key
from supervisors._runtime.process import Process
from supervisors._runtime.starting_here import start_child_here
from supervisors._runtime.supervising import Plan
from supervisors._runtime.timers import timers
from supervisors.child_spec import ChildType, Strategy
from supervisors.telemetry import unheard, wanted

__all__ = ["ClientSupervisor", "parts"]

REGISTRY = "registry"
# Seconds that a client's threads and sockets may take to be gone when it stops.
THREADS_TIMEOUT = 2.0

_serial = itertools.count(1)


def parts(options: SocketOptions) -> tuple[Session, Routes, EncodedPool]:
    """Make what outlives the components of one client."""
    session = Session(options)
    number = next(_serial)
    session.registry_name = options.registry_name or f"phoenix_actors.registry.{number}"
    routes = Routes(
        options.topic_channel_map,
        options.default_channel_module or ChannelActor,
        size=options.route_cache_size,
        ttl=options.route_cache_ttl,
        sweep_interval=options.route_cleanup_interval,
        clock=timers.clock,
        counts=session.route_counts,
    )
    pool = EncodedPool(
        options.binary_pool_size,
        options.binary_max_age,
        timers.clock,
        sweep_interval=options.binary_cleanup_interval,
        shared=session.shared,
        templates=session.template_stats,
    )
    return session, routes, pool


# What every client has, in start order. A specification does not change, so all clients share
# these; what their actors get stands in `_GIVEN`, and their names are given in `_otp_prepare`.
_COMPONENTS: Final = (
    ChildSpec(REGISTRY, start=Registry),
    ChildSpec("intents", start=Intents),
    ChildSpec("performance_monitor", start=PerformanceMonitor),
    ChildSpec("binary_pool", start=BinaryPool),
    ChildSpec("route_cache", start=RouteCache),
    ChildSpec("hibernation_manager", start=HibernationManager),
    ChildSpec("message_processor", start=MessageProcessor),
    ChildSpec("socket", start=Socket),
    ChildSpec("channel_manager", start=ChannelManager, type=ChildType.SUPERVISOR),
)
_GIVEN: Final[Mapping[str, Callable[[ClientSupervisor], tuple[Any, ...]]]] = {
    "performance_monitor": lambda client: (client.session, client.pool, client.routes),
    "binary_pool": lambda client: (client.pool, client.session),
    "route_cache": lambda client: (client.routes,),
}
_OURS: Final = {spec.id: spec for spec in _COMPONENTS}
_CHILD_STARTED: Final = ("supervisors", "child", "started")
# What components tell in their init; who listens may call the client, which answers in its turns.
_unheard_in_init: Final = unheard(
    CONNECTION_START,
    HIBERNATION_STARTED,
    MONITOR_STARTED,
    PROCESSOR_STARTED,
    ROUTES_STARTED,
    SOCKET_STATUS,
)
_RULES: Final = SupervisorSpec((), strategy=Strategy.REST_FOR_ONE).flags


class ClientSupervisor(Supervisor):
    """The top of a client's tree."""

    session: Session
    routes: Routes
    pool: EncodedPool
    _registry: Process

    def __init__(self, session: Session, routes: Routes, pool: EncodedPool) -> None:
        """Have everything in place before anybody can find the client by its name."""
        super().__init__()
        self.session, self.routes, self.pool = session, routes, pool
        self.joiner = Joiner(session, routes)
        session.client = self.actor_ref

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan:
        return Plan(msgspec.structs.replace(_RULES, label=self._process.path()), _COMPONENTS)

    def _otp_start_now(self) -> Callable[[int, ChildSpec], Any] | None:
        """Start the components in this turn, where nobody listens to what they tell meanwhile."""
        if not _unheard_in_init():
            return None
        return self._start_and_tell if wanted(_CHILD_STARTED) else partial(start_child_here, self)

    def _start_and_tell(self, incarnation: int, spec: ChildSpec) -> Any:
        ref = start_child_here(self, incarnation, spec)
        if ref is not None:
            self._otp_report(EmitReport(Report.CHILD_STARTED, spec, ref, None, 0))
        return ref

    def _otp_prepare(self, process: Process, spec: ChildSpec) -> None:
        """Have the registry stand under its name, and a component in it, before it can run."""
        book: NameBook | None
        key = spec.id
        if _OURS.get(key) is not spec:
            return
        if key == REGISTRY:
            self._registry, self.session.last_registry = process, process.actor_ref
            book, key, _ = book_and_key(self.session.registry_name)
        else:
            registry = self._registry
            book = registry.bonds.name_book
            if book is None or registry.ended:
                raise UnknownRegistryError(self.session.registry_name)
            given = _GIVEN.get(key)
            actor: Any = process.actor  # a Part, or the ChannelManager
            actor._phx_given = (self.session,) if given is None else given(self)
        process.actor_ref.name = key
        # Without a link, for what stands below the registry is stopped by this supervisor when that
        # ends.
        holder = book.claim_first(key, process)
        if holder is not None:
            raise AlreadyStartedError(key, holder.actor_ref)

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        """Let every channel know that it is the client that stops."""
        self.session.stopping = True
        super()._otp_stop_ordered(reason)

    def _otp_report(self, report: EmitReport) -> None:
        """Let every channel know, when the client stops because it gave up."""
        if report.kind is Report.GAVE_UP:
            self.session.stopping = True
        super()._otp_report(report)

    def _otp_after_end(self, reason: ExitReason) -> None:
        """However it has ended, nobody may wait for this client any more."""
        self.session.end()
        super()._otp_after_end(reason)

    def terminate(self, reason: ExitReason) -> None:
        """See to it that no socket and no thread of the client outlives it."""
        self.session.join_threads(THREADS_TIMEOUT)

"""The supervision tree of a client: one list of children, top to bottom.

Start order is what others need first. The strategy is rest_for_one: everything below a crashed
child is built anew, what stands above stays. What the user asked for is in the session, which no
child's crash touches.
"""

from __future__ import annotations

import itertools
from typing import Any

from phoenix_actors.actors.binary_pool import BinaryPool
from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.actors.channel_manager import ChannelManager
from phoenix_actors.actors.hibernation_manager import HibernationManager
from phoenix_actors.actors.intents import Intents
from phoenix_actors.actors.message_processor import MessageProcessor
from phoenix_actors.actors.performance_monitor import PerformanceMonitor
from phoenix_actors.actors.route_cache import RouteCache
from phoenix_actors.actors.socket import Socket
from phoenix_actors.link.pool import EncodedPool
from phoenix_actors.link.routes import Routes
from phoenix_actors.link.session import Session
from phoenix_actors.options import SocketOptions
from supervisors import ChildSpec, ExitReason, Registry, Supervisor, SupervisorSpec, via
from supervisors._machines.vocabulary import EmitReport, Report
from supervisors._runtime.timers import timers

__all__ = ["ClientSupervisor", "children", "parts"]

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


def children(session: Session, routes: Routes, pool: EncodedPool) -> list[ChildSpec]:
    """Return the children of a client, in start order."""
    registry = session.registry_name
    return [
        Registry.child_spec(id=REGISTRY, name=registry),
        _worker(registry, "intents", Intents, session),
        _worker(registry, "performance_monitor", PerformanceMonitor, session, pool, routes),
        _worker(registry, "binary_pool", BinaryPool, pool, session),
        _worker(registry, "route_cache", RouteCache, routes),
        _worker(registry, "hibernation_manager", HibernationManager, session),
        _worker(registry, "message_processor", MessageProcessor, session),
        _worker(registry, "socket", Socket, session),
        ChannelManager.child_spec(session=session, name=via(registry, "channel_manager")),
    ]


def _worker(registry: Any, name: str, cls: Any, *args: Any) -> ChildSpec:
    return ChildSpec(name, start=cls, args=args, name=via(registry, name))


class ClientSupervisor(Supervisor):
    """The top of a client's tree."""

    def __init__(self, session: Session, routes: Routes, pool: EncodedPool) -> None:
        """Have everything in place before anybody can find the client by its name."""
        super().__init__()
        self.session, self.routes, self.pool = session, routes, pool
        session.client = self.actor_ref
        # However it ends: nobody may wait for this client any more.
        self.actor_ref.monitor(lambda _: session.end())

    def init(self, session: Session, routes: Routes, pool: EncodedPool) -> SupervisorSpec:
        """Say what the children are."""
        return SupervisorSpec(children(session, routes, pool), strategy="rest_for_one")

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        """Let every channel know that it is the client that stops."""
        self.session.stopping = True
        super()._otp_stop_ordered(reason)

    def _otp_report(self, report: EmitReport) -> None:
        """Let every channel know, when the client stops because it gave up."""
        if report.kind is Report.GAVE_UP:
            self.session.stopping = True
        super()._otp_report(report)

    def terminate(self, reason: ExitReason) -> None:
        """See to it that no socket and no thread of the client outlives it."""
        self.session.join_threads(THREADS_TIMEOUT)

"""The supervision tree of a client: one list of children, top to bottom.

Start order is what others need first. The strategy is rest_for_one: everything below a crashed
child is built anew, what stands above stays. What the user asked for is in the session, which no
child's crash touches.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.actors.binary_pool import BinaryPool
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
from supervisors import ChildSpec, ExitReason, Registry, Supervisor, SupervisorSpec, via

__all__ = ["ClientSupervisor", "children"]

REGISTRY = "registry"


def children(session: Session, routes: Routes, pool: EncodedPool) -> list[ChildSpec]:
    """Return the children of a client, in start order."""
    registry = session.registry_name
    return [
        Registry.child_spec(id=REGISTRY, name=registry),
        _worker(registry, "intents", Intents, session),
        _worker(registry, "performance_monitor", PerformanceMonitor, session),
        _worker(registry, "binary_pool", BinaryPool, pool),
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

    session: Session
    routes: Routes
    pool: EncodedPool

    def init(self, session: Session, routes: Routes, pool: EncodedPool) -> SupervisorSpec:
        """Say what the children are."""
        session.client = self.actor_ref
        session.stopping = False
        self.session, self.routes, self.pool = session, routes, pool
        return SupervisorSpec(children(session, routes, pool), strategy="rest_for_one")

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        """Let every channel know that it is the client that stops."""
        if hasattr(self, "session"):
            self.session.stopping = True
        super()._otp_stop_ordered(reason)

    def terminate(self, reason: ExitReason) -> None:
        """Answer whoever still waits for a topic or a connection."""
        for topic in self.session.topics():
            topic.close()

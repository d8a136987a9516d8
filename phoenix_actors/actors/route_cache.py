"""`route_cache`: which channel class a topic gets, remembered after the first match.

The table is read without asking this actor, which sweeps what is old.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.actors.part import Part
from phoenix_actors.link.routes import Routes
from phoenix_actors.telemetry import ROUTES_CLEANUP, ROUTES_STARTED, ROUTES_TERMINATING, emit
from supervisors import ExitReason
from supervisors.telemetry import wanted

__all__ = ["RouteCache"]

_SWEEP = "sweep"


class RouteCache(Part):
    """Sweeps the routes; made by the client's tree."""

    def init(self, routes: Routes) -> None:
        """Sweep now and then."""
        self.routes = routes
        if wanted(ROUTES_STARTED):
            stats = routes.stats()
            emit(ROUTES_STARTED, cache_size=stats["cache_size"], ttl=stats["ttl"])
        self.send_after(routes.sweep_interval, _SWEEP)

    def handle_info(self, message: Any) -> None:
        """Sweep and arm the next sweep."""
        if message == _SWEEP:
            removed = self.routes.sweep()
            if removed:
                counts = {"total_removed": removed, "expired_removed": removed}
                emit(ROUTES_CLEANUP, {**counts, "cache_size": len(self.routes)})
            self.send_after(self.routes.sweep_interval, _SWEEP)
        else:
            super().handle_info(message)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`."""
        return self.routes.stats() if request == "stats" else super().handle_call(request, sender)

    def terminate(self, reason: ExitReason) -> None:
        """Tell what there was."""
        emit(ROUTES_TERMINATING, {"entries_cleared": len(self.routes)})

"""`binary_pool`: payloads encoded once and pushed many times.

`client.binary_pool.encode(payload)` gives an `EncodedPayload`, which `push` takes wherever it
takes a payload: the bytes go out as they are. With a key it is remembered; the actor forgets what
is too old every `binary_cleanup_interval`.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.actors.part import Part
from phoenix_actors.link.pool import EncodedPool
from phoenix_actors.link.session import Session
from phoenix_actors.telemetry import POOL_CLEANUP, POOL_TERMINATING, emit
from supervisors import ExitReason

__all__ = ["BinaryPool"]

_SWEEP = "sweep"


class BinaryPool(Part):
    """Keeps the counts of encoded payloads, and sweeps; made by the client's tree."""

    def init(self, pool: EncodedPool, session: Session) -> None:
        """Serve this table."""
        self.pool, self.session = pool, session
        self.send_after(pool.sweep_interval, _SWEEP)

    def handle_info(self, message: Any) -> None:
        """Sweep, and arm the next sweep."""
        if message != _SWEEP:
            super().handle_info(message)
            return
        removed, freed = map(
            sum, zip(self.pool.sweep(), self.session.templates.sweep(), strict=True)
        )
        if removed:
            measurements = {"patterns_removed": removed, "memory_freed_bytes": freed}
            emit(POOL_CLEANUP, {**measurements, "pool_size": self.pool.stats()["pool_size"]})
        self.send_after(self.pool.sweep_interval, _SWEEP)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`."""
        if request != "stats":
            return super().handle_call(request, sender)
        return self.pool.stats()

    def terminate(self, reason: ExitReason) -> None:
        """Tell what there was."""
        stats = self.pool.stats()
        emit(
            POOL_TERMINATING,
            {"patterns_count": stats["pool_size"], "total_memory": stats["total_memory_bytes"]},
        )

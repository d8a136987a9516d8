"""`binary_pool`: payloads encoded once and pushed many times.

`client.binary_pool.encode(payload)` gives an `EncodedPayload`, which `push` takes wherever it
takes a payload: the bytes go out as they are.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.link.pool import EncodedPool
from supervisors import GenServer

__all__ = ["BinaryPool"]


class BinaryPool(GenServer):
    """Keeps the counts of encoded payloads; made by the client's tree."""

    def init(self, pool: EncodedPool) -> None:
        """Serve this table."""
        self.pool = pool

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`."""
        return self.pool.stats() if request == "stats" else super().handle_call(request, sender)

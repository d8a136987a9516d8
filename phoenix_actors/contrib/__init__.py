"""What other packages make of telemetry: each module needs the extra of its name.

- `phoenix_actors.contrib.prometheus`: metrics of clients
- `phoenix_actors.contrib.otel`: spans of clients
"""

from __future__ import annotations

__all__: list[str] = []

"""What other packages make of telemetry: each module needs the extra of its name.

- `supervisors.contrib.prometheus`: metrics of supervision
- `supervisors.contrib.otel`: spans of calls
"""

from __future__ import annotations

__all__: list[str] = []

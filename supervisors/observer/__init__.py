"""Look at a running system: `snapshot()` gives facts, `render()` makes them a text tree.

>>> from supervisors import GenServer, Supervisor
>>> spec = GenServer.child_spec(id="cache")
>>> with Supervisor.start_link([spec], strategy="one_for_one", name="doc-app") as app:
...     print(render(snapshot([app])))
doc-app   one_for_one  0 of 3 restarts in 5 s
└─ cache  GenServer    running
"""

from __future__ import annotations

from supervisors.observer.collect import snapshot
from supervisors.observer.health import Health, health
from supervisors.observer.records import SystemSnapshot, TreeNode
from supervisors.observer.render import render

__all__ = ["Health", "SystemSnapshot", "TreeNode", "health", "render", "snapshot"]

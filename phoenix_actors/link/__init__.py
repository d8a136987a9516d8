"""What lies between the actors and the transport: one connection's frames, channels and callers.

None of it decides: the machines do. Everything here is called from many threads — callers, the
reader, timers, actors — and says under which lock it does what.
"""

from __future__ import annotations

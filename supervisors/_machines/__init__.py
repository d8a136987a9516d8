"""What decides: plain classes without threads, clocks, sockets or Pykka.

An event and the time go in, commands come out. The actors around them only carry out.
"""

from __future__ import annotations

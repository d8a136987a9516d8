"""The clock of the benchmarks of the wire: the wall's, or with `--cpu` the processor time.

On a machine that does other things too, the processor time that a message costs the client's
process says more than how long it took.
"""

from __future__ import annotations

import sys
import time

__all__ = ["CPU", "now"]

CPU = "--cpu" in sys.argv
now = time.process_time if CPU else time.perf_counter

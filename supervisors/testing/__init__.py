"""For tests of actors: time and turns that the test decides.

>>> from supervisors import GenServer
>>> class Echo(GenServer):
...     def handle_call(self, request, sender):
...         return request
>>> turns = ManualDispatcher()
>>> echo = Echo.start(dispatcher=turns)
>>> reply = echo.ask("hi", block=False)
>>> reply.done(), turns.run_until_idle(), reply.get()
(False, 1, 'hi')
>>> echo.stop()
True
"""

from __future__ import annotations

from supervisors.testing.clock import ManualClock
from supervisors.testing.stepper import ManualDispatcher

__all__ = ["ManualClock", "ManualDispatcher"]

"""For tests of actors: time and turns that the test decides, and an actor that it can watch.

- `Probe`: an actor that keeps what it is sent; `expect(pattern)` waits for it.
- `TestSupervisor`: starts children for one test; the fixture `start_supervised`.
- `manual_time()`: the timers of all actors go by a `ManualClock`; the fixture `manual_clock`.
- `settle()`: waits until every actor is at rest.
- `ManualDispatcher`: actors run in the test's thread, step by step.
- `resources()` and `leaked()`: what a test left behind; the fixture `no_leaks`.

The fixtures are there wherever pytest runs and this distribution is installed; docs/testing.md is
the guide.

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

from supervisors.testing.clock import ManualClock, manual_time
from supervisors.testing.leaks import Resources, leaked, resources
from supervisors.testing.matching import described, fits
from supervisors.testing.probe import Asked, Probe, ProbeRef
from supervisors.testing.settling import settle
from supervisors.testing.stepper import ManualDispatcher
from supervisors.testing.supervised import TestSupervisor

__all__ = [
    "Asked",
    "ManualClock",
    "ManualDispatcher",
    "Probe",
    "ProbeRef",
    "Resources",
    "TestSupervisor",
    "described",
    "fits",
    "leaked",
    "manual_time",
    "resources",
    "settle",
]

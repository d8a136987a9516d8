"""Timers and telemetry that a test has in its hands."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any

from supervisors import telemetry
from supervisors._runtime.timers import TimerService
from supervisors.telemetry import Event
from supervisors.testing import ManualClock

_numbers = itertools.count()


class SteppedTimers(TimerService):
    """The timer service without its thread: what is due fires in `advance`."""

    clock: ManualClock

    def __init__(self) -> None:
        super().__init__(ManualClock())
        # Stands for the timer thread, which is therefore not started.
        self._thread = threading.current_thread()

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.clock.advance(seconds)
        for callback in self._heap.pop_due(self.clock.now()):
            callback()


class Seen:
    """Telemetry events in order, as (event, measurements, metadata)."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, Mapping[str, Any], Mapping[str, Any]]] = []
        self._id = f"seen-{next(_numbers)}"

    def of(self, *events: Event) -> Seen:
        """Begins to collect these events."""
        telemetry.attach_many(self._id, events, self._note)
        return self

    def _note(
        self, event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any], _: object
    ) -> None:
        self.events.append((event, measurements, metadata))

    def names(self) -> list[str]:
        """Returns the last word of each event."""
        return [event[-1] for event, _, _ in self.events]

    def close(self) -> None:
        """Stops collecting."""
        telemetry.detach(self._id)

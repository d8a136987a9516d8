"""Metrics of supervision for Prometheus, by `prometheus_client` (extra `prometheus`).

>>> from prometheus_client import CollectorRegistry
>>> registry = CollectorRegistry()
>>> with SupervisorMetrics(registry):
...     registry.get_sample_value("supervisors_unstopped")
0

Labels are class names and words of this package, never a name, topic, message or error text, so
there are at most as many series as there is code.

| metric | labels | counts |
|---|---|---|
| `supervisors_restarts_total` | `actor_class` | children that were started anew |
| `supervisors_gave_up_total` | `reason` | supervisors past their restart intensity |
| `supervisors_start_failures_total` | `actor_class` | children that did not start |
| `supervisors_crashes_total` | `actor_class`, `error` | actors that ended by an exception |
| `supervisors_abandoned_total` | `actor_class` | actors fenced off inside a handler |
| `supervisors_mailbox_dropped_total` | `actor_class`, `overflow` | messages beyond the limit |
| `supervisors_dead_letters_total` | `actor_class`, `why` | messages that nobody will handle |
| `supervisors_actors` | `actor_class` | actors alive, a gauge |
| `supervisors_unstopped` | | handlers that would not end, a gauge |

The two gauges are read when they are scraped; the first looks through all living actors.
"""

from __future__ import annotations

import itertools
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Self, TypeAlias

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter
    from prometheus_client.core import GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "prometheus_client":
        raise
    raise ImportError(
        "supervisors.contrib.prometheus needs prometheus-client: "
        "pip install 'phoenix-actors[prometheus]'"
    ) from error

from supervisors import unstopped
from supervisors._runtime.actor_list import living
from supervisors.telemetry import Event, attach_many, detach

__all__ = ["EventMetrics", "Facts", "SupervisorMetrics", "Tell"]

Facts: TypeAlias = Mapping[str, Any]
# What one event does to the metrics: measurements and metadata in.
Tell: TypeAlias = Callable[[Facts, Facts], object]

# One step in C, so no two threads get the same number.
_numbers = itertools.count(1)


class EventMetrics:
    """Metrics that events of telemetry move, until `close`. Safe from any thread.

    Args:
        registry: where they are registered.
        metrics: the metrics, already made with `registry=None`.
        events: what each event does to them.

    Raises:
        ValueError: the registry has metrics of these names already.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        metrics: Iterable[Collector],
        events: Mapping[Event, Tell],
    ) -> None:
        self._registry = registry
        self._events = dict(events)
        self._metrics: list[Collector] = []
        self._handler_id = f"{type(self).__name__} {next(_numbers)}"
        try:
            for metric in metrics:
                registry.register(metric)
                self._metrics.append(metric)
        except ValueError:
            self.close()
            raise
        attach_many(self._handler_id, self._events, self._tell)

    def _tell(self, event: Event, measurements: Facts, metadata: Facts, _: Any) -> None:
        self._events[event](measurements, metadata)

    def close(self) -> None:
        """Count no more and take the metrics out of the registry. Harmless when repeated."""
        detach(self._handler_id)
        metrics, self._metrics = self._metrics, []
        for metric in metrics:
            self._registry.unregister(metric)

    def __enter__(self) -> Self:
        """Return itself; the end of the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Living(Collector):
    """What is there at the moment of a scrape."""

    def collect(self) -> Iterator[Metric]:
        actors = GaugeMetricFamily("supervisors_actors", "Actors alive.", labels=["actor_class"])
        for name, number in sorted(Tally(map(_class_of_ref, living())).items()):
            actors.add_metric([name], number)
        yield actors
        yield GaugeMetricFamily(
            "supervisors_unstopped", "Handlers that would not end.", len(unstopped())
        )


_WORDS: Final = ("supervisors",)


class SupervisorMetrics(EventMetrics):
    """The metrics of all supervisors and actors of the process; see the module.

    Args:
        registry: where they are registered; the default one if left out.

    Raises:
        ValueError: the registry has metrics of these names already.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        restarts = _counter("restarts", "Children started anew.", "actor_class")
        gave_up = _counter("gave_up", "Supervisors past their restart intensity.", "reason")
        failures = _counter("start_failures", "Children that did not start.", "actor_class")
        crashes = _counter("crashes", "Actors ended by an exception.", "actor_class", "error")
        abandoned = _counter("abandoned", "Actors fenced off inside a handler.", "actor_class")
        dropped = _counter(
            "mailbox_dropped", "Messages beyond a mailbox's limit.", "actor_class", "overflow"
        )
        dead = _counter("dead_letters", "Messages that nobody will handle.", "actor_class", "why")
        events: dict[Event, Tell] = {
            (*_WORDS, "child", "restarted"): lambda _, told: restarts.labels(_child(told)).inc(),
            (*_WORDS, "supervisor", "gave_up"): lambda _, told: gave_up.labels(
                type(told["reason"]).__name__
            ).inc(),
            (*_WORDS, "child", "start_failed"): lambda _, told: failures.labels(_child(told)).inc(),
            (*_WORDS, "actor", "crashed"): lambda _, told: crashes.labels(
                _class_of(told), told["error"]
            ).inc(),
            (*_WORDS, "actor", "abandoned"): lambda _, told: abandoned.labels(
                _class_of(told)
            ).inc(),
            (*_WORDS, "mailbox", "dropped"): lambda count, told: dropped.labels(
                _class_of(told), told["overflow"]
            ).inc(count["count"]),
            (*_WORDS, "dead_letter"): lambda _, told: dead.labels(
                _class_of(told), told["why"]
            ).inc(),
        }
        metrics = [restarts, gave_up, failures, crashes, abandoned, dropped, dead, _Living()]
        super().__init__(registry, metrics, events)


def _counter(name: str, what: str, *labels: str) -> Counter:
    return Counter(f"supervisors_{name}", what, labels, registry=None)


def _class_of(told: Facts) -> str:
    """Return the class of an actor that an event names as `str(ref)` does."""
    return str(told["actor"]).partition(" (")[0]


def _class_of_ref(ref: Any) -> str:
    cls: type = ref.actor_class
    return cls.__name__


def _child(told: Facts) -> str:
    """Return the class of a child: that of its actor, else what its specification starts."""
    ref = told["ref"]
    if hasattr(ref, "actor_class"):
        return _class_of_ref(ref)
    start = told["spec"].start
    # A class, or a class method such as Supervisor.start_link.
    named = start if isinstance(start, type) else getattr(start, "__self__", start)
    return str(getattr(named, "__name__", type(named).__name__))

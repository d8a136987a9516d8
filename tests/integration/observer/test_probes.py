"""`serve_health()`: what probes hear while a tree starts, runs, fails and ends."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import Backoff, ChildSpec, GenServer, Killed, Supervisor, observer
from supervisors.observer import probes
from supervisors.observer.probes import HealthPort

pytestmark = pytest.mark.usefixtures("no_leaks")

DEADLINE = 60.0


class Slow(GenServer):
    """Begins when it may."""

    def init(self, begin: threading.Event) -> None:
        begin.wait(DEADLINE)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthPort]:
    """A port that looks for each probe anew."""
    monkeypatch.setattr(probes, "_FRESH", -1.0)
    monkeypatch.setattr(probes, "_SHARE", 0)
    with observer.serve_health(0) as running:
        yield running


def probe(port: HealthPort, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    """Returns status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port.port, timeout=DEADLINE)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body.startswith(b"{") else None
    finally:
        connection.close()


def both(port: HealthPort) -> tuple[int, int]:
    """Returns the status of live and of ready."""
    return probe(port, "/health/live")[0], probe(port, "/health/ready")[0]


def test_from_the_start_to_the_end(port: HealthPort) -> None:
    """Live from the beginning, ready once every child is up, and not any more when it has ended."""
    assert probe(port, "/health/ready") == (
        503,
        {"live": True, "ready": False, "problems": ["nothing is started"]},
    )
    begin = threading.Event()
    specs = [Slow.child_spec(begin, id="slow")]
    started: list[Any] = []
    thread = threading.Thread(
        target=lambda: started.append(
            Supervisor.start_link(specs, strategy="one_for_one", name="probed")
        )
    )
    thread.start()
    while probe(port, "/health/ready")[1]["problems"] != ["probed is starting"]:
        pass
    assert both(port) == (200, 503)
    begin.set()
    thread.join(DEADLINE)
    assert both(port) == (200, 200)
    assert probe(port, "/health/ready")[1] == {"live": True, "ready": True, "problems": []}
    assert started[0].stop()
    assert both(port) == (200, 503)


def test_a_child_that_waits_to_be_restarted(port: HealthPort) -> None:
    """Not ready, and still live: the tree is at work on it."""
    spec = ChildSpec("shy", GenServer, backoff=Backoff(initial=60.0, maximum=60.0))
    with Supervisor.start_link([spec], strategy="one_for_one", name="probed") as top:
        top.which_children()[0].ref.exit(Killed())
        while both(port) != (200, 503):
            pass
        problems = probe(port, "/health/live")[1]["problems"]
        assert problems == ["probed/shy is restarting"]


def test_other_hosts_hear_no_names(port: HealthPort) -> None:
    """A page of a foreign name, and whoever reaches another address, hear yes and no only."""
    assert "problems" not in probe(port, "/health/ready", Host="evil.example")[1]
    with observer.serve_health(0, host="0.0.0.0") as open_:  # noqa: S104  what is tested
        assert probe(open_, "/health/ready") == (503, {"live": True, "ready": False})


def test_other_paths_and_methods(port: HealthPort) -> None:
    """HEAD has no body; everything else is refused."""
    assert probe(port, "/health/live", "HEAD") == (200, None)
    assert probe(port, "/")[0] == 404
    assert probe(port, "/health/live", "POST")[0] == 501


@pytest.mark.parametrize(("fresh", "share"), [(DEADLINE, 0), (0.0, 1_000_000)])
def test_one_look_answers_many(monkeypatch: pytest.MonkeyPatch, fresh: float, share: int) -> None:
    """However many ask: twice a second at most, and a tenth of a processor at most."""
    looks: list[Any] = []
    real = observer.snapshot

    def counted(*args: Any) -> Any:
        looks.append(args)
        return real(*args)

    monkeypatch.setattr(probes, "snapshot", counted)
    monkeypatch.setattr(probes, "_FRESH", fresh)
    monkeypatch.setattr(probes, "_SHARE", share)
    with observer.serve_health(0, timeout=2) as port:
        assert "HealthPort at http://127.0.0.1:" in repr(port)
        for _ in range(5):
            assert both(port) == (200, 503)
    assert looks == [(None, 2.0)]

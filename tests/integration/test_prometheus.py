"""Metrics as Prometheus sees them: scraped over HTTP from the real client library's endpoint."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from phoenix_actors import ChannelClosed, JoinRejected, SocketClient
from phoenix_actors.contrib.prometheus import ClientMetrics
from phoenix_actors.testing import PhoenixServer
from supervisors import GenServer, Supervisor, whereis
from supervisors.contrib.prometheus import SupervisorMetrics
from tests.e2e.rig import DEADLINE, QUICK, eventually

SECRETS = ("room:a", "room:private", "counter:1", "TOKEN", "127.0.0.1", "ws://", "lovely")


class Fragile(GenServer):
    """Raises at a call."""

    mailbox_limit = 1
    mailbox_overflow = "drop_newest"

    def handle_call(self, request: Any, sender: Any) -> Any:
        raise ArithmeticError("TOKEN")


class Scraped:
    """The metrics of a scrape, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = {
            (sample.name, frozenset(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, *labels: str) -> float:
        return self.samples.get((name, frozenset(labels)), 0.0)


@pytest.fixture
def scrape(no_leaks: None) -> Iterator[Callable[[], Scraped]]:
    """Serves the metrics and scrapes /metrics."""
    registry = CollectorRegistry()
    with SupervisorMetrics(registry), ClientMetrics(registry, topics=["room:*"]):
        server, thread = start_http_server(0, "127.0.0.1", registry)
        url = f"http://127.0.0.1:{server.server_port}/metrics"

        def scrape() -> Scraped:
            with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
                return Scraped(answer.read().decode())

        yield scrape
        server.shutdown()
        server.server_close()
        thread.join()
    assert list(registry.collect()) == []


@pytest.mark.contract("C188")
def test_a_client_as_it_is_scraped(scrape: Callable[[], Scraped]) -> None:
    """Connects, joins, pushes with outcomes, a loss and frames are counted; no topic is a label."""
    with (
        PhoenixServer() as server,
        SocketClient.start_link(
            url=server.url, params={"token": "TOKEN"}, heartbeat_interval=0.05, **QUICK
        ) as client,
    ):
        room = client.join("room:a")
        client.join("counter:1")
        with pytest.raises(JoinRejected):
            client.join("room:private")
        assert room.push("echo", {"token": "TOKEN"}).get().status == "ok"
        assert room.push("fail", {"token": "TOKEN"}).get().status == "error"
        server.kill_sockets()
        found = eventually(
            scrape,
            lambda seen: (
                seen("phoenix_client_joins_total", "room:*", "ok") == 2
                and seen("phoenix_client_joins_total", "other", "ok") == 2
                and seen("phoenix_client_heartbeat_seconds_count") >= 1
            ),
        )
        assert found("phoenix_client_connects_total", "ok") == 2
        assert found("phoenix_client_connect_seconds_count") == 2
        assert found("phoenix_client_connections") == 1
        assert found("phoenix_client_disconnects_total", "ConnectionLost") == 1
        assert found("phoenix_client_reconnects_total") == 1
        assert found("phoenix_client_joins_total", "room:*", "refused") == 1
        assert found("phoenix_client_join_seconds_count", "room:*") == 2
        assert found("phoenix_client_channels", "room:*") == 1
        assert found("phoenix_client_pushes_total", "room:*", "ok") == 1
        assert found("phoenix_client_pushes_total", "room:*", "error") == 1
        assert found("phoenix_client_push_seconds_count", "room:*") == 2
        # Three joins, two of them again, two pushes, and heartbeats.
        assert found("phoenix_client_messages_sent_total") >= 8
        assert found("phoenix_client_messages_received_total") >= 8
        assert found("phoenix_client_sent_bytes_total") > 100
        assert found("phoenix_client_received_bytes_total") > 100
        assert found("supervisors_actors", "ChannelActor") == 2
    ended = scrape()
    assert ended("phoenix_client_connections") == 0
    assert ended("phoenix_client_channels", "room:*") == 0
    for text in (found.text, ended.text):
        assert not [secret for secret in SECRETS if secret in text]


def test_a_push_that_is_refused_is_counted(scrape: Callable[[], Scraped]) -> None:
    """It raises in its caller, and ends in one outcome, as all do."""
    with PhoenixServer() as server, SocketClient.start_link(url=server.url, **QUICK) as client:
        room = client.join("room:a")
        room.leave()
        with pytest.raises(ChannelClosed):
            room.push("echo")
        with pytest.raises(TimeoutError):
            client.join("room:b").push("no_reply", timeout=0.05).get()
        found = scrape()
    assert found("phoenix_client_pushes_total", "room:*", "refused") == 1
    assert found("phoenix_client_pushes_total", "room:*", "timeouts") == 1
    assert found("phoenix_client_push_seconds_count", "room:*") == 0


def test_failed_attempts_are_counted_by_their_error(scrape: Callable[[], Scraped]) -> None:
    """A server that is not there gives a ConnectError."""
    with SocketClient.start_link(url="ws://127.0.0.1:1/socket", backoff=[60.0]):
        eventually(scrape, lambda seen: seen("phoenix_client_connects_total", "ConnectError") == 1)


def test_supervision_as_it_is_scraped(scrape: Callable[[], Scraped], quiet: None) -> None:
    """Restarts, crashes, the give-up, dead letters and the living are there by class."""
    child = Fragile.child_spec(name="lovely")
    with Supervisor.start_link([child], strategy="one_for_one", max_restarts=1) as top:
        assert scrape()("supervisors_actors", "Fragile") == 1
        first = whereis("lovely")
        watch = first.monitor()
        with pytest.raises(ArithmeticError):
            first.call("lovely")
        assert watch.wait(DEADLINE)
        first.cast("lovely")
        found = eventually(scrape, lambda seen: seen("supervisors_restarts_total", "Fragile") == 1)
        assert found("supervisors_crashes_total", "Fragile", "ArithmeticError") == 1
        assert found("supervisors_dead_letters_total", "Fragile", "ended") == 1
        end = top.monitor()
        with pytest.raises(ArithmeticError):
            eventually(lambda: whereis("lovely")).call("lovely")
        assert end.wait(DEADLINE)
    found = eventually(scrape, lambda seen: "supervisors_gave_up_total{" in seen.text)
    assert found("supervisors_gave_up_total", "GaveUp") == 1
    assert found("supervisors_actors", "Fragile") == 0
    assert not [secret for secret in SECRETS if secret in found.text]


def test_two_sets_in_one_registry_are_refused() -> None:
    """The second one leaves nothing behind, and the first goes on."""
    registry = CollectorRegistry()
    with SupervisorMetrics(registry):
        with pytest.raises(ValueError, match="Duplicated"):
            SupervisorMetrics(registry)
        assert registry.get_sample_value("supervisors_unstopped") == 0

"""docs/telemetry.md is the list of events: of their names, levels and fields, as they are."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from phoenix_actors import Channel, ConnectionLost, JoinRejected, SocketClient, telemetry
from phoenix_actors import logs as client_logs
from phoenix_actors.testing import PhoenixServer
from supervisors import GenServer, Supervisor, logs, whereis
from supervisors._machines.vocabulary import Report
from supervisors.telemetry import attach_many, detach
from tests.e2e.rig import DEADLINE, QUICK, Log, eventually
from tests.sources import ROOT

ROW = re.compile(
    r"^\| `(?P<event>[a-z_.]+)` \| (?P<level>\w*) ?\| (?P<fields>[^|]+) \|", re.MULTILINE
)
ROWS = {
    row["event"]: row
    for row in ROW.finditer((ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8"))
}
CHILD = {"count", "restarts", "supervisor", "child", "ref", "reason", "spec", "requested"}
IF_REQUESTED = {
    "supervisors.child.started": "debug",
    "phoenix_socket_client.socket.disconnected": "info",
}
LEVELS = {**logs._LEVELS, **client_logs._LEVELS}


def fields(event: str) -> set[str]:
    """Returns what the page says that an event measures and tells."""
    said = ROWS[event]["fields"]
    return CHILD if said == "see above" else set(re.findall(r"`(\w+)`", said))


def written() -> Iterator[str]:
    """Yields the names that the code of `supervisors` has: tuples of words, and reports."""
    for report in Report:
        whose = "supervisor" if report is Report.GAVE_UP else "child"
        yield f"supervisors.{whose}.{report}"
    for file in (ROOT / "supervisors").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Tuple) and len(node.elts) > 1:
                words = [getattr(part, "value", None) for part in node.elts]
                if words[0] == "supervisors" and all(isinstance(word, str) for word in words):
                    yield ".".join(map(str, words))


def test_the_page_names_every_event_and_no_other() -> None:
    """An event that is renamed, or new and not documented, fails here."""
    constants = {
        ".".join(value)
        for name in telemetry.__all__
        if isinstance(value := getattr(telemetry, name), tuple)
    }
    assert set(ROWS) == {*written(), *constants}


def test_the_page_tells_which_are_logged_and_how() -> None:
    """The levels of the two listeners are those of the page."""
    said = {name: row["level"] for name, row in ROWS.items() if row["level"]}
    assert said == {
        ".".join(event): logging.getLevelName(level).lower() for event, level in LEVELS.items()
    }


class Fragile(GenServer):
    """Raises at a call."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        raise ArithmeticError


def again(room: Channel) -> bool:
    """Tells whether a room answers again after the loss of its connection."""
    with suppress(ConnectionLost):
        return room.push("echo").get(timeout=DEADLINE).status == "ok"
    return False


def busy(server: PhoenixServer) -> None:
    """Has much of what can happen to a client and a supervisor happen."""
    params = {"token": "SECRET"}
    with (
        Supervisor.start_link([Fragile.child_spec(name="it")], strategy="one_for_one"),
        SocketClient.start_link(
            url=server.url, params=params, heartbeat_interval=0.02, **QUICK
        ) as client,
    ):
        room = client.join("room:a", params)
        with pytest.raises(JoinRejected):
            client.join("room:private")
        room.push("echo", params).get()
        with pytest.raises(TimeoutError):
            room.push("no_reply", timeout=0.02).get()
        server.send_raw("no frame")
        server.kill_sockets()
        eventually(lambda: again(room))
        first = whereis("it")
        watch = first.monitor()
        with pytest.raises(ArithmeticError):
            first.call("now")
        watch.wait(DEADLINE)
        first.cast("late")
        eventually(lambda: whereis("it"))
        room.leave()


@pytest.mark.usefixtures("no_leaks", "quiet")
@pytest.mark.contract("C188")
def test_events_tell_what_the_page_says() -> None:
    """Each event of a session with faults has the fields of the page, and no more."""
    log = Log()
    attach_many(
        "test_events",
        [tuple(name.split(".")) for name in ROWS],
        lambda event, measured, told, _: log.add(".".join(event), {*measured, *told}, str(told)),
    )
    try:
        with PhoenixServer() as server:
            busy(server)
    finally:
        detach("test_events")
    seen = {name: told for name, told, _ in log.items}
    assert len(seen) > 40, sorted(seen)
    optional = {"callers"}
    assert {name: told | optional for name, told in seen.items()} == {
        name: fields(name) | optional for name in seen
    }
    assert not [item for item in log.items if "SECRET" in item[2]]


@pytest.fixture
def structured() -> Iterator[LogCapture]:
    """A configured structlog that keeps its entries; listeners decide at their first event."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    logs.uninstall()
    logs.uninstall("phoenix_actors.logs")
    logs.install()
    client_logs.install()
    yield capture
    structlog.reset_defaults()
    logs.uninstall()
    logs.uninstall("phoenix_actors.logs")
    logs.install()
    client_logs.install()


@pytest.mark.usefixtures("no_leaks")
def test_the_lines_of_a_session(structured: LogCapture) -> None:
    """Structlog gets the names, levels and fields of the page; no secret is in any entry."""
    with PhoenixServer() as server:
        busy(server)
    renamed = {"event": "event_name", "level": "level_name"}
    names = {entry["event"] for entry in structured.entries}
    assert len(names) > 10, names
    for entry in structured.entries:
        name, level = entry["event"], entry["log_level"]
        requested = IF_REQUESTED.get(name) if entry.get("requested") else None
        assert level == (requested or ROWS[name]["level"])
        allowed = {renamed.get(field, field) for field in fields(name)}
        assert set(entry) <= {*allowed, "event", "log_level"}
    lost = "phoenix_socket_client.socket.disconnected"
    losses = [entry["log_level"] for entry in structured.entries if entry["event"] == lost]
    assert losses == ["warning", "info"]
    assert "SECRET" not in str(structured.entries)

"""The server as a program and as a child process: it starts, stops, and outlives nobody."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from phoenix_actors.testing import PhoenixServer, ServerProcess, serve
from tests.conformance.v2_client import V2Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_leaks")

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PROGRAM = [sys.executable, "-m", "phoenix_actors.testing", "serve"]

PARENT = """
import os, signal, sys, time
from phoenix_actors.testing import ServerProcess
server = ServerProcess().start()
print(server.url, flush=True)
{end}
"""


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    """The program on a free port, with its first line still to be read."""
    with subprocess.Popen(
        [*PROGRAM, "--port", "0"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        yield process
        process.kill()


def first_url(process: subprocess.Popen[str]) -> str:
    """Returns the URL of the line that says where the program listens."""
    assert process.stdout is not None
    word, url = process.stdout.readline().split()
    assert word == "listening"
    return url


def gone(url: str) -> bool:
    """Waits until nothing listens at a URL any more."""
    parts = urlsplit(url)
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        try:
            socket.create_connection((parts.hostname, parts.port), 1.0).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            continue
        time.sleep(0.01)
    return False


def test_the_child_serves_and_stops() -> None:
    """It answers clients and control routes until it is stopped, and ends with 0."""
    server = ServerProcess(max_channels=1, compress=False)
    assert server.stop() is None
    with server, V2Client(server.url) as client:
        client.join("room:a")
        assert client.ask("room:b", "phx_join")[0] == "error"
        stats = server.control.stats()
        assert (stats["transports"], stats["os_pid"]) == (1, server.pid)
        assert server.pid != os.getpid()
        url, http_url = server.url, server.http_url
        assert url == http_url.replace("http", "ws") + "/socket/websocket"
        with pytest.raises(RuntimeError, match="runs already"):
            server.start()
        client.raw.close()
        assert server.stop() == 0
    assert gone(url)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.url


def test_the_child_keeps_its_port_over_a_restart() -> None:
    """With a fixed port a stopped child can be started again for the same clients."""
    with PhoenixServer() as free:
        port = free.port
    server = ServerProcess(port=port, idle_timeout=None)
    for _ in range(2):
        with server, V2Client(f"ws://127.0.0.1:{port}/socket/websocket") as client:
            client.heartbeat()


def test_a_child_that_cannot_listen_is_an_error_of_start(capfd: pytest.CaptureFixture[str]) -> None:
    """A taken port is told by the child on standard error, and by start at once."""
    with PhoenixServer() as other, pytest.raises(RuntimeError, match="standard error"):
        ServerProcess(port=other.port).start()
    assert "cannot listen" in capfd.readouterr().err


def test_a_child_that_is_late_is_an_error_of_start() -> None:
    """Beyond start_timeout the child is ended and start raises."""
    with pytest.raises(RuntimeError, match="in time"):
        ServerProcess(start_timeout=0.0).start()


def test_bad_options_of_the_child_are_value_errors() -> None:
    """Options are checked before any process is started."""
    with pytest.raises(ValueError, match="idle_timeout"):
        ServerProcess(idle_timeout=-1)
    with pytest.raises(ValueError, match="start_timeout"):
        ServerProcess(start_timeout=-1)


@pytest.mark.parametrize(
    "end",
    ["pass", "os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)", "raise SystemExit(3)"],
    ids=["ends", "exits hard", "is killed", "fails"],
)
def test_the_child_dies_with_its_parent(end: str) -> None:
    """However the parent ends, the child sees the end of its input and goes."""
    parent = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARENT.format(end=end)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
        check=False,
    )
    url = parent.stdout.strip()
    assert url.startswith("ws://127.0.0.1:")
    assert gone(url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_drain_the_program(program: subprocess.Popen[str], number: signal.Signals) -> None:
    """SIGTERM and SIGINT close clients with 1012, and the exit code is 0."""
    with V2Client(first_url(program)) as client:
        client.join("room:a")
        program.send_signal(number)
        assert client.ending() == 1012
    assert program.wait(10) == 0


def test_the_program_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is exit code 2, an address that cannot be had is 1."""
    assert serve(["--idle-timeout", "-1"]) == 2
    assert "idle_timeout" in capsys.readouterr().err
    with PhoenixServer() as other:
        assert serve(["--port", str(other.port)]) == 1
    assert "cannot listen" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_:
        serve(["--no-such-option"])
    assert exit_.value.code == 2


def test_the_module_has_one_command() -> None:
    """Without `serve` it says how it is used."""
    done = subprocess.run(
        PROGRAM[:-1], capture_output=True, text=True, timeout=30, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "usage")


def test_without_websockets_the_import_says_what_to_install() -> None:
    """The extra is named where the library is missing."""
    code = "import sys; sys.modules['websockets'] = None; import phoenix_actors.testing"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
        check=False,
    )
    assert "ImportError: " in done.stderr
    assert "pip install 'phoenix-actors[testing]'" in done.stderr

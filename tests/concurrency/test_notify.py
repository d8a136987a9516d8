"""`run` under a service manager: what arrives at its socket, and what does not."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.concurrency.programs import DEADLINE, program

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="no Unix sockets on this system"
)


class Manager:
    """The service manager's end: a datagram socket that keeps what comes."""

    def __init__(self, socket_: socket.socket, address: str) -> None:
        self._socket = socket_
        self.address = address

    def next(self, timeout: float = DEADLINE) -> str:
        """Returns the next message."""
        self._socket.settimeout(timeout)
        return self._socket.recv(4096).decode()


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    """A listening manager, at a file or at a name that is none."""
    # Not tmp_path: the path of such a socket is limited to about 100 bytes.
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
    ):
        path = str(Path(folder, "notify"))
        if request.param == "abstract":
            try:
                listening.bind(f"\0{path}")
            except OSError:
                pytest.skip("no abstract names on this system")
            path = f"@{path}"
        else:
            listening.bind(path)
        yield Manager(listening, path)


RUN = """
    os.environ.update({environment})
    nested = Supervisor.child_spec([loud("inner")], strategy="one_for_one", id="nested")
    sys.exit(run([loud("slow"), nested], strategy="one_for_one", shutdown_timeout=5))
"""


def test_ready_and_stopping(manager: Manager) -> None:
    """READY=1 when the tree runs, STOPPING=1 at the signal, and nothing else without a watchdog."""
    with program(RUN.replace("{environment}", f"NOTIFY_SOCKET={manager.address!r}")) as running:
        assert manager.next() == "READY=1"
        running.send(signal.SIGTERM)
        assert manager.next() == "STOPPING=1"
        _, status, _ = running.end()
    assert status == 143
    with pytest.raises(TimeoutError):
        manager.next(0.01)


def test_ready_means_that_every_init_has_returned(manager: Manager, tmp_path: Path) -> None:
    """While the last child's init runs, the manager hears nothing."""
    go = str(tmp_path / "go")
    text = f"""
        os.environ.update(NOTIFY_SOCKET={manager.address!r})
        class Slow(GenServer):
            def init(self):
                say("in init")
                while not os.path.exists({go!r}):
                    time.sleep(0.01)
                say("init done")
        sys.exit(run([loud("a"), Slow], strategy="one_for_one"))
    """
    with program(text) as running:
        running.until("in init")
        with pytest.raises(TimeoutError):
            manager.next(0.05)
        Path(go).touch()
        running.until("init done")
        assert manager.next() == "READY=1"
        running.send(signal.SIGINT)
        assert running.end()[1] == 130


def test_the_watchdog_hears_of_a_living_tree_only(manager: Manager) -> None:
    """WATCHDOG=1 comes again and again, and no more once a supervisor of the tree hangs."""
    text = f"""
        os.environ.update(NOTIFY_SOCKET={manager.address!r}, WATCHDOG_USEC="200000")
        os.environ.update(WATCHDOG_PID=str(os.getpid()))
        class Stuck(Supervisor):
            def init(self):
                return SupervisorSpec([loud("inner")], strategy="one_for_one")
        def hold():
            from supervisors import introspect
            while True:
                signal.sigwait([signal.SIGUSR1])
                introspect.suspend(whereis("stuck"))
                say("hangs")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        later(hold)
        sys.exit(run([Stuck.child_spec(name="stuck", shutdown=0.1)], strategy="one_for_one"))
    """
    with program(text) as running:
        heard = [manager.next() for _ in range(4)]
        assert heard == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
        running.process.send_signal(signal.SIGUSR1)
        running.until("hangs")
        # One may have been on its way.
        silence = 0
        for _ in range(5):
            try:
                manager.next(0.5)
            except TimeoutError:
                silence += 1
        assert silence >= 3
        running.process.kill()
        running.end()


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "1"}],
    ids=["none", "zero", "no-number", "another-process"],
)
def test_no_watchdog_for_this_process(manager: Manager, environment: dict[str, str]) -> None:
    """Without a span, or with one that is meant for another process, there are no signs of life."""
    usec = {"WATCHDOG_USEC": "20000", **environment} if environment else {}
    settings = ", ".join(
        f"{name}={value!r}" for name, value in {"NOTIFY_SOCKET": manager.address, **usec}.items()
    )
    with program(RUN.replace("{environment}", settings)) as running:
        assert manager.next() == "READY=1"
        with pytest.raises(TimeoutError):
            manager.next(0.3)
        running.send(signal.SIGTERM)
        assert running.end()[1] == 143


def test_a_manager_that_is_gone_does_no_harm() -> None:
    """A socket that nobody listens on is told as telemetry; the program runs on."""
    text = """
        os.environ.update(NOTIFY_SOCKET="/no/such/socket")
        event = ("supervisors", "system", "notify_failed")
        telemetry.attach("t", event, lambda e, m, data, c: say("failed", *data.values()))
        sys.exit(run([loud("a")], strategy="one_for_one"))
    """
    with program(text) as running:
        running.until("failed READY=1 FileNotFoundError")
        running.send(signal.SIGTERM)
        lines, status, _ = running.end()
    assert status == 143
    assert "failed STOPPING=1 FileNotFoundError" in lines

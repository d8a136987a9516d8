"""`ServerProcess`: the server as a child process, which ends with its parent."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from phoenix_actors.testing.control_client import ControlClient
from phoenix_actors.testing.options import ServerOptions, seconds
from phoenix_actors.testing.override import override
from phoenix_actors.testing.program import NO_LIMIT

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["ServerProcess"]

# Seconds for the child to end beyond its drain.
PATIENCE = 5.0
# Seconds between two questions whether the child answers.
INTERVAL = 0.02


class _Child:
    """A started child and the thread that reads its output."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.first_line: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.reader = threading.Thread(
            target=self._read, name=f"ServerProcess-{process.pid}", daemon=True
        )
        self.url = ""
        self.reader.start()

    def _read(self) -> None:
        stdout = self.process.stdout
        if stdout is not None:
            with stdout:
                self.first_line.put(stdout.readline())
                # The child must never wait for someone to read.
                for _ in stdout:
                    pass


class ServerProcess:
    """A Phoenix server in a process of its own; its control routes are in `control`.

    The child watches its standard input and ends when this process does, however that ends. Methods
    wait, and may be called from any thread, one at a time.

    Raises:
        ValueError: when an option is out of range.

    Example:
        >>> with ServerProcess() as server:
        ...     server.control.stats()["os_pid"] == server.pid
        True
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        idle_timeout: float | timedelta | None = 60.0,
        compress: bool = True,
        max_frame_size: int = 10_000_000,
        max_channels: int = 1_000_000,
        drain_timeout: float | timedelta = 2.0,
        auth_token: bool = False,
        longpoll_window: float | timedelta = 10.0,
        start_timeout: float | timedelta = 10.0,
    ) -> None:
        self._options = ServerOptions(
            host=host,
            port=port,
            idle_timeout=idle_timeout,
            compress=compress,
            max_frame_size=max_frame_size,
            max_channels=max_channels,
            drain_timeout=drain_timeout,
            auth_token=auth_token,
            longpoll_window=longpoll_window,
        )
        self._start_timeout = seconds(start_timeout, "start_timeout")
        self._child: _Child | None = None

    @override
    def __repr__(self) -> str:
        state = "stopped" if self._child is None else f"pid={self._child.process.pid}"
        return f"<ServerProcess {state}>"

    def start(self) -> Self:
        """Starts the child and returns once it answers `GET /control/stats`.

        Raises:
            RuntimeError: when it runs already, ends early, or is not ready within `start_timeout`
                seconds.
        """
        if self._child is not None:
            raise RuntimeError("the process runs already: stop() it first")
        deadline = time.monotonic() + self._start_timeout
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        self._child = child = _Child(process)
        try:
            child.url = _listening(child, deadline)
            _await_answer(child, deadline)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> int | None:
        """Sends SIGTERM, waits for the drain, kills what is left.

        Returns:
            The exit code, or None when no child ran.
        """
        child, self._child = self._child, None
        if child is None:
            return None
        child.process.terminate()
        try:
            code = child.process.wait(self._options.drain_seconds + PATIENCE)
        except subprocess.TimeoutExpired:
            child.process.kill()
            code = child.process.wait()
        if child.process.stdin is not None:
            child.process.stdin.close()
        child.reader.join()
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where clients connect to: `ws://127.0.0.1:PORT/socket/websocket`."""
        return self._running().url

    @property
    def http_url(self) -> str:
        """Where the control routes are: `http://127.0.0.1:PORT`."""
        return _http(self._running().url)

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._running().process.pid

    @property
    def control(self) -> ControlClient:
        """The control routes of the child."""
        return ControlClient(self.http_url)

    def _running(self) -> _Child:
        if self._child is None:
            raise RuntimeError("the process is not running: call start() first")
        return self._child

    def _command(self) -> list[str]:
        options = self._options
        idle = options.idle_seconds
        command = [sys.executable, "-m", "phoenix_actors.testing", "serve", "--exit-at-eof"]
        command += ["--host", options.host, "--port", str(options.port)]
        command += ["--idle-timeout", str(idle or NO_LIMIT)]
        command += ["--max-frame-size", str(options.max_frame_size)]
        command += ["--max-channels", str(options.max_channels)]
        command += ["--drain-timeout", str(options.drain_seconds)]
        command += ["--longpoll-window", str(options.window_seconds)]
        switches = {"--no-compress": not options.compress, "--auth-token": options.auth_token}
        return command + [switch for switch, wanted in switches.items() if wanted]


def _environment() -> dict[str, str]:
    """Returns an environment in which the child finds this very package."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _listening(child: _Child, deadline: float) -> str:
    try:
        line = child.first_line.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise RuntimeError("the server process did not say that it listens in time") from None
    word, _, url = line.strip().partition(" ")
    if word != "listening":
        raise RuntimeError("the server process ended early: its standard error says why")
    return url


def _await_answer(child: _Child, deadline: float) -> None:
    control = ControlClient(_http(child.url))
    while True:
        try:
            control.stats()
            return
        except OSError as error:
            if time.monotonic() > deadline or child.process.poll() is not None:
                raise RuntimeError("the server process listens but does not answer") from error
            time.sleep(INTERVAL)


def _http(url: str) -> str:
    return url.replace("ws://", "http://", 1).removesuffix("/socket/websocket")

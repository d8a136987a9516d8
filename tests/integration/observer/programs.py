"""Programs that are looked at, and a terminal to look from."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 60.0

PROGRAM = r"""
import sys, time
from supervisors import GenServer, Supervisor, observer, whereis

class Cache(GenServer):
    def init(self):
        self.token = "s3cret"
    def handle_cast(self, message):
        raise ValueError("s3cret")

class Evil(GenServer):
    pass

class Slow(GenServer):
    def handle_cast(self, seconds):
        time.sleep(seconds)

shop = Supervisor.start_link(
    [
        Cache.child_spec(name="cache"),
        Slow.child_spec(name="slow"),
        Evil.child_spec(id="<img src=x onerror=alert(1)>\x1b[2J\x07"),
    ],
    strategy="one_for_one", name="shop", max_restarts=100,
)
observer.add_section("Caches", {"cache": "key", "hits": "total"}, lambda: [("users", 12)])
with observer.serve(sys.argv[1], control=True) as served, observer.serve_http(0) as page:
    first = whereis("cache")
    monitor = first.monitor()
    whereis("slow").cast(3600.0)
    first.cast("crash")
    monitor.wait(60)
    while whereis("cache") in (None, first):
        time.sleep(0.01)
    print(page.url, flush=True)
    sys.stdin.readline()
"""


class Observed:
    """A running program: where it is looked at, and its process."""

    def __init__(self, path: str, process: subprocess.Popen[str], url: str) -> None:
        self.path, self.process, self.url = path, process, url

    def kill(self) -> None:
        """Ends it without a word."""
        self.process.kill()
        self.process.wait(DEADLINE)


@contextmanager
def observed(folder: Path) -> Iterator[Observed]:
    """Runs a program that can be looked at, until the end of the block."""
    path = str(folder / "socket")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield Observed(path, process, url)
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait(DEADLINE)


def top(*words: str, module: str = "supervisors") -> subprocess.CompletedProcess[str]:
    """Runs `top` in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", module, "top", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


class Terminal:
    """`top` in a terminal of its own."""

    def __init__(self, *words: str) -> None:
        # Not on Windows, where this module is imported as well.
        import pty

        self._near, far = pty.openpty()
        self._shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "supervisors", "top", *words],
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm", "LINES": "40", "COLUMNS": "120"},
        )
        os.close(far)

    def type(self, keys: str) -> None:
        """Types on the keyboard."""
        os.write(self._near, keys.encode())

    def wait_for(self, *texts: str) -> str:
        """Waits until all of this was shown; forgets and returns what was."""
        end = time.monotonic() + DEADLINE
        while not all(text.encode() in self._shown for text in texts):
            assert time.monotonic() < end, (texts, self._shown[-4000:])
            self._read(0.1)
        shown, self._shown = self._shown, b""
        return shown.decode("utf-8", "replace")

    def finish(self) -> int:
        """Waits for the end and returns the exit code."""
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, self._shown[-4000:]
            self._read(0.1)
        return int(self.process.returncode)

    def close(self) -> None:
        """Ends it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        os.close(self._near)

    def _read(self, timeout: float) -> Any:
        if select.select([self._near], [], [], timeout)[0]:
            try:
                self._shown += os.read(self._near, 65536)
            except OSError:
                # Linux says so when the last program has closed the terminal.
                time.sleep(0.01)

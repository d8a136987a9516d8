"""The command line as a program: with pipes, and with a terminal of its own."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time

DEADLINE = 60.0
# Two columns more than the widest bar.
SIZE = (24, 100)


def command(*words: str) -> list[str]:
    """Returns the command line of `python -m phoenix_actors` with these words."""
    return [sys.executable, "-m", "phoenix_actors", *words]


def environment(**variables: str) -> dict[str, str]:
    """Returns the environment without what the command line reads, and with these."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PHOENIX_")}
    return inherited | variables


def start(*words: str, **variables: str) -> subprocess.Popen[str]:
    """Starts it with pipes."""
    return subprocess.Popen(
        command(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


class Terminal:
    """A program whose input, output and errors are a terminal, which is its controlling one."""

    def __init__(self, *words: str) -> None:
        # Not on Windows, where this module is imported as well.
        import pty

        near, far = pty.openpty()
        self._near = near
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command(*words)],
            stdin=far,
            stdout=far,
            stderr=far,
            env=environment(TERM="xterm", LINES=str(SIZE[0]), COLUMNS=str(SIZE[1])),
            start_new_session=True,
        )
        os.close(far)
        self._lock = threading.Lock()
        self._shown = b""

    def type(self, data: bytes) -> None:
        """Types on the keyboard."""
        os.write(self._near, data)

    def read_until(self, wanted: bytes) -> bytes:
        """Returns what was shown so far, once it holds this."""
        end = time.monotonic() + DEADLINE
        while wanted not in self._shown:
            assert time.monotonic() < end, self._shown
            self._read(0.1)
        return self._shown

    def finish(self) -> tuple[int, bytes]:
        """Waits for the end; returns the exit code and everything that was shown."""
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, self._shown
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode, self._shown

    def close(self) -> None:
        """Ends the program, if it still runs, and closes the terminal."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._near)

    def _read(self, timeout: float) -> bool:
        if not select.select([self._near], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._near, 65536)
        except OSError:
            # Linux says so when the last program has closed the terminal.
            return False
        self._shown += data
        return bool(data)


_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

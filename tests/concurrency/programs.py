"""Programs that run in processes of their own, and what they say."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0

PRELUDE = """
import os, signal, sys, threading, time, atexit, warnings
from supervisors import *

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

class Loud(GenServer):
    def init(self, name, stuck=False):
        self.name, self.stuck = name, stuck
    def handle_call(self, request, sender):
        return request
    def handle_cast(self, message):
        if message == "crash":
            raise ValueError("boom")
        if message == "done":
            return Stop(Normal())
        say("busy", self.name)
        time.sleep(3600)
    def terminate(self, reason):
        say("terminate", self.name, type(reason).__name__)
        if self.stuck:
            time.sleep(3600)

def loud(name, stuck=False, **keys):
    return Loud.child_spec(name, stuck, id=name, name=name, **keys)

def later(action):
    threading.Thread(target=action, daemon=True).start()
"""


class Program:
    """A running program; its lines are read while it runs."""

    def __init__(self, text: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(text)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))

    def until(self, line: str) -> None:
        """Waits until the program says this."""
        while True:
            self.lines.append(self._queue.get(timeout=DEADLINE))
            if self.lines[-1] == line:
                return

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[list[str], int, list[str]]:
        """Waits for the end; returns all it said, its status, and its lines of standard error."""
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        while not self._queue.empty():
            self.lines.append(self._queue.get())
        assert self.process.stderr is not None
        return self.lines, status, self.process.stderr.read().splitlines()


@contextmanager
def program(text: str) -> Iterator[Program]:
    """Runs a program for the time of a block."""
    running = Program(text)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait(DEADLINE)
        running._reader.join(DEADLINE)
        assert running.process.stdout is not None
        assert running.process.stderr is not None
        running.process.stdout.close()
        running.process.stderr.close()


def outcome(text: str) -> tuple[list[str], int, list[str]]:
    """Runs a program to its end; returns all it said, its status, its lines of standard error."""
    with program(text) as running:
        return running.end()

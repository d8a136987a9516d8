"""The server of the chaos tests, in a process of its own: it records what comes, whatever happens.

`Server` starts it and sends it commands, a line of JSON each; `python -m` runs the other side. What
is recorded outlives connections, channels and restarts of the server.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from phoenix_actors.testing import PhoenixServer, Reply, ServerChannel
from phoenix_actors.testing.reference import REFERENCE_CHANNELS

__all__ = ["Server"]

ROOT = Path(__file__).resolve().parents[2]

_joins = itertools.count(1)
# (number of the join, topic, payload), in the order received.
_ledger: list[tuple[int, str, Any]] = []


class Recording(ServerChannel):
    """Records each push, and answers with how many there are; "mute" gets no answer."""

    async def join(self, params: Any) -> Any:
        """Gives each join a number."""
        self._number = next(_joins)
        return {"join": self._number}

    async def handle_in(self, event: str, payload: Any) -> Reply | None:
        """Records."""
        _ledger.append((self._number, self.topic, payload))
        return None if event == "mute" else Reply.ok({"count": len(_ledger)})


def _obey(server: PhoenixServer, command: str, arguments: list[Any]) -> Any:
    if command == "ledger":
        return _ledger
    return getattr(server, command)(*arguments)


def _main() -> None:
    channels = {**REFERENCE_CHANNELS, "ledger:*": Recording}
    with PhoenixServer(channels=channels, drain_timeout=0.2) as server:
        print(json.dumps(server.url), flush=True)  # noqa: T201  a program
        for line in sys.stdin:
            answer = _obey(server, *json.loads(line))
            print(json.dumps(answer, default=str), flush=True)  # noqa: T201  a program


class Server:
    """The child process, in a `with` block. Every method of `PhoenixServer`, from any thread."""

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.concurrency.chaos_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url: str = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        with self._child:
            assert self._child.stdin is not None
            self._child.stdin.close()
            self._child.wait(30.0)

    def do(self, command: str, *arguments: Any) -> Any:
        """Carries out a command on the server and returns what it gives."""
        with self._lock:
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps([command, arguments]) + "\n")
            self._child.stdin.flush()
            return self._read()

    def _read(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, "the server's process has ended"
        return json.loads(line)


if __name__ == "__main__":
    _main()

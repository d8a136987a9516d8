"""A Phoenix server on loopback for tests of clients, in a thread or in a process of its own.

- `PhoenixServer`: in a thread; its methods inject faults and tell what clients really sent.
  Its part in a test: `accept_join`, `reject_join`, `assert_join`, `assert_push`, `assert_leave`,
  `refute_push`, `broadcast`, `drop`, `stall`; the fixtures `phoenix_server` and `phoenix_client`.
- `ServerProcess`: the same server as a child process, steered by its control routes.
- `ServerChannel`, `Reply`, `Stop`, `JoinRefused`: channels of your own in Python.
- `serve`: the program behind `python -m phoenix_actors serve`.

Nothing here shares code with the client. Needs the extra `testing` (the `websockets` library).
"""

from __future__ import annotations

import logging

try:
    from phoenix_actors.testing.server import PhoenixServer
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "websockets":
        raise
    raise ImportError(
        "phoenix_actors.testing needs the websockets library: pip install 'phoenix-actors[testing]'"
    ) from error

from phoenix_actors.testing.channel import JoinRefused, Reply, ServerChannel, SocketInfo, Stop
from phoenix_actors.testing.control_client import ControlClient
from phoenix_actors.testing.process import ServerProcess
from phoenix_actors.testing.program import serve
from phoenix_actors.testing.recorder import Handshake, RecordedFrame
from phoenix_actors.testing.reference import REFERENCE_CHANNELS
from phoenix_actors.testing.script import ReceivedPush
from phoenix_actors.testing.wire import WireFrame

__all__ = [
    "REFERENCE_CHANNELS",
    "ControlClient",
    "Handshake",
    "JoinRefused",
    "PhoenixServer",
    "ReceivedPush",
    "RecordedFrame",
    "Reply",
    "ServerChannel",
    "ServerProcess",
    "SocketInfo",
    "Stop",
    "WireFrame",
    "serve",
]

logging.getLogger("phoenix_actors.testing").addHandler(logging.NullHandler())

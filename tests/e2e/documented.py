"""The cases of `test_documented.py`, by their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from phoenix_actors import SocketClient
from tests.e2e.rig import Connect, Phoenix

__all__ = ["CASES", "NOWHERE", "Case", "case", "who"]

Case = Callable[[Phoenix, Connect], None]
CASES: Final[dict[int, Case]] = {}
# A port of loopback that nobody listens on.
NOWHERE: Final = "ws://127.0.0.1:1/socket/websocket"


def case(number: int) -> Callable[[Case], Case]:
    """Enters a case under its number."""

    def enter(function: Case) -> Case:
        assert number not in CASES
        CASES[number] = function
        return function

    return enter


def who(client: SocketClient, topic: str = "room:a") -> dict[str, Any]:
    """What the server knows of a client."""
    channel = client.channel(topic) or client.join(topic)
    answer: dict[str, Any] = channel.push("whoami", {}).get().response
    return answer

"""What the socket's actor does for the commands of its machine."""

from __future__ import annotations

from typing import get_args

from phoenix_actors.actors.socket import _CARRIED_OUT
from phoenix_actors.machines.connection_events import ConnectionCommand


def test_every_command_is_carried_out() -> None:
    """The machine has no word that the actor does not know, and the actor knows no other."""
    assert set(_CARRIED_OUT) == set(get_args(ConnectionCommand))

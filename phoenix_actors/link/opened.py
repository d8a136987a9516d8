"""The first frames of a connection: every channel joins on it, in creation order (C61)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phoenix_actors.link.deeds import carry_out
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.machines.channel_events import SocketOpened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phoenix_actors.link.core import ChannelCore
    from phoenix_actors.link.outbox import Outbox

__all__ = ["tell_opened"]

# How many channels queue their joins before these are written, in one send.
_TOGETHER: Final = 32


def tell_opened(cores: Iterable[ChannelCore], outbox: Outbox, generation: int) -> None:
    """Let the channels join; what the system does not take at once is for the writer thread."""
    event = SocketOpened(generation)
    for number, core in enumerate(cores, 1):
        deeds = core.take_in((event,))
        if number % _TOGETHER == 0:
            outbox.flush_now()
        if deeds:
            with no_waiting_here():
                carry_out(deeds)
    if outbox:
        outbox.flush_now()

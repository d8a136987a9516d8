"""A channel's actor without its client."""

from __future__ import annotations

import pytest

from phoenix_actors import ChannelActor
from supervisors import StartError, Supervisor


class Room(ChannelActor):
    """A class with an init, which must not run."""

    ran = False

    def init(self) -> None:
        """Tells that it ran."""
        type(self).ran = True


@pytest.mark.parametrize("cls", [Room, ChannelActor])
def test_only_a_client_starts_it(no_leaks: None, cls: type[ChannelActor]) -> None:
    """Whoever else starts it gets an error that says how it is done, before its init runs."""
    with pytest.raises(StartError) as failed:
        cls.start()
    assert str(failed.value.__cause__).startswith(
        f"{cls.__name__} is a ChannelActor, which a client"
    )
    with pytest.raises(StartError):
        Supervisor.start_link([cls], strategy="one_for_one")
    assert not Room.ran

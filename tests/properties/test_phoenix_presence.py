"""Presences of a client against the tracker of a server, whatever comes in between."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phoenix_actors.machines.presence import (
    DiffCame,
    JoinBegun,
    PresenceJoined,
    PresenceLeft,
    PresenceMachine,
    PresenceSynced,
    StateCame,
)

keys = st.sampled_from(["al", "bo", "__class__"])


class Presences(RuleBasedStateMachine):
    """A server tracks, a client follows; it may lose the connection at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = PresenceMachine()
        self.serial = 0
        # The server's truth, and what a user knows who only follows what is told.
        self.tracked: dict[str, list[dict[str, Any]]] = {}
        self.followed: dict[str, set[str]] = {}
        self.joined = False

    # -- the server

    def meta(self) -> dict[str, Any]:
        self.serial += 1
        return {"phx_ref": str(self.serial)}

    def broadcast(self, joins: dict[str, Any], leaves: dict[str, Any]) -> None:
        """Sends a diff to the client, if it is connected."""
        if self.joined:
            grouped = [
                {key: {"metas": [meta]} for key, meta in side.items()} for side in (joins, leaves)
            ]
            self.give(DiffCame({"joins": grouped[0], "leaves": grouped[1]}))

    @rule(key=keys)
    def track(self, key: str) -> None:
        meta = self.meta()
        self.tracked.setdefault(key, []).append(meta)
        self.broadcast({key: meta}, {})

    @precondition(lambda self: self.tracked)
    @rule(data=st.data())
    def untrack(self, data: st.DataObject) -> None:
        key, position = self.draw_meta(data)
        meta = self.tracked[key].pop(position)
        if not self.tracked[key]:
            del self.tracked[key]
        self.broadcast({}, {key: meta})

    @precondition(lambda self: self.tracked)
    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        key, position = self.draw_meta(data)
        old, new = self.tracked[key][position], self.meta()
        self.tracked[key][position] = new
        before = key in self.machine.state
        self.broadcast({key: new}, {key: old})
        assert not before or key in self.machine.state

    def draw_meta(self, data: st.DataObject) -> tuple[str, int]:
        key = data.draw(st.sampled_from(sorted(self.tracked)))
        return key, data.draw(st.integers(0, len(self.tracked[key]) - 1))

    # -- the connection

    @rule()
    def lose(self) -> None:
        listed = self.machine.state
        self.joined = False
        self.give(JoinBegun())
        assert self.machine.state == listed

    @rule()
    def rejoin(self) -> None:
        self.lose()
        self.joined = True

    @precondition(lambda self: self.joined)
    @rule()
    def send_state(self) -> None:
        # Some of it may have come by a diff already, which is held and applied again.
        self.give(StateCame({key: {"metas": list(metas)} for key, metas in self.tracked.items()}))

    # -- the client

    def give(self, event: JoinBegun | StateCame | DiffCame) -> None:
        """Hands an event to the machine and follows what it tells."""
        payload = copy.deepcopy(getattr(event, "payload", None))
        was_synced = self.machine.synced
        told = self.machine.handle(event)
        assert getattr(event, "payload", None) == payload
        syncs = [command for command in told if isinstance(command, PresenceSynced)]
        due = isinstance(event, StateCame) or (isinstance(event, DiffCame) and was_synced)
        assert len(syncs) == due
        assert told[-1:] == syncs
        for command in told:
            self.follow(command)

    def follow(self, command: Any) -> None:
        match command:
            case PresenceJoined(key, current, new):
                known = self.followed.get(key)
                assert (None if current is None else refs(current)) == known
                self.followed[key] = (known or set()) | refs(new)
            case PresenceLeft(key, remaining, left):
                self.followed[key] -= refs(left)
                assert self.followed[key] == refs(remaining)
                if not self.followed[key]:
                    del self.followed[key]

    @invariant()
    def followers_know_what_is_listed(self) -> None:
        """Joins and leaves lead to the list, at every moment."""
        assert self.followed == {key: refs(here) for key, here in self.machine.state.items()}
        assert all(here["metas"] for here in self.machine.state.values())

    @invariant()
    def a_synced_client_knows_the_truth(self) -> None:
        """Nobody is missing, nobody is a ghost, no meta is listed twice."""
        if not self.machine.synced:
            return
        listed = {
            key: sorted(meta["phx_ref"] for meta in here["metas"])
            for key, here in self.machine.state.items()
        }
        assert listed == {
            key: sorted(meta["phx_ref"] for meta in metas) for key, metas in self.tracked.items()
        }


def refs(presence: dict[str, Any]) -> set[str]:
    """Returns the refs of a presence."""
    return {meta["phx_ref"] for meta in presence["metas"]}


Presences.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestPresences = pytest.mark.contract("C126", "C127", "C130", "C131", "C133")(Presences.TestCase)

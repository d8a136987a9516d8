"""Drawn sequences of states, diffs and rejoins: told and listed as the official client does."""

from __future__ import annotations

import copy
import json
import random
import subprocess
from typing import Any

import pytest

from phoenix_actors.machines.presence import (
    DiffCame,
    JoinBegun,
    PresenceJoined,
    PresenceLeft,
    PresenceMachine,
    PresenceSynced,
    StateCame,
)
from tests.conformance import javascript

SEED = 126
SEQUENCES = 300
KEYS = ["al", "bo", "__proto__", "constructor", "toString"]


def metas(draw: random.Random) -> dict[str, Any]:
    """Returns a presence with up to three metas, whose refs may have been seen before."""
    refs = draw.sample(range(9), draw.randint(1, 3))
    return {"metas": [{"phx_ref": str(ref), "n": draw.randint(0, 9)} for ref in refs]}


def presences(draw: random.Random) -> dict[str, Any]:
    """Returns presences under some keys."""
    return {key: metas(draw) for key in draw.sample(KEYS, draw.randint(0, 3))}


def steps(draw: random.Random) -> list[tuple[str, Any]]:
    """Returns a sequence; every rejoin is followed by a state at some time."""
    drawn: list[tuple[str, Any]] = []
    pending = True
    for _ in range(draw.randint(3, 25)):
        step = draw.choice(["presence_state", "presence_diff", "presence_diff", "rejoin"])
        if step == "presence_state":
            drawn.append((step, presences(draw)))
            pending = False
        elif step == "presence_diff":
            drawn.append((step, {"joins": presences(draw), "leaves": presences(draw)}))
        elif not pending:
            # phoenix.js keeps diffs of a join whose state never came; this client does not.
            drawn.append((step, None))
            pending = True
    return drawn


def run(sequence: list[tuple[str, Any]]) -> list[Any]:
    """Returns what the machine tells and lists, in the words of `js/presence.mjs`."""
    machine, told = PresenceMachine(), list[Any]()
    for step, payload in copy.deepcopy(sequence):
        match step:
            case "rejoin":
                commands = machine.handle(JoinBegun())
            case "presence_state":
                commands = machine.handle(StateCame(payload))
            case _:
                commands = machine.handle(DiffCame(payload))
        for command in commands:
            match command:
                case PresenceJoined(key, current, new):
                    told.append(["join", key, current, new])
                case PresenceLeft(key, remaining, left):
                    told.append(["leave", key, remaining, left])
                case PresenceSynced():
                    told.append(["sync"])
        told.append(["list", [[key, here] for key, here in machine.state.items()]])
    return told


@pytest.mark.contract("C126", "C127", "C128", "C129", "C130", "C131", "C133", "C136")
def test_the_official_client_tells_the_same() -> None:
    """The same joins, leaves and syncs in the same order, and the same list after each step."""
    reason = javascript.unavailable()
    if reason is not None:
        pytest.skip(reason)
    draw = random.Random(SEED)
    sequences = [steps(draw) for _ in range(SEQUENCES)]
    done = subprocess.run(
        ["node", "presence.mjs"],
        cwd=javascript.FOLDER,
        input=json.dumps(sequences),
        capture_output=True,
        text=True,
        timeout=javascript.DEADLINE,
        check=True,
    )
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(theirs) == SEQUENCES
    for sequence, told in zip(sequences, theirs, strict=True):
        assert run(sequence) == told

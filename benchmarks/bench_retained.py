"""Bytes that a decoded message takes for who keeps it: plain, and with `share_decoded=True`."""

from __future__ import annotations

import json
import random
import tracemalloc
from typing import Any

from harness import BYTES, Aim, Way, main

from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.shared import SharedValues

_CHANCE = random.Random(1)  # noqa: S311


def tick(_: int) -> dict[str, Any]:
    """A price tick: 50 symbols, prices of two decimals."""
    return {
        "symbol": f"SYM{_CHANCE.randrange(50):03d}",
        "venue": _CHANCE.choice(("XNYS", "XNAS", "XLON")),
        "bid": 100 + _CHANCE.randrange(500) / 100,
        "ask": 101 + _CHANCE.randrange(500) / 100,
        "currency": "USD",
        "state": "open",
    }


def presence(number: int) -> dict[str, Any]:
    """A diff of presences: one of 500 users comes, with a ref that nobody else has."""
    user = f"user:{_CHANCE.randrange(500)}"
    meta = {
        "phx_ref": f"F{number:012d}",
        "device": _CHANCE.choice(("phone", "web")),
        "status": _CHANCE.choice(("online", "away")),
        "online_at": str(1_700_000_000 + number // 100),
        "name": user,
    }
    return {"joins": {user: {"metas": [meta]}}, "leaves": {}}


def retained(event: str, make: Any, *, share: bool) -> Way:
    """Return a way that keeps so many messages."""

    def run(count: int) -> float:
        codec = Codec("2.0.0", Counters(), shared=SharedValues() if share else None)
        frames = [
            json.dumps([None, None, f"room:{number % 20}", event, make(number)])
            for number in range(count)
        ]
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        kept = [codec.decode_text(frame) for frame in frames]
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return (after - before) / len(kept)

    return Way("share_decoded=True" if share else "plain", run, measures=True)


def ways(event: str, make: Any) -> list[Way]:
    """Return both ways."""
    return [retained(event, make, share=share) for share in (False, True)]


if __name__ == "__main__":
    main(
        "memory of a decoded message that is kept",
        {
            "price tick, one of 100,000": (100_000, ways("tick", tick)),
            "presence diff, one of 100,000": (100_000, ways("presence_diff", presence)),
        },
        unit=BYTES,
        rounds=1,
        aims={
            "price tick, one of 100,000": [Aim("share_decoded=True", than="plain", times=2.5)],
            "presence diff, one of 100,000": [Aim("share_decoded=True", than="plain", times=2.5)],
        },
    )

"""A payload pushed to many topics: encoded once by the binary pool against each time."""

from __future__ import annotations

from harness import Way, main

from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.pool import EncodedPool


def ways(size: int) -> list[Way]:
    """Return the two ways for a payload of about so many bytes."""
    payload = {"prices": [{"symbol": "ABCD", "price": 12.34} for _ in range(size // 33 + 1)]}
    codec = Codec("2.0.0", Counters())
    encoded = EncodedPool().encode(payload, codec.payload_text)

    def each_time(count: int) -> None:
        for _ in range(count):
            codec.complete(codec.prepare("room:lobby", "tick", payload), "1", "2")

    def once(count: int) -> None:
        for _ in range(count):
            codec.complete(codec.prepare("room:lobby", "tick", encoded), "1", "2")

    return [Way("encode each time", each_time), Way("encoded payload", once)]


if __name__ == "__main__":
    main(
        "frame of a payload that is pushed again",
        {f"{size} bytes": (2_000, ways(size)) for size in (33, 200, 2_000, 20_000)},
    )

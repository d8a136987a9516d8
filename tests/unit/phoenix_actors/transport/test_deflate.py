"""What permessage-deflate makes of messages before they are sent."""

from __future__ import annotations

import random

import pytest

from phoenix_actors.testing.inflating import suspicious
from phoenix_actors.transport.deflate import Deflate

CHANCE = random.Random(7)


@pytest.mark.contract("C173")
@pytest.mark.parametrize(
    "data",
    [
        b"x" * 16_385,
        b"x" * 32_768,
        b"x" * 1_000_000,
        b'{"a": 0}, ' * 30_000,
        CHANCE.randbytes(900) + bytes(40_000),
        CHANCE.randbytes(20_000) + bytes(20_000),
    ],
)
def test_nothing_inflates_to_more_than_25_times_its_length(data: bytes) -> None:
    """A server may take that for an attack; empty blocks make up for it, and add nothing."""
    deflate = Deflate()
    deflated = deflate.compress(data)
    assert deflated is not None
    assert len(data) / 25 <= len(deflated) < len(data)
    assert not suspicious(len(deflated), len(data))
    assert deflate.inflate(deflated, len(data)) == data
    # The next message is not disturbed by what stands at the end of this one.
    assert deflate.inflate(deflated, len(data)) == data


@pytest.mark.contract("C173")
def test_messages_of_no_suspicion_are_as_short_as_can_be() -> None:
    """Up to 16 KiB no server looks, and long ones that deflate less get nothing added."""
    short = Deflate().compress(b"x" * 16_384)
    assert short is not None
    assert len(short) < 40
    long = Deflate().compress(bytes(CHANCE.choices(b"phoenix ", k=50_000)))
    assert long is not None
    assert not long.endswith(b"\x00\x00\x00\xff\xff\x00")

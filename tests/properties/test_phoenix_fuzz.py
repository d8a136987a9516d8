"""Inbound bytes of any kind: no crash, no leak, and no change of the client's state.

`make fuzz` sends 1,000,000 of them; `FUZZ_FRAMES` says how many, `FUZZ_SEED` draws the same again.
"""

from __future__ import annotations

import gc
import os
import secrets
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_actors.transport.deflate import Deflate
from tests import leaks
from tests.properties.fuzzing import KEY, LIMIT, Fuzzed, Mutator, deflated, framing, handshake

pytestmark = pytest.mark.usefixtures("no_leaks", "quiet")

# Of so many inbound frames, this part each.
SHARES = {"text": 0.42, "binary": 0.26, "framing": 0.1, "deflate": 0.14, "handshake": 0.08}
# Frames between two looks at the state of the client: each look finds any change since the last.
LOOK = 200
# Objects that the interpreter and its caches may have more at the end.
SPARE_OBJECTS = 2000

slow = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def known_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of every handshake, so that an answer can be right."""
    monkeypatch.setattr("phoenix_actors.transport.handshake.os.urandom", lambda size: KEY[:size])


def objects() -> int:
    """Returns how many objects there are."""
    gc.collect()
    return len(gc.get_objects())


class Campaign:
    """Feeds each target its share, and counts what came of it."""

    def __init__(self, seed: int, total: int) -> None:
        self.mutator = Mutator(seed)
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self._total = total

    def run(self, name: str, feed: Callable[[], Any], look: Callable[[], None]) -> None:
        """Feeds one target; objects of a first tenth may stay, of the rest none may."""
        share = int(self._total * SHARES[name])
        began, before = time.monotonic(), 0
        for number in range(share):
            if number == share // 10:
                look()
                before = objects()
            self.counts[f"{name} {feed()}"] += 1
            if number % LOOK == 0:
                look()
        look()
        more = objects() - before
        assert more < SPARE_OBJECTS, f"{more} objects are left of {name}"
        self.seconds[name] = round(time.monotonic() - began, 1)


@pytest.mark.contract("C18", "C27", "C28", "C37", "C45", "C48", "C176")
def test_mutated_frames(capsys: pytest.CaptureFixture[str], known_key: None) -> None:
    """Text, binary, framing, deflate and handshake, each damaged, in one process."""
    seed = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**32))
    total = int(os.environ.get("FUZZ_FRAMES") or 10_000)
    with capsys.disabled():
        print(f"\nFUZZ_SEED={seed} FUZZ_FRAMES={total}")  # noqa: T201  to run it again
    campaign = Campaign(seed, total)
    mutator = campaign.mutator
    threads = threading.active_count()
    sockets = len(leaks.open_sockets())
    with Fuzzed() as fuzzed:
        counters = fuzzed.client.session.counters

        def look() -> None:
            fuzzed.unchanged()
            fuzzed.forget_presences()
            fuzzed.rest()

        campaign.run("text", lambda: fuzzed.text(mutator.text()), look)
        campaign.run("binary", lambda: fuzzed.binary(mutator.binary()), look)
        received = counters["frames_received"] + counters["decode_errors"]
        sent = campaign.counts["text True"] + campaign.counts["binary True"]
        # Each frame is counted once.
        assert received == sent + fuzzed.sent_besides
        assert counters["decode_errors"] > sent // 10
        fuzzed.works()
    inflaters = [Deflate(), Deflate(server_no_context_takeover=True)]

    def inflate() -> str:
        which = mutator.chance.randrange(2)
        try:
            inflated = inflaters[which].inflate(mutator.deflate(), LIMIT)
        except ValueError:
            inflated, outcome = None, "refused"
        else:
            outcome = "too long" if inflated is None else "inflated"
        if inflated is None:  # then the connection ends
            inflaters[which] = Deflate(server_no_context_takeover=bool(which))
        else:
            assert len(inflated) <= LIMIT
        return outcome

    campaign.run("deflate", inflate, lambda: None)

    def read() -> int:
        data, deflate = mutator.stream()
        return framing(data, deflate=deflate)

    campaign.run("framing", read, lambda: None)
    campaign.run("handshake", lambda: handshake(mutator.answer()), lambda: None)
    assert threading.active_count() <= threads + 4  # of the pool, which stays
    assert len(leaks.open_sockets()) == sockets
    with capsys.disabled():
        print(f"{dict(sorted(campaign.counts.items()))}\nseconds {campaign.seconds}")  # noqa: T201


@slow
@given(frames=st.lists(st.one_of(st.binary(max_size=60), st.text(max_size=60)), max_size=30))
@pytest.mark.contract("C27", "C37")
def test_any_frames(fuzzed: Fuzzed, frames: list[bytes | str]) -> None:
    """Bytes and text that nobody drew from good ones change nothing either."""
    for frame in frames:
        data = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
        fuzzed.text(data)
        fuzzed.binary(data)
    fuzzed.unchanged()
    fuzzed.rest()


@pytest.fixture(scope="module")
def fuzzed() -> Any:
    """One client for all examples."""
    with Fuzzed() as client:
        yield client
        client.works()


@slow
@given(data=st.binary(max_size=400), deflate=st.booleans())
@pytest.mark.contract("C176")
def test_any_stream(known_key: None, data: bytes, deflate: bool) -> None:
    """Any bytes for a WebSocket end it in order; whole frames before that are delivered."""
    assert framing(data, deflate=deflate) >= 0
    whole = b"\x81\x02hi" * 3
    assert framing(whole + data, deflate=deflate) >= 3


@slow
@given(data=st.binary(max_size=2000), limit=st.integers(0, 2000))
@pytest.mark.contract("C173", "C176")
def test_any_deflated_data(data: bytes, limit: int) -> None:
    """Good data comes back unless it is too long; what is no such data is a ValueError."""
    inflated = Deflate().inflate(deflated(data), limit)
    assert inflated == (data if len(data) <= limit else None)
    try:
        wild = Deflate().inflate(data, limit)
    except ValueError:
        return
    assert wild is None or wild == zlib.decompressobj(wbits=-15).decompress(data + b"\0\0\xff\xff")


@slow
@given(data=st.binary(max_size=300))
def test_any_answer(known_key: None, data: bytes) -> None:
    """No bytes open a connection but the right ones."""
    assert handshake(data) != "open"
    assert handshake(b"HTTP/1.1 101 x\r\n" + data) != "open"
    assert handshake(b"HTTP/1.1 403 x\r\n\r\n" + data) == "HandshakeRefused"

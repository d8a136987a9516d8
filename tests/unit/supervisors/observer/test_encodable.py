"""What an application may name its parts, and still be looked at."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from supervisors.observer import frames
from supervisors.observer.encodable import Encoder, encode
from supervisors.observer.facts import Column, LogEntry, Section

ENCODERS = [(msgspec.json.Encoder(), msgspec.json), (msgspec.msgpack.Encoder(), msgspec.msgpack)]


@pytest.mark.parametrize(("encoder", "module"), ENCODERS)
@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("caf\udce9", "caf?"),
        (["\ud800", {"\udfff": ("\udc80",)}], ["?", {"?": ["?"]}]),
        (["\ud800", 2**70, -(2**70)], ["?", 2.0**70, -(2.0**70)]),
        (["\ud800", 10**400], ["?", "a number of more than 1,000 bits"]),
        (["\ud800", 2**64 - 1, -(2**63), None, True], ["?", 2**64 - 1, -(2**63), None, True]),
    ],
)
def test_what_has_no_encoding(encoder: Encoder, module: Any, value: Any, seen: Any) -> None:
    """It becomes what is nearest to it."""
    assert module.decode(encode(encoder, value)) == seen


def test_records_stay_what_they_are() -> None:
    """A frame with such a value is read as the same record."""
    section = Section("T\udc80", (Column("n", "count"),), ((2**70,),))
    data = encode(msgspec.msgpack.Encoder(), section)
    assert msgspec.msgpack.decode(data, type=Section) == Section(
        "T?", (Column("n", "count"),), ((2.0**70,),)
    )
    entry = LogEntry(1, 0.0, "error", "an.event", "name=\udc80")
    assert b"name=?" in frames.encode(entry)

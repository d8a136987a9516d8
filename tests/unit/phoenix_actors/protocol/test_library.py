"""Frames by a JSON library of the user's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from phoenix_actors.errors import DecodeError, EncodeError, InvalidOption
from phoenix_actors.message import Frame
from phoenix_actors.options.json_library import JsonLibrary, json_library
from phoenix_actors.protocol import serializer_for


class Roomy:
    """Writes with white space and in bytes, reads decimals; knows dates."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def encode(self, value: Any) -> bytes:
        """Write."""
        self.calls.append("encode")
        return json.dumps(value, indent=2, default=datetime.isoformat).encode() + b"\n"

    def decode(self, text: str) -> Any:
        """Read."""
        self.calls.append("decode")
        assert isinstance(text, str)
        return json.loads(text, parse_float=Decimal)


def codec(library: Any, vsn: str = "2.0.0") -> Any:
    """Return the codec of a client with this library."""
    return serializer_for(vsn, json_library("json_library", library))


@pytest.mark.contract("C29")
@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
def test_every_text_frame_is_written_and_read_by_it(vsn: str) -> None:
    """What it writes is a whole frame, white space and all; what it knows beyond JSON goes out."""
    library = Roomy()
    made = codec(library, vsn)
    library.calls.clear()
    day = datetime(2026, 1, 2, tzinfo=UTC)
    text = made.complete(made.prepare("room:é", "shout", {"day": day}), "1", "2")
    frame = json.loads(text)
    payload = {"day": "2026-01-02T00:00:00+00:00"}
    if vsn == "2.0.0":
        assert frame == ["1", "2", "room:é", "shout", payload]
    else:
        assert frame["payload"] == payload
        assert (frame["topic"], frame["event"]) == ("room:é", "shout")
        assert (frame["join_ref"], frame["ref"]) == ("1", "2")
    whole, pieced = made.prepare("t", "e", None), made.prepare_encoded("t", "e", "{}")
    assert json.loads(made.complete(whole, None, "7")) == json.loads(
        made.complete(pieced, None, "7")
    )
    read = made.decode_text(text.encode())
    assert (read.topic, read.event, read.payload) == ("room:é", "shout", payload)
    assert library.calls[0] == "encode"
    assert library.calls[-1] == "decode"


@pytest.mark.contract("C29")
def test_what_it_reads_reaches_the_payload_as_it_is() -> None:
    """Decimals stay decimals; longer arrays are accepted; bytes frames do not concern it."""
    made = codec(Roomy())
    frame = made.decode_text('["1",null,"t","e",{"price":1.10},"sixth"]')
    assert frame == Frame("1", None, "t", "e", {"price": Decimal("1.10")})
    assert made.encode("1", "2", "t", "e", b"\x01") == b"\x00\x01\x01\x01\x0112te\x01"
    assert json.loads(made.payload_text([1])) == [1]


@pytest.mark.contract("C26", "C16")
def test_what_it_raises_is_an_encode_error_without_the_value() -> None:
    """The type of what was raised is told."""
    made = codec(json)
    with pytest.raises(EncodeError, match="json raised TypeError") as caught:
        made.prepare("room:lobby", "shout", {"s3cr3t": {1}})
    assert (caught.value.topic, caught.value.event) == ("room:lobby", "shout")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(EncodeError):
        made.encode("1", "2", "t", "e", json)


@pytest.mark.contract("C27")
@pytest.mark.parametrize(
    "data", ["", "s3cr3t", "{}", '["1","2","t","e"]', '["1",2,"t","e",{}]', b"\xff"]
)
def test_what_is_no_frame_is_a_decode_error(data: str | bytes) -> None:
    """Whether the library reads it or not."""
    with pytest.raises(DecodeError) as caught:
        codec(json).decode_text(data)
    assert "s3cr3t" not in str(caught.value)


class Words:
    """Has the words of both, of which encode and decode count."""

    encode = staticmethod(json.dumps)
    decode = staticmethod(json.loads)
    dumps = loads = staticmethod(repr)


class Deaf:
    dumps = staticmethod(json.dumps)
    loads = staticmethod(lambda _: None)


class Raising:
    dumps = loads = staticmethod(json.loads)


@pytest.mark.contract("C29")
def test_a_library_is_tried_where_it_enters() -> None:
    """What cannot write and read a frame is refused, before anything is sent."""
    assert json_library("json_library", None) is None
    known = json_library("json_library", Words)
    assert isinstance(known, JsonLibrary)
    assert json_library("json_library", known) is known
    assert known.encode([1]) == "[1]"
    for wrong, said in ((Deaf, "as it is"), (Raising, "TypeError"), (object(), "dumps and loads")):
        with pytest.raises(InvalidOption, match=said):
            json_library("json_library", wrong)


@pytest.mark.contract("C26")
@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(vsn: str, number: float) -> None:
    """The server would end the connection for it; the same letters in a string are fine."""
    made = codec(json, vsn)
    with pytest.raises(EncodeError, match=r"'e' on topic 't'.*not finite"):
        made.prepare("t", "e", {"value": [number]})
    with pytest.raises(EncodeError, match="not finite"):
        made.payload_text(number)
    text = made.encode("1", "2", "t", "e", {"value": "NaN, Infinity"})
    assert made.decode_text(text).payload == {"value": "NaN, Infinity"}

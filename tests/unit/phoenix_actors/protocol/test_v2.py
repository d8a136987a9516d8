"""The codec of vsn 2.0.0, byte for byte where bytes are documented."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.message import Frame
from phoenix_actors.protocol import SerializerV2

CODEC = SerializerV2()


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Ratio(float):
    pass


Point = namedtuple("Point", "x y")  # noqa: PYI024  a tuple of the user's


def encoded(payload: Any) -> Any:
    """Return the payload as the server will read it."""
    return json.loads(CODEC.encode("1", "2", "t", "e", payload))[4]


@pytest.mark.contract("C17")
def test_a_text_frame_is_an_array_of_five() -> None:
    """join_ref, ref, topic, event and payload, in this order, without white space."""
    frame = CODEC.encode("3", "4", "room:lobby", "echo", {"x": [1, 1.5, True, None, "s"]})
    assert frame == '["3","4","room:lobby","echo",{"x":[1,1.5,true,null,"s"]}]'


@pytest.mark.contract("C47")
def test_a_heartbeat_has_no_join_ref() -> None:
    """None is null on the wire."""
    frame = CODEC.encode(None, "12", "phoenix", "heartbeat", {})
    assert frame == '[null,"12","phoenix","heartbeat",{}]'


@pytest.mark.contract("C21")
def test_no_payload_is_an_empty_object() -> None:
    """None goes out as {}."""
    assert encoded(None) == {}


@pytest.mark.contract("C25")
def test_text_of_any_language_passes() -> None:
    """Topics, events and payloads keep their characters both ways."""
    frame = CODEC.encode("1", "2", "room:é", "grüße", {"ключ": "𝄞 \u0000 \u2028"})
    expected = Frame("1", "2", "room:é", "grüße", {"ключ": "𝄞 \u0000 \u2028"})
    assert CODEC.decode_text(frame) == expected


@pytest.mark.parametrize("payload", [[1, 2], "s", 5, 1.5, True, False, [], {}, (1, 2)])
def test_any_json_value_is_a_payload(payload: Any) -> None:
    """Not only objects go out."""
    assert encoded(payload) == (list(payload) if isinstance(payload, tuple) else payload)


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        ({"c": Colour.RED, "l": [Level.HIGH]}, {"c": "red", "l": [3]}),
        ({Colour.RED: 1, Level.HIGH: 2, 7: 3}, {"red": 1, "3": 2, "7": 3}),
        ([Text("a"), Number(1), Ratio(0.5)], ["a", 1, 0.5]),
        (OrderedDict(a=Point(1, Text("b"))), {"a": [1, "b"]}),
        ({"big": 2**70, "small": -(2**70)}, {"big": 2**70, "small": -(2**70)}),
    ],
)
def test_subclasses_go_out_as_what_they_stand_for(payload: Any, read: Any) -> None:
    """Enums, named tuples and the like are their plain values; int keys become strings."""
    assert encoded(payload) == read


LOOP: list[Any] = []
LOOP.append(LOOP)


UNFIT = {
    "set": {1, 2},
    "frozenset": frozenset({1}),
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": -float("inf"),
    "nan of a subclass": Ratio("nan"),
    "lone surrogate": "\ud800",
    "bytes in a list": [b"bytes"],
    "object": object(),
    "date": datetime.now(UTC),
    "decimal": Decimal("1.5"),
    "key None": {None: 1},
    "key True": {True: 1},
    "key float": {1.5: 1},
    "key bytes": {b"k": 1},
    "key tuple": {(1, 2): 1},
    "key surrogate": {"\ud800": 1},
    "set below an enum": {Colour.RED: {1}},
    "bytes key below an enum": {Colour.RED: {b"k": 1}},
    "endless": LOOP,
}


@pytest.mark.contract("C26")
@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_what_json_cannot_hold_raises(name: str, depth: int) -> None:
    """Nothing is written as something else: it raises, naming topic and event and no value."""
    payload: Any = UNFIT[name]
    for _ in range(depth):
        payload = {"list": [1, payload], "plain": "x"}
    with pytest.raises(EncodeError) as caught:
        CODEC.encode("1", "2", "room:lobby", "shout", payload)
    assert (caught.value.topic, caught.value.event) == ("room:lobby", "shout")
    assert caught.value.field == "payload"


@pytest.mark.parametrize("topic", ["\ud800"])
def test_a_name_that_utf8_does_not_have_raises(topic: str) -> None:
    """A topic with a lone surrogate cannot be sent."""
    with pytest.raises(EncodeError):
        CODEC.encode("1", "2", topic, "e", {})


@pytest.mark.contract("C18")
def test_longer_arrays_are_accepted() -> None:
    """What a later version adds is left out."""
    frame = CODEC.decode_text('["1","2","t","e",{"a":1},"sixth",7]')
    assert frame == Frame("1", "2", "t", "e", {"a": 1})


@pytest.mark.contract("C18", "C27")
@pytest.mark.parametrize(
    "data",
    [
        "",
        "not json",
        "null",
        "{}",
        '{"topic":"t","event":"e","payload":{},"ref":null}',
        "[]",
        '["1","2","t","e"]',
        '["1","2",null,"e",{}]',
        '["1","2","t",5,{}]',
        '[1,"2","t","e",{}]',
        '["1",2,"t","e",{}]',
        '["1","2","t","e",{}] x',
        '["1","2","t","e",{',
        '["1","2","t","e",NaN]',
        '["1","2","t","e",1e999]',
        '["1","2","t","e","\\ud800"]',
        '["1","2","t","e","\ud800"]',
        b'["1","2","t","e","\xff"]',
        b'["1","2","\xff","e",{}]',
        b"\xef\xbb\xbf[]",
        '["1","2","t","e",' + "[" * 100_000,
    ],
)
def test_other_text_is_a_decode_error(data: str | bytes) -> None:
    """Whatever comes, nothing but a DecodeError is raised."""
    with pytest.raises(DecodeError):
        CODEC.decode_text(data)


@pytest.mark.contract("C16")
def test_a_decode_error_shows_no_payload() -> None:
    """What the server sent is not in the text."""
    for data in ('["1","2","t",{"s3cr3t":1},"s3cr3t"]', "s3cr3t", b'["s3cr3t\xff"]'):
        with pytest.raises(DecodeError) as caught:
            CODEC.decode_text(data)
        assert "s3cr3t" not in str(caught.value)


def test_text_and_its_bytes_are_the_same_frame() -> None:
    """A transport may hand in either."""
    text = '["1",null,"room:é","e",[1]]'
    assert CODEC.decode_text(text) == CODEC.decode_text(text.encode())


def test_a_frame_may_be_prepared_without_its_refs() -> None:
    """Payload errors come early; the refs come late."""
    prepared = CODEC.prepare("room:é", "shout", {"a": 1})
    assert CODEC.complete(prepared, "3", "4") == '["3","4","room:é","shout",{"a":1}]'
    assert CODEC.complete(prepared, None, None) == '[null,null,"room:é","shout",{"a":1}]'
    text = CODEC.payload_text({"a": 1})
    assert CODEC.prepare_encoded("room:é", "shout", text) == prepared
    binary = CODEC.prepare("t", "e", b"\x01")
    assert CODEC.complete(binary, "0", "1") == b"\x00\x01\x01\x01\x0101te\x01"
    assert "x01" not in repr(binary)
    for bad in ({1}, {"a": float("nan")}):
        with pytest.raises(EncodeError):
            CODEC.prepare("t", "e", bad)
    with pytest.raises(EncodeError):
        CODEC.payload_text(b"")


# ---- binary ----


@pytest.mark.contract("C30", "C34")
@pytest.mark.parametrize(
    ("parts", "payload", "frame"),
    [
        (("0", "1", "t", "e"), b"\x01", "00 01 01 01 01 30 31 74 65 01"),
        (
            ("3", "13", "room:lobby", "binary_echo"),
            b"\x01\x02\x03\xff",
            "00 01 02 0a 0b 33 3133 726f6f6d3a6c6f626279 62696e6172795f6563686f 010203ff",
        ),
        (
            ("18", "19", "room:é", "binary_echo"),
            b"\x09",
            "00 02 02 07 0b 3138 3139 726f6f6d3ac3a9 62696e6172795f6563686f 09",
        ),
    ],
)
def test_a_binary_push_is_written_as_documented(
    parts: tuple[str, str, str, str], payload: bytes, frame: str
) -> None:
    """Four lengths in bytes of UTF-8, four strings, data."""
    assert CODEC.encode(*parts, payload) == bytes.fromhex(frame)


@pytest.mark.contract("C36")
@pytest.mark.parametrize("data", [b"", b"\x01\x02\x03\x04"])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_everything_like_bytes_is_a_binary_frame(kind: Any, data: bytes) -> None:
    """bytes, bytearray and memoryview are the same on the wire, and may be empty."""
    assert CODEC.encode("0", "1", "t", "e", kind(data)) == b"\x00\x01\x01\x01\x0101te" + data


def test_a_view_of_every_other_byte_is_sent_as_its_bytes() -> None:
    """A memoryview need not be contiguous."""
    frame = CODEC.encode("0", "1", "t", "e", memoryview(b"abcdef")[::2])
    assert isinstance(frame, bytes)
    assert frame.endswith(b"ace")


@pytest.mark.contract("C35")
@pytest.mark.parametrize("field", ["join_ref", "ref", "topic", "event"])
def test_a_name_over_255_bytes_raises_and_is_named(field: str) -> None:
    """Lengths are one byte; 255 bytes of UTF-8 are the most."""
    parts = {"join_ref": "0", "ref": "1", "topic": "t", "event": "e"}
    assert CODEC.encode(**{**parts, field: "é" * 127 + "x"}, payload=b"")
    with pytest.raises(EncodeError) as caught:
        CODEC.encode(**{**parts, field: "é" * 128}, payload=b"")
    assert caught.value.field == field


def test_bytes_need_a_join_ref() -> None:
    """An empty join_ref is dropped by the server, so it is not sent."""
    with pytest.raises(EncodeError) as caught:
        CODEC.encode(None, "1", "t", "e", b"")
    assert caught.value.field == "join_ref"
    with pytest.raises(EncodeError):
        CODEC.encode("1", "1", "\ud800", "e", b"")


@pytest.mark.contract("C31", "C32", "C33")
@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (
            b"\x00\x03\x03\x0a123topsome-event\x01\x01",
            Frame("123", None, "top", "some-event", b"\x01\x01"),
        ),
        (
            b"\x01\x03\x02\x03\x0210012topok\x01\x01",
            Frame("100", "12", "top", "phx_reply", {"status": "ok", "response": b"\x01\x01"}),
        ),
        (b"\x02\x03\x0atopsome-event\x01\x01", Frame(None, None, "top", "some-event", b"\x01\x01")),
        (b"\x02\x07\x01room:\xc3\xa9e", Frame(None, None, "room:é", "e", b"")),
        (
            b"\x01\x02\x00\x06\x0222room:bok\x01",
            Frame("22", None, "room:b", "phx_reply", {"status": "ok", "response": b"\x01"}),
        ),
    ],
)
def test_binary_frames_are_read_as_documented(data: bytes, frame: Frame) -> None:
    """Push, reply and broadcast; an empty ref is none."""
    assert CODEC.decode_binary(data) == frame


@pytest.mark.contract("C37")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x01\x01\x01\x01",
        b"\x02\x01",
        b"\x00\x03\x03\x0a123top",
        b"\x01\xff\xff\xff\xff" + b"x" * 1019,
        b"\x09\x00\x00",
        b"\x02\x02\x01\xff\xfee",
    ],
)
def test_other_binary_frames_are_decode_errors(data: bytes) -> None:
    """Cut short, of unknown kind, or not UTF-8: nothing but a DecodeError is raised."""
    with pytest.raises(DecodeError):
        CODEC.decode_binary(data)

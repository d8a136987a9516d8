"""The codec of vsn 1.0.0: objects of four keys and a fifth, and no bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.message import Frame
from phoenix_actors.protocol import SerializerV1

CODEC = SerializerV1()


@pytest.mark.contract("C19")
@pytest.mark.parametrize("ref", ["7", None])
@pytest.mark.parametrize("payload", [None, {}, {"x": "é"}, [1], "s", 0, False])
def test_all_four_keys_are_always_there(ref: str | None, payload: Any) -> None:
    """The server closes with 1011 when one is missing, `ref` even when it is null."""
    frame = json.loads(CODEC.encode(None, ref, "room:é", "shout", payload))
    sent = {} if payload is None else payload
    assert frame == {"topic": "room:é", "event": "shout", "payload": sent, "ref": ref}


@pytest.mark.contract("C19")
def test_a_frame_of_a_channel_has_its_join_ref_too() -> None:
    """As phoenix.js sends it: some servers drop a push or a leave without."""
    frame = json.loads(CODEC.encode("3", "4", "t", "e", {}))
    assert frame == {"topic": "t", "event": "e", "payload": {}, "ref": "4", "join_ref": "3"}


def test_a_frame_may_be_prepared_without_its_refs() -> None:
    """Payload errors come early; the refs come late; JSON text may be given as it is."""
    prepared = CODEC.prepare("room:é", "shout", {"a": 1})
    assert CODEC.complete(prepared, "3", "4") == CODEC.encode("3", "4", "room:é", "shout", {"a": 1})
    assert CODEC.prepare_encoded("room:é", "shout", CODEC.payload_text({"a": 1})) == prepared


@pytest.mark.contract("C38")
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_raise_here(kind: Any) -> None:
    """The server would close with 1011, and with it every channel of the connection."""
    with pytest.raises(EncodeError, match=r"no binary frames: use vsn '2\.0\.0'") as caught:
        CODEC.prepare("room:lobby", "upload", kind(b"s3cr3t"))
    assert (caught.value.topic, caught.value.event) == ("room:lobby", "upload")
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(EncodeError):
        CODEC.payload_text(kind(b"s3cr3t"))


@pytest.mark.contract("C26")
@pytest.mark.parametrize("payload", [{1}, {"a": float("nan")}, {None: 1}, "\ud800", [b"x"]])
def test_what_json_cannot_hold_raises(payload: Any) -> None:
    """Nothing is written as something else."""
    with pytest.raises(EncodeError):
        CODEC.prepare("t", "e", payload)


@pytest.mark.parametrize(("topic", "event"), [(5, "e"), ("t", None), ("\ud800", "e")])
def test_names_that_are_no_text_raise(topic: Any, event: Any) -> None:
    """Topic and event are strings."""
    with pytest.raises(EncodeError):
        CODEC.prepare(topic, event, {})
    with pytest.raises(EncodeError):
        CODEC.prepare_encoded(topic, event, "{}")


@pytest.mark.contract("C20")
@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (
            '{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"3","topic":"t"}',
            Frame(None, "3", "t", "phx_reply", {"response": {}, "status": "ok"}),
        ),
        (
            '{"topic":"t","ref":null,"payload":[1],"event":"shout","later":1}',
            Frame(None, None, "t", "shout", [1]),
        ),
        ('{"topic":"t","payload":1,"event":"e"}', Frame(None, None, "t", "e", 1)),
        (
            '{"event":"phx_close","payload":{},"ref":null,"topic":"t"}',
            Frame(None, None, "t", "phx_close", {}),
        ),
        (
            '{"event":"phx_close","payload":{},"ref":"1","topic":"t"}',
            Frame("1", "1", "t", "phx_close", {}),
        ),
    ],
)
def test_a_frame_has_no_join_ref(text: str, frame: Frame) -> None:
    """Only what ends a channel tells which join it ends, by its ref."""
    assert CODEC.decode_text(text) == frame
    assert CODEC.decode_text(text.encode()) == frame


@pytest.mark.contract("C27")
@pytest.mark.parametrize(
    "data",
    [
        "",
        "not json",
        "[]",
        "{}",
        '[null,null,"t","e",{}]',
        '{"topic":"t","event":"e","ref":null}',
        '{"topic":5,"event":"e","payload":{},"ref":null}',
        '{"topic":"t","event":"e","payload":{},"ref":2}',
        '{"topic":"t","event":"e","payload":NaN,"ref":null}',
        b'{"topic":"\xff","event":"e","payload":{},"ref":null}',
        '{"payload":' + "[" * 100_000,
    ],
)
def test_other_text_is_a_decode_error(data: str | bytes) -> None:
    """Whatever comes, nothing but a DecodeError is raised."""
    with pytest.raises(DecodeError):
        CODEC.decode_text(data)


def test_binary_messages_are_decode_errors() -> None:
    """There are none in this version."""
    with pytest.raises(DecodeError, match="2 bytes"):
        CODEC.decode_binary(b"\x02\x01")
